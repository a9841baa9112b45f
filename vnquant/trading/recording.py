"""Recording: turns a batch into rows, in the ledger's thread. Nothing is written twice, nothing in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, func, select, update

from vnquant.errors import BooksError, LedgerConflictError
from vnquant.trading.accounting import PortfolioState
from vnquant.trading.batch import Action, Batch
from vnquant.trading.books import Account, Transaction, posted
from vnquant.trading.journal import canonical_json
from vnquant.trading.keeping import conflict, write_journal, write_states
from vnquant.trading.order_events import OrderEvent, OrderFilled
from vnquant.trading.orders import Order, apply
from vnquant.trading.portfolio import prove
from vnquant.trading.prepared import Prepared, inserting
from vnquant.trading.rows import (
    action_row,
    entry_rows,
    event_row,
    fill_row,
    load_orders,
    order_row,
    progress_row,
)
from vnquant.trading.schema import ACTIONS, ENTRIES, FILLS, ORDER_EVENTS, ORDERS

__all__ = ("Recorded", "Recorder")

_PROGRESS = ("status", "status_reason", "filled_quantity", "filled_value_vnd", "fee_vnd", "tax_vnd")
_INSERT_ORDER = inserting(ORDERS)
_UPDATE_ORDER = Prepared(
    update(ORDERS)
    .where(ORDERS.c.client_order_id == bindparam("at_id"))
    .values({name: bindparam(f"new_{name}") for name in _PROGRESS})
)
_INSERT = {table: inserting(table) for table in (ORDER_EVENTS, FILLS, ACTIONS, ENTRIES)}


class Recorded(msgspec.Struct):
    """What the recorder knows once a batch is committed: `orders` after the changes are taken in."""

    orders: dict[str, Order]
    changed: dict[str, Order]
    balances: dict[Account, int]
    number: int


class Recorder:
    """Writes batches, and knows the open orders and balances as they were last committed.

    It is the only writer, by the lease, so what it remembers is what the database holds. It forgets it when a
    transaction fails, since then it cannot know.
    """

    def __init__(self) -> None:
        self._known: Recorded | None = None

    def after(self, recorded: Recorded | None) -> None:
        """Take note of what was committed; None is that nobody knows."""
        if recorded is None:
            self._known = None
            return
        for mark, order in recorded.changed.items():
            if order.status.is_final:
                recorded.orders.pop(mark, None)
            else:
                recorded.orders[mark] = order
        recorded.changed = {}
        self._known = recorded

    def record(self, connection: Connection, batch: Batch, *, careful: bool) -> Recorded | None:
        """Write a batch inside the connection's transaction.

        Parameters
        ----------
        connection : Connection
        batch : Batch
        careful : bool
            Look for each record before it is written. Without it, one that is there already raises the
            database's IntegrityError: looking costs as much as writing, and is nearly always in vain.

        Raises
        ------
        LedgerConflictError
            If an id was recorded with other content, or something happened to an order without intent.
        IllegalTransitionError
            If an event is not legal in the status in which its order is.
        BooksError
            If the portfolio's state does not agree with the entries.
        """
        recorded = self._known
        if batch.steps or batch.state is not None:
            recorded = self._move(connection, batch, careful=careful)
        write_journal(connection, batch.entries, careful=careful)
        write_states(connection, batch)
        return recorded

    def _move(self, connection: Connection, batch: Batch, *, careful: bool) -> Recorded:
        """Write orders and what moved money or shares."""
        known = self._known if self._known is not None else _load(connection)
        writing = _Writing(connection, known, careful=careful)
        for what, transactions in batch.steps:
            if isinstance(what, Order):
                writing.intent(what)
            elif what is None:
                writing.move(transactions)
            elif isinstance(what, OrderEvent):
                writing.event(what, transactions)
            else:
                writing.action(what, transactions)
        writing.check_books(batch.state)
        if batch.steps:
            writing.flush()
        return Recorded(known.orders, writing.orders, writing.balances, writing.number)


class _Writing:
    """The rows of one batch as they come together."""

    def __init__(self, connection: Connection, known: Recorded, *, careful: bool) -> None:
        self._connection = connection
        self._careful = careful
        self._open = known.orders
        self.orders: dict[str, Order] = {}
        self.balances = known.balances
        self.number = known.number
        self._asked: dict[str, Order] = {}
        self._touched: set[str] = set()
        self._rows: dict[Table, list[dict[str, Any]]] = {
            ORDER_EVENTS: [],
            FILLS: [],
            ACTIONS: [],
            ENTRIES: [],
        }
        self._moved = False

    def intent(self, order: Order) -> None:
        mark = order.client_order_id
        known = self._find(mark) if self._careful else self.orders.get(mark) or self._open.get(mark)
        if known is None:
            self._asked[mark] = self.orders[mark] = order
        elif not known.same_request(order):
            raise LedgerConflictError(
                f"The ledger has {known} already, and was to record {order} under the same id. Ids are "
                "unique for ever; make them with order_id().",
                ids=(mark,),
            )

    def event(self, event: OrderEvent, transactions: Sequence[Transaction]) -> None:
        mark = event.client_order_id
        order = self._find(mark)
        if order is None:
            raise LedgerConflictError(
                f"{type(event).__name__} no. {event.sequence} is of order {mark}, of which the ledger has no "
                "intent. Record the intent before the order is sent.",
                ids=(mark,),
            )
        if event.sequence < order.next_sequence:
            self._check_repeated(event)
            return
        self.orders[mark] = apply(order, event)
        self._touched.add(mark)
        self._rows[ORDER_EVENTS].append(event_row(event))
        if isinstance(event, OrderFilled):
            self.number += 1
            self._rows[FILLS].append(fill_row(event.fill, self.number))
        self._post(transactions)

    def action(self, action: Action, transactions: Sequence[Transaction]) -> None:
        row = action_row(action, self.number + 1)
        mark = row["action_id"]
        found = self._existing(ACTIONS, ACTIONS.c.action_id == mark)
        if not found:
            self.number += 1
            self._rows[ACTIONS].append(row)
            self._post(transactions)
        elif found[0]["action"] != row["action"]:
            raise conflict("action", mark)

    def move(self, transactions: Sequence[Transaction]) -> None:
        for transaction in transactions:
            found = self._existing(ENTRIES, ENTRIES.c.source_id == transaction.source_id)
            if not found:
                self._post((transaction,))
            elif {row["account"]: row["amount_vnd"] for row in found} != {
                row["account"]: row["amount_vnd"] for row in entry_rows(transaction)
            }:
                raise conflict("transaction", transaction.source_id)

    def check_books(self, state: PortfolioState | None) -> None:
        """Prove that the portfolio's state and the entries say the same, to the đồng."""
        if state is None:
            if self._moved:
                raise BooksError(
                    "Money or shares moved, and the portfolio's state after it is missing. Add "
                    "batch.portfolio(portfolio.state)."
                )
            return
        if self._moved:
            prove(state)
        if state.balances != self.balances and (differences := _differences(state.balances, self.balances)):
            told = ", ".join(f"{account} {amount:+,} VND" for account, amount in differences.items())
            raise BooksError(
                f"The portfolio and the ledger's entries differ: {told} (portfolio less ledger). Something "
                "changed the portfolio without being recorded, or was recorded without changing it. Nothing "
                "of this was written; go on from `await ledger.recover()`."
            )

    def flush(self) -> None:
        if self._asked:
            rows = [order_row(asked, self.orders[mark]) for mark, asked in self._asked.items()]
            _INSERT_ORDER(self._connection, rows)
        if moved := [mark for mark in sorted(self._touched) if mark not in self._asked]:
            changed = [progress_row(self.orders[mark]) for mark in moved]
            _UPDATE_ORDER(self._connection, changed)
        for table, rows in self._rows.items():
            _INSERT[table](self._connection, rows)

    def _post(self, transactions: Sequence[Transaction]) -> None:
        for transaction in transactions:
            self._moved = True
            self.balances = posted(self.balances, transaction)
            self._rows[ENTRIES].extend(entry_rows(transaction))

    def _find(self, mark: str) -> Order | None:
        found = self.orders.get(mark) or self._open.get(mark)
        if found is None:
            loaded = load_orders(self._connection, ORDERS.c.client_order_id == mark)
            found = loaded[0] if loaded else None
        return found

    def _check_repeated(self, event: OrderEvent) -> None:
        mine = self._rows[ORDER_EVENTS]
        told = [
            row["event"]
            for row in mine
            if (row["client_order_id"], row["sequence"]) == (event.client_order_id, event.sequence)
        ] or self._connection.execute(
            select(ORDER_EVENTS.c.event).where(
                ORDER_EVENTS.c.client_order_id == event.client_order_id,
                ORDER_EVENTS.c.sequence == event.sequence,
            )
        ).scalars().all()
        if list(told) != [canonical_json(event)]:
            raise conflict("order event", f"{event.client_order_id}/{event.sequence}")

    def _existing(self, table: Table, which: Any) -> Sequence[Any]:
        if not self._careful:
            return ()
        return self._connection.execute(select(table).where(which)).mappings().all()


def _differences(portfolio: Mapping[Account, int], ledger: Mapping[Account, int]) -> dict[Account, int]:
    both = {account: portfolio.get(account, 0) - ledger[account] for account in Account}
    return {account: amount for account, amount in both.items() if amount}


def _load(connection: Connection) -> Recorded:
    """Read what the recorder must know, after opening and after a failure."""
    open_orders = load_orders(connection, ORDERS.c.status.in_(["INTENDED", "ACCEPTED", "PARTIALLY_FILLED"]))
    sums = connection.execute(
        select(ENTRIES.c.account, func.sum(ENTRIES.c.amount_vnd)).group_by(ENTRIES.c.account)
    )
    totals = {Account(account): int(total) for account, total in sums}
    numbers = [
        connection.execute(select(func.max(table.c.number))).scalar() or 0 for table in (FILLS, ACTIONS)
    ]
    return Recorded(
        {order.client_order_id: order for order in open_orders},
        {},
        {account: totals.get(account, 0) for account in Account},
        max(numbers),
    )
