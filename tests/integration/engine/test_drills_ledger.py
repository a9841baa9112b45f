"""Failure drills on virtual time: a ledger that may not be written, and a disk that is full."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from vnquant.engine import AutonomousOrchestrator, OrchestratorState
from vnquant.errors import DatabaseReadOnlyError, LedgerError
from vnquant.runtime import ComponentState, EventBus, SupervisionEvent, SupervisionKind, now
from vnquant.trading import Ledger

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:00")]


def running(orchestrator: AutonomousOrchestrator) -> set[str]:
    """Return the components that run."""
    return {
        name for name, one in orchestrator.status().components.items() if one.state is ComponentState.RUNNING
    }


def last_errors(orchestrator: AutonomousOrchestrator) -> set[str]:
    """Return the types of the errors that components had last."""
    return {(one.last_error or "").partition(":")[0] for one in orchestrator.status().components.values()}


async def ledger_is_whole(path) -> int:
    """Reconcile a ledger, compare each verdict's order with the orders, and return how many fills it has."""
    async with await Ledger.open(path) as ledger:
        audit = await ledger.reconcile()
        orders = {order.client_order_id for order in await ledger.orders()}
        journal = await ledger.journal()
    told = [entry.client_order_id for entry in journal if entry.client_order_id]
    assert set(told) == orders
    assert max(Counter(told).values(), default=1) == 1
    return audit.fills


async def test_a_read_only_ledger_refuses_the_start_and_says_what_to_do(street, ledger_path):
    async with await Ledger.open(ledger_path):
        pass
    before = asyncio.all_tasks()
    orchestrator = AutonomousOrchestrator(
        street, database=f"sqlite+aiosqlite:///file:{ledger_path}?mode=ro&uri=true"
    )
    with pytest.raises(DatabaseReadOnlyError, match="may not be written"):
        await orchestrator.start()
    assert orchestrator.state is OrchestratorState.FAILED
    assert "may not be written" in orchestrator.status().error
    assert asyncio.all_tasks() == before
    await orchestrator.stop()


@pytest.mark.parametrize(
    ("ill", "well", "told"),
    [
        ("query_only=ON", "query_only=OFF", "DatabaseReadOnlyError"),
        ("max_page_count=1", "max_page_count=1000000", "DatabaseFullError"),
    ],
    ids=["read-only", "full disk"],
)
async def test_a_ledger_that_cannot_be_written_for_two_hours_stops_orders_and_loses_nothing(
    street, ledger_path, pragmas, caplog, ill, well, told
):
    orchestrator = AutonomousOrchestrator(street, database=ledger_path, bus=EventBus(maxsize=10_000))
    async with orchestrator.bus.subscribe(SupervisionEvent, maxsize=10_000) as events:
        await orchestrator.start()
        await asyncio.sleep(3_600)  # it is 10:00, and there are orders
        bought = len(orchestrator.fills)
        if "max_page_count" in ill:
            with closing(sqlite3.connect(ledger_path)) as other:
                (pages,) = other.execute("PRAGMA page_count").fetchone()
            ill = f"max_page_count={pages}"
        pragmas(ill)
        await asyncio.sleep(2 * 3_600)
        assert len(orchestrator.fills) <= bought + len(orchestrator.crew.trader.broker.open_orders) + 1
        assert told in last_errors(orchestrator)
        assert orchestrator.state is OrchestratorState.RUNNING
        pragmas(well)
        await asyncio.sleep(2 * 3_600)  # 14:00
        assert running(orchestrator) == set(orchestrator.status().components)
        await orchestrator.stop()
        orchestrator.bus.close()
        kinds = Counter([event.kind async for event in events])
    assert kinds[SupervisionKind.FAILED] >= 5
    assert orchestrator.state is OrchestratorState.STOPPED
    assert await ledger_is_whole(ledger_path) > bought


async def test_a_disk_that_is_really_full_stops_orders_until_there_is_room(street, small_disk, caplog):
    orchestrator = AutonomousOrchestrator(street, database=small_disk / "ledger.db")
    await orchestrator.start()
    await asyncio.sleep(1_200)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4_096) == 4_096:
            pass
    await asyncio.sleep(1_800)
    errors = [one.last_error or "" for one in orchestrator.status().components.values()]
    assert any(error.startswith(("DatabaseFullError", "DatabaseUnavailableError")) for error in errors), (
        errors
    )
    filler.unlink()
    await asyncio.sleep(900)  # the longest pause of a component is 300 s
    assert running(orchestrator) == set(orchestrator.status().components)
    await orchestrator.stop()
    assert await ledger_is_whole(small_disk / "ledger.db") >= 1


async def test_a_stop_on_a_ledger_that_cannot_be_written_ends_at_once_and_the_next_start_goes_on(
    street, ledger_path, pragmas, caplog
):
    orchestrator = AutonomousOrchestrator(street, database=ledger_path)
    await orchestrator.start()
    await asyncio.sleep(3_600)
    pragmas("query_only=ON")
    await asyncio.sleep(600)
    began = now()
    await orchestrator.stop()
    assert now() - began <= timedelta(milliseconds=100)
    assert orchestrator.state is OrchestratorState.STOPPED
    pragmas("query_only=OFF")
    async with orchestrator:
        await asyncio.sleep(3_600)
    with suppress(LedgerError):
        await ledger_is_whole(ledger_path)
    assert await ledger_is_whole(ledger_path) >= 1
