"""Engines: how SQLite and PostgreSQL are opened, so that a transaction means the same on both."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import aiosqlite
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from vnquant.errors import StateError
from vnquant.runtime import hold_clock
from vnquant.trading.database_url import is_memory, is_sqlite

__all__ = (
    "begin_sqlite",
    "open_async_engine",
    "open_sqlite_engine",
    "reading",
    "sqlite_driver",
    "wait_for_locks",
)

_READING = "vnquant_reading"
_WAL_ATTEMPTS = 100
_WAL_PAUSE_S = 0.02


def reading() -> dict[str, Any]:
    """Return the execution options of a transaction that only reads and hinders nobody."""
    return {_READING: True}


def begin_sqlite(*, writes: bool) -> str:
    """Return the statement that begins a transaction on SQLite.

    A deferred transaction that reads first and writes later fails when another wrote between; taking the lock
    at once waits for it.
    """
    return "BEGIN IMMEDIATE" if writes else "BEGIN"


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return the standard library's connection under that of an engine of `open_sqlite_engine`."""
    driver: Any = connection.connection.dbapi_connection
    return cast("sqlite3.Connection", driver)


def wait_for_locks(connection: Connection, seconds: float) -> None:
    """Set how long a SQLite connection, outside a transaction, waits for others that write."""
    sqlite_driver(connection).execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")


def open_sqlite_engine(url: URL, *, read_only: bool, lock_timeout_s: float) -> Engine:
    """Return an engine with one connection, for one thread, whose transactions its user begins and ends.

    `sqlite_driver` and `begin_sqlite` are for that. What SQLAlchemy is asked for meanwhile is part of the
    transaction: it begins none of SQLite's.
    """
    engine = create_engine(
        url.set(drivername="sqlite"),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": lock_timeout_s, "check_same_thread": False},
    )
    _set_up_sqlite(engine, read_only=read_only)
    _look_for_file(url, read_only=read_only)
    return engine


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
        _set_up_sqlite(engine.sync_engine, read_only=read_only)

        @event.listens_for(engine.sync_engine, "begin")
        def on_begin(connection: Connection) -> None:
            only_reads = read_only or connection.get_execution_options().get(_READING)
            connection.exec_driver_sql(begin_sqlite(writes=not only_reads))

        _look_for_file(url, read_only=read_only)
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


def _set_up_sqlite(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # Else sqlite3 begins transactions on its own, only before some statements, and DDL is left out.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            if not read_only:
                _write_ahead(cursor)
            # Safe against the death of a program at any instant; only the machine losing power may cost the
            # last commits, never the form of the file (https://www.sqlite.org/pragma.html#pragma_synchronous).
            cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.execute("PRAGMA foreign_keys=ON")
            if read_only:
                cursor.execute("PRAGMA query_only=ON")
        finally:
            cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch to WAL, where readers and the writer do not hinder each other; kept by the file for ever."""
    for attempt in range(_WAL_ATTEMPTS):
        try:
            cursor.execute("PRAGMA journal_mode")
            if cursor.fetchone()[0] in ("wal", "memory"):
                return
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.fetchone()
            return
        except sqlite3.OperationalError as exc:
            code = exc.sqlite_errorcode & 0xFF
            if code == sqlite3.SQLITE_READONLY:
                return  # may be read as it is; writing will say what is wrong
            # SQLite does not wait for the lock of this one switch, which two programs may want at once.
            if code != sqlite3.SQLITE_BUSY or attempt == _WAL_ATTEMPTS - 1:
                raise
            threading.Event().wait(_WAL_PAUSE_S)


def _look_for_file(url: URL, *, read_only: bool) -> None:
    """See that the folder is there, and the file too where it is only to be read: SQLite would make one."""
    if is_memory(url) or url.database is None or url.database.startswith("file:"):
        return
    path = Path(url.database)
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
