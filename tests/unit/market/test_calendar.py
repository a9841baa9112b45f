"""The trading calendar: against announcements, the moon, another library, and real trading days."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from vnquant.errors import DateRangeError
from vnquant.market import Exchange, default_calendar, load_closures
from vnquant.market.calendar import TradingCalendar
from vnquant.runtime.clock import ICT

CALENDAR = default_calendar()
REAL_BARS = Path(__file__).parents[4] / "shared" / "data" / "real" / "vn_daily.parquet"

# First day of the lunar year at UTC+7. China, at UTC+8, has 2030-02-03: that new moon is at 23:07 in Hanoi.
TET = [
    "2015-02-19", "2016-02-08", "2017-01-28", "2018-02-16", "2019-02-05", "2020-01-25",
    "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29", "2026-02-17",
    "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-02",
]  # fmt: skip
HUNG_KINGS = [
    "2015-04-28", "2016-04-16", "2017-04-06", "2018-04-25", "2019-04-14", "2020-04-02",
    "2021-04-21", "2022-04-10", "2023-04-29", "2024-04-18", "2025-04-07", "2026-04-26",
    "2027-04-16", "2028-04-04", "2029-04-23", "2030-04-12",
]  # fmt: skip


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def closed_in(calendar: TradingCalendar, start: str, end: str) -> list[date]:
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in span if day.weekday() < 5 and not calendar.is_trading_day(day)]


def new_moon(k: int) -> datetime:
    """Return the k-th new moon after January 2000 (Meeus, Astronomical Algorithms, ch. 49, main terms)."""
    t = k / 1236.85
    jde = 2451550.09766 + 29.530588861 * k + 0.00015437 * t * t
    sun = math.radians(2.5534 + 29.10535670 * k)
    moon = math.radians(201.5643 + 385.81693528 * k)
    node = math.radians(160.7108 + 390.67050284 * k)
    e = 1 - 0.002516 * t
    jde += (
        -0.40720 * math.sin(moon) + 0.17241 * e * math.sin(sun) + 0.01608 * math.sin(2 * moon)
        + 0.01039 * math.sin(2 * node) + 0.00739 * e * math.sin(moon - sun)
        - 0.00514 * e * math.sin(moon + sun) + 0.00208 * e * e * math.sin(2 * sun)
    )  # fmt: skip
    terrestrial = datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(days=jde - 2451545.0)
    return terrestrial - timedelta(seconds=69)  # TT is ahead of UTC by about 69 s in these years


# -- against the moon and the law ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "month_start",
    [*days(*TET), *(day - timedelta(days=9) for day in days(*HUNG_KINGS))],
    ids=str,
)
def test_lunar_months_begin_on_the_day_of_the_new_moon_in_vietnam(month_start: date) -> None:
    k = round(((month_start - date(2000, 1, 6)).days) / 29.530588861)
    assert any(new_moon(n).astimezone(ICT).date() == month_start for n in (k - 1, k, k + 1))


@pytest.mark.parametrize("tet", days(*TET), ids=str)
def test_five_sessions_around_each_tet_are_closed(tet: date) -> None:
    closed = closed_in(CALENDAR, str(tet - timedelta(days=8)), str(tet + timedelta(days=8)))
    assert len(closed) == (6 if tet.year == 2015 else 5)
    assert (max(closed) - min(closed)).days <= 7
    assert tet.weekday() >= 5 or tet in closed


@pytest.mark.parametrize("hung_kings", days(*HUNG_KINGS), ids=str)
def test_hung_kings_day_or_the_monday_after_it_is_closed(hung_kings: date) -> None:
    if hung_kings.weekday() < 5:
        assert not CALENDAR.is_trading_day(hung_kings)
    else:
        assert not CALENDAR.is_trading_day(hung_kings + timedelta(days=7 - hung_kings.weekday()))


@pytest.mark.parametrize("year", range(2015, 2031))
def test_fixed_holidays_and_their_substitutes_are_closed(year: int) -> None:
    for fixed in (date(year, 1, 1), date(year, 4, 30), date(year, 5, 1), date(year, 9, 2)):
        assert fixed.weekday() >= 5 or not CALENDAR.is_trading_day(fixed)
    assert len(closed_in(CALENDAR, f"{year}-09-01", f"{year}-09-05")) >= (2 if year >= 2021 else 1) - (
        1 if year == 2026 else 0
    )
    assert len(closed_in(CALENDAR, f"{year}-04-26", f"{year}-05-05")) >= 2


def test_national_day_has_two_days_since_2021() -> None:
    assert closed_in(CALENDAR, "2020-08-28", "2020-09-07") == days("2020-09-02")
    assert closed_in(CALENDAR, "2021-08-28", "2021-09-07") == days("2021-09-02", "2021-09-03")
    assert closed_in(CALENDAR, "2023-08-28", "2023-09-07") == days("2023-09-01", "2023-09-04")


# -- against announcements ----------------------------------------------------------------------------------


def test_closures_of_2026_are_those_announced_by_hose_and_the_swap_of_new_year() -> None:
    announced = days(
        "2026-01-01", "2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20", "2026-04-27",
        "2026-04-30", "2026-05-01", "2026-08-31", "2026-09-01", "2026-09-02",
    )  # fmt: skip
    later = days("2026-01-02", "2026-11-24")
    assert closed_in(CALENDAR, "2026-01-01", "2026-12-31") == sorted([*announced, *later])


def test_closures_of_april_2015_as_announced() -> None:
    assert closed_in(CALENDAR, "2015-04-25", "2015-05-04") == days(
        "2015-04-28", "2015-04-29", "2015-04-30", "2015-05-01"
    )


def test_tet_of_2016_as_announced() -> None:
    assert CALENDAR.next_session(date(2016, 2, 5)) == date(2016, 2, 15)


def test_make_up_saturdays_are_not_sessions() -> None:
    for saturday in days("2015-04-25", "2019-05-04", "2024-05-04", "2026-08-22"):
        assert not CALENDAR.is_trading_day(saturday)


def test_hose_alone_closed_when_its_system_failed() -> None:
    failed = days("2018-01-23", "2018-01-24")
    hose, hnx = default_calendar(Exchange.HOSE), default_calendar(Exchange.HNX)
    assert not any(hose.is_trading_day(day) for day in failed)
    assert all(hnx.is_trading_day(day) and CALENDAR.is_trading_day(day) for day in failed)
    assert hose.next_session(date(2018, 1, 22)) == date(2018, 1, 25)


def test_closures_are_weekdays_each_once_with_a_source() -> None:
    closures = load_closures()
    assert [c.day for c in closures] == sorted(c.day for c in closures)
    assert max(Counter((c.day, c.exchange) for c in closures).values()) == 1
    for closure in closures:
        assert closure.day.weekday() < 5
        assert closure.name
        assert closure.source
        assert closure.basis in {"observed", "announced", "decreed", "computed"}
        assert (closure.basis == "computed") == (closure.day.year >= 2027)


def test_agrees_with_the_holidays_library_but_for_one_late_swap() -> None:
    holidays = pytest.importorskip("holidays")
    listed = holidays.country_holidays("VN", years=range(2015, 2031))
    theirs = {day for day in listed if day.weekday() < 5}
    assert set(CALENDAR.holidays) - theirs <= set(days("2026-01-02"))
    assert theirs - set(CALENDAR.holidays) == set()


# -- against real trading -----------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_BARS.exists(), reason="../shared/data/real/vn_daily.parquet is not there")
def test_sessions_are_exactly_the_days_on_which_real_shares_traded() -> None:
    import pandas as pd

    bars = pd.read_parquet(REAL_BARS, columns=["symbol", "date", "volume"])
    traded = bars[bars["volume"] > 0].groupby("date")["symbol"].nunique()
    seen = traded.index.to_numpy().astype("datetime64[D]")
    expected = CALENDAR.sessions(seen[0].item(), seen[-1].item())
    np.testing.assert_array_equal(seen, expected)
    # On the two days of its failure only symbols that were then on HNX or UPCoM traded.
    few = [day.date() for day in traded.index[(traded < 0.5 * traded.rolling(20, center=True).median())]]
    assert few == days("2018-01-23", "2018-01-24")


# -- arithmetic ---------------------------------------------------------------------------------------------


def test_counting_sessions_over_a_weekend() -> None:
    friday, monday = date(2025, 6, 6), date(2025, 6, 9)
    assert CALENDAR.next_session(friday) == monday
    assert CALENDAR.previous_session(monday) == friday
    assert CALENDAR.add_sessions(friday, 1) == CALENDAR.add_sessions(date(2025, 6, 7), 1) == monday
    assert CALENDAR.add_sessions(monday, -1) == CALENDAR.add_sessions(date(2025, 6, 8), -1) == friday
    assert CALENDAR.add_sessions(date(2025, 6, 7), 0) == monday
    assert CALENDAR.add_sessions(friday, 0) == friday
    assert CALENDAR.sessions_between(friday, monday) == 1
    assert CALENDAR.sessions_between(monday, friday) == -1
    assert CALENDAR.session_on_or_before(date(2025, 6, 8)) == friday
    assert CALENDAR.session_on_or_after(date(2025, 6, 8)) == monday


def test_sessions_include_both_ends() -> None:
    got = CALENDAR.sessions(date(2025, 1, 24), date(2025, 2, 3))
    assert got.tolist() == days("2025-01-24", "2025-02-03")
    assert got.dtype == np.dtype("datetime64[D]")


def test_many_days_at_once_with_days_outside_the_span_as_no_sessions() -> None:
    asked = np.array(["2010-01-04", "2025-06-06", "2025-06-07", "2031-01-02"], dtype="datetime64[D]")
    assert CALENDAR.are_trading_days(asked).tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("clock", "latest", "complete"),
    [
        ("2025-06-09 08:59", "2025-06-06", "2025-06-06"),
        ("2025-06-09 09:00", "2025-06-09", "2025-06-06"),
        ("2025-06-09 15:00", "2025-06-09", "2025-06-09"),
        ("2025-06-08 12:00", "2025-06-06", "2025-06-06"),
    ],
)
def test_latest_sessions_at_an_instant(clock: str, latest: str, complete: str) -> None:
    when = datetime.fromisoformat(clock)
    assert CALENDAR.latest_session(when) == date.fromisoformat(latest)
    assert CALENDAR.latest_complete_session(when) == date.fromisoformat(complete)


def test_questions_outside_the_span_are_refused() -> None:
    for day in (date(2014, 12, 31), date(2031, 1, 1)):
        with pytest.raises(DateRangeError, match="2015-01-01 to 2030-12-31"):
            CALENDAR.is_trading_day(day)
    with pytest.raises(DateRangeError, match="lies outside"):
        CALENDAR.add_sessions(date(2030, 12, 30), 5)
    with pytest.raises(DateRangeError, match="lies outside"):
        CALENDAR.previous_session(date(2015, 1, 5))


def test_reversed_ranges_are_refused() -> None:
    with pytest.raises(DateRangeError, match="Swap them"):
        CALENDAR.sessions(date(2025, 2, 1), date(2025, 1, 1))
    with pytest.raises(DateRangeError, match="Swap them"):
        TradingCalendar([], first=date(2025, 2, 1), last=date(2025, 1, 1))


def test_datetimes_are_taken_by_their_day() -> None:
    assert CALENDAR.is_trading_day(datetime(2025, 6, 6, 23, 0))
