"""Which database is meant, and what a driver's error means for a ledger."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from vnquant.errors import (
    DatabaseFormatError,
    DatabaseFullError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
    LedgerError,
    ParameterError,
)
from vnquant.trading.database_errors import ledger_error
from vnquant.trading.database_url import default_database_url, is_memory, is_sqlite, read_database_url

URL = read_database_url("postgresql://somebody:secret@db.local/ledger")


class PostgresError(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__("what the server said.\nDETAIL: more")


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("what SQLite said")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("given", "driver", "database"),
    [
        ("sqlite+aiosqlite:///ledger.db", "sqlite+aiosqlite", "ledger.db"),
        ("sqlite:////data/ledger.db", "sqlite+aiosqlite", "/data/ledger.db"),
        ("ledger.db", "sqlite+aiosqlite", "ledger.db"),
        (Path("/data/ledger.db"), "sqlite+aiosqlite", "/data/ledger.db"),
        ("postgresql+asyncpg://u@h/name", "postgresql+asyncpg", "name"),
        ("postgresql://u@h/name", "postgresql+asyncpg", "name"),
        ("postgres://u@h/name", "postgresql+asyncpg", "name"),
    ],
)
def test_a_database_is_named_in_several_ways(given: str | Path, driver: str, database: str) -> None:
    url = read_database_url(given)
    assert (url.drivername, url.database) == (driver, database)


def test_no_database_is_the_users_own_file() -> None:
    url = read_database_url(None)
    assert url == default_database_url()
    assert is_sqlite(url)
    assert not is_memory(url)
    assert url.database is not None
    assert Path(url.database).is_absolute()


@pytest.mark.parametrize(
    "given", ["sqlite://", "sqlite+aiosqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_a_database_in_memory_is_known_as_one(given: str) -> None:
    assert is_memory(read_database_url(given))


@pytest.mark.parametrize("given", ["oracle://u:secret@h/x", "mysql+aiomysql://u:secret@h/x", "://"])
def test_other_databases_are_refused_without_showing_the_password(given: str) -> None:
    with pytest.raises(ParameterError, match=r"Use 'sqlite\+aiosqlite:///ledger.db'") as caught:
        read_database_url(given)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), DatabaseLockedError),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), DatabaseLockedError),
        (sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED), DatabaseReadOnlyError),
        (sqlite_error(sqlite3.SQLITE_FULL), DatabaseFullError),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), DatabaseUnavailableError),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), DatabaseFormatError),
        (PostgresError("55P03"), DatabaseLockedError),
        (PostgresError("40P01"), DatabaseLockedError),
        (PostgresError("25006"), DatabaseReadOnlyError),
        (PostgresError("53100"), DatabaseFullError),
        (PostgresError("53300"), DatabaseUnavailableError),
        (PostgresError("57P01"), DatabaseUnavailableError),
        (PostgresError("08006"), DatabaseUnavailableError),
        (ConnectionRefusedError("nobody listens"), DatabaseUnavailableError),
        (TimeoutError(), DatabaseUnavailableError),
    ],
)
def test_a_drivers_error_has_a_meaning(error: Exception, kind: type[LedgerError]) -> None:
    wrapped = OperationalError("INSERT", {}, error)
    for one in (error, wrapped):
        translated = ledger_error(one, URL)
        assert type(translated) is kind
        assert "secret" not in str(translated)
        assert "db.local/ledger" in str(translated)
        assert "DETAIL" not in str(translated)


@pytest.mark.parametrize(
    "error", [PostgresError("23505"), sqlite_error(sqlite3.SQLITE_CONSTRAINT), ValueError("ours")]
)
def test_a_mistake_of_our_own_stays_what_it_is(error: Exception) -> None:
    assert ledger_error(error, URL) is None
    assert ledger_error(DBAPIError("INSERT", {}, error), URL) is None
