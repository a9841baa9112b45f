"""Properties of the calendar and of settlement: counting forth and back, and nothing on a closed day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vnquant.market import Exchange, default_calendar, sellable_from, settlement_date
from vnquant.runtime.clock import ICT

calendars = st.sampled_from([default_calendar(), *(default_calendar(e) for e in Exchange)])
some_days = st.dates(min_value=date(2015, 3, 1), max_value=date(2030, 10, 1))
counts = st.integers(min_value=-20, max_value=20)


@given(calendars, some_days)
def test_neighbours_are_sessions_with_none_between(calendar, day) -> None:
    before, after = calendar.previous_session(day), calendar.next_session(day)
    assert before < day < after
    assert calendar.is_trading_day(before)
    assert calendar.is_trading_day(after)
    between = [before + timedelta(days=n) for n in range(1, (after - before).days)]
    inside = [d for d in between if calendar.is_trading_day(d)]
    assert inside == ([day] if calendar.is_trading_day(day) else [])


@given(calendars, some_days, counts)
def test_adding_sessions_is_counted_back_by_sessions_between(calendar, day, count) -> None:
    start = calendar.session_on_or_after(day)
    end = calendar.add_sessions(start, count)
    assert calendar.is_trading_day(end)
    assert calendar.sessions_between(start, end) == count
    assert calendar.add_sessions(end, -count) == start


@given(calendars, some_days, counts)
def test_adding_one_by_one_is_adding_at_once(calendar, day, count) -> None:
    stepped = calendar.session_on_or_after(day)
    for _ in range(abs(count)):
        stepped = calendar.next_session(stepped) if count > 0 else calendar.previous_session(stepped)
    assert stepped == calendar.add_sessions(calendar.session_on_or_after(day), count)


@given(calendars, some_days, st.integers(min_value=0, max_value=60))
def test_session_ranges_hold_exactly_the_trading_days(calendar, start, length) -> None:
    end = start + timedelta(days=length)
    expected = [start + timedelta(days=n) for n in range(length + 1)]
    expected = [day for day in expected if calendar.is_trading_day(day)]
    assert calendar.sessions(start, end).tolist() == expected
    asked = np.arange(np.datetime64(start), np.datetime64(end) + 1)
    assert calendar.are_trading_days(asked).sum() == len(expected)


@given(some_days)
def test_no_session_on_a_weekend_and_no_week_beyond_tet_without_one(day) -> None:
    calendar = default_calendar()
    assert not (day.weekday() >= 5 and calendar.is_trading_day(day))
    assert (calendar.next_session(day) - calendar.previous_session(day)).days <= 11


@given(some_days)
def test_shares_settle_on_a_session_two_or_three_later_and_sell_no_earlier(day) -> None:
    calendar = default_calendar()
    traded = calendar.session_on_or_after(day)
    settled = settlement_date(traded)
    assert calendar.sessions_between(traded, settled) == (2 if traded >= date(2016, 1, 1) else 3)
    sellable = sellable_from(traded)
    assert sellable.tzinfo is ICT
    assert calendar.is_trading_day(sellable.date())
    assert settled <= sellable.date()
    assert calendar.sessions_between(traded, sellable.date()) in (2, 3)


@given(some_days, some_days)
def test_later_trades_are_never_sellable_earlier(one, other) -> None:
    calendar = default_calendar()
    first, second = sorted(calendar.session_on_or_after(day) for day in (one, other))
    assert sellable_from(first) <= sellable_from(second)
    assert settlement_date(first) <= settlement_date(second)
