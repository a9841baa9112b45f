"""The data report: each defect planted once and found once, and the truth about the real file."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.pace import slowness
from vnquant.errors import EmptySelectionError, InputError, ParameterError
from vnquant.market import OHLCV, BarPanel, data_report, default_calendar, round_to_ticks
from vnquant.market.quality import QualityReport

REAL_BARS = Path(__file__).parents[4] / "shared" / "data" / "real" / "vn_daily.parquet"
OHLC = ["open", "high", "low", "close"]
SESSIONS = default_calendar().sessions(date(2023, 1, 3), date(2024, 12, 31))


def clean_bars(symbol: str = "FPT", level: float = 60_000.0) -> pd.DataFrame:
    """Bars on tick, inside the band, on every session: nothing to report."""
    steps = np.arange(len(SESSIONS))
    close = round_to_ticks(level * (1 + 0.05 * np.sin(steps / 9)))
    return pd.DataFrame(
        {
            "symbol": symbol,
            "date": SESSIONS.astype("datetime64[s]"),
            "open": close,
            "high": round_to_ticks(close * 1.01, direction="up"),
            "low": round_to_ticks(close * 0.99, direction="down"),
            "close": close,
            "volume": 1_000_000.0,
        }
    )


def found(frame: pd.DataFrame) -> dict[str, int]:
    return {name: count for name, count in data_report(frame).counts.items() if count}


def test_clean_bars_have_nothing_to_report() -> None:
    report = data_report(clean_bars())
    assert report.adjustment == "as traded"
    assert {n: c for n, c in report.counts.items() if c} == {}
    assert "Nothing was dropped or repaired." in str(report)


def test_duplicates_are_counted_and_conflicts_told() -> None:
    bars = clean_bars()
    twice = pd.concat([bars, bars.iloc[[10]], bars.iloc[[20]].assign(close=60_200.0)])
    report = data_report(twice)
    assert report.counts["duplicates"] == 2
    assert "1 of them differ" in report["duplicates"].explanation


def test_missing_and_impossible_values_are_found() -> None:
    bars = clean_bars()
    bars["close"] = bars["close"].astype(object)
    bars.loc[5, "close"] = "n/a"
    bars.loc[6, "open"] = 0.0
    bars.loc[7, "volume"] = -1.0
    bars.loc[8, "high"] = np.inf
    assert found(bars) == {"missing_values": 4}


def test_high_below_close_and_low_above_open_are_found() -> None:
    bars = clean_bars()
    bars.loc[5, "high"] = bars.loc[5, "close"] - 500
    bars.loc[9, "low"] = bars.loc[9, "open"] + 300
    report = data_report(bars)
    assert {n: c for n, c in report.counts.items() if c} == {"inconsistent_ohlc": 2}
    assert report["inconsistent_ohlc"].examples[0].date == str(SESSIONS[5])


def test_zero_volume_is_found() -> None:
    bars = clean_bars()
    bars.loc[5, "volume"] = 0.0
    assert found(bars) == {"zero_volume": 1}


def test_rows_on_closed_days_are_named_by_the_day() -> None:
    bars = clean_bars()
    odd = bars.iloc[[0, 1]].assign(date=pd.to_datetime(["2024-02-10", "2024-02-12"]))
    report = data_report(pd.concat([bars, odd]))
    assert report.counts["non_trading_days"] == 2
    assert [e.detail for e in report["non_trading_days"].examples] == ["Saturday", "Tet"]


def test_gaps_count_sessions_not_days_and_tet_is_none() -> None:
    bars = clean_bars()
    tet = SESSIONS.tolist().index(date(2023, 1, 19))
    assert (SESSIONS[tet + 1] - SESSIONS[tet]).astype(int) == 8
    both = pd.concat([bars.drop(index=[tet, tet + 1, 100]), clean_bars("HPG", 30_000.0)])
    report = data_report(both)
    gaps = report["gaps"]
    assert gaps.count == gaps.by_symbol["FPT"] == 2
    assert gaps.examples[0].detail == "2 sessions missing since 2023-01-18"
    assert report.counts["missing_sessions"] == 0


def test_sessions_that_nobody_has_are_counted() -> None:
    report = data_report(clean_bars().drop(index=[50, 51]))
    assert report.counts["missing_sessions"] == 2
    assert report["missing_sessions"].examples[0].date == str(SESSIONS[50])


def test_the_days_on_which_only_hose_stood_still_are_a_gap_on_hnx_alone() -> None:
    days = np.array(["2018-01-22", "2018-01-25"], dtype="datetime64[s]")
    row = {"date": days, "volume": 100.0, **dict.fromkeys(OHLC, 20_000.0)}
    gaps = data_report(pd.concat([pd.DataFrame({"symbol": s, **row}) for s in ("FPT", "SHS")]))["gaps"]
    assert dict(gaps.by_symbol) == {"SHS": 1}


def test_a_few_prices_off_tick_are_a_warning_in_prices_as_traded() -> None:
    bars = clean_bars()
    bars.loc[5, ["open", "close"]] += 13
    report = data_report(bars)
    assert report.adjustment == "as traded"
    assert (report.counts["off_tick"], report["off_tick"].severity) == (1, "warning")


def test_off_tick_history_with_newest_prices_on_tick_is_called_back_adjusted() -> None:
    bars = clean_bars()
    old = bars.index < 400
    bars.loc[old, OHLC] = (bars.loc[old, OHLC] * 0.8713).round()
    report = data_report(bars)
    assert report.adjustment == "back-adjusted"
    assert report["off_tick"].severity == "fact"
    assert "do not add them again" in str(report)


def test_prices_off_tick_to_the_end_are_not_called_back_adjusted() -> None:
    bars = clean_bars()
    bars[OHLC] += 13
    assert data_report(bars).adjustment == "off tick"


def test_a_move_beyond_the_band_is_found_and_explained() -> None:
    bars = clean_bars()
    bars.loc[100, ["high", "close"]] = np.floor(bars.loc[99, "close"] * 1.12 / 100) * 100
    report = data_report(bars)
    # Up by 12 % on one day, and down again on the next.
    assert {n: c for n, c in report.counts.items() if c} == {"out_of_band": 2}
    assert {e.date for e in report["out_of_band"].examples} == {str(SESSIONS[100]), str(SESSIONS[101])}
    assert "2 fit UPCoM's 15 %" in report["out_of_band"].explanation


def test_a_move_to_the_limit_is_no_move_beyond_it() -> None:
    bars = clean_bars().head(2)
    bars[OHLC] = [[67_400.0] * 4, [72_100.0] * 4]
    assert data_report(bars).counts["out_of_band"] == 0


def test_upcom_moves_are_measured_from_the_range_that_holds_the_average() -> None:
    # Close 10,000 after a high of 11,000: an average of 10,600 allows 12,100, which is 21 % above the close.
    bars = clean_bars("VEA").head(2)
    bars[OHLC] = [[10_800, 11_000, 10_000, 10_000], [12_100, 12_100, 12_000, 12_100]]
    assert data_report(bars).counts["out_of_band"] == 0


def test_an_unadjusted_split_is_suspected_with_its_ratio() -> None:
    bars = clean_bars()
    after = bars.index >= 300
    bars.loc[after, OHLC] = round_to_ticks(bars.loc[after, OHLC].to_numpy() / 2)
    report = data_report(bars)
    assert report.counts["suspected_splits"] == report.counts["out_of_band"] == 1
    example = report["suspected_splits"].examples[0]
    assert example.date == str(SESSIONS[300])
    assert example.detail == "open 31,400 is 0.499 of the last close"
    assert "1 are suspected splits" in report["out_of_band"].explanation


def test_a_jump_after_a_long_stop_is_not_called_a_split() -> None:
    bars = clean_bars().drop(index=range(200, 240))
    after = bars.index >= 240
    bars.loc[after, OHLC] = round_to_ticks(bars.loc[after, OHLC].to_numpy() * 1.3)
    report = data_report(bars)
    assert report.counts["suspected_splits"] == 0
    assert "1 follow a stop" in report["out_of_band"].explanation


def test_short_listings_and_early_ends_are_named() -> None:
    both = pd.concat([clean_bars(), clean_bars("HPG", 30_000.0).head(60)])
    report = data_report(both)
    assert dict(report["short_history"].by_symbol) == {"HPG": 1}
    assert dict(report["early_end"].by_symbol) == {"HPG": 1}
    assert f"1 of them stop on {SESSIONS[59]}" in report["early_end"].explanation


def test_thousand_vnd_unknown_symbols_and_dates_before_the_calendar_are_noted() -> None:
    bars = clean_bars("ZZZ")
    bars[OHLC] /= 1_000
    bars.loc[0, "date"] = pd.Timestamp("2010-01-04")
    notes = " ".join(data_report(bars).notes)
    assert "thousand VND" in notes
    assert "ZZZ" in notes
    assert "1 rows lie outside the calendar" in notes


def test_panel_and_frame_give_the_same_report() -> None:
    bars = pd.concat([clean_bars(), clean_bars("HPG", 30_000.0).drop(index=[7, 8])])
    bars.loc[bars.index == 30, "volume"] = 0.0
    panel = BarPanel.from_frame(bars)
    assert panel.data_report().counts == data_report(bars).counts
    pd.testing.assert_frame_equal(panel.data_report().to_frame(), data_report(bars).to_frame())


def test_a_panel_column_without_a_bar_is_reported_as_empty() -> None:
    panel = BarPanel.from_frame(clean_bars())
    empty = np.full((panel.shape[0], 1), np.nan)
    wide = BarPanel(
        ("FPT", "VCB"), panel.timestamps, *(np.hstack([getattr(panel, name), empty]) for name in OHLCV)
    )
    table = wide.data_report().to_frame()
    assert table.loc["VCB", "rows"] == 0
    assert table.loc["VCB", "early_end"] == 0


def test_the_data_is_not_changed() -> None:
    bars = clean_bars().iloc[::-1]
    before = bars.copy()
    data_report(bars)
    pd.testing.assert_frame_equal(bars, before)


def test_text_html_frame_and_examples_show_the_same_counts() -> None:
    bars = clean_bars()
    bars.loc[5, "volume"] = 0.0
    report = data_report(bars)
    assert isinstance(report, QualityReport)
    assert "1 rows without a traded share" in repr(report)
    assert "<td>warning</td>" in report._repr_html_()
    assert report.to_frame().loc["FPT", "zero_volume"] == 1
    assert report.examples("zero_volume")["date"].tolist() == [str(SESSIONS[5])]
    with pytest.raises(ParameterError, match="zero_volume"):
        report["zero_volumes"]


def test_what_cannot_be_reported_on_is_refused() -> None:
    with pytest.raises(InputError, match="volume"):
        data_report(clean_bars().drop(columns="volume"))
    with pytest.raises(EmptySelectionError):
        data_report(clean_bars().head(0))
    panel = BarPanel.from_frame(clean_bars())
    with pytest.raises(EmptySelectionError):
        panel.rows(slice(0, 0)).data_report()
    with pytest.raises(InputError, match="daily"):
        panel.resample("1W").data_report()


# -- the real file ------------------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_BARS.exists(), reason="../shared/data/real/vn_daily.parquet is not there")
def test_report_tells_the_truth_about_the_real_bars() -> None:
    bars = pd.read_parquet(REAL_BARS)
    started = time.perf_counter()
    report = data_report(bars)
    elapsed_s = time.perf_counter() - started
    counts = report.counts

    assert (report.rows, len(report.symbols)) == (173_469, 82)
    assert (report.first, report.last) == ("2015-09-28", "2026-04-10")
    assert report.adjustment == "back-adjusted"
    # The known defects, as the file's README counts them.
    assert counts["inconsistent_ohlc"] == 266
    assert report["inconsistent_ohlc"].by_symbol["VCG"] == 105
    assert report["inconsistent_ohlc"].by_symbol["DDV"] == 38
    worst = {(e.symbol, e.date) for e in report["inconsistent_ohlc"].examples[:2]}
    assert worst == {("DBC", "2016-02-29"), ("BCM", "2019-03-11")}
    assert "HHV with 299 days" in report["gaps"].explanation
    assert counts["early_end"] == 23
    assert "23 of them stop on 2025-11-13" in report["early_end"].explanation
    assert report["out_of_band"].examples[0].symbol == "HHV"
    assert report["out_of_band"].examples[0].date == "2016-11-28"
    # The README counts 647 moves over 102 symbols by a rule of its own; here 82, with a tick of tolerance.
    assert 550 <= counts["out_of_band"] <= 750
    assert "0 remain unexplained" in report["out_of_band"].explanation
    # Counted again in another way.
    assert counts["zero_volume"] == int((bars["volume"] == 0).sum())
    assert counts["duplicates"] == int(bars.duplicated(["symbol", "date"]).sum()) == 0
    assert counts["missing_values"] == counts["non_trading_days"] == counts["missing_sessions"] == 0
    assert counts["suspected_splits"] == 0
    assert any("survivorship" in note for note in report.notes)
    assert elapsed_s < 1.0 * slowness()
