"""Admission: whether the market and the broker take an order, and if not, why and what would do.

Decides on values; asks nobody.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from vnquant.market import (
    Exchange,
    Phase,
    Quote,
    TradingCalendar,
    lot_size,
    phase_at,
    round_to_tick,
    tick_size,
)
from vnquant.runtime.clock import ICT
from vnquant.trading.costs import Costs
from vnquant.trading.order_events import Side
from vnquant.trading.orders import Order, OrderType

__all__ = ("MAX_ORDER_SHARES", "blocked_vnd", "quote_problem", "refusal", "worst_price_vnd")

# HOSE trading rules (decision 352/QD-SGDHCM of 2021-06-29, article 7): at most 500,000 shares an order.
MAX_ORDER_SHARES: dict[Exchange, int] = {Exchange.HOSE: 500_000}

# UPCoM matches continuously only; HNX has no opening auction.
_TYPES: dict[Exchange, frozenset[OrderType]] = {
    Exchange.HOSE: frozenset(OrderType),
    Exchange.HNX: frozenset({OrderType.LO, OrderType.ATC, OrderType.MP}),
    Exchange.UPCOM: frozenset({OrderType.LO}),
}
# The broker collects orders before the open and over lunch, and holds auction orders until their auction.
_PHASES: dict[OrderType, frozenset[Phase]] = {
    OrderType.LO: frozenset({Phase.PRE_OPEN, Phase.ATO, Phase.CONTINUOUS, Phase.LUNCH, Phase.ATC}),
    OrderType.ATO: frozenset({Phase.PRE_OPEN, Phase.ATO}),
    OrderType.ATC: frozenset({Phase.PRE_OPEN, Phase.ATO, Phase.CONTINUOUS, Phase.LUNCH, Phase.ATC}),
    OrderType.MP: frozenset({Phase.CONTINUOUS}),
}
# Odd lots have a book of their own, with limit orders only and without auctions.
_ODD_LOT_PHASES = frozenset({Phase.PRE_OPEN, Phase.ATO, Phase.CONTINUOUS, Phase.LUNCH})


def refusal(
    order: Order,
    quote: Quote | None,
    now: datetime,
    *,
    exchange: Exchange,
    calendar: TradingCalendar,
    buying_power_vnd: int,
    sellable: int,
    costs: Costs,
    max_quote_age_s: float,
) -> str | None:
    """Return why an order is refused, None if it is taken.

    Parameters
    ----------
    order : Order
    quote : Quote or None
        The board of its symbol.
    now : datetime
        Market time.
    exchange : Exchange
    calendar : TradingCalendar
        The exchange's own.
    buying_power_vnd, sellable : int
        Cash and shares of the account that are free: settled, and not blocked by other open orders.
    costs : Costs
    max_quote_age_s : float
    """
    day = now.astimezone(ICT).date()
    return (
        _time_problem(order, now, exchange, calendar)
        or _lot_problem(order, exchange, day, phase_at(now, exchange, calendar))
        or quote_problem(order.symbol, quote, now, max_quote_age_s)
        or (None if quote is None else _price_problem(order, quote, exchange, day))
        or (
            None
            if quote is None
            else _account_problem(order, worst_price_vnd(order, quote), buying_power_vnd, sellable, costs)
        )
    )


def quote_problem(symbol: str, quote: Quote | None, now: datetime, max_age_s: float) -> str | None:
    """Return why a quote cannot be traded on, None if it can."""
    if quote is None:
        return f"the board shows no {symbol}, so its price band is not known"
    age = now - quote.as_of
    if age > timedelta(seconds=max_age_s) or quote.as_of.astimezone(ICT).date() != now.astimezone(ICT).date():
        return (
            f"the quote of {symbol} is of {quote.as_of.astimezone(ICT):%Y-%m-%d %H:%M:%S}, which is too old"
        )
    return None


def worst_price_vnd(order: Order, quote: Quote) -> int:
    """Return the worst price at which an order may fill: its limit, or the end of the band."""
    if order.limit_price_vnd is not None:
        return order.limit_price_vnd
    return round(quote.ceiling_price if order.side is Side.BUY else quote.floor_price)


def blocked_vnd(quantity: int, price_vnd: int, costs: Costs, *, filled_value_vnd: int = 0) -> int:
    """Return the cash that a purchase of so many shares blocks, commission included."""
    value = quantity * price_vnd
    fee, _ = costs.of_fill(Side.BUY, value, filled_before_vnd=filled_value_vnd)
    return value + fee


def _time_problem(order: Order, now: datetime, exchange: Exchange, calendar: TradingCalendar) -> str | None:
    if order.type not in _TYPES[exchange]:
        known = ", ".join(sorted(_TYPES[exchange]))
        return f"{exchange} has no {order.type} orders; use {known}"
    phase = phase_at(now, exchange, calendar)
    if phase in _PHASES[order.type]:
        return None
    local = now.astimezone(ICT)
    if phase in (Phase.CLOSED, Phase.PUT_THROUGH):
        opens = calendar.session_on_or_after(local.date())
        if opens == local.date() and local.hour >= 12:
            opens = calendar.next_session(local.date())
        return f"{exchange} takes no orders at {local:%Y-%m-%d %H:%M}; send it again on {opens} from 08:30"
    when = ", ".join(sorted(_PHASES[order.type]))
    return f"{exchange} is in {phase}, and takes {order.type} orders in {when} only; use LO"


def _lot_problem(order: Order, exchange: Exchange, day: date, phase: Phase) -> str | None:
    lot = lot_size(exchange, on=day)
    largest = MAX_ORDER_SHARES.get(exchange)
    if largest is not None and order.quantity > largest:
        return f"{order.quantity:,} shares are more than {exchange} takes in an order ({largest:,}); split it"
    if order.quantity % lot == 0:
        return None
    if order.quantity > lot:
        odd = order.quantity % lot
        return (
            f"{order.quantity:,} shares are no multiple of the lot of {lot}; send {order.quantity - odd:,} "
            f"and, as an odd lot, {odd}"
        )
    if order.type is not OrderType.LO or phase not in _ODD_LOT_PHASES:
        return f"an odd lot of {order.quantity} shares trades as LO and outside auctions only"
    return None


def _price_problem(order: Order, quote: Quote, exchange: Exchange, day: date) -> str | None:
    if order.type is OrderType.MP and not (quote.asks if order.side is Side.BUY else quote.bids):
        side = "sells" if order.side is Side.BUY else "buys"
        return f"nobody {side} {order.symbol}, so a market order has no price; use LO"
    limit = order.limit_price_vnd
    if limit is None:
        return None
    floor, ceiling = round(quote.floor_price), round(quote.ceiling_price)
    tick = tick_size(limit, exchange, on=day)
    band = f"(reference {round(quote.reference_price):,}, {exchange}, tick {tick})"
    if limit > ceiling:
        return f"limit {limit:,} VND is above today's ceiling {ceiling:,} VND {band}; use at most {ceiling:,}"
    if limit < floor:
        return f"limit {limit:,} VND is below today's floor {floor:,} VND {band}; use at least {floor:,}"
    if limit % tick:
        low = round_to_tick(limit, exchange, "down", on=day)
        high = round_to_tick(limit, exchange, "up", on=day)
        return f"limit {limit:,} VND is off the tick of {tick} VND; use {low:,} or {high:,}"
    return None


def _account_problem(
    order: Order, price_vnd: int, buying_power_vnd: int, sellable: int, costs: Costs
) -> str | None:
    if order.side is Side.SELL:
        if order.quantity > sellable:
            return (
                f"{order.quantity:,} shares are more than the {sellable:,} that have settled and are in no "
                "other order; bought shares can be sold from 13:00 of T+2"
            )
        return None
    needed = blocked_vnd(order.quantity, price_vnd, costs)
    if needed > buying_power_vnd:
        return (
            f"{order.quantity:,} shares at up to {price_vnd:,} VND need {needed:,} VND with commission, "
            f"and {buying_power_vnd:,} VND are free; buy fewer, or wait for the money of sales (T+2)"
        )
    return None
