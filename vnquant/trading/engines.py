"""Engines: how SQLite and PostgreSQL are opened, so that a transaction means the same on both."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from vnquant.runtime import hold_clock
from vnquant.trading.database_url import is_memory, is_sqlite

__all__ = ("open_async_engine", "open_sqlite_engine", "reading")

_READING = "vnquant_reading"
_WAL_ATTEMPTS = 100
_WAL_PAUSE_S = 0.02


def reading() -> dict[str, Any]:
    """Return the execution options of a transaction that only reads and hinders nobody."""
    return {_READING: True}


def open_sqlite_engine(url: URL, *, read_only: bool, lock_timeout_s: float) -> Engine:
    """Return an engine with one connection, for one thread."""
    engine = create_engine(
        url.set(drivername="sqlite"),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": lock_timeout_s, "check_same_thread": False},
    )
    _set_up_sqlite(engine, read_only=read_only)
    _make_folder(url)
    return engine


def open_async_engine(
    url: URL, *, read_only: bool = False, lock_timeout_s: float, answer_timeout_s: float
) -> AsyncEngine:
    """Return an engine for the running loop, with one connection."""
    if is_sqlite(url):
        database = url.set(drivername="sqlite")

        async def connect() -> aiosqlite.Connection:
            dialect = engine.sync_engine.dialect
            args, options = dialect.create_connect_args(database)
            options["timeout"] = lock_timeout_s
            return await _HoldingConnection(lambda: sqlite3.connect(*args, **options), iter_chunk_size=64)

        engine = create_async_engine(
            url,
            async_creator=connect,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=1,
            max_overflow=0,
        )
        _set_up_sqlite(engine.sync_engine, read_only=read_only)
        _make_folder(url)
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
        # As SQLAlchemy does with a connection that it makes itself: an exit never waits for this thread.
        getattr(self, "_thread", self).daemon = True

    async def _execute(self, *args: Any, **kwargs: Any) -> Any:
        with hold_clock("database"):
            return await super()._execute(*args, **kwargs)  # type: ignore[no-untyped-call]

    async def _connect(self) -> aiosqlite.Connection:
        with hold_clock("database"):
            return await super()._connect()

    def stop(self) -> asyncio.Future[Any] | None:
        hold = hold_clock("database")
        stopped = super().stop()
        if stopped is None:
            hold.release()
        else:
            stopped.add_done_callback(lambda _: hold.release())
        return stopped


def _set_up_sqlite(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # Without this sqlite3 begins transactions on its own, only before some statements, and DDL is left out.
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

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A deferred transaction that reads first and writes later fails when another wrote between; taking
        # the lock at once waits for it.
        only_reads = read_only or connection.get_execution_options().get(_READING)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


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


def _make_folder(url: URL) -> None:
    if not is_memory(url) and url.database is not None and not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
