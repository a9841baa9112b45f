"""Broker: what every broker offers, and the rules by which the paper one trades."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from vnquant.errors import ParameterError
from vnquant.trading.costs import Costs, Slippage
from vnquant.trading.order_events import OrderEvent
from vnquant.trading.orders import Order

__all__ = ("Broker", "PaperConfig")


class PaperConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of the paper broker.

    Attributes
    ----------
    costs : Costs
    slippage : Slippage
    participation_pct : int
        The part of the available volume that we may have at most: of what stands on the other side at an
        acceptable price, and of what the market has traded since the order was accepted.
    max_quote_age_s : float
        A quote older than this in market time neither admits nor fills an order.
    auction_grace_s : float
        How long after the close, in market time, the board may still show the price before the auction.
    quote_timeout_s : float
        Longest wait for the board.
    """

    costs: Costs = Costs()
    slippage: Slippage = Slippage()
    participation_pct: int = 20
    max_quote_age_s: float = 300.0
    auction_grace_s: float = 10.0
    quote_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("participation_pct", 1, 100),
            ("max_quote_age_s", 0, float("inf")),
            ("auction_grace_s", 0, 600),
            ("quote_timeout_s", 0, float("inf")),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ParameterError(
                    f"{name} must be from {low} to {high}, got {value}.", name=name, value=value
                )


@runtime_checkable
class Broker(Protocol):
    """Takes orders and tells what became of them. Events of an order come numbered, from 1 without gaps."""

    name: str

    async def submit(self, order: Order) -> tuple[OrderEvent, ...]:
        """Hand over an order, and return all its events so far; a second time it is the same order.

        What the market refuses is an OrderRejected, not an exception.
        """
        ...

    async def cancel(
        self, client_order_id: str, *, reason: str = "cancelled by us"
    ) -> tuple[OrderEvent, ...]:
        """Take back what is left of an order, and return its new events; none where it had ended.

        Raises UnknownOrderError, and CancelRefusedError where the exchange takes nothing back just now.
        """
        ...

    async def poll(self) -> tuple[OrderEvent, ...]:
        """Return what has happened to open orders since the last time."""
        ...

    def find(self, client_order_id: str) -> Order | None:
        """Return an order as the broker has it, None where it never arrived."""
        ...

    def events(self, client_order_id: str, *, after: int = 0) -> tuple[OrderEvent, ...]:
        """Return the events of an order with a sequence number above `after`, as far as they are kept."""
        ...
