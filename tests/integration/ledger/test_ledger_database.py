"""`database_connection()` and the tables behind it: on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from vnquant.errors import DatabaseFormatError, DatabaseLockedError
from vnquant.runtime import MarketClock, now, run_virtual
from vnquant.trading import Ledger, database_connection
from vnquant.trading.async_engines import open_async_engine
from vnquant.trading.database_url import read_database_url
from vnquant.trading.migrate import HEAD, apply_steps, migrate
from vnquant.trading.schema import METADATA

from .conftest import Desk

KEEP = text("INSERT INTO states (scope, name, value) VALUES ('s', 'n', '1')")
COUNT = text("SELECT count(*) FROM states")


async def count(database: str) -> int:
    async with database_connection(database, read_only=True) as connection:
        found: int = (await connection.execute(COUNT)).scalar_one()
        return found


async def test_database_context_manager_commits_at_the_end_of_the_block(database: str) -> None:
    async with database_connection(database) as connection:
        assert isinstance(connection, AsyncConnection)
        await connection.execute(KEEP)
    assert await count(database) == 1


async def test_database_context_manager_undoes_on_an_error(database: str) -> None:
    async def fail() -> None:
        async with database_connection(database) as connection:
            await connection.execute(KEEP)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(database) == 0


async def test_database_context_manager_undoes_when_cancelled(database: str) -> None:
    inside = asyncio.Event()

    async def hold() -> None:
        async with database_connection(database) as connection:
            await connection.execute(KEEP)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold(), name="hold")
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(database) == 0
    async with database_connection(database, lock_timeout_s=0.2) as connection:  # nothing holds a lock
        await connection.execute(KEEP)


async def test_database_context_manager_leaves_no_thread(sqlite_url: str) -> None:
    before = set(threading.enumerate())
    async with database_connection(sqlite_url) as connection:
        await connection.execute(COUNT)
        assert set(threading.enumerate()) > before
    for _ in range(100):
        if set(threading.enumerate()) <= before:
            break
        await asyncio.sleep(0.01)
    assert set(threading.enumerate()) <= before


async def test_a_read_only_connection_does_not_write(database: str) -> None:
    async with database_connection(database):
        pass
    with pytest.raises(Exception, match="may not be written"):
        async with database_connection(database, read_only=True) as connection:
            await connection.execute(KEEP)
    assert await count(database) == 0


async def test_a_locked_database_is_a_typed_error(sqlite_url: str) -> None:
    async with database_connection(sqlite_url):
        with pytest.raises(DatabaseLockedError):
            async with database_connection(sqlite_url, lock_timeout_s=0.05):
                pass


async def test_readers_are_not_hindered_by_a_writer(sqlite_url: str) -> None:
    async with database_connection(sqlite_url) as connection:
        await connection.execute(KEEP)
    async with database_connection(sqlite_url) as connection:
        await connection.execute(text("DELETE FROM states"))
        assert await count(sqlite_url) == 1


def test_virtual_time_stands_while_the_database_answers(database: str) -> None:
    async def main() -> None:
        alarm = asyncio.get_running_loop().call_later(3600, lambda: None)
        begun = now()
        async with database_connection(database) as connection:
            for _ in range(20):
                await connection.execute(COUNT)
        assert now() == begun
        async with database_connection(database) as connection:
            await asyncio.sleep(1800)  # inside the block time goes on
        assert now() - begun == timedelta(seconds=1800)
        alarm.cancel()

    run_virtual(main())


async def built_by(database: str, build: Callable[[Connection], None]) -> tuple[object, list[object]]:
    """Return what an empty database holds after `build`, and how that differs from what the code knows."""

    def look(connection: Connection) -> tuple[object, list[object]]:
        build(connection)
        there = inspect(connection)
        tables = {
            name: (
                {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in there.get_columns(name)},
                there.get_pk_constraint(name),
                there.get_foreign_keys(name),
                sorted(there.get_indexes(name), key=str),
                sorted(there.get_unique_constraints(name), key=str),
            )
            for name in there.get_table_names()
        }
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        return (tables, version), list(compare_metadata(MigrationContext.configure(connection), METADATA))

    engine = open_async_engine(read_database_url(database), lock_timeout_s=5, answer_timeout_s=30)
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            found = await connection.run_sync(look)
            await transaction.rollback()
            return found
    finally:
        await engine.dispose()


async def test_a_new_ledger_has_the_tables_that_the_steps_build(database: str) -> None:
    by_steps, differences = await built_by(database, apply_steps)
    assert differences == []
    assert await built_by(database, migrate) == (by_steps, [])


def test_a_new_ledger_needs_neither_alembic_nor_an_orm(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from vnquant.runtime import run_virtual\n"
        "from vnquant.trading import Ledger\n"
        "async def main():\n"
        "    async with await Ledger.open(sys.argv[1]) as ledger:\n"
        "        await ledger.recover()\n"
        "run_virtual(main())\n"
        "assert not {'alembic', 'sqlalchemy.orm', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "ledger.db")], check=True, timeout=50)


def test_the_newest_step_is_the_one_that_opening_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", "vnquant.trading:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_many_that_open_a_new_ledger_at_once_build_it_once(
    database: str, standing_clock: MarketClock
) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[int]:
        async with database_connection(database, lock_timeout_s=20) as connection:
            yield (await connection.execute(text("SELECT count(*) FROM alembic_version"))).scalar_one()

    async def once() -> int:
        async with opened() as versions:
            return versions

    assert await asyncio.gather(*(once() for _ in range(6))) == [1] * 6


async def test_a_ledger_of_a_newer_version_is_left_alone(database: str, standing_clock: MarketClock) -> None:
    async with database_connection(database) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseFormatError, match="of version 9999"):
        await Ledger.open(database)


async def test_somebody_elses_tables_are_left_alone(tmp_path: Path, standing_clock: MarketClock) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop:
        shop.execute("CREATE TABLE orders (id INTEGER)")
        shop.execute("INSERT INTO orders VALUES (1)")
        shop.commit()
    with pytest.raises(DatabaseFormatError, match="tables named orders"):
        await Ledger.open(path)
    with closing(sqlite3.connect(path)) as shop:
        assert shop.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


async def test_an_older_driver_name_and_a_path_mean_the_same_ledger(
    tmp_path: Path, standing_clock: MarketClock, desk: Desk
) -> None:
    path = tmp_path / "folder that is not there yet" / "sổ cái.db"
    async with await Ledger.open(path) as ledger:
        await ledger.record_intent(desk.order("o1"))
    async with await Ledger.open(f"sqlite:///{path}", read_only=True) as ledger:
        assert len(await ledger.orders()) == 1
    async with await Ledger.open(str(path), read_only=True) as ledger:
        assert len(await ledger.orders()) == 1


async def test_a_ledger_in_memory_works_and_ends_with_its_object(
    standing_clock: MarketClock, desk: Desk
) -> None:
    for _ in range(2):
        async with await Ledger.open("sqlite+aiosqlite://") as ledger:
            assert await ledger.orders() == []
            await ledger.record_intent(desk.order("o1"))
            assert len(await ledger.orders()) == 1
