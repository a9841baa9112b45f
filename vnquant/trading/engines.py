"""Engines: how SQLite is opened, so that a transaction means the same as on PostgreSQL (`async_engines`)."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from vnquant.trading.database_url import is_memory

__all__ = (
    "begin_sqlite",
    "look_for_file",
    "open_sqlite_engine",
    "set_up_sqlite",
    "sqlite_driver",
    "wait_for_locks",
)

_WAL_ATTEMPTS = 100
_WAL_PAUSE_S = 0.02


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
    set_up_sqlite(engine, read_only=read_only)
    look_for_file(url, read_only=read_only)
    return engine


def set_up_sqlite(engine: Engine, *, read_only: bool) -> None:
    """Let each new connection of an engine be set up as a ledger's."""

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


def look_for_file(url: URL, *, read_only: bool) -> None:
    """See that the folder is there, and the file too where it is only to be read: SQLite would make one."""
    if is_memory(url) or url.database is None or url.database.startswith("file:"):
        return
    path = Path(url.database)
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
