"""Longer bars from shorter ones, and alignment with the calendar; values small enough to check by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from vnquant.errors import EmptySelectionError, InputError, ParameterError
from vnquant.market import OHLCV, BarPanel, default_calendar
from vnquant.market.resample import align, interval_minutes, resample

NAN = float("nan")


def panel(stamps: list[str], close: list[list[float]], interval: str = "1D", **more: object) -> BarPanel:
    values = np.array(close, dtype=np.float64)
    symbols = ("FPT", "VCB")[: values.shape[1]]
    return BarPanel(
        symbols,
        np.array(stamps, dtype="datetime64[s]"),
        values - 1,
        values + 2,
        values - 3,
        values,
        np.where(np.isfinite(values), 100.0, NAN),
        interval=interval,
        **more,  # type: ignore[arg-type]
    )


WEEK_AND_A_DAY = ["2025-06-02", "2025-06-03", "2025-06-04", "2025-06-05", "2025-06-06", "2025-06-09"]


def test_a_week_opens_with_its_first_bar_and_closes_with_its_last() -> None:
    days = panel(WEEK_AND_A_DAY, [[10.0], [14.0], [8.0], [11.0], [12.0], [20.0]])
    weeks = days.resample("1W")
    assert weeks.interval == "1W"
    assert [getattr(weeks, n)[0, 0] for n in OHLCV] == [9.0, 16.0, 5.0, 12.0, 500.0]


def test_weeks_and_months_stand_at_their_last_session_so_that_up_to_shows_no_future() -> None:
    days = panel(WEEK_AND_A_DAY, [[1.0]] * 6)
    weeks, months = days.resample("1W"), days.resample("1M")
    assert weeks.timestamps.astype("datetime64[D]").tolist() == [date(2025, 6, 6), date(2025, 6, 9)]
    assert months.timestamps.astype("datetime64[D]").tolist() == [date(2025, 6, 9)]
    assert len(days.resample("1W").up_to("2025-06-05").timestamps) == 0


def test_an_unfinished_week_says_how_much_of_it_has_passed() -> None:
    days = panel(WEEK_AND_A_DAY, [[1.0]] * 6)
    assert days.resample("1W").session_fraction == pytest.approx(1 / 5)
    assert days.rows(slice(0, 5)).resample("1W").session_fraction == 1.0
    running = panel(WEEK_AND_A_DAY, [[1.0]] * 6, session_fraction=0.5)
    assert running.resample("1W").session_fraction == pytest.approx(0.5 / 5)


def test_a_holiday_week_is_complete_with_its_last_session() -> None:
    # Thursday 1 May and Friday 2 May 2025 are holidays, and so is Wednesday 30 April.
    assert panel(["2025-04-28", "2025-04-29"], [[1.0]] * 2).resample("1W").session_fraction == 1.0


def test_missing_bars_are_looked_past_and_stay_missing_where_none_is() -> None:
    days = panel(WEEK_AND_A_DAY[:5], [[NAN, NAN], [5.0, NAN], [NAN, NAN], [7.0, NAN], [NAN, NAN]])
    week = days.resample("1W")
    assert [getattr(week, n)[0, 0] for n in OHLCV] == [4.0, 9.0, 2.0, 7.0, 200.0]
    assert all(np.isnan(getattr(week, n)[0, 1]) for n in OHLCV)


def test_minutes_are_grouped_by_the_clock_and_never_across_lunch_or_days() -> None:
    clock = ["09:15", "09:19", "09:20", "11:29", "13:00"]
    stamps = [*(f"2025-06-02T{minute}" for minute in clock), "2025-06-03T09:15"]
    bars = panel(stamps, [[float(n)] for n in range(10, 16)], "1m").resample("5m")
    assert bars.timestamps.astype("datetime64[m]").astype(str).tolist() == [
        "2025-06-02T09:15", "2025-06-02T09:20", "2025-06-02T11:25", "2025-06-02T13:00", "2025-06-03T09:15",
    ]  # fmt: skip
    assert bars.volume[:, 0].tolist() == [200, 100, 100, 100, 100]
    assert bars.close[:, 0].tolist() == [11, 12, 13, 14, 15]


@pytest.mark.parametrize(("interval", "expected"), [("15m", 2), ("30m", 2), ("1h", 1), ("1D", 1)])
def test_the_same_minutes_at_every_length(interval: str, expected: int) -> None:
    bars = panel(["2025-06-02T09:15", "2025-06-02T09:29", "2025-06-02T09:30"], [[1.0], [2.0], [3.0]], "1m")
    longer = bars.resample(interval)
    assert longer.shape == (expected, 1)
    assert longer.volume.sum() == 300


def test_days_made_of_minutes_are_partial_until_the_closing_auction() -> None:
    morning = panel(["2025-06-02T09:15", "2025-06-02T11:29"], [[1.0], [2.0]], "1m").resample("1D")
    assert morning.timestamps.astype(str).tolist() == ["2025-06-02T00:00:00"]
    assert morning.session_fraction == pytest.approx(0.5323, abs=1e-4)
    whole = panel(["2025-06-02T09:15", "2025-06-02T14:45"], [[1.0], [2.0]], "1m").resample("1D")
    assert not whole.partial


def test_fields_keep_their_last_value_and_flows_add_up() -> None:
    days = panel(WEEK_AND_A_DAY[:3], [[1.0]] * 3).with_fields(
        expected_return=np.array([[0.1], [0.2], [NAN]]), foreign_net=np.array([[5.0], [NAN], [-2.0]])
    )
    week = days.resample("1W")
    assert week.fields["expected_return"][0, 0] == 0.2
    assert week.fields["foreign_net"][0, 0] == 3.0


def test_the_same_interval_is_the_same_panel() -> None:
    days = panel(WEEK_AND_A_DAY, [[1.0]] * 6)
    assert days.resample("1D") is days


def test_intervals_that_cannot_be_are_refused() -> None:
    days = panel(WEEK_AND_A_DAY, [[1.0]] * 6)
    with pytest.raises(ParameterError, match="5m bars cannot be made from 1D bars"):
        days.resample("5m")
    with pytest.raises(ParameterError, match="cannot be made from 1W"):
        days.resample("1W").resample("1M")
    with pytest.raises(ParameterError, match="Unknown interval '2h'"):
        days.resample("2h")
    with pytest.raises(EmptySelectionError):
        resample(days.rows(slice(0, 0)), "1W")


def test_interval_minutes() -> None:
    assert [interval_minutes(i) for i in ("1m", "1h", "1D", "1W")] == [1, 60, None, None]


def test_a_span_outside_the_calendar_is_resampled_without_it() -> None:
    old = panel(["2010-06-02", "2010-06-03"], [[1.0]] * 2)
    assert old.resample("1W").session_fraction == 1.0


# -- alignment ----------------------------------------------------------------------------------------------


def test_missing_sessions_become_rows_of_nan_and_holidays_do_not() -> None:
    # Tet 2025: the market rested from 27 to 31 January.
    days = panel(["2025-01-23", "2025-02-04"], [[10.0], [11.0]])
    whole = days.with_fields(foreign_net=np.array([[1.0], [2.0]])).align()
    assert whole.timestamps.astype("datetime64[D]").astype(str).tolist() == [
        "2025-01-23", "2025-01-24", "2025-02-03", "2025-02-04",
    ]  # fmt: skip
    np.testing.assert_array_equal(whole.close[:, 0], [10, NAN, NAN, 11])
    np.testing.assert_array_equal(whole.fields["foreign_net"][:, 0], [1, NAN, NAN, 2])


def test_rows_on_closed_days_are_kept() -> None:
    days = panel(["2025-06-06", "2025-06-07", "2025-06-09"], [[1.0]] * 3)
    assert days.align() is days


def test_alignment_outside_the_calendar_changes_nothing() -> None:
    days = panel(["2010-06-02", "2010-06-08"], [[1.0]] * 2)
    assert days.align() is days
    across = panel(["2014-12-01", "2015-01-06"], [[1.0]] * 2).align(default_calendar())
    known = across.timestamps.astype("datetime64[D]").tolist()
    assert known == [date(2014, 12, 1), date(2015, 1, 5), date(2015, 1, 6)]


def test_only_daily_bars_are_aligned() -> None:
    with pytest.raises(InputError, match="daily"):
        align(panel(["2025-06-02T09:15"], [[1.0]], "1m"))
    empty = panel(WEEK_AND_A_DAY, [[1.0]] * 6).rows(slice(0, 0))
    assert align(empty) is empty
