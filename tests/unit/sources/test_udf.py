"""Histories, recorded after the shapes of VPS, VNDIRECT and DNSE."""

import json

import numpy as np
import pytest

from vnquant.errors import EmptyAnswerError, PayloadError
from vnquant.sources.udf import parse_history

VPS = (
    b'{"symbol":"VNM","s":"ok","t":[1747008000,1747094400],"c":[57.2,57.6],"o":[57.0,57.3],"h":[57.6,57.9],'
    b'"l":[56.8,57.1],"v":[2530900,3101200]}'
)
VNDIRECT = (
    b'{"t":[1758844800,1759104000],"o":[56.883,56.513],"h":[57.16,56.605],"l":[56.513,55.68],'
    b'"c":[56.513,55.773],"v":[2489900,5130400],"s":"ok"}'
)
DNSE = (
    b'{"t":[1773715500,1773716400,1773800100],"o":[23.8,23.75,23.75],"h":[23.8,23.8,23.9],"l":[23.7,23.7,23.7],'
    b'"c":[23.75,23.75,23.8],"v":[2530900,514100,494000],"nextTime":0}'
)


def changed(**columns):
    record = json.loads(VPS)
    record.update(columns)
    return json.dumps(record).encode()


def days(series):
    return [str(t)[:10] for t in series.timestamps]


def test_vps_history_in_whole_vnd_and_shares():
    series = parse_history(VPS, "VNM", source="vps")
    assert days(series) == ["2025-05-12", "2025-05-13"]
    assert series.close.tolist() == [57_200, 57_600]
    assert series.open.tolist() == [57_000, 57_300]
    assert series.high.tolist() == [57_600, 57_900]
    assert series.low.tolist() == [56_800, 57_100]
    assert series.volume.tolist() == [2_530_900, 3_101_200]
    assert (series.symbol, series.source, series.problems) == ("VNM", "vps", ())


def test_vndirect_prices_keep_their_three_decimals_and_need_no_symbol():
    series = parse_history(VNDIRECT, "VCB", source="vndirect")
    assert series.open.tolist() == [56_883, 56_513]
    assert days(series) == ["2025-09-26", "2025-09-29"]


def test_dnse_minutes_without_a_status_are_read_in_ict():
    series = parse_history(DNSE, "MBB", source="dnse", daily=False)
    assert [str(t) for t in series.timestamps] == [
        "2026-03-17T09:45:00",
        "2026-03-17T10:00:00",
        "2026-03-18T09:15:00",
    ]


def test_daily_stamps_at_midnight_in_ict_mean_the_same_session():
    midnight_ict = [t - 7 * 3600 for t in (1747008000, 1747094400)]
    assert days(parse_history(changed(t=midnight_ict), "VNM", source="vps")) == ["2025-05-12", "2025-05-13"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"s":"no_data","t":[],"o":[],"h":[],"l":[],"c":[],"v":[]}',
        b'{"s":"no_data"}',
        b'{"s":"no_data","nextTime":null}',
        b'{"s":"ok","t":[],"o":[],"h":[],"l":[],"c":[],"v":[]}',
        b'{"symbol":"VNM","s":null}',
        b"{}",
    ],
)
def test_every_way_of_having_nothing_is_an_empty_answer(body):
    with pytest.raises(EmptyAnswerError):
        parse_history(body, "VNM", source="vps")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>maintenance</html>", "html"),
        (b'{"s":"error","errmsg":"bad symbol"}', "bad symbol"),
        (VPS[:-30], "did not answer"),
        (b"[]", "did not answer"),
        (changed(symbol="FPT"), "answered for 'FPT'"),
        (changed(o=[57.0]), "different lengths"),
        (changed(c=[-1, 0]), "none is usable"),
    ],
)
def test_what_is_no_history_is_a_payload_error(body, told):
    with pytest.raises(PayloadError, match=told):
        parse_history(body, "VNM", source="vps")


def test_of_two_records_of_a_day_the_later_counts():
    body = changed(t=[1747094400, 1747008000, 1747094400], **{n: [1, 2, 3] for n in "ohlcv"})
    series = parse_history(body, "VNM", source="vps")
    assert series.close.tolist() == [2_000, 3_000]
    assert days(series) == ["2025-05-12", "2025-05-13"]


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("c", None, "close"),
        ("o", 0, "open"),
        ("l", -3, "low"),
        ("h", 1.0, "high"),
        ("v", -1, "volume"),
        ("v", "many", "volume"),
        ("t", None, "time"),
        ("t", 12, "time"),
        ("c", 1e300, "close"),
    ],
)
def test_a_malformed_record_is_named_and_the_others_are_kept(column, value, field):
    record = json.loads(VPS)
    record[column][0] = value
    series = parse_history(json.dumps(record).encode(), "VNM", source="vps")
    assert days(series) == ["2025-05-13"]
    (problem,) = series.problems
    assert (problem.symbol, problem.field, problem.source) == ("VNM", field, "vps")


def test_numbers_sent_as_text_are_read():
    assert parse_history(changed(c=["57.2", "57.6"]), "VNM", source="vps").close.tolist() == [57_200, 57_600]


def test_a_day_without_matches_is_kept():
    series = parse_history(changed(v=[0, 5]), "VNM", source="vps")
    assert series.volume.tolist() == [0, 5]
    assert series.problems == ()


def test_a_close_a_little_outside_high_and_low_is_kept_for_the_data_report():
    assert len(parse_history(changed(c=[57.61, 57.6]), "VNM", source="vps")) == 2


def test_stamps_are_seconds_and_ascend():
    series = parse_history(VPS, "VNM", source="vps")
    assert series.timestamps.dtype == np.dtype("datetime64[s]")
    assert np.all(np.diff(series.timestamps) > np.timedelta64(0))
