"""Exits: when a position should be sold, by priority, and what T+2 makes wait. Decides on values alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from vnquant.errors import ParameterError
from vnquant.market import TradingCalendar, default_calendar
from vnquant.runtime.clock import ICT
from vnquant.trading.order_events import Side
from vnquant.trading.orders import Order
from vnquant.trading.positions import Position

__all__ = ("ExitKind", "ExitRules", "ExitSignal", "exit_signal", "exit_signals", "quiet_range")

_MILLION = 1_000_000


class ExitKind(StrEnum):
    """Why a position is sold, in order of priority."""

    STOP_LOSS = "STOP_LOSS"
    TRAILING_STOP = "TRAILING_STOP"
    TAKE_PROFIT = "TAKE_PROFIT"
    TIME = "TIME"


class ExitRules(msgspec.Struct, frozen=True, kw_only=True):
    """When to sell.

    Attributes
    ----------
    stop_loss : float
        Loss against the entry price, dividends counted in.
    trailing : float
        Fall from the highest price since the entry.
    take_profit : float
        Gain against the entry price.
    max_sessions : int
        Sessions after the day of entry.
    """

    stop_loss: float = 0.05
    trailing: float = 0.05
    take_profit: float = 0.15
    max_sessions: int = 5

    def __post_init__(self) -> None:
        for name in ("stop_loss", "trailing", "take_profit"):
            value = getattr(self, name)
            if not 0 < value < (1 if name != "take_profit" else float("inf")):
                raise ParameterError(
                    f"{name} must be a fraction above 0, got {value}.", name=name, value=value
                )
        if self.max_sessions < 1:
            raise ParameterError(
                f"max_sessions must be at least 1, got {self.max_sessions}.",
                name="max_sessions",
                value=self.max_sessions,
            )


class ExitSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A position that should be sold.

    Attributes
    ----------
    symbol : str
    kind : ExitKind
        The first in priority of the rules that say so.
    at : datetime
    price_vnd : float
        The price that says so.
    quantity : int
        Shares to sell now; 0 while all of them wait.
    waiting_quantity : int
        Shares that may not be sold yet.
    waits_until : datetime or None
        When the next of those may be sold.
    reason : str
        In words, with the numbers.
    """

    symbol: str
    kind: ExitKind
    at: datetime
    price_vnd: float
    quantity: int
    waiting_quantity: int = 0
    waits_until: datetime | None = None
    reason: str

    @property
    def waits(self) -> bool:
        """Whether nothing can be sold yet."""
        return self.quantity == 0


def exit_signal(
    position: Position,
    price_vnd: float,
    now: datetime,
    rules: ExitRules,
    *,
    calendar: TradingCalendar | None = None,
    on_order: int = 0,
) -> ExitSignal | None:
    """Return whether a position should be sold at a price, and what of it can be.

    Parameters
    ----------
    position : Position
        Its peak is as of before; a price above it counts as the peak here.
    price_vnd : float
    now : datetime
        Market time.
    rules : ExitRules
    calendar : TradingCalendar, optional
        Counts sessions; the shipped one where it is left out.
    on_order : int
        Shares in open sell orders already, which are left out. None is returned if that is all of them.
    """
    days = default_calendar() if calendar is None else calendar
    found = _first_rule(position, price_vnd, now, rules, days)
    left = position.quantity - on_order
    if found is None or left <= 0:
        return None
    kind, reason = found
    quantity = max(position.sellable_quantity(now) - on_order, 0)
    waiting = left - quantity
    until = position.next_sellable(now) if waiting else None
    if until is not None:
        reason += f"; {waiting:,} shares wait for settlement until {until:%Y-%m-%d %H:%M} (T+2)"
    return ExitSignal(
        symbol=position.symbol,
        kind=kind,
        at=now,
        price_vnd=price_vnd,
        quantity=quantity,
        waiting_quantity=waiting,
        waits_until=until,
        reason=reason,
    )


def quiet_range(
    position: Position, today: date, rules: ExitRules, *, calendar: TradingCalendar | None = None
) -> tuple[int, int]:
    """Return the lowest and the highest price, in whole VND, at which nothing is to be done on a day.

    In between no rule says sell, and the peak stands. Where the first is above the second no price is quiet.
    """
    days = default_calendar() if calendar is None else calendar
    quantity, paid, peak = position.quantity, position.basis_vnd, position.peak_price_vnd
    if paid <= 0 or _is_time(position, today, rules, days):
        return 1, 0
    stop = paid * (_MILLION - round(rules.stop_loss * _MILLION)) // (quantity * _MILLION)
    trailing = peak * (_MILLION - round(rules.trailing * _MILLION)) // _MILLION
    target = -(-paid * (_MILLION + round(rules.take_profit * _MILLION)) // (quantity * _MILLION))
    return max(stop, trailing) + 1, min(target - 1, peak)


def exit_signals(
    positions: Mapping[str, Position],
    prices: Mapping[str, float],
    now: datetime,
    rules: ExitRules,
    *,
    calendar: TradingCalendar | None = None,
    open_orders: Iterable[Order] = (),
) -> tuple[ExitSignal, ...]:
    """Return the exits of all positions that have a price, most urgent first, then in order of opening."""
    on_order: dict[str, int] = {}
    for order in open_orders:
        if order.side is Side.SELL:
            on_order[order.symbol] = on_order.get(order.symbol, 0) + order.remaining_quantity
    found = [
        signal
        for symbol, position in positions.items()
        if symbol in prices
        and (
            signal := exit_signal(
                position,
                prices[symbol],
                now,
                rules,
                calendar=calendar,
                on_order=on_order.get(symbol, 0),
            )
        )
        is not None
    ]
    priority = {kind: place for place, kind in enumerate(ExitKind)}
    return tuple(sorted(found, key=lambda signal: priority[signal.kind]))


def _first_rule(
    position: Position, price_vnd: float, now: datetime, rules: ExitRules, calendar: TradingCalendar
) -> tuple[ExitKind, str] | None:
    price, quantity = round(price_vnd), position.quantity
    value, paid = price * quantity, position.basis_vnd
    peak = max(position.peak_price_vnd, price)
    # Dividends may have paid for the whole share; then no price is a loss.
    if paid > 0 and _at_most(value, paid, -rules.stop_loss):
        return ExitKind.STOP_LOSS, (
            f"stop loss: {price:,} VND is {_change(value, paid)} from the entry at {paid / quantity:,.0f} "
            f"(limit {-rules.stop_loss:+.1%})"
        )
    if _at_most(price, peak, -rules.trailing):
        return ExitKind.TRAILING_STOP, (
            f"trailing stop: {price:,} VND is {_change(price, peak)} from the peak at {peak:,} "
            f"(limit {-rules.trailing:+.1%})"
        )
    if paid <= 0 or _at_most(-value, -paid, rules.take_profit):
        return ExitKind.TAKE_PROFIT, (
            f"take profit: {price:,} VND is {_change(value, paid)} from the entry at {paid / quantity:,.0f} "
            f"(target {rules.take_profit:+.1%})"
        )
    today = now.astimezone(ICT).date()
    if _is_time(position, today, rules, calendar):
        held = calendar.sessions_between(position.opened_on, today)
        return (
            ExitKind.TIME,
            f"time: held {held} sessions since {position.opened_on} (T+{rules.max_sessions})",
        )
    return None


def _is_time(position: Position, today: date, rules: ExitRules, calendar: TradingCalendar) -> bool:
    # There are no more sessions than days: most checks need not count.
    if (today - position.opened_on).days < rules.max_sessions:
        return False
    return calendar.sessions_between(position.opened_on, today) >= rules.max_sessions


def _at_most(amount_vnd: int, base_vnd: int, change: float) -> bool:
    """Whether an amount is at most a base changed by a fraction, in whole millionths: 15 % up is 15 % up."""
    return amount_vnd * _MILLION <= base_vnd * (_MILLION + round(change * _MILLION))


def _change(amount_vnd: int, base_vnd: int) -> str:
    return f"{amount_vnd / base_vnd - 1.0:+.1%}" if base_vnd > 0 else "far"
