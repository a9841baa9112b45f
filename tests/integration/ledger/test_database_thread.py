"""One transaction, whoever writes in it: prepared statements and SQLAlchemy's own, in whole or not at all."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text

from vnquant.errors import LedgerError
from vnquant.trading.database_thread import DatabaseThread
from vnquant.trading.database_url import read_database_url
from vnquant.trading.migrate import is_current, migrate
from vnquant.trading.prepared import inserting
from vnquant.trading.schema import FILLS, STATES

_INSERT = inserting(STATES)
_INSERT_FILL = inserting(FILLS)


def row(name: str) -> dict[str, Any]:
    return {"scope": "test", "name": name, "value": "1"}


def prepared(connection: Connection, name: str) -> None:
    _INSERT(connection, [row(name)])


def by_sqlalchemy(connection: Connection, name: str) -> None:
    connection.execute(insert(STATES), [row(name)])


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(STATES)).scalar_one())


@pytest.fixture
async def thread(database: str) -> AsyncIterator[DatabaseThread]:
    opened = DatabaseThread(
        read_database_url(database), read_only=False, lock_timeout_s=1.0, answer_timeout_s=30.0
    )
    await opened.write(migrate)
    yield opened
    await opened.aclose()


Writer = Callable[[Connection, str], None]
WRITERS = pytest.mark.parametrize(
    "writers",
    [(prepared, prepared), (prepared, by_sqlalchemy), (by_sqlalchemy, prepared), (by_sqlalchemy,) * 2],
    ids=["prepared", "prepared first", "SQLAlchemy first", "SQLAlchemy"],
)


@WRITERS
async def test_what_is_written_either_way_is_committed_together(
    thread: DatabaseThread, database: str, writers: tuple[Writer, ...]
) -> None:
    def work(connection: Connection) -> int:
        for number, write in enumerate(writers):
            write(connection, str(number))
        return count(connection)

    assert await thread.write(work) == 2
    other = DatabaseThread(
        read_database_url(database), read_only=True, lock_timeout_s=1.0, answer_timeout_s=30.0
    )
    try:
        assert await other.read(count) == 2
    finally:
        await other.aclose()


@WRITERS
async def test_what_is_written_either_way_is_undone_together(
    thread: DatabaseThread, writers: tuple[Writer, ...]
) -> None:
    told: list[object] = []

    def work(connection: Connection) -> int:
        for number, write in enumerate(writers):
            write(connection, str(number))
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        await thread.write(work, after=told.append)
    assert told == [None]
    assert await thread.read(count) == 0
    await thread.write(lambda connection: writers[0](connection, "again"))
    assert await thread.read(count) == 1


@pytest.mark.parametrize("write", [prepared, by_sqlalchemy])
async def test_a_commit_that_is_refused_leaves_nothing_under_way(sqlite_url: str, write: Writer) -> None:
    thread = DatabaseThread(
        read_database_url(sqlite_url), read_only=False, lock_timeout_s=1.0, answer_timeout_s=30.0
    )
    fill = {column.name: None if column.nullable else "1" for column in FILLS.columns}

    def refused(connection: Connection) -> None:
        write(connection, "lost")
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA defer_foreign_keys=ON")
        _INSERT_FILL(connection, [{**fill, "client_order_id": "of no order"}])

    try:
        await thread.write(migrate)
        with pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
            await thread.write(refused)
        assert await thread.read(count) == 0
        await thread.write(lambda connection: write(connection, "kept"))
        assert await thread.read(count) == 1
    finally:
        await thread.aclose()


async def test_a_migration_that_fails_leaves_no_tables(database: str) -> None:
    thread = DatabaseThread(
        read_database_url(database), read_only=False, lock_timeout_s=1.0, answer_timeout_s=30.0
    )

    def failing(connection: Connection) -> None:
        migrate(connection)
        assert count(connection) == 0
        connection.execute(text("SELECT nothing FROM nowhere"))

    try:
        with pytest.raises(Exception, match="nowhere") as caught:
            await thread.write(failing)
        assert not isinstance(caught.value, LedgerError)
        assert await thread.read(is_current) is False
        await thread.write(migrate)
        assert await thread.read(is_current) is True
    finally:
        await thread.aclose()
