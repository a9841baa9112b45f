"""Async engines: SQLite and PostgreSQL opened on a loop, so that a transaction means the same on both.

Apart from `engines`, since SQLAlchemy's asyncio brings its ORM with it, which a ledger on SQLite never needs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiosqlite
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from vnquant.errors import StateError
from vnquant.runtime import hold_clock
from vnquant.trading.database_url import is_sqlite
from vnquant.trading.engines import begin_sqlite, look_for_file, set_up_sqlite

__all__ = ("open_async_engine", "reading")

_READING = "vnquant_reading"


def reading() -> dict[str, Any]:
    """Return the execution options of a transaction that only reads and hinders nobody."""
    return {_READING: True}


def open_async_engine(
    url: URL, *, read_only: bool = False, lock_timeout_s: float, answer_timeout_s: float
) -> AsyncEngine:
    """Return an engine for the running loop, with one connection."""
    if is_sqlite(url):
        database = url.set(drivername="sqlite")

        async def connect() -> aiosqlite.Connection:
            dialect = engine.sync_engine.dialect
            arguments: tuple[Any, Any] = dialect.create_connect_args(database)
            path, options = arguments[0], dict(arguments[1], timeout=lock_timeout_s)
            return await _HoldingConnection(lambda: sqlite3.connect(*path, **options), iter_chunk_size=64)

        engine = create_async_engine(
            url,
            async_creator=connect,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=1,
            max_overflow=0,
        )
        set_up_sqlite(engine.sync_engine, read_only=read_only)

        @event.listens_for(engine.sync_engine, "begin")
        def on_begin(connection: Connection) -> None:
            only_reads = read_only or connection.get_execution_options().get(_READING)
            connection.exec_driver_sql(begin_sqlite(writes=not only_reads))

        look_for_file(url, read_only=read_only)
        return engine
    milliseconds = {
        "lock_timeout": lock_timeout_s,
        "statement_timeout": answer_timeout_s,
        # A program that died on another machine must not keep its locks until TCP gives up.
        "idle_in_transaction_session_timeout": max(answer_timeout_s, 60.0),
    }
    settings = {name: str(round(seconds * 1000)) for name, seconds in milliseconds.items()}
    settings["application_name"] = "vnquant"
    settings["default_transaction_read_only"] = "on" if read_only else "off"
    return create_async_engine(
        url,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,  # a server that was restarted meanwhile costs nobody a transaction
        connect_args={
            "timeout": answer_timeout_s,
            "command_timeout": answer_timeout_s + 5.0,  # after the server's own, which says more
            "server_settings": settings,
        },
    )


class _HoldingConnection(aiosqlite.Connection):
    """A connection that holds a virtual clock while its thread works, and only then.

    The thread is a foreign one to the loop, whose time would jump to the next timer meanwhile.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The queue and not `_execute`, which SQLAlchemy goes around in places.
        self._tx: Any = _HoldingQueue(self._tx)
        # As SQLAlchemy does with a connection that it makes itself: an exit never waits for this thread.
        thread: Any = getattr(self, "_thread", self)  # before aiosqlite 0.22 the connection is the thread
        thread.daemon = True


class _HoldingQueue:
    """The queue of calls for a connection's thread, each holding the clock until it is answered."""

    def __init__(self, calls: Any) -> None:
        self._calls = calls
        self.get = calls.get

    def put_nowait(self, call: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future = call[0]
        if future is not None:
            # A connection that was forgotten is stopped by the garbage collector, where no loop may run.
            with suppress(StateError):
                hold = hold_clock("database")
                future.add_done_callback(lambda _: hold.release())
        self._calls.put_nowait(call)
