"""Grid: when rounds are due: a fixed grid of each day, so that a restart goes on where the ledger ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from vnquant.market import Exchange, Phase, TradingCalendar, default_calendar, phase_at
from vnquant.runtime import ICT, Sessions, now

__all__ = (
    "ALWAYS",
    "MODEL_HOURS",
    "POSITION_HOURS",
    "Hours",
    "next_opening",
    "on_grid",
    "takes_orders",
)


class Hours(NamedTuple):
    """Spans of each trading day; none of them means around the clock, on every day."""

    spans: tuple[tuple[time, time], ...]

    def contain(self, at: datetime, calendar: TradingCalendar) -> bool:
        """Return whether an instant lies in the hours."""
        if not self.spans:
            return True
        local = at.astimezone(ICT)
        return calendar.is_trading_day(local.date()) and any(
            start <= local.time() < end for start, end in self.spans
        )


ALWAYS = Hours(())
# Every board trades continuously, or collects for the close.
MODEL_HOURS = Hours(((time(9, 15), time(11, 30)), (time(13, 0), time(14, 45))))
# From before the opening auction until after the close: what fills or expires there is seen on the day.
POSITION_HOURS = Hours(((time(9, 0), time(11, 30)), (time(13, 0), time(15, 5))))

_OPENINGS = (time(9, 15), time(13, 0))


def on_grid(
    hours: Hours,
    every_s: float,
    calendar: TradingCalendar,
    *,
    is_frozen: Callable[[], bool],
    not_before: datetime | None = None,
) -> Sessions:
    """Return the sessions of a `Schedule` whose rounds lie on a grid from each opening on.

    The opening that it names is the next point of the grid, so that rounds begin there whenever the schedule
    is asked. On a frozen clock that point would never come; there it is the true opening.

    Parameters
    ----------
    every_s : float
        The schedule's interval.
    not_before : datetime, optional
        Points before it are over.
    """
    step = timedelta(seconds=every_s)

    def sessions(at: datetime) -> tuple[datetime, datetime] | None:
        frozen = is_frozen()
        # After a clock was set forward the schedule asks for a time that is over.
        since = at if frozen else max(at, now(), not_before or at)
        day = since.astimezone(ICT).date()
        while True:
            for opens, closes in _spans(hours, day):
                if closes > since:
                    due = opens if frozen or since <= opens else _ceiling(since, opens, step)
                    if due < closes:
                        return due, closes
            day = _day_after(day, hours, calendar)

    def first_day(at: datetime) -> tuple[datetime, datetime] | None:
        if not hours.spans or calendar.is_trading_day(at.astimezone(ICT).date()):
            return sessions(at)
        opening = calendar.session_on_or_after(at.astimezone(ICT).date())
        return sessions(datetime.combine(opening, time(), tzinfo=ICT))

    return first_day


def takes_orders(at: datetime, exchange: Exchange) -> bool:
    """Return whether the engine sends orders now: in continuous trading and into the closing auction."""
    return phase_at(at, exchange, default_calendar(exchange)) in (Phase.CONTINUOUS, Phase.ATC)


def next_opening(at: datetime, calendar: TradingCalendar) -> datetime:
    """Return when continuous trading begins next."""
    local = at.astimezone(ICT)
    day = local.date()
    if calendar.is_trading_day(day):
        for opening in _OPENINGS:
            if local.time() < opening:
                return datetime.combine(day, opening, tzinfo=ICT)
    return datetime.combine(calendar.next_session(day), _OPENINGS[0], tzinfo=ICT)


def _spans(hours: Hours, day: date) -> tuple[tuple[datetime, datetime], ...]:
    if not hours.spans:
        midnight = datetime.combine(day, time(), tzinfo=ICT)
        return ((midnight, midnight + timedelta(days=1)),)
    return tuple(
        (datetime.combine(day, start, tzinfo=ICT), datetime.combine(day, end, tzinfo=ICT))
        for start, end in hours.spans
    )


def _ceiling(at: datetime, opens: datetime, step: timedelta) -> datetime:
    return opens + math.ceil((at - opens) / step) * step


def _day_after(day: date, hours: Hours, calendar: TradingCalendar) -> date:
    return calendar.next_session(day) if hours.spans else day + timedelta(days=1)
