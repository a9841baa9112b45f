"""Batch: what is to be written in one transaction. Collecting it does no I/O and decides nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from vnquant.errors import InputError
from vnquant.market import CashDividend, ShareSplit
from vnquant.trading.accounting import Deposit, PortfolioState
from vnquant.trading.books import Transaction
from vnquant.trading.corporate_actions import PriceAdjustment
from vnquant.trading.journal import JournalEntry, canonical_json
from vnquant.trading.order_events import OrderEvent, OrderFilled
from vnquant.trading.order_status import OrderStatus
from vnquant.trading.orders import Order

__all__ = ("PORTFOLIO", "RECENT", "SCHEDULE", "Action", "Batch", "Step", "read_key", "write_key")

Action: TypeAlias = Deposit | CashDividend | ShareSplit | PriceAdjustment
# What happened, and what it moved in the books; None is money that arrived.
Step: TypeAlias = tuple[Order | OrderEvent | Action | None, tuple[Transaction, ...]]

PORTFOLIO = "portfolio"
RECENT = "recent"
SCHEDULE = "schedule"


class Batch:
    """Records that are written together or not at all, in the order in which they are added.

    Adding the same record to a later batch again changes nothing: after a failure, or when a cancelled caller
    cannot know what became of it, the whole batch may be committed once more.

    Examples
    --------
    ::

        async with ledger.batch() as batch:
            transactions = portfolio.apply(event.fill)
            batch.event(event, transactions)
            batch.portfolio(portfolio.state)
            batch.journal(JournalEntry(at=now(), kind="fill", outcome="...", symbol="FPT"))
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.entries: list[dict[str, Any]] = []
        self.states: dict[tuple[str, str], str | None] = {}
        self.cleared: set[str] = set()
        self.state: PortfolioState | None = None

    def __bool__(self) -> bool:
        return bool(self.steps or self.entries or self.states or self.cleared or self.state is not None)

    def intent(self, order: Order) -> None:
        """Write down an order before it is sent.

        Raises
        ------
        InputError
            If something has happened to the order already.
        """
        if order.status is not OrderStatus.INTENDED:
            raise InputError(
                f"{order} is no intent any more. Record it before it is sent, and what happens to it by "
                "event()."
            )
        self.steps.append((order, ()))

    def event(self, event: OrderEvent, transactions: Iterable[Transaction] = ()) -> None:
        """Write down what happened to an order; a fill with the transactions that it made in the portfolio.

        Raises
        ------
        InputError
            If a fill comes without its transaction, or another event with some.
        """
        moved = tuple(transactions)
        expected = event.fill.fill_id if isinstance(event, OrderFilled) else None
        if (expected is None and moved) or (
            expected is not None and expected not in (t.source_id for t in moved)
        ):
            raise InputError(
                f"{type(event).__name__} of {event.client_order_id} comes with the transactions "
                f"{[t.source_id for t in moved]}: a fill comes with those that portfolio.apply(event.fill) "
                "returned, other events with none."
            )
        self.steps.append((event, moved))

    def action(self, action: Action, transactions: Iterable[Transaction]) -> None:
        """Write down a deposit or what a company did, with what `portfolio.apply(action)` returned."""
        self.steps.append((action, tuple(transactions)))

    def settled(self, transactions: Iterable[Transaction]) -> None:
        """Write down money that arrived: what `portfolio.settle(now)` returned."""
        self.steps.append((None, tuple(transactions)))

    def portfolio(self, state: PortfolioState) -> None:
        """Write down the portfolio as it stands after all this; needed where money or shares moved."""
        self.state = state
        self.keep(PORTFOLIO, "state", state)

    def journal(self, entry: JournalEntry) -> None:
        """Write down a decision; what it saw is read now and may change afterwards."""
        self.entries.append(entry.row())

    def recent(
        self, keys: Mapping[Hashable, datetime], before: Mapping[Hashable, datetime] | None = None
    ) -> None:
        """Replace the keys of the duplicate filter: `queue.recent()`.

        With `before`, those that the ledger is known to hold, only what differs is written.
        """
        if before is None:
            self.clear(RECENT)
            before = {}
        for key in before:
            if key not in keys:
                self.forget(RECENT, write_key(key))
        for key, at in keys.items():
            if before.get(key) != at:
                self.keep(RECENT, write_key(key), at)

    def schedule(self, name: str, due: datetime) -> None:
        """Write down when a schedule has its next round."""
        self.keep(SCHEDULE, name, due)

    def keep(self, scope: str, name: str, value: Any) -> None:
        """Keep a value that a restart needs, in place of the one of that name before."""
        self.states[scope, name] = canonical_json(value)

    def forget(self, scope: str, name: str) -> None:
        """Forget a value that was kept."""
        self.states[scope, name] = None

    def clear(self, scope: str) -> None:
        """Forget all values of a scope, those added to this batch before included."""
        self.cleared.add(scope)
        self.states = {key: value for key, value in self.states.items() if key[0] != scope}


def write_key(key: Hashable) -> str:
    """Return a key made of texts, numbers and tuples of them as text."""
    return canonical_json(key)


def read_key(text: str) -> Hashable:
    """Return the key that `write_key` wrote."""
    return _hashable(msgspec.json.decode(text))


def _hashable(value: Any) -> Hashable:
    return tuple(_hashable(part) for part in value) if isinstance(value, list) else value
