"""Reader: what a ledger can be asked. Each answer is one consistent view, taken off the loop."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import select

from vnquant.trading.audit import Audit, audit
from vnquant.trading.database_thread import DatabaseThread
from vnquant.trading.digest import journal_digest, ledger_digest
from vnquant.trading.journal import JournalEntry
from vnquant.trading.lease import LeaseHolder, read_lease
from vnquant.trading.order_lists import Fills, Journal, Orders
from vnquant.trading.orders import Order
from vnquant.trading.recovery import Recovery, load_kept, load_recovery
from vnquant.trading.rows import fill_of, load_orders
from vnquant.trading.schema import FILLS, JOURNAL, ORDERS

__all__ = ("LedgerReader",)

T = TypeVar("T")


class LedgerReader:
    """The reading half of a `Ledger`."""

    def __init__(self, thread: DatabaseThread) -> None:
        self._thread = thread

    @property
    def url(self) -> str:
        """The database, without its password."""
        return self._thread.url.render_as_string()

    async def recover(self) -> Recovery:
        """Return where the ledger ends: portfolio, open orders, intents without outcome, and the rest."""
        return await self._thread.read(load_recovery)

    async def order(self, client_order_id: str) -> Order | None:
        """Return an order with its history, None where there is none."""
        which = ORDERS.c.client_order_id == client_order_id
        found = await self._thread.read(lambda connection: load_orders(connection, which))
        return found[0] if found else None

    async def orders(self, *, symbol: str | None = None, since: datetime | None = None) -> Orders:
        """Return orders with their histories, oldest first."""
        which = (ORDERS.c.created_at >= since) if since is not None else ORDERS.c.client_order_id.is_not(None)
        if symbol is not None:
            which = which & (ORDERS.c.symbol == symbol)
        return Orders(await self._thread.read(lambda connection: load_orders(connection, which)))

    async def fills(self, *, symbol: str | None = None, since: datetime | None = None) -> Fills:
        """Return fills in the order in which they moved the portfolio."""
        query = select(FILLS).order_by(FILLS.c.number)
        if symbol is not None:
            query = query.where(FILLS.c.symbol == symbol)
        if since is not None:
            query = query.where(FILLS.c.filled_at >= since)
        return await self._thread.read(
            lambda connection: Fills(fill_of(row) for row in connection.execute(query).mappings())
        )

    async def journal(
        self,
        *,
        symbol: str | None = None,
        kind: str | None = None,
        client_order_id: str | None = None,
        cause: str | None = None,
        entry_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Journal:
        """Return decisions, newest first, at most `limit` of them."""
        query = select(JOURNAL).order_by(JOURNAL.c.at.desc(), JOURNAL.c.entry_id).limit(limit)
        wanted = {
            "symbol": symbol,
            "kind": kind,
            "client_order_id": client_order_id,
            "cause": cause,
            "entry_id": entry_id,
        }
        for name, value in wanted.items():
            if value is not None:
                query = query.where(JOURNAL.c[name] == value)
        if since is not None:
            query = query.where(JOURNAL.c.at >= since)
        return await self._thread.read(
            lambda connection: Journal(JournalEntry.of(row) for row in connection.execute(query).mappings())
        )

    async def kept(self, scope: str, kind: type[T]) -> dict[str, T]:
        """Return the values that batches kept in a scope, by name, as the type given."""
        return await self._thread.read(lambda connection: load_kept(connection, scope, kind))

    async def ledger_digest(self) -> str:
        """Return one number for all orders, events, fills, actions and entries."""
        return await self._thread.read(ledger_digest)

    async def journal_digest(self) -> str:
        """Return one number for the whole journal."""
        return await self._thread.read(journal_digest)

    async def reconcile(self) -> Audit:
        """Prove from the rows alone that orders, fills, money and shares agree; takes long on a long ledger.

        Raises
        ------
        BooksError
            If they do not; says where.
        """
        return await self._thread.read(audit)

    async def holder(self) -> LeaseHolder | None:
        """Return who has or had the lease, and where the ledger ends."""
        return await self._thread.read(read_lease)
