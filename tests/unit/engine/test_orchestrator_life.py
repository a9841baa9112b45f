"""The orchestrator's life on virtual time: start, work, pause, resume, stop, and the same day twice."""

import asyncio
from datetime import timedelta
from typing import ClassVar

import pytest

from vnquant.engine import (
    AutonomousOrchestrator,
    EngineEvent,
    OrchestratorState,
    RoundFailed,
    ScanFinished,
    StateChanged,
)
from vnquant.engine.grid import ALWAYS
from vnquant.engine.record import Record
from vnquant.engine.repeating import Repeater
from vnquant.engine.rounds import RoundOrder, Stage
from vnquant.errors import SourceTimeoutError, StateError
from vnquant.market import default_calendar
from vnquant.runtime import MarketClock, Supervisor, now
from vnquant.trading import Ledger

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:00")]


async def test_it_starts_scans_discusses_trades_and_stops_without_a_task(orchestrator, street, ledger_path):
    before = asyncio.all_tasks()
    await orchestrator.start()
    assert orchestrator.state is OrchestratorState.RUNNING
    await asyncio.sleep(3 * 3600)
    status = orchestrator.status()
    assert {one.state for one in status.components.values()} == {"running"}
    assert {"orchestrator", "positions", "model_scanner", "news_scanner", "opportunities", "health"} <= set(
        status.tasks
    )
    await orchestrator.stop()
    assert orchestrator.state is OrchestratorState.STOPPED
    assert asyncio.all_tasks() == before
    async with await Ledger.open(ledger_path) as ledger:
        audit = await ledger.reconcile()
        assert audit.fills >= 2
        verdicts = await ledger.journal(kind="verdict")
    assert len(verdicts) == street.asked["discuss"]
    assert sum(bool(entry.client_order_id) for entry in verdicts) >= 2


async def test_rounds_come_on_the_grid_of_the_day(orchestrator):
    async with orchestrator.bus.subscribe(ScanFinished, maxsize=200) as scans:
        await orchestrator.start()
        await asyncio.sleep(86_400)
        await orchestrator.stop()
        orchestrator.bus.close()
        times = [f"{event.at:%H:%M:%S}" async for event in scans]
    assert times[:3] == ["09:15:00", "09:18:00", "09:21:00"]
    assert "11:27:00" in times
    assert "11:30:00" not in times
    assert times[-1] == "14:42:00"
    assert len(times) == 45 + 35


async def test_a_start_between_two_points_of_the_grid_scans_at_once_and_then_on_the_grid(orchestrator):
    await asyncio.sleep(20 * 60 + 10)  # 09:20:10
    async with orchestrator.bus.subscribe(ScanFinished, maxsize=200) as scans:
        async with orchestrator:
            await asyncio.sleep(240)
        orchestrator.bus.close()
        assert [f"{event.at:%H:%M:%S}" async for event in scans] == ["09:20:10", "09:21:00", "09:24:00"]


async def test_pause_stops_scans_and_discussions_and_keeps_watching_positions(orchestrator, street):
    await orchestrator.start()
    await asyncio.sleep(3_600)
    orchestrator.pause()
    assert orchestrator.state is OrchestratorState.PAUSED
    asked = dict(street.asked)
    await asyncio.sleep(1_800)
    assert street.asked["scan"] == asked["scan"]
    assert street.asked["news"] == asked["news"]
    assert street.asked["discuss"] == asked["discuss"]
    assert street.asked["quotes"] >= asked["quotes"] + 30
    orchestrator.resume()
    await asyncio.sleep(600)
    assert street.asked["scan"] > asked["scan"]
    await orchestrator.stop()


async def test_leads_that_wait_through_a_pause_are_discussed_after_it(orchestrator, street):
    await orchestrator.start()
    orchestrator.pause()
    await asyncio.sleep(15 * 60)
    report = await orchestrator.run_all_scanners()
    assert report.leads
    discussed = street.asked["discuss"]
    await asyncio.sleep(60)
    assert street.asked["discuss"] == discussed
    orchestrator.resume()
    await asyncio.sleep(1)
    assert street.asked["discuss"] == discussed + orchestrator.status().leads.handed_out
    await orchestrator.stop()


async def test_run_all_scanners_runs_them_at_the_same_time(orchestrator, street):
    street.hang_s = lambda what: {"scan": 3.0, "news": 2.0}.get(what, 0.0)
    await orchestrator.start()
    await asyncio.sleep(60)
    began = asyncio.get_running_loop().time()
    report = await orchestrator.run_all_scanners()
    assert asyncio.get_running_loop().time() - began == pytest.approx(3.0)
    assert report.scan is not None
    assert not report.errors
    await orchestrator.stop()


async def test_run_all_scanners_names_the_one_that_failed(orchestrator, street, source_down):
    street.down = lambda what: source_down if what == "scan" else None
    await orchestrator.start()
    report = await orchestrator.run_all_scanners()
    assert report.scan is None
    assert "nobody answers" in report.errors["model_scanner"]
    await orchestrator.stop()


async def test_starting_again_while_it_runs_is_harmless(orchestrator):
    await orchestrator.start()
    tasks = orchestrator.status().tasks
    assert await orchestrator.start() is orchestrator
    assert orchestrator.status().tasks == tasks
    await orchestrator.stop()
    await orchestrator.stop()
    assert orchestrator.state is OrchestratorState.STOPPED


async def test_it_can_be_started_again_after_a_stop(orchestrator, ledger_path):
    async with orchestrator:
        await asyncio.sleep(7_200)
    cash = orchestrator.status().cash_vnd
    await asyncio.sleep(60)
    async with orchestrator:
        assert orchestrator.status().cash_vnd == cash
        await asyncio.sleep(3_600)
    async with await Ledger.open(ledger_path) as ledger:
        await ledger.reconcile()


async def test_what_needs_it_running_says_so(orchestrator):
    with pytest.raises(StateError, match="start"):
        await orchestrator.run_all_scanners()
    with pytest.raises(StateError, match="nothing to pause"):
        orchestrator.pause()
    with pytest.raises(StateError, match="start"):
        orchestrator.resume()
    with pytest.raises(StateError, match="not been started"):
        _ = orchestrator.crew


async def test_its_states_are_told_on_the_bus(orchestrator):
    async with orchestrator.bus.subscribe(StateChanged) as changes:
        await orchestrator.start()
        orchestrator.pause()
        orchestrator.resume()
        await orchestrator.stop()
        orchestrator.bus.close()
        assert [event.state.value async for event in changes] == [
            "running",
            "paused",
            "running",
            "stopping",
            "stopped",
        ]


async def test_a_reader_that_does_not_read_delays_nobody(street, ledger_path):
    orchestrator = AutonomousOrchestrator(street, database=ledger_path)
    async with orchestrator.bus.subscribe(EngineEvent, maxsize=1):
        await orchestrator.start()
        await asyncio.sleep(3_600)
        assert street.asked["scan"] == 15
        await orchestrator.stop()


async def test_stop_while_scanning_is_immediate(orchestrator, street):
    street.hang_s = lambda what: 300.0
    await orchestrator.start()
    await asyncio.sleep(15 * 60 + 1)
    began = asyncio.get_running_loop().time()
    await orchestrator.stop()
    assert asyncio.get_running_loop().time() - began <= 0.1


async def test_a_cancelled_start_leaves_nothing_and_can_be_repeated(orchestrator):
    before = asyncio.all_tasks()
    starting = asyncio.create_task(orchestrator.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await orchestrator.wait_ended()
    assert asyncio.all_tasks() == before
    assert orchestrator.state is OrchestratorState.STOPPED
    async with orchestrator:
        assert orchestrator.state is OrchestratorState.RUNNING


async def test_an_interrupt_while_a_cell_awaits_leaves_it_running(orchestrator, street):
    """A kernel interrupt cancels what the cell awaits; the orchestrator belongs to no cell."""
    await orchestrator.start()
    cell = asyncio.create_task(orchestrator.run_all_scanners())
    street.hang_s = lambda what: 5.0
    await asyncio.sleep(1)
    cell.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cell
    assert orchestrator.state is OrchestratorState.RUNNING
    street.hang_s = lambda what: 0.0
    asked = street.asked["scan"]
    await asyncio.sleep(1_200)
    assert street.asked["scan"] > asked
    await orchestrator.stop()


async def test_an_interrupted_stop_goes_on_and_can_be_awaited_again(orchestrator):
    await orchestrator.start()
    stopping = asyncio.create_task(orchestrator.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert orchestrator.state in (OrchestratorState.STOPPING, OrchestratorState.STOPPED)
    await orchestrator.stop()
    assert orchestrator.state is OrchestratorState.STOPPED


@pytest.mark.parametrize("turns", range(14))
async def test_a_start_right_after_a_cancelled_one_waits_for_its_end_and_runs(orchestrator, turns):
    before = asyncio.all_tasks()
    starting = asyncio.create_task(orchestrator.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    await orchestrator.start()
    await asyncio.sleep(1_200)
    assert orchestrator.state is OrchestratorState.RUNNING
    await orchestrator.stop()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("way", ["interrupted", "stopped"])
@pytest.mark.parametrize("turns", range(4))
async def test_a_start_that_ends_as_its_components_begin_leaves_none_of_them(
    orchestrator, monkeypatch, way, turns
):
    before, begin, begins = asyncio.all_tasks(), Supervisor.start, asyncio.Event()

    def told_begin(supervisor):
        begins.set()
        return begin(supervisor)

    monkeypatch.setattr(Supervisor, "start", told_begin)
    starting = asyncio.create_task(orchestrator.start())
    await begins.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    if way == "interrupted":
        starting.cancel()
        await asyncio.wait([starting])
    await orchestrator.stop()
    await asyncio.gather(starting, return_exceptions=True)
    assert orchestrator.state is OrchestratorState.STOPPED
    assert asyncio.all_tasks() == before


async def test_a_start_while_it_stops_waits_for_that_and_starts_anew(orchestrator):
    await orchestrator.start()
    first = orchestrator.crew
    stopping = asyncio.create_task(orchestrator.stop())
    await asyncio.sleep(0)
    assert orchestrator.state is OrchestratorState.STOPPING
    await asyncio.gather(orchestrator.start(), orchestrator.start())
    assert stopping.done()
    assert orchestrator.state is OrchestratorState.RUNNING
    assert orchestrator.crew is not first
    await orchestrator.stop()


async def test_two_who_start_it_at_the_same_time_start_one(orchestrator):
    before = asyncio.all_tasks()
    starting = [asyncio.create_task(orchestrator.start()) for _ in range(3)]
    await asyncio.sleep(0)
    starting[1].cancel()  # who only joined takes nothing away from the others
    await asyncio.wait(starting)
    assert [one.cancelled() for one in starting] == [False, True, False]
    assert orchestrator.state is OrchestratorState.RUNNING
    await orchestrator.stop()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_stop_while_it_starts_is_immediate_and_told_to_who_started_it(orchestrator, turns):
    before = asyncio.all_tasks()
    async with orchestrator.bus.subscribe(StateChanged) as changes:
        starting = asyncio.create_task(orchestrator.start())
        for _ in range(turns):
            await asyncio.sleep(0)
        had_begun = orchestrator.state is OrchestratorState.RUNNING
        await orchestrator.stop()
        if had_begun:
            await starting
        else:
            with pytest.raises(StateError, match="stopped while it was starting"):
                await starting
        orchestrator.bus.close()
        states = [change.state.value async for change in changes]
    assert states[-1] == "stopped"
    assert had_begun or "running" not in states
    assert asyncio.all_tasks() == before


async def test_the_first_round_comes_at_once_also_where_time_passes_while_the_ledger_opens():
    """As in real time: on virtual time the first commit is of the very instant of the beginning."""
    await asyncio.sleep(60)
    clock, scanned = MarketClock(now()), asyncio.Event()
    rounds = Repeater(RoundOrder(), calendar=default_calendar(), clock=lambda: clock, tell=lambda event: None)

    class Scan:
        async def run_once(self) -> None:
            scanned.set()

    async with await Ledger.open("sqlite+aiosqlite://") as ledger:
        record = await Record.open(ledger, cash_vnd=1_000, calendar=default_calendar())
        record.began_at -= timedelta(milliseconds=3)
        rounds.plan(record)
        rounds.going.set()
        repeating = asyncio.create_task(rounds.repeat("scan", Stage.NEWS, ALWAYS, 300.0, Scan()))
        async with asyncio.timeout(1):
            await scanned.wait()
        repeating.cancel()


async def test_a_glance_that_fails_or_is_not_enough_is_followed_by_the_round():
    clock, told = MarketClock(now()), []
    rounds = Repeater(RoundOrder(), calendar=default_calendar(), clock=lambda: clock, tell=told.append)
    rounds.going.set()

    class Work:
        glances = 0
        rounds_run: ClassVar[list[int]] = []

        def glance(self) -> bool:
            self.glances += 1
            if self.glances == 3:
                raise SourceTimeoutError("no board", source="street")
            return self.glances != 5

        async def run_once(self) -> None:
            self.rounds_run.append(self.glances)
            if self.glances == 3:
                raise SourceTimeoutError("no board", source="street")

    work = Work()
    repeating = asyncio.create_task(rounds.repeat("positions", Stage.POSITIONS, ALWAYS, 60.0, work))
    await asyncio.sleep(6 * 60 + 30)
    assert not repeating.done()
    repeating.cancel()
    assert work.glances >= 6
    assert work.rounds_run == [3, 5]
    assert [type(event) for event in told] == [RoundFailed]


async def test_the_next_event_of_a_kind_can_be_awaited(orchestrator):
    await orchestrator.start()
    scan = await orchestrator.next(ScanFinished, timeout_s=3_600)
    later = await orchestrator.next(
        ScanFinished, where=lambda one: one.at >= scan.at + timedelta(minutes=6), timeout_s=3_600
    )
    assert [f"{one.at:%H:%M}" for one in (scan, later)] == ["09:15", "09:21"]
    orchestrator.pause()
    with pytest.raises(TimeoutError, match="No ScanFinished within 600 s; the orchestrator is paused"):
        await orchestrator.next(ScanFinished, timeout_s=600)
    await orchestrator.stop()
    assert not orchestrator.bus.statistics().subscriptions
