"""Database URLs: which database a ledger lives in, and by which driver it is reached."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from vnquant.errors import ParameterError

__all__ = ("default_database_url", "is_memory", "is_sqlite", "read_database_url")

_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"})
_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})


def default_database_url() -> URL:
    """Return the ledger of this user: a SQLite file among the user's data."""
    return _sqlite_file(user_data_path("vnquant") / "ledger.db")


def read_database_url(database: str | Path | URL | None) -> URL:
    """Return the URL that is meant, with the driver that the ledger uses.

    Parameters
    ----------
    database : str or Path or URL or None
        `sqlite+aiosqlite:///ledger.db`, `postgresql+asyncpg://user@host/name`, the same without a driver, the
        path of a SQLite file, or None for the user's own ledger.

    Raises
    ------
    ParameterError
        If it cannot be read, names another database, or its driver is not installed.
    """
    if database is None:
        return default_database_url()
    if isinstance(database, Path) or (isinstance(database, str) and "://" not in database):
        return _sqlite_file(Path(database))
    try:
        url = make_url(database)
    except ArgumentError as exc:
        raise _refusal(str(database), "it is not a database URL") from exc
    if url.drivername in _SQLITE:
        return url.set(drivername="sqlite+aiosqlite")
    if url.drivername not in _POSTGRES:
        raise _refusal(url.render_as_string(), f"{url.drivername!r} is not supported")
    if find_spec("asyncpg") is None:
        raise _refusal(
            url.render_as_string(),
            "PostgreSQL needs the driver asyncpg; install the extra: vnquant-workbench[postgres]",
        )
    return url.set(drivername="postgresql+asyncpg")


def is_sqlite(url: URL) -> bool:
    """Return whether the URL names a SQLite database."""
    return url.get_backend_name() == "sqlite"


def is_memory(url: URL) -> bool:
    """Return whether the URL names a database that ends with its connection."""
    name = url.database or ":memory:"
    return is_sqlite(url) and (":memory:" in name or url.query.get("mode") == "memory")


def _sqlite_file(path: Path) -> URL:
    return URL.create("sqlite+aiosqlite", database=str(path.expanduser()))


def _refusal(given: str, why: str) -> ParameterError:
    return ParameterError(
        f"Cannot keep a ledger in {given!r}: {why}. Use 'sqlite+aiosqlite:///ledger.db', the path of a file, "
        "or 'postgresql+asyncpg://user@host/name'.",
        name="database",
        value=given,
    )
