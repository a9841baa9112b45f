"""Database errors: what a driver's error means for a ledger, and what the user can do about it."""

from __future__ import annotations

import sqlite3

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError

from vnquant.errors import (
    DatabaseFormatError,
    DatabaseFullError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
    LedgerError,
)

__all__ = ("ledger_error",)

_MEANING: dict[type[LedgerError], tuple[str, str]] = {
    DatabaseLockedError: (
        "is locked by another program",
        "Close whatever else writes to it (a database browser, another run), then try again",
    ),
    DatabaseReadOnlyError: (
        "may not be written",
        "Give the file and its folder write permission, or the database's user the right to write",
    ),
    DatabaseFullError: ("has no space left", "Free some space, then try again"),
    DatabaseUnavailableError: (
        "cannot be reached",
        "See that the path or the server is there and that the user may connect, then try again",
    ),
    DatabaseFormatError: (
        "is not a ledger, or is damaged",
        "Choose another file, or bring back a copy of this one",
    ),
}

# Primary result codes, https://www.sqlite.org/rescode.html; the extended codes keep them in the low byte.
_SQLITE: dict[int, type[LedgerError]] = {
    sqlite3.SQLITE_BUSY: DatabaseLockedError,
    sqlite3.SQLITE_LOCKED: DatabaseLockedError,
    sqlite3.SQLITE_READONLY: DatabaseReadOnlyError,
    sqlite3.SQLITE_PERM: DatabaseReadOnlyError,
    sqlite3.SQLITE_FULL: DatabaseFullError,
    sqlite3.SQLITE_CANTOPEN: DatabaseUnavailableError,
    sqlite3.SQLITE_IOERR: DatabaseUnavailableError,
    sqlite3.SQLITE_NOTADB: DatabaseFormatError,
    sqlite3.SQLITE_CORRUPT: DatabaseFormatError,
}

# PostgreSQL, appendix A: SQLSTATEs, looked up in full first, then by class (the first two characters).
_POSTGRES: dict[str, type[LedgerError]] = {
    "55P03": DatabaseLockedError,  # lock_not_available, after lock_timeout
    "40P01": DatabaseLockedError,  # deadlock_detected
    "25006": DatabaseReadOnlyError,  # read_only_sql_transaction
    "42501": DatabaseReadOnlyError,  # insufficient_privilege
    "53100": DatabaseFullError,  # disk_full
    "53": DatabaseUnavailableError,  # out of memory, too many connections
    "57": DatabaseUnavailableError,  # shutdown, statement_timeout
    "08": DatabaseUnavailableError,  # connection failures
    "28": DatabaseUnavailableError,  # authorisation refused
    "3D": DatabaseUnavailableError,  # no such database
    "58": DatabaseUnavailableError,  # system error
    "XX": DatabaseFormatError,  # data_corrupted
}


def ledger_error(error: Exception, url: URL) -> LedgerError | None:
    """Return the ledger's error for a driver's error, None where it is not the database's doing.

    Parameters
    ----------
    error : Exception
        What SQLAlchemy, sqlite3, asyncpg or the network raised.
    url : URL
        Named in the message, without its password.
    """
    kind = _kind(error)
    if kind is None:
        return None
    what, advice = _MEANING[kind]
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    told = str(cause).strip().splitlines()
    detail = told[0].removesuffix(".") if told else type(cause).__name__
    return kind(
        f"The database {url.render_as_string()} {what} ({detail}). Nothing of this was written. {advice}."
    )


def _kind(error: Exception) -> type[LedgerError] | None:
    cause: BaseException | None = error
    while cause is not None:
        if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
            return _SQLITE.get(code & 0xFF)
        if (state := getattr(cause, "sqlstate", None)) is not None:
            return _POSTGRES.get(state) or _POSTGRES.get(state[:2])
        if isinstance(cause, OSError | TimeoutError | InterfaceError):
            return DatabaseUnavailableError
        cause = getattr(cause, "orig", None) or cause.__cause__
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return DatabaseUnavailableError
    # A pool that gives no connection in time, and the like; a mistake in our own SQL stays what it is.
    return (
        DatabaseUnavailableError
        if type(error).__name__ == "TimeoutError" and isinstance(error, SQLAlchemyError)
        else None
    )
