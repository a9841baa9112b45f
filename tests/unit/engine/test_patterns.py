"""One test for each of the seed's patterns of the engine, called by its name.

Those of fetching and scanning are in tests/integration/test_seed_patterns.py, the broadcast in its folder.
"""

import asyncio
import threading
import time

import pytest

from vnquant.engine import AutonomousOrchestrator, EngineEvent, OrchestratorState, VerdictReached
from vnquant.errors import DatabaseReadOnlyError
from vnquant.runtime import EventBus, StallWatch, TaskMonitor
from vnquant.trading import Ledger

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:00")]


async def test_orchestrator(orchestrator, street):
    async with orchestrator:
        await asyncio.sleep(1_200)
        assert orchestrator.state is OrchestratorState.RUNNING
        assert all(street.asked.values())
    assert orchestrator.state is OrchestratorState.STOPPED


async def test_concurrent_scanners(orchestrator, street):
    """Both scanners at the same time: the round takes as long as the slower one."""
    street.hang_s = lambda what: {"scan": 4.0, "news": 4.0}.get(what, 0.0)
    async with orchestrator:
        await asyncio.sleep(10)
        began = asyncio.get_running_loop().time()
        await orchestrator.run_all_scanners()
        assert asyncio.get_running_loop().time() - began == pytest.approx(4.0)


async def test_event_queue(orchestrator):
    """Everything that happens reaches every reader in one order."""
    async with (
        orchestrator.bus.subscribe(EngineEvent, maxsize=2_000) as first,
        orchestrator.bus.subscribe(EngineEvent, maxsize=2_000) as second,
    ):
        async with orchestrator:
            await asyncio.sleep(3_600)
        orchestrator.bus.close()
        one, two = [event async for event in first], [event async for event in second]
    assert one == two
    assert [event.at for event in one] == sorted(event.at for event in one)


async def test_process_all_events(orchestrator):
    async with orchestrator:
        await asyncio.sleep(600)
    kinds: list[type] = []
    handled = await orchestrator.bus.process_all_events(lambda event: kinds.append(type(event)))
    assert handled == len(kinds) > 10


async def test_discussion(orchestrator):
    async with orchestrator.bus.subscribe(VerdictReached, maxsize=100) as verdicts, orchestrator:
        await asyncio.sleep(1_800)
        orchestrator.bus.close()
        told = [event async for event in verdicts]
    assert told
    assert all(event.verdict.symbol == event.lead.symbol for event in told)


async def test_timeouts_everywhere(orchestrator, street):
    """Whatever hangs outside, each component comes to its next round."""
    street.hang_s = lambda what: 1e6
    async with orchestrator:
        await asyncio.sleep(3 * 3_600)
        for status in orchestrator.status().components.values():
            assert status.state == "running"
        assert street.asked["news"] > 20
        assert street.asked["scan"] > 3


async def test_cancellation(new_street, tmp_path):
    """At any moment a stop is immediate and leaves no task, thread or subscription."""
    threads = threading.active_count()
    before = asyncio.all_tasks()
    loop = asyncio.get_running_loop()
    for number in range(30):
        street = new_street()
        street.hang_s = lambda what, number=number: 0.07 * (number % 5)
        orchestrator = AutonomousOrchestrator(street, database=tmp_path / f"{number}.db")
        await orchestrator.start()
        for _ in range(number):
            await asyncio.sleep(0)
        await asyncio.sleep(0.11 * number)
        began = loop.time()
        await orchestrator.stop()
        assert loop.time() - began <= 0.1
        assert asyncio.all_tasks() == before
        assert not orchestrator.bus.statistics().subscriptions
    assert threading.active_count() <= threads + 1  # the loop's own executor


async def test_task_monitoring(orchestrator):
    async with TaskMonitor() as monitor, orchestrator:
        await asyncio.sleep(600)
        names = {record.name for record in monitor.tasks()}
    assert {"orchestrator", "positions", "model_scanner", "news_scanner", "opportunities", "health"} <= names


async def test_no_blocking_call_on_the_loop(orchestrator):
    """The watch sees a stall that is made on purpose, and none in an hour of the orchestrator."""
    watch = StallWatch(threshold_s=0.25)
    watch.start()
    try:
        async with orchestrator:
            await asyncio.sleep(3_600)
        assert not [stall for stall in watch.stalls if "vnquant/engine" in stall.stack]
        time.sleep(0.6)  # noqa: ASYNC251 - the stall that the watch must see
        await asyncio.to_thread(time.sleep, 0.1)  # for the watch's own thread to write it down
        assert watch.count >= 1
    finally:
        watch.stop()


async def test_database_context_manager(orchestrator, ledger_path):
    """The ledger is closed with the orchestrator, and may be looked into while it runs."""
    async with orchestrator:
        await asyncio.sleep(1_800)
        async with await Ledger.open(ledger_path, read_only=True) as looking:
            assert (await looking.reconcile()).actions == 1
            with pytest.raises(DatabaseReadOnlyError):
                await looking.renew()
    async with await Ledger.open(ledger_path) as ledger:
        assert (await ledger.holder()).holder


async def test_leads_are_bounded_in_memory(street, ledger_path):
    """A bus that nobody drains and a week of leads keep no more than their bounds."""
    orchestrator = AutonomousOrchestrator(street, database=ledger_path, bus=EventBus(maxsize=100))
    async with orchestrator:
        await asyncio.sleep(2 * 86_400)
        assert orchestrator.bus.statistics().backlog <= 100
        assert len(orchestrator.crew.news.articles) <= 200
        assert len(orchestrator.crew.record.seen) <= 1_000
        assert len(orchestrator.crew.record.orders) <= 10
