"""Sessions: the phases of a trading day, and how its volume is usually spread over the minutes.

Times are those in force since July 2013 (HOSE from 2013-07-22, HNX and UPCoM from 2013-07-29).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vnquant.market.bars import FloatArray
from vnquant.market.calendar import TradingCalendar, default_calendar, to_ict
from vnquant.market.symbols import Exchange

__all__ = (
    "Phase",
    "SessionWindow",
    "VolumeCurve",
    "is_trading",
    "phase_at",
    "session_fraction",
    "session_windows",
    "volume_curve",
)


class Phase(StrEnum):
    """What the exchange does at an instant."""

    CLOSED = "CLOSED"
    PRE_OPEN = "PRE_OPEN"
    ATO = "ATO"
    CONTINUOUS = "CONTINUOUS"
    LUNCH = "LUNCH"
    ATC = "ATC"
    PUT_THROUGH = "PUT_THROUGH"


class SessionWindow(NamedTuple):
    """A phase from `start` up to, but not at, `end` (ICT wall clock)."""

    phase: Phase
    start: time
    end: time


# From 08:30 boards show the day's band and brokers collect orders; the exchanges are not open yet.
_PRE_OPEN = SessionWindow(Phase.PRE_OPEN, time(8, 30), time(9, 0))
_LUNCH = SessionWindow(Phase.LUNCH, time(11, 30), time(13, 0))
_CLOSE = (
    SessionWindow(Phase.CONTINUOUS, time(13, 0), time(14, 30)),
    SessionWindow(Phase.ATC, time(14, 30), time(14, 45)),
    # Negotiated deals; on HNX also orders at the closing price (PLO).
    SessionWindow(Phase.PUT_THROUGH, time(14, 45), time(15, 0)),
)
_WINDOWS: dict[Exchange, tuple[SessionWindow, ...]] = {
    Exchange.HOSE: (
        _PRE_OPEN,
        SessionWindow(Phase.ATO, time(9, 0), time(9, 15)),
        SessionWindow(Phase.CONTINUOUS, time(9, 15), time(11, 30)),
        _LUNCH,
        *_CLOSE,
    ),
    Exchange.HNX: (_PRE_OPEN, SessionWindow(Phase.CONTINUOUS, time(9, 0), time(11, 30)), _LUNCH, *_CLOSE),
    Exchange.UPCOM: (
        _PRE_OPEN,
        SessionWindow(Phase.CONTINUOUS, time(9, 0), time(11, 30)),
        _LUNCH,
        SessionWindow(Phase.CONTINUOUS, time(13, 0), time(15, 0)),
    ),
}
_MATCHING = frozenset({Phase.ATO, Phase.CONTINUOUS, Phase.ATC})

# Usual share of a day's matched volume. Our own table, in the shape that intraday studies of order-driven
# markets agree on: busy at the open, quiet before lunch, rising to the close (Jain & Joh, Journal of
# Financial and Quantitative Analysis 23, 1988), not a measurement of these exchanges. Continuous trading:
# relative pace at these minutes of the day, linear in between.
_PACE_AT = (540, 555, 585, 630, 690, 780, 810, 840, 870, 900)
_PACE = (2.2, 2.2, 1.25, 0.85, 0.7, 1.05, 0.95, 1.15, 1.9, 1.9)
# Share matched in the opening and the closing auction.
_AUCTION_SHARES: dict[Exchange, tuple[float, float]] = {
    Exchange.HOSE: (0.02, 0.09),
    Exchange.HNX: (0.0, 0.07),
    Exchange.UPCOM: (0.0, 0.0),
}
# An auction matches at its end, and its bar carries that minute.
_ATO_MINUTE, _ATC_MINUTE = 9 * 60 + 15, 14 * 60 + 45


class VolumeCurve(NamedTuple):
    """How a usual day's volume is spread over its minute bars.

    Attributes
    ----------
    minutes : int64, shape (M,)
        Start of each bar in minutes after midnight ICT. HOSE's first is 09:15 and holds the opening auction;
        on HOSE and HNX the last is 14:45, the closing auction.
    shares : float64, shape (M,)
        Share of the day's volume, summing to 1.
    opening_auction : float
        The part of the first share that the opening auction matches, 0 without one.
    """

    minutes: npt.NDArray[np.int64]
    shares: FloatArray
    opening_auction: float


def session_windows(exchange: Exchange | str = Exchange.HOSE) -> tuple[SessionWindow, ...]:
    """Return the phases of a trading day in order; outside them the exchange is closed."""
    return _WINDOWS[Exchange(exchange)]


def phase_at(
    when: datetime, exchange: Exchange | str = Exchange.HOSE, calendar: TradingCalendar | None = None
) -> Phase:
    """Return the phase of an exchange at an instant.

    Parameters
    ----------
    when : datetime
        Any time zone; ICT where it has none.
    exchange : Exchange
    calendar : TradingCalendar, optional
        The exchange's own shipped calendar where it is left out.
    """
    board = Exchange(exchange)
    local = to_ict(when)
    days = default_calendar(board) if calendar is None else calendar
    if not days.is_trading_day(local.date()):
        return Phase.CLOSED
    clock = local.time()
    return next((w.phase for w in _WINDOWS[board] if w.start <= clock < w.end), Phase.CLOSED)


def is_trading(
    when: datetime, exchange: Exchange | str = Exchange.HOSE, calendar: TradingCalendar | None = None
) -> bool:
    """Whether orders are taken for matching: an auction or continuous trading, not lunch or put-through."""
    return phase_at(when, exchange, calendar) in _MATCHING


def session_fraction(
    when: datetime, exchange: Exchange | str = Exchange.HOSE, calendar: TradingCalendar | None = None
) -> float:
    """Return the usual share of the day's volume that is traded by an instant, in (0, 1].

    It is 1 where no session runs. Before the day's first match that is right as well: the last bar
    that exists then is the previous session's, which is complete.
    """
    board = Exchange(exchange)
    local = to_ict(when)
    days = default_calendar(board) if calendar is None else calendar
    if not days.is_trading_day(local.date()):
        return 1.0
    curve = volume_curve(board)
    minute = local.hour * 60 + local.minute + (local.second + local.microsecond / 1e6) / 60
    if minute < curve.minutes[0]:
        return 1.0
    # Continuous bars fill evenly over their minute; what an auction matches is there at once.
    elapsed = np.clip(minute - curve.minutes, 0.0, 1.0)
    flowing = curve.shares.copy()
    flowing[0] -= curve.opening_auction
    if board is not Exchange.UPCOM and minute >= _ATC_MINUTE:
        elapsed[-1] = 1.0
    done = curve.opening_auction + float(flowing @ elapsed)
    # At the very first instant of an exchange without an opening auction nothing has traded yet.
    return min(max(done, float(flowing[0]) / 60), 1.0)


@cache
def volume_curve(exchange: Exchange | str = Exchange.HOSE) -> VolumeCurve:
    """Return the usual spread of a day's volume over its minute bars; the arrays are read-only."""
    board = Exchange(exchange)
    opening, closing = _AUCTION_SHARES[board]
    spans = [
        np.arange(_minute(w.start), _minute(w.end)) for w in _WINDOWS[board] if w.phase is Phase.CONTINUOUS
    ]
    minutes = np.concatenate(spans)
    pace = np.interp(minutes + 0.5, _PACE_AT, _PACE)
    shares = (1.0 - opening - closing) * pace / pace.sum()
    if opening:
        shares[0] += opening
    if closing:
        minutes = np.append(minutes, _ATC_MINUTE)
        shares = np.append(shares, closing)
    shares /= shares.sum()
    minutes = minutes.astype(np.int64)
    minutes.flags.writeable = False
    shares.flags.writeable = False
    return VolumeCurve(minutes, shares, opening)


def _minute(clock: time) -> int:
    return timedelta(hours=clock.hour, minutes=clock.minute) // timedelta(minutes=1)
