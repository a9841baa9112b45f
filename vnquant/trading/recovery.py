"""Recovery: what an orchestrator needs to go on where the ledger ends, read as one consistent view."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, select

from vnquant.trading.accounting import PortfolioState
from vnquant.trading.batch import PORTFOLIO, RECENT, SCHEDULE, read_key
from vnquant.trading.lease import read_lease
from vnquant.trading.order_status import OrderStatus
from vnquant.trading.orders import Order
from vnquant.trading.rows import load_orders
from vnquant.trading.schema import ORDERS, STATES

__all__ = ("UNFINISHED", "Recovery", "load_kept", "load_recovery")

T = TypeVar("T")

UNFINISHED = ORDERS.c.status.in_([status.value for status in OrderStatus if not status.is_final])


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ledger ends.

    Attributes
    ----------
    ends_at : datetime or None
        Market time of the last transaction; None in a new ledger.
    portfolio : PortfolioState or None
        With cash, shares and the peaks of trailing stops; None before the first deposit.
    open_orders : tuple of Order
        The broker has them, oldest first.
    unanswered : tuple of Order
        Intents without outcome, oldest first: whether the broker has them is to be asked by client order id.
    recent : dict
        Keys of the duplicate filter, for `WorkQueue.restore`; tuples and texts as they were.
    schedules : dict of str to datetime
        When each schedule has its next round.
    """

    ends_at: datetime | None
    portfolio: PortfolioState | None
    open_orders: tuple[Order, ...]
    unanswered: tuple[Order, ...]
    recent: dict[Hashable, datetime]
    schedules: dict[str, datetime]

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever written."""
        return self.ends_at is None


def load_recovery(connection: Connection) -> Recovery:
    """Return where the ledger ends."""
    lease = read_lease(connection)
    unfinished = load_orders(connection, UNFINISHED)
    recent = load_kept(connection, RECENT, datetime)
    return Recovery(
        ends_at=None if lease is None else lease.wrote_at,
        portfolio=load_kept(connection, PORTFOLIO, PortfolioState).get("state"),
        open_orders=tuple(order for order in unfinished if order.status.is_open),
        unanswered=tuple(order for order in unfinished if not order.status.is_open),
        recent={
            read_key(name): at for name, at in sorted(recent.items(), key=lambda pair: (pair[1], pair[0]))
        },
        schedules=load_kept(connection, SCHEDULE, datetime),
    )


def load_kept(connection: Connection, scope: str, kind: type[T]) -> dict[str, T]:
    """Return the values kept in a scope, by name."""
    query = select(STATES.c.name, STATES.c.value).where(STATES.c.scope == scope).order_by(STATES.c.name)
    decoder: Any = msgspec.json.Decoder(kind)
    return {name: decoder.decode(value) for name, value in connection.execute(query)}
