"""Failure drills on virtual time: what fails outside, and inside, and what the orchestrator does about it."""

import asyncio
from datetime import datetime, timedelta

import pytest

from vnquant.engine import (
    AutonomousOrchestrator,
    EngineConfig,
    HealthReported,
    LeadFound,
    LeadSettled,
    NewsFinished,
    OrchestratorState,
    RoundFailed,
    ScanFinished,
)
from vnquant.errors import DatabaseLockedError, LeaseHeldError
from vnquant.runtime import ICT, ComponentState, EventBus, SupervisionEvent, SupervisionKind, now
from vnquant.sources import FeedItem
from vnquant.trading import Batch, Ledger

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:00")]


@pytest.fixture
def roomy_bus() -> EventBus:
    return EventBus(maxsize=10_000)


async def test_an_exchange_that_is_down_for_a_morning_stops_nothing(
    orchestrator, street, source_down, ledger_path
):
    afternoon = datetime(2025, 6, 2, 13, 0, tzinfo=ICT)
    street.down = lambda what: (
        source_down if what in ("scan", "quotes", "news") and now() < afternoon else None
    )
    async with (
        orchestrator.bus.subscribe(RoundFailed, maxsize=1_000) as failures,
        orchestrator.bus.subscribe(ScanFinished, maxsize=1_000) as scans,
        orchestrator,
    ):
        await asyncio.sleep(6 * 3600)
        status = orchestrator.status()
        orchestrator.bus.close()
        failed = [event async for event in failures]
        scanned = [event.at async for event in scans]
    assert {event.component for event in failed} >= {"model_scanner", "news_scanner"}
    assert all(event.at < afternoon for event in failed)
    assert scanned[0] == afternoon
    assert all(one.restarts == 0 for one in status.components.values())
    async with await Ledger.open(ledger_path) as ledger:
        assert (await ledger.reconcile()).orders >= 1


async def test_an_exchange_that_hangs_hangs_no_component(orchestrator, street):
    street.hang_s = lambda what: 10_000.0
    await orchestrator.start()
    async with orchestrator.bus.subscribe(HealthReported, maxsize=1_000) as reports:
        await asyncio.sleep(2 * 3600)
        seen = sum(1 for _ in range(len(reports.buffer)))
    assert seen >= 119
    street.hang_s = lambda what: 0.0
    asked = street.asked["scan"]
    await asyncio.sleep(1_200)
    assert street.asked["scan"] > asked
    await orchestrator.stop()


async def test_a_news_feed_serving_garbage_makes_no_leads_and_no_failures(orchestrator, street):
    street.headlines = lambda at: [
        FeedItem(title=text, summary=text, url=f"{at}/{number}", source="x", published_at=published)
        for number, (text, published) in enumerate(
            [
                ("", None),
                ("\x00" * 50, at),
                ("FPT " * 50, at + timedelta(days=400)),
                ("<<<&&&;;; ]]>", at - timedelta(days=9_000)),
                ("khởi tố FPT VCB HPG ACB MWG SSI", at),
            ]
        )
    ]
    async with orchestrator.bus.subscribe((NewsFinished, RoundFailed, LeadFound), maxsize=1_000) as events:
        async with orchestrator:
            await asyncio.sleep(600)
        orchestrator.bus.close()
        told = [event async for event in events]
    assert {type(event) for event in told} == {NewsFinished}
    assert {event.new for event in told} == {5}


async def test_a_component_that_raises_on_each_call_is_given_up_and_tried_again(orchestrator, street, caplog):
    street.down = lambda what: RuntimeError("a bug in the scanner") if what == "scan" else None
    async with orchestrator.bus.subscribe(SupervisionEvent, maxsize=1_000) as events:
        await orchestrator.start()
        await asyncio.sleep(2 * 3600)
        status = orchestrator.status().components["model_scanner"]
        others = [one for name, one in orchestrator.status().components.items() if name != "model_scanner"]
        await orchestrator.stop()
        orchestrator.bus.close()
        kinds = [event.kind async for event in events if event.component == "model_scanner"]
    assert SupervisionKind.FAILED in kinds
    assert SupervisionKind.BROKEN in kinds
    assert kinds.count(SupervisionKind.STARTED) > 5
    assert status.last_error == "RuntimeError: a bug in the scanner"
    assert all(one.restarts == 0 and one.state is ComponentState.RUNNING for one in others)


async def test_a_component_that_hangs_is_restarted_by_its_watchdog(orchestrator, monkeypatch, caplog):
    async def hang() -> None:
        await asyncio.Event().wait()

    await orchestrator.start()
    monkeypatch.setattr(orchestrator.crew.watch, "run_once", hang)
    async with orchestrator.bus.subscribe(SupervisionEvent, maxsize=100) as events:
        await asyncio.sleep(600)
        await orchestrator.stop()
        orchestrator.bus.close()
        kinds = {event.kind async for event in events if event.component == "positions"}
    assert SupervisionKind.STALLED in kinds
    assert SupervisionKind.STARTED in kinds


async def test_an_agent_discussion_that_fails_settles_the_lead_with_the_reason(
    orchestrator, street, source_down
):
    street.down = lambda what: source_down if what == "discuss" else None
    async with orchestrator.bus.subscribe(LeadSettled, maxsize=100) as settled, orchestrator:
        await asyncio.sleep(1_200)
        orchestrator.bus.close()
        outcomes = {event.outcome async for event in settled}
    assert outcomes == {"no discussion: SourceTimeoutError: nobody answers"}
    assert not orchestrator.crew.record.leads


async def test_a_locked_ledger_stops_orders_until_it_is_free_and_loses_nothing(
    orchestrator, street, ledger_path, monkeypatch, caplog
):
    write = Ledger.commit
    locked_until = now() + timedelta(hours=1)

    async def commit(ledger: Ledger, batch: Batch) -> None:
        if batch and now() < locked_until and now() > locked_until - timedelta(minutes=59):
            raise DatabaseLockedError("another program holds it")
        await write(ledger, batch)

    monkeypatch.setattr(Ledger, "commit", commit)
    async with orchestrator:
        await asyncio.sleep(3_500)
        assert not orchestrator.crew.record.open_orders
        await asyncio.sleep(4 * 3_600)
        assert orchestrator.state is OrchestratorState.RUNNING
    async with await Ledger.open(ledger_path) as ledger:
        audit = await ledger.reconcile()
        assert audit.fills >= 1
        first = (await ledger.orders())[0]
    assert first.created_at >= locked_until


async def test_a_clock_jump_skips_rounds_and_piles_up_none(street, ledger_path):
    clock = None
    from vnquant.runtime.clock import MarketClock, install_clock

    clock = MarketClock(now())
    install_clock(clock)
    orchestrator = AutonomousOrchestrator(street, database=ledger_path)
    async with orchestrator.bus.subscribe(ScanFinished, maxsize=1_000) as scans:
        async with orchestrator:
            await asyncio.sleep(20 * 60)
            clock.set(at=now() + timedelta(hours=4, minutes=10))  # to 13:30
            await asyncio.sleep(10 * 60)
        orchestrator.bus.close()
        times = [f"{event.at:%H:%M}" async for event in scans]
    assert times == ["09:15", "09:18", "13:30", "13:33", "13:36", "13:39"]


async def test_thousands_of_opportunities_at_once_keep_to_the_bounds(street, ledger_path, roomy_bus):
    config = EngineConfig(max_leads=50)
    orchestrator = AutonomousOrchestrator(street, database=ledger_path, bus=roomy_bus, config=config)
    await orchestrator.start()
    orchestrator.pause()
    from vnquant.engine.leads import Lead, Origin
    from vnquant.engine.rounds import Stage
    from vnquant.news import AlertLevel
    from vnquant.trading import Side

    at = now()
    leads = [
        Lead(
            lead_id=f"lead-{number}",
            symbol=street.universe.tickers[number % 6],
            direction=Side.BUY,
            origin=Origin.NEWS,
            found_at=at,
            expires_at=at + timedelta(hours=8),
            level=AlertLevel.CRITICAL if number == 2_999 else AlertLevel.HIGH,
            expected_return=number / 1e5,
            not_before=at,
        )
        for number in range(3_000)
    ]
    await orchestrator.crew.inbox.offer(leads, Stage.NEWS)
    assert orchestrator.status().leads.depth == 50
    async with orchestrator.bus.subscribe(LeadSettled, maxsize=10_000) as settled:
        orchestrator.resume()
        await asyncio.sleep(60)
        assert orchestrator.status().leads.depth == 0
        await orchestrator.stop()
        orchestrator.bus.close()
        discussed = [event.lead.lead_id async for event in settled if "not discussed" not in event.outcome]
    assert discussed[0] == "lead-2999"
    assert len(discussed) == 50


async def test_the_second_orchestrator_on_one_ledger_is_refused_and_takes_over_later(
    orchestrator, new_street, ledger_path
):
    second = AutonomousOrchestrator(new_street(), database=ledger_path)
    await orchestrator.start()
    with pytest.raises(LeaseHeldError, match="is in use by"):
        await second.start()
    assert second.state is OrchestratorState.FAILED
    await asyncio.sleep(2 * 3600)  # with nothing written, health keeps the lease
    with pytest.raises(LeaseHeldError):
        await second.start()
    await orchestrator.stop()
    await second.start()
    assert second.state is OrchestratorState.RUNNING
    await second.stop()


async def test_an_orchestrator_whose_ledger_was_taken_over_stops_and_says_so(
    orchestrator, new_street, ledger_path, monkeypatch, caplog
):
    await orchestrator.start()
    ledger = orchestrator.crew.record.ledger
    lease = ledger._lease
    monkeypatch.setattr(lease, "renew", _expired_renewal(lease))
    await asyncio.sleep(400)
    second = AutonomousOrchestrator(new_street(), database=ledger_path)
    await second.start()
    monkeypatch.undo()
    await asyncio.sleep(600)
    assert orchestrator.state is OrchestratorState.FAILED
    assert "took it over" in orchestrator.status().error
    assert second.state is OrchestratorState.RUNNING
    await second.stop()


def _expired_renewal(lease):
    """Return a renewal that does not reach the database, as that of a machine that sleeps."""
    return lambda connection, at, writes: None
