"""Failure drills: locked, read-only, full, gone. The error says which, and nothing is half-written."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from vnquant.errors import (
    DatabaseFormatError,
    DatabaseFullError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
    LedgerError,
    ParameterError,
)
from vnquant.runtime import MarketClock
from vnquant.trading import JournalEntry, Ledger
from vnquant.trading.batch import Batch

from .conftest import AT, Desk


def whole_batch(desk: Desk, mark: str, *, weight: int = 10) -> Batch:
    """Return a batch with something for every table."""
    batch = Batch()
    order = desk.order(mark)
    batch.intent(order)
    batch.event(desk.accepted(order))
    desk.book(batch, desk.filled(order, 200, 2))
    batch.journal(JournalEntry(at=AT, kind="verdict", outcome=mark, seen="x" * weight))
    batch.keep("engine", "last", mark)
    return batch


async def test_a_locked_database_says_so_and_nothing_is_lost(
    sqlite_ledger: Ledger, desk: Desk, sqlite_url: str
) -> None:
    async with sqlite_ledger.batch() as batch:
        desk.opening(batch)
    batch = whole_batch(desk, "o1")
    with closing(sqlite3.connect(sqlite_url.partition(":///")[2], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            DatabaseLockedError, match=r"locked by another program.*Nothing of this was written"
        ):
            await sqlite_ledger.commit(batch)
        assert (await sqlite_ledger.reconcile()).orders == 0  # reading goes on
        other.execute("ROLLBACK")
    await sqlite_ledger.commit(batch)
    audit = await sqlite_ledger.reconcile()
    assert (audit.orders, audit.fills) == (1, 1)


async def test_a_short_lock_is_waited_for(sqlite_url: str, standing_clock: MarketClock, desk: Desk) -> None:
    async with await Ledger.open(sqlite_url, lock_timeout_s=10) as ledger:
        with closing(sqlite3.connect(sqlite_url.partition(":///")[2], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.ensure_future(ledger.record_intent(desk.order("o1")))
            await asyncio.sleep(0.05)
            assert not writing.done()
            other.execute("COMMIT")
        await writing
        assert len(await ledger.orders()) == 1


async def test_a_locked_server_table_says_so_and_nothing_is_lost(
    postgres_url: str, standing_clock: MarketClock, desk: Desk
) -> None:
    import asyncpg

    async with await Ledger.open(postgres_url, lock_timeout_s=0.1) as ledger:
        async with ledger.batch() as batch:
            desk.opening(batch)
        batch = whole_batch(desk, "o1")
        other = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        try:
            await other.execute("BEGIN")
            await other.execute("LOCK TABLE fills IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(DatabaseLockedError, match="lock timeout"):
                await ledger.commit(batch)
            await other.execute("ROLLBACK")
        finally:
            await other.close()
        await ledger.commit(batch)
        assert (await ledger.reconcile()).fills == 1


async def test_a_full_disk_says_so_and_nothing_is_lost(
    pragmas: Callable[[str], None], sqlite_ledger: Ledger, desk: Desk, sqlite_url: str
) -> None:
    async with sqlite_ledger.batch() as batch:
        desk.opening(batch)
    before = await sqlite_ledger.ledger_digest()
    with closing(sqlite3.connect(sqlite_url.partition(":///")[2])) as other:
        (pages,) = other.execute("PRAGMA page_count").fetchone()
    pragmas(f"max_page_count={pages + 2}")
    batch = whole_batch(desk, "o1", weight=100_000)
    for _ in range(3):
        with pytest.raises(DatabaseFullError, match=r"no space left.*Free some space"):
            await sqlite_ledger.commit(batch)
    assert await sqlite_ledger.ledger_digest() == before
    assert await sqlite_ledger.journal() == []
    pragmas("max_page_count=1000000")
    await sqlite_ledger.commit(batch)
    assert (await sqlite_ledger.reconcile()).fills == 1
    assert len(await sqlite_ledger.journal()) == 1


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.name != "posix" or os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this container may not mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run([umount, "-l", str(folder)], check=True)


async def test_a_disk_that_is_really_full_says_so_and_nothing_is_lost(
    tiny_disk: Path, standing_clock: MarketClock, desk: Desk
) -> None:
    async with await Ledger.open(tiny_disk / "ledger.db") as ledger:
        async with ledger.batch() as batch:
            desk.opening(batch)
        filler = tiny_disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 4096) == 4096:
                pass
        batch = whole_batch(desk, "o1", weight=50_000)
        with pytest.raises(LedgerError, match="Nothing of this was written") as caught:
            await ledger.commit(batch)
        assert isinstance(caught.value, DatabaseFullError | DatabaseUnavailableError)
        filler.unlink()
        await ledger.commit(batch)
        assert (await ledger.reconcile()).fills == 1


async def test_a_database_that_turns_read_only_says_so_and_nothing_is_lost(
    pragmas: Callable[[str], None], sqlite_ledger: Ledger, desk: Desk
) -> None:
    async with sqlite_ledger.batch() as batch:
        desk.opening(batch)
    batch = whole_batch(desk, "o1")
    pragmas("query_only=ON")
    with pytest.raises(DatabaseReadOnlyError, match="may not be written"):
        await sqlite_ledger.commit(batch)
    assert (await sqlite_ledger.reconcile()).orders == 0
    pragmas("query_only=OFF")
    await sqlite_ledger.commit(batch)
    assert (await sqlite_ledger.reconcile()).orders == 1


async def test_a_read_only_file_can_be_read_and_not_opened_for_writing(
    sqlite_url: str, standing_clock: MarketClock, desk: Desk
) -> None:
    async with await Ledger.open(sqlite_url) as ledger:
        await ledger.record_intent(desk.order("o1"))
    path = sqlite_url.partition(":///")[2]
    closed_to_writers = f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true"
    with pytest.raises(DatabaseReadOnlyError):
        await Ledger.open(closed_to_writers)
    async with await Ledger.open(closed_to_writers, read_only=True) as reader:
        assert len(await reader.orders()) == 1


async def test_a_server_user_without_rights_is_told(
    postgres_url: str, standing_clock: MarketClock, desk: Desk
) -> None:
    import asyncpg

    async with await Ledger.open(postgres_url) as ledger:
        await ledger.record_intent(desk.order("o1"))
    admin = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    guest = f"guest_{postgres_url.rpartition('/')[2]}"
    try:
        await admin.execute(f"CREATE ROLE {guest} LOGIN")
        await admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {guest}")
    finally:
        await admin.close()
    as_guest = postgres_url.replace("//vnquant@", f"//{guest}@")
    with pytest.raises(DatabaseReadOnlyError, match="permission denied"):
        await Ledger.open(as_guest)
    async with await Ledger.open(as_guest, read_only=True) as reader:
        assert len(await reader.orders()) == 1


async def test_a_server_that_dropped_the_connection_is_asked_again(
    postgres_url: str, standing_clock: MarketClock, desk: Desk
) -> None:
    import asyncpg

    async with await Ledger.open(postgres_url) as ledger:
        await ledger.record_intent(desk.order("o1"))
        admin = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        try:
            query = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vnquant'"
            )
            assert await admin.fetch(query)
        finally:
            await admin.close()
        await ledger.record_intent(desk.order("o2"))
        assert len(await ledger.orders()) == 2


async def test_a_server_that_is_not_there_is_named(standing_clock: MarketClock) -> None:
    pytest.importorskip("asyncpg")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers here
        url = f"postgresql://somebody:secret@127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(DatabaseUnavailableError, match=r"cannot be reached") as caught:
            await Ledger.open(url)
    assert "secret" not in str(caught.value)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        await Ledger.open(tmp_path / "file" / "ledger.db")


async def test_reading_a_ledger_that_is_not_there_does_not_make_one(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="no such file"):
        await Ledger.open(tmp_path / "ledger.db", read_only=True)
    assert os.listdir(tmp_path) == []


async def test_a_disk_that_hangs_hangs_nobody(
    sqlite_url: str, standing_clock: MarketClock, desk: Desk
) -> None:
    async with await Ledger.open(sqlite_url):
        pass  # making the tables may take longer on a busy machine than the answers that follow
    ledger = await Ledger.open(sqlite_url, answer_timeout_s=1.0)
    released = threading.Event()
    hanging = asyncio.ensure_future(ledger._thread.read(lambda _: released.wait(20)))
    await asyncio.sleep(0)  # it is first in line
    try:
        with pytest.raises(DatabaseUnavailableError, match="no answer within 1 s"):
            await ledger.record_intent(desk.order("o1"))
        with pytest.raises(DatabaseUnavailableError):
            await hanging
        await ledger.aclose()
    finally:
        released.set()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 1000)
    with pytest.raises(DatabaseFormatError, match="not a ledger"):
        await Ledger.open(path)
    assert path.read_text() == "not a database, " * 1000


@pytest.mark.parametrize("given", ["mysql://localhost/x", "ftp://x", "::://"])
async def test_another_kind_of_database_is_refused(given: str) -> None:
    with pytest.raises(ParameterError, match="Cannot keep a ledger in"):
        await Ledger.open(given)
