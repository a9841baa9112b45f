"""Database: `database_connection()`, a transaction on a ledger's database for who wants to look inside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from vnquant.trading.async_engines import open_async_engine, reading
from vnquant.trading.database_errors import ledger_error
from vnquant.trading.database_url import read_database_url
from vnquant.trading.migrate import migrate

__all__ = ("database_connection",)

_LOCK_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 30.0


@asynccontextmanager
async def database_connection(
    database: str | Path | URL | None = None,
    *,
    read_only: bool = False,
    lock_timeout_s: float = _LOCK_TIMEOUT_S,
    answer_timeout_s: float = _ANSWER_TIMEOUT_S,
) -> AsyncIterator[AsyncConnection]:
    """Open a ledger's database and give a connection inside a transaction.

    The transaction is committed at the end of the block and undone by an error or a cancellation; the
    connection is closed in any case. A new database gets its tables. An orchestrator writes through `Ledger`,
    which holds the lease: a block that writes makes it wait.

    Parameters
    ----------
    database : str or Path or URL or None
        See `read_database_url`; None is the user's own ledger.
    read_only : bool
        Refuse to write, and hinder nobody who does.
    lock_timeout_s : float
        Seconds to wait for other programs that write.
    answer_timeout_s : float
        Seconds to wait for a connection or an answer of a server.

    Raises
    ------
    LedgerError
        If the database is locked, read-only, full, unreachable, or not a ledger.

    Examples
    --------
    ::

        async with database_connection("ledger.db", read_only=True) as connection:
            rows = await connection.execute(text("SELECT symbol, sum(quantity) FROM fills GROUP BY symbol"))
    """
    url = read_database_url(database)
    engine = open_async_engine(
        url, read_only=read_only, lock_timeout_s=lock_timeout_s, answer_timeout_s=answer_timeout_s
    )
    try:
        async with engine.connect() as connection:
            if read_only:
                await connection.execution_options(**reading())
            else:
                async with connection.begin():
                    await connection.run_sync(migrate)
            async with connection.begin():
                yield connection
    except Exception as exc:
        translated = ledger_error(exc, url)
        if translated is None:
            raise
        raise translated from exc
    finally:
        await engine.dispose()
