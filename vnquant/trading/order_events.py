"""Order events: what can happen to an order, as records that a ledger can keep and read back.

Each event names its order and has a sequence number within it, from 1 without gaps: (client_order_id,
sequence) is unique for ever, so an event told twice can be told from two events.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec

from vnquant.errors import OrderError

__all__ = (
    "Fill",
    "OrderAccepted",
    "OrderCancelled",
    "OrderEvent",
    "OrderExpired",
    "OrderFilled",
    "OrderRejected",
    "OrderRestated",
    "Side",
    "fill_id",
)


class Side(StrEnum):
    """Which way shares move, seen from us."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sale."""
        return 1 if self is Side.BUY else -1


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that changed hands at one price. All money in whole VND.

    `fill_id` is unique for ever. `filled_at` is aware; settlement counts from its day. `quoted_price_vnd` is
    what stood on the board, so `price_vnd` less that is the slippage.
    """

    fill_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: int
    price_vnd: int
    fee_vnd: int
    tax_vnd: int
    filled_at: datetime
    quoted_price_vnd: int | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1 or self.price_vnd < 1 or self.fee_vnd < 0 or self.tax_vnd < 0:
            raise OrderError(
                f"Fill {self.fill_id}: {self.quantity} shares at {self.price_vnd} VND, fee {self.fee_vnd}, "
                f"tax {self.tax_vnd} cannot be: shares and price are at least 1, costs at least 0.",
                field="fill",
            )
        if self.filled_at.tzinfo is None:
            raise OrderError(f"Fill {self.fill_id}: filled_at needs a time zone.", field="filled_at")

    def __str__(self) -> str:
        return (
            f"{self.side} {self.quantity:,} {self.symbol} at {self.price_vnd:,} VND, "
            f"{self.filled_at:%Y-%m-%d %H:%M:%S} ({self.fill_id})"
        )

    def __repr__(self) -> str:
        return str(self)

    @property
    def value_vnd(self) -> int:
        """Price times shares, costs aside."""
        return self.price_vnd * self.quantity

    @property
    def cash_vnd(self) -> int:
        """What it does to our cash in the end: negative for a buy, costs included."""
        return -self.side.sign * self.value_vnd - self.fee_vnd - self.tax_vnd


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    client_order_id: str
    sequence: int
    at: datetime


class OrderAccepted(_Event, frozen=True, kw_only=True, tag=True):
    """The broker has the order.

    `market_volume` is what the market had traded in the session by then, in shares. `block_price_vnd` is the
    worst price at which the order may fill: at it a broker blocks the cash of a purchase.
    """

    market_volume: int = 0
    block_price_vnd: int = 0


class OrderRejected(_Event, frozen=True, kw_only=True, tag=True):
    """The broker refuses the order, and says why."""

    reason: str


class OrderFilled(_Event, frozen=True, kw_only=True, tag=True):
    """Some or all shares of the order changed hands."""

    fill: Fill


class OrderRestated(_Event, frozen=True, kw_only=True, tag=True):
    """What is left of a market order goes on as a limit order."""

    limit_price_vnd: int


class OrderCancelled(_Event, frozen=True, kw_only=True, tag=True):
    """What is left of the order was taken back."""

    reason: str


class OrderExpired(_Event, frozen=True, kw_only=True, tag=True):
    """What is left of the order fell away: its auction or its session is over."""

    reason: str


OrderEvent: TypeAlias = (
    OrderAccepted | OrderRejected | OrderFilled | OrderRestated | OrderCancelled | OrderExpired
)


def fill_id(client_order_id: str, sequence: int) -> str:
    """Return the id of the fill that an order's event of this number carries."""
    return f"{client_order_id}/{sequence}"
