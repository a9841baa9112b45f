"""Failure drills on the real loop: a market clock that is set, and a laptop that has slept."""

import asyncio
from datetime import datetime, timedelta

import pytest

import vnquant.runtime.clock as clock_module
from tests.unit.engine.street import Street
from vnquant.engine import AutonomousOrchestrator, OrchestratorState, ScanFinished
from vnquant.runtime import ICT, ComponentState, MarketClock, wall_now
from vnquant.trading import Ledger

DAY = datetime(2025, 6, 2, tzinfo=ICT)


class TimedStreet(Street):
    """A street whose market time is that of a given clock."""

    def __init__(self, clock: MarketClock) -> None:
        super().__init__()
        self._clock = clock

    @property
    def clock(self) -> MarketClock:
        return self._clock


async def scans_until(events, last: datetime, *, at_most: int = 200) -> list[datetime]:
    """Return the times of the scans up to the first one at or after an instant."""
    times: list[datetime] = []
    async with asyncio.timeout(20):
        while not times or times[-1] < last:
            times.append((await anext(events)).at)
            assert len(times) <= at_most
    return times


async def test_a_clock_that_is_set_hours_ahead_and_back_again_skips_and_repeats_no_round(ledger_path):
    speed = 600.0  # a scan is due each 0.3 s
    clock = MarketClock(DAY.replace(hour=9, minute=20), speed=speed)
    orchestrator = AutonomousOrchestrator(TimedStreet(clock), database=ledger_path)
    async with orchestrator.bus.subscribe(ScanFinished, maxsize=1_000) as events, orchestrator:
        await scans_until(events, DAY.replace(hour=9, minute=24))
        clock.set(at=DAY.replace(hour=13, minute=30))
        ahead = await scans_until(events, DAY.replace(hour=13, minute=36))
        clock.set(at=DAY.replace(hour=10, minute=30))
        await asyncio.sleep(1.0)
        back = [event.at for _, event in events.buffer if event.at < DAY.replace(hour=13)]
        statuses = orchestrator.status().components.values()
        assert all(one.state is ComponentState.RUNNING and not one.restarts for one in statuses)
    # Three rounds in six minutes ahead, as many in ten back, and none of those that lay between.
    assert len(ahead) <= 5
    assert all(at >= DAY.replace(hour=13) or at <= DAY.replace(hour=9, minute=40) for at in ahead)
    assert 1 <= len(back) <= 5
    assert back[0] < DAY.replace(hour=10, minute=37)  # one interval, and then on the grid
    async with await Ledger.open(ledger_path) as ledger:
        await ledger.reconcile()


async def test_a_laptop_that_slept_overnight_scans_the_next_morning(ledger_path, monkeypatch):
    """The loop's time stands still while the machine sleeps, and the wall clock does not."""
    asleep = [DAY.replace(hour=9, minute=30) - wall_now()]
    true_now = clock_module.wall_now
    monkeypatch.setattr(clock_module, "wall_now", lambda: true_now() + asleep[0])
    monkeypatch.setattr(clock_module, "_WALL_LOOK_S", 0.02)
    orchestrator = AutonomousOrchestrator(TimedStreet(MarketClock.real()), database=ledger_path)
    async with orchestrator.bus.subscribe(ScanFinished, maxsize=1_000) as events, orchestrator:
        async with asyncio.timeout(20):
            assert (await anext(events)).at.hour == 9
        asleep[0] += timedelta(hours=9)  # 18:30: the next scan is due in the morning
        await asyncio.sleep(0.2)
        assert not events.buffer
        before_scan = DAY.replace(hour=9, minute=20, second=59, microsecond=500_000) + timedelta(days=1)
        asleep[0] = before_scan - true_now()
        async with asyncio.timeout(20):
            morning = (await anext(events)).at
        assert orchestrator.state is OrchestratorState.RUNNING
        assert all(not one.restarts for one in orchestrator.status().components.values())
    assert morning.date() == DAY.date() + timedelta(days=1)
    assert f"{morning:%H:%M}" in ("09:20", "09:21")


@pytest.mark.parametrize("hours", [3, -3])
async def test_orders_and_leases_bear_a_clock_that_was_set(ledger_path, hours):
    clock = MarketClock(DAY.replace(hour=10), speed=600.0)
    street = TimedStreet(clock)
    street.score = lambda lead, at: 1.0
    orchestrator = AutonomousOrchestrator(street, database=ledger_path)
    async with orchestrator:
        async with asyncio.timeout(20):
            while not orchestrator.fills:  # noqa: ASYNC110 - any fill will do
                await asyncio.sleep(0.01)
        clock.set(at=clock.now() + timedelta(hours=hours))
        await asyncio.sleep(0.5)
        assert orchestrator.state is OrchestratorState.RUNNING
        assert all(not one.restarts for one in orchestrator.status().components.values())
    async with await Ledger.open(ledger_path) as ledger:
        assert (await ledger.reconcile()).fills >= 1
