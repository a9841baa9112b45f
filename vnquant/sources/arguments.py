"""Arguments: what every source checks before it asks anybody."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Protocol

from vnquant.errors import DateRangeError, ParameterError
from vnquant.runtime.clock import now as loop_now

__all__ = ("Clock", "LoopClock", "check_interval", "check_range")


class Clock(Protocol):
    """Tells market time; `MarketClock` is one."""

    def now(self) -> datetime:
        """Return the market time, aware."""
        ...


class LoopClock:
    """The clock installed on the running loop, the wall clock where none is."""

    def now(self) -> datetime:
        """Return the market time, aware, in ICT."""
        return loop_now()


def check_range(start: date, end: date) -> None:
    """Refuse reversed dates."""
    if start > end:
        raise DateRangeError(f"The start {start} lies after the end {end}; exchange them.")


def check_interval(interval: str, served: Collection[str], source: str) -> None:
    """Refuse an interval that the source does not serve."""
    if interval not in served:
        raise ParameterError(
            f"{source} has no {interval!r} bars, only {', '.join(served)}; fetch one of these and resample.",
            name="interval",
            value=interval,
        )
