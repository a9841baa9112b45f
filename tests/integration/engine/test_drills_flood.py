"""Failure drills on virtual time: ten thousand opportunities at once, and readers that are slow or dead."""

import asyncio
import tracemalloc
from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from vnquant.engine import (
    AutonomousOrchestrator,
    EngineEvent,
    HealthReported,
    LeadFound,
    LeadSettled,
    ScanFinished,
)
from vnquant.engine.leads import Lead, Origin
from vnquant.engine.rounds import Stage
from vnquant.news import AlertLevel
from vnquant.runtime import Admission, EventBus, now
from vnquant.trading import Ledger, Side

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:20"), pytest.mark.timeout(480)]

LEVELS = (AlertLevel.CRITICAL, AlertLevel.HIGH, AlertLevel.MEDIUM, AlertLevel.LOW)


def flood(tickers, count: int) -> list[Lead]:
    """Return leads of all levels, mixed, each of which wants a discussion of its own."""
    at = now()
    return [
        Lead(
            lead_id=f"lead-{number:05d}",
            symbol=tickers[number % len(tickers)],
            direction=Side.BUY,
            origin=Origin.NEWS,
            found_at=at,
            expires_at=at + timedelta(hours=8),
            level=LEVELS[number * 7 % 4],
            expected_return=(number * 37 % 1_000) / 1e5,
            headlines=("Cổ phiếu tăng mạnh " * 5,),
            not_before=at,
        )
        for number in range(count)
    ]


def urgency(lead: Lead) -> tuple[int, float]:
    return LEVELS.index(lead.level), -lead.expected_return


@pytest.mark.slow
async def test_ten_thousand_opportunities_are_bounded_ordered_and_none_is_lost_in_silence(
    street, ledger_path
):
    count = 10_000
    orchestrator = AutonomousOrchestrator(street, database=ledger_path, bus=EventBus(maxsize=50_000))
    async with orchestrator.bus.subscribe((LeadFound, LeadSettled), maxsize=50_000) as events:
        await orchestrator.start()
        await asyncio.sleep(1)
        orchestrator.pause()
        found = flood(street.universe.tickers, count)
        earlier = set(orchestrator.crew.record.leads)
        tracemalloc.start()
        await orchestrator.crew.inbox.offer(found, Stage.NEWS)
        assert orchestrator.status().leads.depth <= orchestrator.config.max_leads
        kept = len(orchestrator.crew.record.leads) - len(earlier)
        orchestrator.resume()
        await asyncio.sleep(300)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert orchestrator.status().leads.depth == 0
        await orchestrator.stop()
        orchestrator.bus.close()
        told = [event async for event in events if event.lead.lead_id.startswith("lead-")]
    admitted = {event.lead.lead_id: event.admission for event in told if isinstance(event, LeadFound)}
    settled = [event for event in told if isinstance(event, LeadSettled)]
    discussed = [event.lead for event in settled if not event.outcome.startswith("not discussed")]
    assert len(admitted) == count
    # Each is refused at the door, or settled once: discussed, or given up for more urgent ones.
    refused = {name for name, admission in admitted.items() if admission is not Admission.ACCEPTED}
    assert {event.lead.lead_id for event in settled} == set(admitted) - refused
    assert len(settled) == count - len(refused)
    assert len(discussed) == kept <= orchestrator.config.max_leads
    assert [urgency(lead) for lead in discussed] == sorted(urgency(lead) for lead in discussed)
    assert {lead.level for lead in discussed} == {AlertLevel.CRITICAL}
    async with await Ledger.open(ledger_path) as ledger:
        journal = await ledger.journal()
        await ledger.reconcile()
    written = Counter(entry.cause for entry in journal if entry.cause.startswith("lead-"))
    assert set(written) == set(admitted)  # the refused too: why they were never discussed
    assert {written[name] for name in refused} == {1}
    assert not orchestrator.crew.record.leads
    assert grown < 100e6


async def test_a_flood_about_few_stocks_is_one_discussion_a_stock_and_direction(street, ledger_path):
    orchestrator = AutonomousOrchestrator(street, database=ledger_path, bus=EventBus(maxsize=50_000))
    street.min_confidence = 1.0  # nothing from the model
    street.headlines = lambda at: []
    async with orchestrator.bus.subscribe(LeadFound, maxsize=50_000) as events, orchestrator:
        leads = [
            msgspec.structs.replace(lead, not_before=None) for lead in flood(street.universe.tickers, 3_000)
        ]
        accepted = await orchestrator.crew.inbox.offer(leads, Stage.NEWS)
        await asyncio.sleep(60)
        orchestrator.bus.close()
        told = Counter([event.admission async for event in events])
    assert {lead.symbol for lead in accepted} == set(street.universe.tickers)
    assert len(accepted) == street.asked["discuss"] == 6
    assert told == {Admission.ACCEPTED: 6, Admission.DUPLICATE: 2_994}


async def test_slow_and_dead_readers_delay_nobody_and_their_losses_are_counted(street, ledger_path):
    orchestrator = AutonomousOrchestrator(street, database=ledger_path)
    bus = orchestrator.bus
    async with (
        bus.subscribe(EngineEvent, maxsize=3, name="dead, and blocks"),
        bus.subscribe(EngineEvent, maxsize=3, when_full="drop_oldest", name="dead, forgets"),
        bus.subscribe(EngineEvent, maxsize=2, when_full="conflate", name="slow") as slow,
        bus.subscribe((ScanFinished, HealthReported), maxsize=1_000, name="quick") as quick,
    ):
        latest: list[EngineEvent] = []

        async def read_slowly() -> None:
            async for event in slow:
                latest.append(event)
                await asyncio.sleep(600)

        reading = asyncio.create_task(read_slowly(), name="slow reader")
        async with orchestrator:
            await asyncio.sleep(2 * 3_600)
            lost = {one.name: one.dropped + one.conflated for one in bus.statistics().subscriptions}
        bus.close()
        seen = [event async for event in quick]
        reading.cancel()
    scans = [event.at for event in seen if isinstance(event, ScanFinished)]
    assert len(scans) == street.asked["scan"] == 41
    assert len([event for event in seen if isinstance(event, HealthReported)]) >= 119
    assert lost["quick"] == 0
    assert min(lost["dead, and blocks"], lost["dead, forgets"], lost["slow"]) > 100
    assert len(latest) <= 13
