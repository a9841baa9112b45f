"""Bars as TradingView UDF answers of VPS and VNDIRECT."""

import json

import numpy as np
import pytest

from vnquant.market.bars import BarSeries
from vnquant.simulation.wire import HistoryText, udf_error, vndirect_history, vps_history, vps_unsupported
from vnquant.simulation.wire.history import repeat_some_days

EVERYTHING = (0.0, 4e9)


def vnm_days() -> BarSeries:
    """Return the two days of the recorded VPS body, in VND."""
    return BarSeries(
        "VNM",
        np.array(["2025-05-12", "2025-05-13"], "datetime64[s]"),
        *(np.array(column) for column in ([57_000.0, 57_300], [57_600.0, 57_900], [56_800.0, 57_100])),
        np.array([57_200.0, 57_600]),
        np.array([2_530_900.0, 3_101_200]),
    )


def random_days(symbol: str, rows: int, seed: int = 1) -> BarSeries:
    rng = np.random.default_rng(seed)
    stamps = np.datetime64("2018-01-01", "s") + np.arange(rows) * np.timedelta64(86_400, "s")
    low, high = np.sort(rng.integers(5_000, 150_000, (2, rows)).astype(float), axis=0)
    opening, close = rng.integers(low, high + 1, (2, rows)).astype(float)
    return BarSeries(symbol, stamps, opening, high, low, close, rng.integers(0, 90_000, rows) * 100.0)


def repeating_symbol() -> str:
    stamps = np.arange(1000, dtype=np.int64) * 86_400
    for number in range(200):
        repeated, _ = repeat_some_days(f"S{number}", stamps, [np.ones(1000)] * 5)
        if len(repeated) > 1000:
            return f"S{number}"
    raise AssertionError("no symbol repeats days")


def test_vps_body_is_the_recorded_text() -> None:
    text = HistoryText.of(vnm_days(), daily=True).cut(*EVERYTHING)
    assert vps_history("VNM", text).body == (
        b'{"symbol":"VNM","s":"ok","t":[1747008000,1747094400],"c":[57.2,57.6],"o":[57.0,57.3],'
        b'"h":[57.6,57.9],"l":[56.8,57.1],"v":[2530900,3101200]}'
    )


def test_vps_no_data_is_200_with_empty_arrays() -> None:
    nothing = HistoryText.of(vnm_days(), daily=True).cut(0, 1)
    answer = vps_history("NOPE", nothing)
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "symbol": "NOPE",
        "s": "no_data",
        "t": [],
        "c": [],
        "o": [],
        "h": [],
        "l": [],
        "v": [],
    }


@pytest.mark.parametrize("resolution", ["120", "240", "W", "M", "1W", "1M"])
def test_vps_gives_unserved_resolutions_200_without_a_state(resolution: str) -> None:
    answer = vps_unsupported("VNM", resolution)
    assert answer.status == 200
    assert json.loads(answer.body).get("s") is None


def test_vps_content_type_is_json() -> None:
    assert vps_unsupported("VNM", "W").headers == {
        "Content-Type": "application/json; charset=utf-8",
        "Access-Control-Allow-Origin": "*",
    }


def test_vndirect_body_has_no_symbol_and_calls_itself_plain_text() -> None:
    bars = BarSeries(
        "FPT",
        np.array(["2025-09-26", "2025-09-29"], "datetime64[s]"),
        *(
            np.array(c)
            for c in ([56_883.0, 56_513], [57_160.0, 56_605], [56_513.0, 55_680], [56_513.0, 55_773])
        ),
        np.array([2_489_900.0, 5_130_400]),
    )
    answer = vndirect_history(HistoryText.of(bars, daily=True, repeat_days=False).cut(*EVERYTHING))
    assert answer.body == (
        b'{"t":[1758844800,1759104000],"o":[56.883,56.513],"h":[57.16,56.605],"l":[56.513,55.68],'
        b'"c":[56.513,55.773],"v":[2489900,5130400],"s":"ok"}'
    )
    assert answer.content_type == "text/plain;charset=UTF-8"


def test_vndirect_empty_range_is_ok_with_empty_arrays() -> None:
    empty = HistoryText.of(vnm_days(), daily=True).cut(0, 1)
    assert json.loads(vndirect_history(empty).body) == {
        "t": [],
        "o": [],
        "h": [],
        "l": [],
        "c": [],
        "v": [],
        "s": "ok",
    }


def test_udf_error_form() -> None:
    assert json.loads(udf_error("bad").body) == {"s": "error", "errmsg": "bad"}


def test_minutes_are_stamped_in_true_utc() -> None:
    bars = vnm_days()
    minutes = BarSeries(
        "VNM",
        np.array(["2025-05-12T09:15", "2025-05-12T09:16"], "datetime64[s]"),
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,
    )
    body = json.loads(vps_history("VNM", HistoryText.of(minutes, daily=False).cut(*EVERYTHING)).body)
    assert body["t"] == [1747016100, 1747016160]  # 02:15Z


@pytest.mark.parametrize(("i", "j"), [(0, 500), (0, 1), (499, 500), (17, 90), (250, 250)])
def test_cut_gives_the_rows_of_the_range_inclusive(i: int, j: int) -> None:
    bars = random_days("AAA", 500)
    text = HistoryText.of(bars, daily=True, repeat_days=False)
    stamps = bars.timestamps.astype(np.int64)
    last = stamps[j - 1] if j > i else stamps[i] - 1
    body = json.loads(vps_history("AAA", text.cut(float(stamps[i]), float(last))).body)
    assert body["t"] == stamps[i:j].tolist()
    for name, column in (("o", bars.open), ("h", bars.high), ("l", bars.low), ("c", bars.close)):
        assert [round(v * 1000) for v in body[name]] == column[i:j].tolist()
    assert body["v"] == bars.volume[i:j].tolist()


@pytest.mark.parametrize("split", [0, 1, 133, 499, 500])
def test_extended_text_equals_text_made_at_once(split: int) -> None:
    symbol = repeating_symbol()
    bars = random_days(symbol, 500)
    parts = [
        BarSeries(
            symbol,
            *(getattr(bars, n)[rows] for n in ("timestamps", "open", "high", "low", "close", "volume")),
        )
        for rows in (slice(None, split), slice(split, None))
    ]
    first, second = (HistoryText.of(part, daily=True) for part in parts)
    extended, whole = first.then(second), HistoryText.of(bars, daily=True)
    assert (
        vps_history(symbol, extended.cut(*EVERYTHING)).body
        == vps_history(symbol, whole.cut(*EVERYTHING)).body
    )
    assert extended.ends.tolist() == whole.ends.tolist()


def test_two_cuts_join_into_one_answer() -> None:
    text = HistoryText.of(vnm_days(), daily=True)
    first, second = text.cut(0, 1747008000), text.cut(1747094400, 4e9)
    assert vps_history("VNM", first, second).body == vps_history("VNM", text.cut(*EVERYTHING)).body


def test_some_symbols_repeat_days_with_the_right_row_last() -> None:
    symbol = repeating_symbol()
    bars = random_days(symbol, 1600)
    body = json.loads(vps_history(symbol, HistoryText.of(bars, daily=True).cut(*EVERYTHING)).body)
    repeats = len(body["t"]) - len(set(body["t"]))
    assert 8 <= repeats <= 80
    last = dict(zip(body["t"], body["c"], strict=True))
    assert [round(c * 1000) for c in last.values()] == bars.close.tolist()
    conflicting = sum(
        a == b and ca != cb
        for a, b, ca, cb in zip(body["t"], body["t"][1:], body["c"], body["c"][1:], strict=False)
    )
    assert conflicting >= repeats * 0.9


def test_most_symbols_repeat_no_day() -> None:
    stamps = np.arange(1000, dtype=np.int64) * 86_400
    counts = [len(repeat_some_days(f"S{n}", stamps, [np.ones(1000)] * 5)[0]) for n in range(200)]
    assert 2 <= sum(count > 1000 for count in counts) <= 30


def test_prices_survive_the_way_to_thousands_and_back() -> None:
    every = np.arange(1.0, 200_001.0)
    stamps = np.datetime64("2000-01-01", "s") + np.arange(len(every)) * np.timedelta64(60, "s")
    bars = BarSeries("AAA", stamps, every, every, every, every, every)
    body = json.loads(vps_history("AAA", HistoryText.of(bars, daily=False).cut(*EVERYTHING)).body)
    assert (np.asarray(body["c"]) * 1000).round().tolist() == every.tolist()
    assert max(len(str(price)) for price in body["c"]) == len("199.999")
