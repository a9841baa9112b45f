"""Calendar: which days the exchanges trade, 2015 to 2030.

The closures are data, `data/holidays.csv`, each with its source and its basis:

- `observed`: none of 82 symbols' real daily bars falls on that day;
- `announced`: the exchanges' own notice;
- `decreed`: the Government's holiday, the exchanges' notice not at hand;
- `computed`: the Labour Code applied to the lunar calendar at UTC+7, with the days off that the Government
  chose in an earlier year when the holiday fell on the same weekday.

Make-up Saturdays are working days for offices; the exchanges do not trade on them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.errors import DateRangeError
from vnquant.market.symbols import Exchange
from vnquant.runtime.clock import ICT

__all__ = ("CLOSING_TIME", "OPENING_TIME", "Closure", "TradingCalendar", "default_calendar", "load_closures")

DayArray = npt.NDArray[np.datetime64]

# First orders and last put-through deal of a session (HOSE and HNX notices of July 2013, still in force).
OPENING_TIME = time(9, 0)
CLOSING_TIME = time(15, 0)

_FIRST = date(2015, 1, 1)
_LAST = date(2030, 12, 31)


class Closure(msgspec.Struct, frozen=True):
    """A weekday without trading. `exchange` is None where all three close."""

    day: date
    name: str
    exchange: Exchange | None
    basis: str
    source: str


class TradingCalendar:
    """The sessions of an exchange: weekdays that are not closures.

    Parameters
    ----------
    closures : iterable of Closure
        Weekdays without trading.
    first, last : date
        The span that the closures cover; a question outside it raises DateRangeError, since an answer would
        be a guess.

    Examples
    --------
    >>> from datetime import date
    >>> from vnquant.market import default_calendar
    >>> calendar = default_calendar()
    >>> calendar.is_trading_day(date(2025, 1, 29))  # Tet
    False
    >>> calendar.next_session(date(2025, 1, 24))
    datetime.date(2025, 2, 3)
    """

    def __init__(self, closures: Iterable[Closure], *, first: date = _FIRST, last: date = _LAST) -> None:
        if first > last:
            raise DateRangeError(f"The calendar runs backwards: {first} is after {last}. Swap them.")
        self.first = first
        self.last = last
        self.holidays: Mapping[date, str] = MappingProxyType({c.day: c.name for c in closures})
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        closed = np.array(sorted(self.holidays), dtype="datetime64[D]")
        self._days: DayArray = days[np.is_busday(days, holidays=closed)]
        self._days.flags.writeable = False
        self._ordinals = frozenset(day.toordinal() for day in self._days.tolist())

    # -- one day ------------------------------------------------------------------------------------------

    def is_trading_day(self, day: date) -> bool:
        """Whether the exchange trades on a day."""
        return self._covered(day).toordinal() in self._ordinals

    def next_session(self, day: date) -> date:
        """Return the first session after a day."""
        return self._at(self._position(day, side="right"), day)

    def previous_session(self, day: date) -> date:
        """Return the last session before a day."""
        return self._at(self._position(day, side="left") - 1, day)

    def session_on_or_before(self, day: date) -> date:
        """Return the day itself where it is a session, else the last session before it."""
        return self._at(self._position(day, side="right") - 1, day)

    def session_on_or_after(self, day: date) -> date:
        """Return the day itself where it is a session, else the first session after it."""
        return self._at(self._position(day, side="left"), day)

    def add_sessions(self, day: date, count: int) -> date:
        """Return the session that is `count` sessions after a day (before it, where negative).

        The day need not be a session: one session after a Saturday is the Monday. A count of 0 is the day
        itself, or the next session where it is none.
        """
        if count == 0:
            return self.session_on_or_after(day)
        if count > 0:
            return self._at(self._position(day, side="right") + count - 1, day)
        return self._at(self._position(day, side="left") + count, day)

    # -- several days -------------------------------------------------------------------------------------

    def sessions(self, start: date, end: date) -> DayArray:
        """Return the sessions from `start` to `end`, both included, as datetime64[D]."""
        self._ordered(start, end)
        return self._days[self._position(start, side="left") : self._position(end, side="right")]

    def sessions_between(self, start: date, end: date) -> int:
        """Return how many sessions lie after `start` up to and including `end`; negative when reversed.

        For two sessions `add_sessions(start, n)` is `end`: a share bought at T is held n sessions.
        """
        return self._position(end, side="right") - self._position(start, side="right")

    def are_trading_days(self, days: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return which of many days (datetime64[D]) are sessions; False outside the calendar's span."""
        wanted = np.asarray(days, dtype="datetime64[D]")
        place = np.minimum(np.searchsorted(self._days, wanted), len(self._days) - 1)
        found: npt.NDArray[np.bool_] = self._days[place] == wanted
        return found

    # -- at an instant ------------------------------------------------------------------------------------

    def latest_session(self, when: datetime) -> date:
        """Return the session that runs at an instant, or the last that began before it (09:00 ICT)."""
        local = to_ict(when)
        day = local.date()
        return self.session_on_or_before(day) if local.time() >= OPENING_TIME else self.previous_session(day)

    def latest_complete_session(self, when: datetime) -> date:
        """Return the last session that has ended (15:00 ICT) at an instant."""
        local = to_ict(when)
        day = local.date()
        return self.session_on_or_before(day) if local.time() >= CLOSING_TIME else self.previous_session(day)

    # -- helpers ------------------------------------------------------------------------------------------

    def _position(self, day: date, *, side: str) -> int:
        stamp = np.datetime64(self._covered(day), "D")
        return int(np.searchsorted(self._days, stamp, side="left" if side == "left" else "right"))

    def _at(self, position: int, asked: date) -> date:
        if not 0 <= position < len(self._days):
            raise DateRangeError(
                f"The session asked for, counted from {asked}, lies outside the trading calendar, "
                f"which covers {self.first} to {self.last}."
            )
        found: date = self._days[position].item()
        return found

    def _covered(self, day: date) -> date:
        plain = day.date() if isinstance(day, datetime) else day
        if not self.first <= plain <= self.last:
            raise DateRangeError(
                f"{plain} lies outside the trading calendar, which covers {self.first} to {self.last}: "
                "holidays before and after are not known here."
            )
        return plain

    def _ordered(self, start: date, end: date) -> None:
        if start > end:
            raise DateRangeError(f"The range runs backwards: {start} is after {end}. Swap them.")

    def __repr__(self) -> str:
        return f"TradingCalendar({self.first} to {self.last}, {len(self._days)} sessions)"


@cache
def load_closures() -> tuple[Closure, ...]:
    """Return all shipped closures in order of date."""
    text = (resources.files("vnquant.market") / "data" / "holidays.csv").read_text(encoding="utf-8")
    return tuple(
        Closure(
            day=date.fromisoformat(row["date"]),
            name=row["name"],
            exchange=None if row["exchange"] == "ALL" else Exchange(row["exchange"]),
            basis=row["basis"],
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def default_calendar(exchange: Exchange | None = None) -> TradingCalendar:
    """Return the shipped calendar, 2015 to 2030.

    Without an exchange a day is a session if any of the three trades, which is also what settlement counts:
    the depository worked on 2018-01-23 and 24, when HOSE alone stood still. With one, its own closures count.
    """
    return TradingCalendar(c for c in load_closures() if c.exchange is None or c.exchange is exchange)


def to_ict(when: datetime) -> datetime:
    """Return an instant in ICT; one without a time zone is taken as ICT already."""
    return when.replace(tzinfo=ICT) if when.tzinfo is None else when.astimezone(ICT)
