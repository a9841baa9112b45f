"""Orders: what is asked of the market, and the only ways in which an order may move from status to status.

An `Order` is a value. It moves by `apply(order, event)` alone, which knows the legal transitions; everything
that happened to it stays in its `history`. Nothing here does I/O or knows prices: whether the market would
take an order is decided in `admission`, whether it fills in `matching`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from hashlib import blake2b

import msgspec

from vnquant.errors import IllegalTransitionError, OrderError
from vnquant.market import Exchange, lot_size
from vnquant.trading.order_events import (
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRestated,
    Side,
)
from vnquant.trading.order_status import OrderStatus, OrderType, Transition

__all__ = (
    "Order",
    "OrderStatus",
    "OrderType",
    "Transition",
    "apply",
    "apply_all",
    "order_id",
    "split_into_lots",
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order for one symbol, good for the session in which it is accepted.

    Attributes
    ----------
    client_order_id : str
        Ours, unique for ever; two submissions with one id are one order.
    symbol : str
    side : Side
    type : OrderType
    quantity : int
        Shares.
    limit_price_vnd : int or None
        For LO only.
    created_at : datetime
        Aware.
    cause : str
        Id of the decision that led to it: a verdict, an exit, a user's click.
    reason : str
        Why it was placed, in words.
    status : OrderStatus
    status_reason : str
        Why it stands there, such as the reason of a refusal.
    accepted_at : datetime or None
    market_volume : int
        Shares that the market had traded in the session when the order was accepted: its part of the volume
        is counted from there.
    block_price_vnd : int
        The worst price at which it may fill, which is where the broker blocks cash for a purchase.
    filled_quantity, filled_value_vnd, fee_vnd, tax_vnd : int
        Sums over its fills.
    restated_from : OrderType or None
        The type asked for, where what was left of a market order went on as a limit order.
    history : tuple of Transition

    Examples
    --------
    >>> from datetime import datetime
    >>> from vnquant.runtime import ICT
    >>> at = datetime(2025, 6, 5, 10, 0, tzinfo=ICT)
    >>> Order(client_order_id="mine", symbol="FPT", side=Side.BUY, type=OrderType.LO, quantity=300,
    ...       limit_price_vnd=116_500, created_at=at)
    BUY 300 FPT LO at 116,500 VND (mine): INTENDED
    """

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: int
    limit_price_vnd: int | None = None
    created_at: datetime
    cause: str = ""
    reason: str = ""
    status: OrderStatus = OrderStatus.INTENDED
    status_reason: str = ""
    accepted_at: datetime | None = None
    market_volume: int = 0
    block_price_vnd: int = 0
    filled_quantity: int = 0
    filled_value_vnd: int = 0
    fee_vnd: int = 0
    tax_vnd: int = 0
    restated_from: OrderType | None = None
    history: tuple[Transition, ...] = ()

    def __post_init__(self) -> None:
        if not self.client_order_id:
            raise OrderError(
                "An order needs a client_order_id; make one with order_id().", field="client_order_id"
            )
        if self.quantity < 1:
            raise OrderError(f"{self._name}: quantity must be at least 1 share.", field="quantity")
        if self.type is OrderType.LO and (self.limit_price_vnd is None or self.limit_price_vnd < 1):
            raise OrderError(
                f"{self._name}: a limit order needs limit_price_vnd in whole VND, "
                f"got {self.limit_price_vnd!r}.",
                field="limit_price_vnd",
            )
        if self.type is not OrderType.LO and self.limit_price_vnd is not None:
            raise OrderError(
                f"{self._name}: {self.type} has no limit; leave limit_price_vnd out, or use LO.",
                field="limit_price_vnd",
            )
        if self.created_at.tzinfo is None:
            raise OrderError(
                f"{self._name}: created_at needs a time zone; use vnquant.runtime.now().", field="created_at"
            )

    @property
    def remaining_quantity(self) -> int:
        """Shares not filled."""
        return self.quantity - self.filled_quantity

    @property
    def average_price_vnd(self) -> float | None:
        """Mean price of the fills, None before the first."""
        return self.filled_value_vnd / self.filled_quantity if self.filled_quantity else None

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next event of this order has."""
        return len(self.history) + 1

    @property
    def _name(self) -> str:
        price = "" if self.limit_price_vnd is None else f" at {self.limit_price_vnd:,} VND"
        return f"{self.side} {self.quantity:,} {self.symbol} {self.type}{price} ({self.client_order_id})"

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        filled = f", {self.filled_quantity:,} filled" if self.filled_quantity else ""
        return f"{self._name}: {self.status}{filled}"

    def same_request(self, other: Order) -> bool:
        """Whether both ask the market for the same thing."""
        return self._request == other._request

    @property
    def _request(self) -> tuple[object, ...]:
        asked = (self.client_order_id, self.symbol, self.side, self.quantity, self.created_at)
        if self.restated_from is not None:
            return (*asked, self.restated_from, None)
        return (*asked, self.type, self.limit_price_vnd)


def apply(order: Order, event: OrderEvent) -> Order:
    """Return the order after an event.

    An event that the order has seen already, by its sequence number, changes nothing: what a broker tells
    twice happens once.

    Raises
    ------
    IllegalTransitionError
        If the event is another order's, skips one, or is not legal in the present status; carries the story.
    """
    if event.client_order_id != order.client_order_id:
        raise _illegal(order, event, "it belongs to another order")
    if event.sequence < order.next_sequence:
        return order
    if event.sequence > order.next_sequence:
        raise _illegal(order, event, f"event {order.next_sequence} is missing before it")
    if type(event) not in _LEGAL.get(order.status, ()):
        raise _illegal(order, event, f"a {order.status} order does not do that")
    if isinstance(event, OrderFilled):
        return _filled(order, event)
    if isinstance(event, OrderAccepted):
        return _step(
            order,
            event,
            OrderStatus.ACCEPTED,
            "accepted",
            accepted_at=event.at,
            market_volume=event.market_volume,
            block_price_vnd=event.block_price_vnd,
        )
    if isinstance(event, OrderRestated):
        what = f"the rest goes on as LO at {event.limit_price_vnd:,} VND"
        return _step(
            order,
            event,
            order.status,
            what,
            type=OrderType.LO,
            limit_price_vnd=event.limit_price_vnd,
            block_price_vnd=event.limit_price_vnd,
            restated_from=order.restated_from or order.type,
        )
    status = _ENDS[type(event)]
    return _step(order, event, status, event.reason, status_reason=event.reason)


def apply_all(order: Order, events: Iterable[OrderEvent]) -> Order:
    """Return the order after several events in order."""
    for event in events:
        order = apply(order, event)
    return order


def split_into_lots(
    quantity: int, exchange: Exchange | str = Exchange.HOSE, *, on: date | None = None
) -> tuple[int, int]:
    """Return (shares in board lots, shares of the odd lot): the two are separate orders."""
    lot = lot_size(exchange, on=on)
    odd = quantity % lot
    return quantity - odd, odd


def order_id(symbol: str, side: Side, at: datetime, cause: str) -> str:
    """Return a client order id that depends on these four only: one decision asked twice is one order."""
    mark = blake2b(cause.encode(), digest_size=4).hexdigest()
    return f"{at:%Y%m%d-%H%M%S}-{symbol}-{side}-{mark}"


_ENDS: dict[type, OrderStatus] = {
    OrderRejected: OrderStatus.REJECTED,
    OrderCancelled: OrderStatus.CANCELLED,
    OrderExpired: OrderStatus.EXPIRED,
}
_WHILE_OPEN = (OrderFilled, OrderRestated, OrderCancelled, OrderExpired)
# An intent that never reached the broker is given up by cancelling it.
_LEGAL: dict[OrderStatus, tuple[type, ...]] = {
    OrderStatus.INTENDED: (OrderAccepted, OrderRejected, OrderCancelled),
    OrderStatus.ACCEPTED: _WHILE_OPEN,
    OrderStatus.PARTIALLY_FILLED: _WHILE_OPEN,
}


def _filled(order: Order, event: OrderFilled) -> Order:
    fill = event.fill
    if problem := _fill_problem(order, fill):
        raise _illegal(order, event, problem)
    done = order.filled_quantity + fill.quantity
    status = OrderStatus.FILLED if done == order.quantity else OrderStatus.PARTIALLY_FILLED
    return _step(
        order,
        event,
        status,
        f"{fill.quantity:,} at {fill.price_vnd:,} VND",
        filled_quantity=done,
        filled_value_vnd=order.filled_value_vnd + fill.value_vnd,
        fee_vnd=order.fee_vnd + fill.fee_vnd,
        tax_vnd=order.tax_vnd + fill.tax_vnd,
    )


def _fill_problem(order: Order, fill: Fill) -> str:
    if (fill.client_order_id, fill.symbol, fill.side) != (order.client_order_id, order.symbol, order.side):
        return f"the fill is {fill.side} {fill.symbol} of {fill.client_order_id}"
    if fill.quantity > order.remaining_quantity:
        return f"{fill.quantity:,} shares are more than the {order.remaining_quantity:,} that remain"
    limit = order.limit_price_vnd
    if limit is not None and (fill.price_vnd - limit) * order.side.sign > 0:
        return f"{fill.price_vnd:,} VND is worse than the limit"
    return ""


def _step(order: Order, event: OrderEvent, status: OrderStatus, what: str, **changes: object) -> Order:
    past = Transition(sequence=event.sequence, at=event.at, status=status, what=what)
    return msgspec.structs.replace(order, status=status, history=(*order.history, past), **changes)


def _illegal(order: Order, event: OrderEvent, why: str) -> IllegalTransitionError:
    return IllegalTransitionError(
        str(order), f"{type(event).__name__} no. {event.sequence}", why, story=[str(t) for t in order.history]
    )
