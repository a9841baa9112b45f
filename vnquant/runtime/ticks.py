"""Ticks: the rounds of a schedule, and the grid on which they lie."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from vnquant.runtime.clock import MarketClock, installed_clock
from vnquant.runtime.naps import NapLoop

__all__ = ("Grid", "ScheduleStatistics", "Tick")


class Tick(msgspec.Struct, frozen=True):
    """The beginning of one round."""

    number: int
    """Counts from 0."""
    due: datetime
    """Market time at which it was to begin."""
    skipped: int
    """Rounds left out just before this one, because the round before them took too long."""


class ScheduleStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule's counters at one instant."""

    ticks: int
    skipped: int
    late_s: float
    """Market seconds by which the last round began late."""
    next_due: datetime | None
    """Market time of the next round; None before the first is planned, and on a frozen clock."""


class Grid:
    """Rounds at equal distances in loop time, while nobody sets the clock: saves reading market time.

    A year of one round a minute is half a million, and reading and comparing datetimes made each cost half as
    much again.
    """

    __slots__ = (
        "_interval",
        "_number",
        "_start_s",
        "_step_s",
        "_times_set",
        "clock",
        "loop",
        "nap_loop",
        "next_due",
    )

    def __init__(self, clock: MarketClock, start_s: float, start: datetime, interval: timedelta) -> None:
        self.loop = loop = asyncio.get_running_loop()
        self.nap_loop = loop if isinstance(loop, NapLoop) else None
        self.clock = clock
        self._times_set = clock.times_set
        self._start_s = start_s
        self._step_s = interval.total_seconds() / clock.speed
        self._interval = interval
        self._number = 1
        self.next_due = start + interval

    def holds(self) -> bool:
        """Whether the clock is the loop's still, and was not set since."""
        at = installed_clock() if self.nap_loop is None else self.nap_loop.market_clock
        return at is self.clock and self._times_set == self.clock.times_set

    def next_s(self) -> float:
        """Return the loop time of the next round; a product, since a sum of steps would drift."""
        return self._start_s + self._number * self._step_s

    def advance(self) -> datetime:
        """Go on to the round after the next one, and return when that was due."""
        due = self.next_due
        self._number += 1
        self.next_due = due + self._interval
        return due
