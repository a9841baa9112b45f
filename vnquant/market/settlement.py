"""Settlement: when bought shares arrive, and from which moment they may be sold."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import NamedTuple

from vnquant.errors import DateRangeError
from vnquant.market.calendar import TradingCalendar, default_calendar
from vnquant.runtime.clock import ICT

__all__ = ("SETTLEMENT_RULES", "SettlementRule", "sellable_from", "settlement_date")


class SettlementRule(NamedTuple):
    """How trades from one day on settle.

    Shares arrive `settles_after` sessions after the trade, and may be sold from `sellable_at` of the session
    `sellable_after` sessions after it.
    """

    first_trade_date: date
    settles_after: int
    sellable_after: int
    sellable_at: time
    source: str


# Newest first. The first trade date is what decides: the rules of 2022-08-29 already delivered the shares of
# Thursday 2022-08-25 on Monday morning.
SETTLEMENT_RULES: tuple[SettlementRule, ...] = (
    SettlementRule(
        date(2022, 8, 25), 2, 2, time(13, 0),
        "VSD decision 109/QD-VSD of 2022-08-19: settled 11:00 to 11:30 of T+2, sellable from 13:00",
    ),
    SettlementRule(
        date(2016, 1, 1), 2, 3, time(9, 0),
        "VSD decision 211/QD-VSD of 2015-12-18: T+2, settled 15:30 to 16:00, so sellable on T+3",
    ),
    SettlementRule(
        date(1, 1, 1), 3, 3, time(9, 0),
        "VSD rules before 2016: T+3, delivered in the morning before trading",
    ),
)  # fmt: skip


def settlement_date(trade_date: date, calendar: TradingCalendar | None = None) -> date:
    """Return the session on which the shares and the money of a trade change hands.

    Raises
    ------
    DateRangeError
        If the trade date is no session, or the answer lies outside the calendar.

    Examples
    --------
    >>> from datetime import date
    >>> settlement_date(date(2025, 6, 5))  # a Thursday
    datetime.date(2025, 6, 9)
    """
    days = default_calendar() if calendar is None else calendar
    return days.add_sessions(_traded(trade_date, days), _rule(trade_date).settles_after)


def sellable_from(trade_date: date, calendar: TradingCalendar | None = None) -> datetime:
    """Return the first moment at which shares bought on `trade_date` may be sold, aware, in ICT.

    Under today's rules 13:00 of T+2: a stop-loss on T+1 has to wait.
    """
    days = default_calendar() if calendar is None else calendar
    rule = _rule(trade_date)
    day = days.add_sessions(_traded(trade_date, days), rule.sellable_after)
    return datetime.combine(day, rule.sellable_at, tzinfo=ICT)


def _rule(trade_date: date) -> SettlementRule:
    plain = trade_date.date() if isinstance(trade_date, datetime) else trade_date
    return next(rule for rule in SETTLEMENT_RULES if rule.first_trade_date <= plain)


def _traded(trade_date: date, calendar: TradingCalendar) -> date:
    if not calendar.is_trading_day(trade_date):
        why = calendar.holidays.get(trade_date, "a weekend")
        raise DateRangeError(
            f"{trade_date} is no session ({why}), so nothing was traded then; the sessions next to it are "
            f"{calendar.previous_session(trade_date)} and {calendar.next_session(trade_date)}."
        )
    return trade_date
