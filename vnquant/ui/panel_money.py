"""Panel money: positions marked at the last price known, orders, and what all of it has earned. Whole VND."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from vnquant.market import Quote
from vnquant.trading import Account, Order, Portfolio

__all__ = (
    "AccountReading",
    "OrderReading",
    "PositionReading",
    "account_reading",
    "orders_of",
    "positions_of",
)

_ORDERS = 30


class PositionReading(msgspec.Struct, frozen=True, kw_only=True):
    """One position at the last price known."""

    symbol: str
    quantity: int
    sellable: int
    sellable_from: datetime | None
    """When more of it may be sold; None if all may."""
    average_cost_vnd: int
    price_vnd: int | None
    """None while no price is known; value and profit are not, then."""
    priced_at: datetime | None
    value_vnd: int | None
    pnl_vnd: int | None
    """Against what was paid, costs and dividends aside."""
    pnl_fraction: float | None


class AccountReading(msgspec.Struct, frozen=True, kw_only=True):
    """The whole account."""

    equity_vnd: int
    cash_vnd: int
    """With what is on its way from sales."""
    realised_vnd: int
    """Of sales and dividends, after fees and taxes of everything so far."""
    unrealised_vnd: int
    pnl_vnd: int
    """Both, which is the equity less what was paid in."""
    pnl_fraction: float
    is_complete: bool
    """False where a position without a price is counted at cost."""


class OrderReading(msgspec.Struct, frozen=True, kw_only=True):
    """One order."""

    client_order_id: str
    at: datetime
    symbol: str
    side: str
    quantity: int
    filled: int
    limit_vnd: int | None
    average_vnd: int | None
    status: str
    is_open: bool
    reason: str


def positions_of(
    portfolio: Portfolio, quotes: Mapping[str, Quote], at: datetime
) -> tuple[PositionReading, ...]:
    """Return the positions at an instant, marked at the quotes given."""
    readings = []
    for symbol, position in portfolio.positions.items():
        quote = quotes.get(symbol)
        price = None if quote is None else quote.price
        value = None if price is None else round(position.quantity * price)
        pnl = None if value is None else value - position.cost_vnd
        readings.append(
            PositionReading(
                symbol=symbol,
                quantity=position.quantity,
                sellable=position.sellable_quantity(at),
                sellable_from=position.next_sellable(at),
                average_cost_vnd=round(position.average_cost_vnd),
                price_vnd=None if price is None else round(price),
                priced_at=None if quote is None else quote.as_of,
                value_vnd=value,
                pnl_vnd=pnl,
                pnl_fraction=None if pnl is None else pnl / position.cost_vnd,
            )
        )
    return tuple(readings)


def account_reading(portfolio: Portfolio, positions: Iterable[PositionReading]) -> AccountReading:
    """Return the account with its positions as they are marked; those without a price count at cost."""
    marked = {one.symbol: one.pnl_vnd for one in positions}
    unrealised = sum(pnl for pnl in marked.values() if pnl is not None)
    state = portfolio.state
    cash = state.cash_vnd + sum(r.amount_vnd for r in state.receivables)
    cost = sum(position.cost_vnd for position in portfolio.positions.values())
    paid_in = -portfolio.balances.get(Account.CAPITAL, 0)
    realised = portfolio.realised_vnd
    return AccountReading(
        equity_vnd=cash + cost + unrealised,
        cash_vnd=cash,
        realised_vnd=realised,
        unrealised_vnd=unrealised,
        pnl_vnd=realised + unrealised,
        pnl_fraction=(realised + unrealised) / paid_in if paid_in > 0 else 0.0,
        is_complete=all(pnl is not None for pnl in marked.values()),
    )


def orders_of(told: Iterable[Order], current: Iterable[Order]) -> tuple[OrderReading, ...]:
    """Return orders, open ones first, newest first within.

    Parameters
    ----------
    told : iterable of Order
        As the events told them, oldest first.
    current : iterable of Order
        As the record has them now, which counts more: an event may have been missed.
    """
    orders = {order.client_order_id: order for order in told} | {o.client_order_id: o for o in current}
    newest = sorted(orders.values(), key=lambda order: order.created_at, reverse=True)
    newest.sort(key=lambda order: order.status.is_final)
    return tuple(_order(order) for order in newest[:_ORDERS])


def _order(order: Order) -> OrderReading:
    average = order.average_price_vnd
    return OrderReading(
        client_order_id=order.client_order_id,
        at=order.created_at,
        symbol=order.symbol,
        side=order.side.value,
        quantity=order.quantity,
        filled=order.filled_quantity,
        limit_vnd=order.limit_price_vnd,
        average_vnd=None if average is None else round(average),
        status=order.status.value,
        is_open=not order.status.is_final,
        reason=order.status_reason or order.reason,
    )
