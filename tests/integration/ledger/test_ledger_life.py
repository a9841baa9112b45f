"""Opening, closing and cancelling a ledger; virtual time; digests."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text

from vnquant.errors import BooksError, ClosedError
from vnquant.runtime import MarketClock, now, run_virtual
from vnquant.trading import JournalEntry, Ledger, OrderCancelled, database_connection
from vnquant.trading.batch import Batch

from .conftest import AT, Desk


async def test_closing_leaves_no_thread_and_may_be_repeated(
    database: str, standing_clock: MarketClock
) -> None:
    before = set(threading.enumerate())
    ledger = await Ledger.open(database)
    assert len(set(threading.enumerate()) - before) == 1
    await ledger.aclose()
    assert set(threading.enumerate()) <= before
    await ledger.aclose()
    assert repr(ledger).endswith("closed)")
    with pytest.raises(ClosedError, match="Open it again"):
        await ledger.orders()
    with pytest.raises(ClosedError):
        await ledger.record_journal(JournalEntry(at=AT, kind="k", outcome=""))
    with pytest.raises(ClosedError):
        await ledger.renew()


async def test_a_ledger_that_cannot_be_opened_leaves_no_thread(
    database: str, standing_clock: MarketClock
) -> None:
    async with await Ledger.open(database):
        before = set(threading.enumerate())
        with pytest.raises(Exception, match="in use by"):
            await Ledger.open(database)
        assert set(threading.enumerate()) <= before


async def test_a_cancelled_commit_is_written_whole_or_not_at_all(ledger: Ledger, desk: Desk) -> None:
    async with ledger.batch() as batch:
        desk.opening(batch)
    for n in range(30):
        whole = Batch()
        order = desk.order(f"o{n}")
        whole.intent(order)
        whole.event(desk.accepted(order))
        desk.book(whole, desk.filled(order, 200, 2))
        task = asyncio.create_task(ledger.commit(whole), name="commit")
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ledger.commit(whole)  # who was cancelled cannot know, and may simply say it again
    audit = await ledger.reconcile()
    assert (audit.orders, audit.fills) == (30, 30)


async def test_closing_while_a_commit_is_under_way_finishes_it(
    database: str, standing_clock: MarketClock
) -> None:
    ledger = await Ledger.open(database)
    desk = Desk()
    writing = [asyncio.ensure_future(ledger.record_intent(desk.order(f"o{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await ledger.aclose()
    await asyncio.gather(*writing)
    async with await Ledger.open(database, read_only=True) as reader:
        assert len(await reader.orders()) == 5


async def test_tasks_may_write_at_the_same_time(ledger: Ledger, desk: Desk) -> None:
    await asyncio.gather(*(ledger.record_intent(desk.order(f"o{n:02d}")) for n in range(40)))
    assert [order.client_order_id for order in await ledger.orders()] == [f"o{n:02d}" for n in range(40)]


def a_busy_day(database: str) -> tuple[str, str, list[str], timedelta]:
    """Trade on virtual time with tasks that fall due at the same instants; return digests and the order."""

    async def main() -> tuple[str, str, list[str], timedelta]:
        begun, order_of_things, desk = now(), [], Desk()
        async with await Ledger.open(database) as ledger:
            async with ledger.batch() as batch:
                desk.opening(batch)

            async def component(name: str) -> None:
                for n in range(20):
                    await asyncio.sleep(60)
                    order_of_things.append(f"{name} begins {n}")
                    await ledger.record_intent(desk.order(f"{name}{n}", created_at=now()))
                    order_of_things.append(f"{name} recorded {n}")
                    await ledger.record_journal(JournalEntry(at=now(), kind="k", outcome=name))

            async with asyncio.TaskGroup() as tasks:
                for name in "abcd":
                    tasks.create_task(component(name), name=name)
            digests = await ledger.ledger_digest(), await ledger.journal_digest()
        return *digests, order_of_things, now() - begun

    return run_virtual(main())


def test_two_runs_on_virtual_time_do_the_same_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    runs = [a_busy_day(f"sqlite:///{tmp_path_factory.mktemp('run') / 'ledger.db'}") for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0][3] == timedelta(seconds=1200)  # no virtual time passes while the ledger writes


def test_both_databases_give_one_digest(sqlite_url: str, postgres_url: str) -> None:
    # Tasks that write at one instant take turns only where the answer has to be waited for.
    on_sqlite, on_postgres = a_busy_day(sqlite_url), a_busy_day(postgres_url)
    assert (*on_sqlite[:2], on_sqlite[3]) == (*on_postgres[:2], on_postgres[3])


def test_on_virtual_time_a_short_lock_is_waited_for_off_the_loop(sqlite_url: str) -> None:
    path = sqlite_url.partition(":///")[2]

    async def main() -> tuple[int, float]:
        loop, desk = asyncio.get_running_loop(), Desk()
        async with await Ledger.open(sqlite_url, lock_timeout_s=10) as ledger:
            with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
                other.execute("BEGIN IMMEDIATE")
                asked = [asyncio.ensure_future(ledger.record_intent(desk.order(f"o{n}"))) for n in range(3)]
                await asyncio.sleep(0)
                assert not any(one.done() for one in asked)
                threading.Timer(0.05, other.execute, ["COMMIT"]).start()
                await asyncio.gather(*asked)
            await ledger.record_intent(desk.order("o3"))
            return len(await ledger.orders()), loop.time()

    assert run_virtual(main()) == (4, 0.0)


async def test_a_digest_does_not_depend_on_how_records_came(tmp_path_factory: pytest.TempPathFactory) -> None:
    digests = set()
    for one_by_one in (True, False):
        async with await Ledger.open(tmp_path_factory.mktemp("run") / "ledger.db") as ledger:
            desk = Desk()
            entries = [JournalEntry(at=AT, kind="k", outcome=str(n)) for n in range(3)]
            if one_by_one:
                async with ledger.batch() as batch:
                    desk.opening(batch)
                await desk.bought(ledger, "a", journal=False)
                await ledger.record_intent(desk.order("b"))
                for entry in entries:
                    await ledger.record_journal(entry)
            else:
                async with ledger.batch() as batch:
                    batch.intent(desk.order("b"))
                    desk.opening(batch)
                    for entry in reversed(entries):
                        batch.journal(entry)
                await desk.bought(ledger, "a", journal=False)
            digests.add((await ledger.ledger_digest(), await ledger.journal_digest()))
    assert len(digests) == 1


async def test_a_digest_changes_with_each_fact(ledger: Ledger, desk: Desk) -> None:
    seen = [await ledger.ledger_digest()]
    async with ledger.batch() as batch:
        desk.opening(batch)
    seen.append(await ledger.ledger_digest())
    await ledger.record_intent(desk.order("o1"))
    seen.append(await ledger.ledger_digest())
    await ledger.record_event(OrderCancelled(client_order_id="o1", sequence=1, at=AT, reason="given up"))
    seen.append(await ledger.ledger_digest())
    assert len(set(seen)) == 4
    journal = await ledger.journal_digest()
    async with ledger.batch() as batch:
        batch.keep("engine", "n", 1)
    assert (await ledger.ledger_digest(), await ledger.journal_digest()) == (seen[-1], journal)


async def test_a_digest_reads_a_journal_longer_than_a_page(ledger: Ledger) -> None:
    async with ledger.batch() as batch:
        for n in range(4_500):
            batch.journal(JournalEntry(at=AT + timedelta(seconds=n), kind="k", outcome=str(n)))
    before = await ledger.journal_digest()
    assert len(await ledger.journal()) == 4_500
    await ledger.record_journal(JournalEntry(at=AT, kind="k", outcome="one more"))
    assert await ledger.journal_digest() != before


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE entries SET amount_vnd = amount_vnd + 1 WHERE account = 'FEES'", "add up to 1 VND"),
        ("DELETE FROM entries WHERE source_id = 'o1/2'", "fill o1/2 moved no money"),
        ("DELETE FROM fills WHERE fill_id = 'o1/3'", "has fills of 100 shares, its events say 200"),
        ("UPDATE orders SET status = 'CANCELLED'", "has status CANCELLED, its events say FILLED"),
        ("DELETE FROM states", "money moved, and no portfolio is kept"),
        ("UPDATE fills SET quantity = 50, fill_id = 'x' WHERE fill_id = 'o1/2'", "FPT: the portfolio has"),
        ("DELETE FROM order_events WHERE sequence = 3", "its events say PARTIALLY_FILLED"),
    ],
)
async def test_an_audit_finds_what_was_tampered_with(
    database: str, standing_clock: MarketClock, desk: Desk, change: str, finding: str
) -> None:
    async with await Ledger.open(database) as ledger:
        async with ledger.batch() as batch:
            desk.opening(batch)
        await desk.bought(ledger, "o1")
        await ledger.reconcile()
        async with database_connection(database) as connection:
            await connection.execute(text(change))
        with pytest.raises(BooksError, match="does not add up") as caught:
            await ledger.reconcile()
        assert finding in str(caught.value)
