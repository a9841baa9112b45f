"""Database thread: runs a ledger's transactions one after the other, off the loop.

Why a thread of its own. A transaction of a ledger is four or five statements. Through aiosqlite each is a
journey to a thread and back, together 1,200 to 1,800 µs on the machine where this was decided, against
330 µs for the whole transaction as one job (SQLAlchemy on sqlite3, SQLite 3.40). A job has more to offer:

- On virtual time the results of executor jobs come back in the order of submission and only when nothing else
  is ready, so two runs with one seed do the same things in the same order. A driver's own thread, or its
  socket, answers at a moment that differs from run to run.
- A caller that is cancelled leaves at once, and its transaction is committed or rolled back as a whole.
- One thread means one writer: nothing to lock, and the loop never compiles SQL.

For PostgreSQL, whose driver is async, the thread has a loop of its own.

On a virtual loop nothing is gained by it: its clock stands while the thread works. There SQLite is written to
at once, unless another program holds the lock; a replayed year commits some 14,000 times, and the way to the
thread and back cost as much as the transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from vnquant.errors import ClosedError, DatabaseLockedError, DatabaseUnavailableError
from vnquant.runtime import VirtualTimeLoop
from vnquant.trading.database_errors import ledger_error
from vnquant.trading.database_url import is_sqlite
from vnquant.trading.engines import begin_sqlite, open_sqlite_engine, sqlite_driver, wait_for_locks

__all__ = ("DatabaseThread",)

logger = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Work = Callable[[Connection], T]


class DatabaseThread:
    """The one connection of a ledger and the thread that it lives in.

    Parameters
    ----------
    url : URL
        As `read_database_url` returns it.
    read_only : bool
        Whether the connection refuses to write.
    lock_timeout_s : float
        Seconds to wait for other programs that write.
    answer_timeout_s : float
        Seconds after which a transaction counts as hung; much more than the lock's.
    """

    def __init__(self, url: URL, *, read_only: bool, lock_timeout_s: float, answer_timeout_s: float) -> None:
        self.url = url
        self._answer_timeout_s = answer_timeout_s
        self._session: _Session
        if is_sqlite(url):
            self._session = _Sqlite(url, read_only=read_only, lock_timeout_s=lock_timeout_s)
        else:
            from vnquant.trading.postgres_session import PostgresSession

            self._session = PostgresSession(
                url, read_only=read_only, lock_timeout_s=lock_timeout_s, answer_timeout_s=answer_timeout_s
            )
        self._thread = _Thread()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more work."""
        return self._is_closed

    async def write(self, work: Work[T], *, after: Callable[[T | None], None] | None = None) -> T:
        """Run `work` in a transaction that may write, committed when it returns and undone when it raises.

        `after` is called in the thread with the result once it is committed, or with None where it was not
        or nobody knows. A caller that is cancelled meanwhile does not change that.
        """
        return await self._run(partial(self._transact, work, writes=True, after=after))

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view of the database."""
        return await self._run(partial(self._transact, work, writes=False))

    async def aclose(self) -> None:
        """Finish what was begun, close the connection and end the thread. Closing twice is fine."""
        if self._is_closed:
            return
        closing = self._run(self._session.close, closes=True)
        self._is_closed = True
        try:
            await closing
        except DatabaseUnavailableError as exc:
            self._thread.shutdown(wait=False)  # it hangs, and so would who waits for it
            logger.warning("Closed without waiting any longer for what is under way: %s", exc)
            return
        except asyncio.CancelledError:
            self._thread.shutdown(wait=False)  # the close is queued, and ends the thread when it is through
            raise
        self._thread.shutdown(wait=True)  # idle by now

    async def _run(self, job: _Job[T], *, closes: bool = False) -> T:
        if self._is_closed and not closes:
            raise ClosedError(f"The ledger {self.url.render_as_string()} is closed. Open it again.")
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualTimeLoop) and self._session.answers_at_once and self._thread.is_idle:
            try:
                return job(waits=False)
            except DatabaseLockedError:
                pass  # another program writes, and is waited for off the loop
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await loop.run_in_executor(self._thread, partial(job, waits=True))
        except TimeoutError as exc:
            raise DatabaseUnavailableError(
                f"The database {self.url.render_as_string()} gave no answer within "
                f"{self._answer_timeout_s:g} s. Whether this was written is unknown; open the ledger again "
                "to see. A disk or a server that hangs is the likely cause."
            ) from exc

    def _transact(
        self,
        work: Work[T],
        *,
        writes: bool,
        waits: bool,
        after: Callable[[T | None], None] | None = None,
    ) -> T:
        result: T | None = None
        try:
            result = self._session.transact(work, writes=writes, waits=waits)
            return result
        except Exception as exc:
            translated = ledger_error(exc, self.url)
            if translated is None:
                raise
            raise translated from exc
        finally:
            if after is not None:
                after(result)


class _Job(Protocol[T_co]):
    """What is done in the thread, or here at once."""

    def __call__(self, *, waits: bool) -> T_co: ...


class _Thread(ThreadPoolExecutor):
    """One thread, which knows whether it has anything to do."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="vnquant-ledger")
        self._unfinished: set[Future[Any]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or waits for its turn."""
        return not self._unfinished

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Take on a job."""
        job = super().submit(fn, *args, **kwargs)
        self._unfinished.add(job)
        job.add_done_callback(self._unfinished.discard)
        return job


class _Session(Protocol):
    """What lives in the thread; another touches it only while that has nothing to do."""

    @property
    def answers_at_once(self) -> bool:
        """Whether it is open, and asks no server."""

    def transact(self, work: Work[T], *, writes: bool, waits: bool) -> T:
        """Run work in a transaction, which waits for those of other programs or is refused by them."""

    def close(self, *, waits: bool) -> None:
        """Close the connection."""


class _Sqlite:
    def __init__(self, url: URL, *, read_only: bool, lock_timeout_s: float) -> None:
        self._open = partial(open_sqlite_engine, url, read_only=read_only, lock_timeout_s=lock_timeout_s)
        self._connection: Connection | None = None
        self._read_only = read_only
        self._lock_timeout_s, self._waits = lock_timeout_s, True

    @property
    def answers_at_once(self) -> bool:
        return self._connection is not None

    def transact(self, work: Work[T], *, writes: bool, waits: bool) -> T:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._open().connect()
        if waits is not self._waits:
            wait_for_locks(connection, self._lock_timeout_s if waits else 0.0)
            self._waits = waits
        # SQLite's own, since prepared statements need nothing of SQLAlchemy's, whose beginning and end took a
        # third of the time of a small transaction.
        driver = sqlite_driver(connection)
        driver.execute(begin_sqlite(writes=writes and not self._read_only))
        try:
            result = work(connection)
            if connection.in_transaction():  # work asked SQLAlchemy too
                connection.commit()
            else:
                driver.execute("COMMIT")
        except BaseException:
            connection.rollback()
            driver.rollback()  # of what SQLAlchemy knows nothing; does nothing where SQLite has done it
            raise
        return result

    def close(self, *, waits: bool) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection.engine.dispose()
