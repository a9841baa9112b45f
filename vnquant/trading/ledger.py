"""Ledger: the truth about orders, money and decisions, written before and after each step, never in part.

An order is an intent first and sent afterwards; a fill, its money and the portfolio move in one transaction;
after `kill -9` at any instant `recover()` says where to go on. One ledger object writes at a time (`lease`).
"""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from vnquant.errors import (
    BooksError,
    ClosedError,
    DatabaseFormatError,
    DatabaseReadOnlyError,
    LeaseHeldError,
    LedgerConflictError,
    LedgerError,
    ParameterError,
)
from vnquant.runtime import now
from vnquant.trading.batch import Batch
from vnquant.trading.books import Transaction
from vnquant.trading.database_thread import DatabaseThread
from vnquant.trading.database_url import read_database_url
from vnquant.trading.journal import JournalEntry
from vnquant.trading.lease import Lease
from vnquant.trading.migrate import is_current, migrate
from vnquant.trading.order_events import OrderEvent
from vnquant.trading.orders import Order
from vnquant.trading.portfolio import Portfolio
from vnquant.trading.reader import LedgerReader
from vnquant.trading.recording import Recorded, Recorder

__all__ = ("Ledger",)

logger = logging.getLogger(__name__)

_POLL_S = 0.5


class Ledger(LedgerReader):
    """One ledger, open. Made by `await Ledger.open(...)`; use it with `async with`, or close it.

    Calls may come from several tasks at once; transactions are committed one after the other, in the order of
    the calls. A call that is cancelled leaves at once, and its transaction is still written in whole or not
    at all.

    Examples
    --------
    ::

        async with await Ledger.open("sqlite+aiosqlite:///ledger.db") as ledger:
            past = await ledger.recover()
            await ledger.record_intent(order)
            await broker.submit(order)
            async with ledger.batch() as batch:
                batch.event(event, portfolio.apply(event.fill))
                batch.portfolio(portfolio.state)
    """

    def __init__(self, thread: DatabaseThread, lease: Lease | None) -> None:
        super().__init__(thread)
        self._lease = lease
        self._recorder = Recorder()

    @classmethod
    async def open(
        cls,
        database: str | Path | URL | None = None,
        *,
        holder: str | None = None,
        term_s: float = 180.0,
        wait_s: float = 0.0,
        read_only: bool = False,
        lock_timeout_s: float = 5.0,
        answer_timeout_s: float = 30.0,
    ) -> Ledger:
        """Open a ledger, make or bring up to date its tables, and take its lease.

        Parameters
        ----------
        database : str or Path or URL or None
            `sqlite+aiosqlite:///ledger.db`, `postgresql+asyncpg://user@host/name`, the path of a SQLite file,
            or None for the user's own ledger.
        holder : str, optional
            Who is named to others that want the lease.
        term_s : float
            Market seconds after which the lease runs out unless something is written, or `renew` called.
        wait_s : float
            Seconds of the loop to wait for a lease that somebody else has.
        read_only : bool
            Only look: no lease is needed, and nobody is hindered.
        lock_timeout_s, answer_timeout_s : float
            Seconds to wait for another program's transaction, and for the database at all.

        Raises
        ------
        LeaseHeldError
            If another orchestrator works on this ledger.
        LedgerError
            If the database is locked, read-only, full, unreachable, or not a ledger.
        """
        if not term_s > 0:
            raise ParameterError(f"term_s must be positive, got {term_s}.", name="term_s", value=term_s)
        url = read_database_url(database)
        thread = DatabaseThread(
            url, read_only=read_only, lock_timeout_s=lock_timeout_s, answer_timeout_s=answer_timeout_s
        )
        lease = None
        try:
            if not await thread.read(is_current):
                if read_only:
                    raise DatabaseFormatError(
                        f"The database {url.render_as_string()} holds no ledger of this version. Open it "
                        "once without read_only=True, which makes or upgrades the tables."
                    )
                await thread.write(migrate)
            if not read_only:
                lease = Lease(holder or f"orchestrator on {platform.node()}", timedelta(seconds=term_s))
                await _acquire(thread, lease, wait_s)
        except BaseException as exc:
            try:
                # Who is cancelled here may have been given the lease a moment ago, and would keep it from
                # others until it runs out.
                if lease is not None and not isinstance(exc, LedgerError):
                    await thread.write(lease.release)
            finally:
                await thread.aclose()
            raise
        return cls(thread, lease)

    @property
    def is_read_only(self) -> bool:
        """Whether it was opened to look only."""
        return self._lease is None

    # -- writing ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """Collect records, and write them in one transaction at the end of the block; nothing on an error."""
        batch = Batch()
        yield batch
        await self.commit(batch)

    async def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction; what of it is there already is left as it is.

        Raises
        ------
        LeaseLostError
            If another orchestrator has taken over.
        LedgerConflictError, BooksError, IllegalTransitionError
            If the batch contradicts the ledger or itself.
        LedgerError
            If the database is locked, read-only, full or unreachable. The batch may be committed again.
        """
        if not batch:
            return
        try:
            await self._record(batch, careful=False)
        except (IntegrityError, BooksError):  # the second where money moved that is recorded already
            try:
                await self._record(batch, careful=True)
            except IntegrityError as exc:
                raise LedgerConflictError(
                    f"The ledger {self.url} refuses a record that contradicts others: {exc.orig}. Nothing of "
                    "the batch was written."
                ) from exc

    async def record_intent(self, order: Order) -> None:
        """Write down an order, before it is sent; once this returns it outlives the process."""
        batch = Batch()
        batch.intent(order)
        await self.commit(batch)

    async def record_event(
        self,
        event: OrderEvent,
        transactions: Iterable[Transaction] = (),
        portfolio: Portfolio | None = None,
    ) -> None:
        """Write down what happened to an order; a fill with its transactions and the portfolio after it."""
        batch = Batch()
        batch.event(event, transactions)
        if portfolio is not None:
            batch.portfolio(portfolio.state)
        await self.commit(batch)

    async def record_journal(self, *entries: JournalEntry) -> None:
        """Write down decisions."""
        batch = Batch()
        for entry in entries:
            batch.journal(entry)
        await self.commit(batch)

    async def renew(self) -> None:
        """Renew the lease without writing anything; each transaction renews it as well.

        Raises
        ------
        LeaseLostError
            If another orchestrator has taken over.
        """
        await self._thread.write(partial(self._writer().renew, at=now(), writes=False))

    # -- the end ------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Finish what was begun, give the lease back and close the database. Closing twice is fine."""
        if self._thread.is_closed:
            return
        try:
            if self._lease is not None:
                await self._thread.write(self._lease.release)
        except LedgerError as exc:
            logger.warning("The lease of %s could not be given back and has to run out: %s", self.url, exc)
        finally:
            self._lease = None
            await self._thread.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._thread.is_closed else "read only" if self.is_read_only else "open"
        return f"Ledger({self.url}, {state})"

    async def _record(self, batch: Batch, *, careful: bool) -> None:
        lease, at, recorder = self._writer(), now(), self._recorder

        def work(connection: Connection) -> Recorded | None:
            lease.renew(connection, at, writes=True)
            return recorder.record(connection, batch, careful=careful)

        await self._thread.write(work, after=recorder.after)

    def _writer(self) -> Lease:
        if self._lease is not None:
            return self._lease
        if self._thread.is_closed:
            raise ClosedError(f"The ledger {self.url} is closed. Open it again.")
        raise DatabaseReadOnlyError(
            f"The ledger {self.url} was opened with read_only=True. Open it without, to write."
        )


async def _acquire(thread: DatabaseThread, lease: Lease, wait_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + wait_s
    while True:
        try:
            await thread.write(_acquiring(lease, now()))
        except LeaseHeldError:
            left_s = deadline_s - loop.time()
            if left_s <= 0:
                raise
            await asyncio.sleep(min(left_s, _POLL_S))
        else:
            return


def _acquiring(lease: Lease, at: datetime) -> Callable[[Connection], None]:
    return lambda connection: lease.acquire(connection, at)
