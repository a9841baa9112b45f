"""The orchestrator of a workbench: on virtual time, on a frozen clock over HTTP, and without a board."""

import asyncio
import time

import pandas as pd
import pytest

from vnquant import Workbench
from vnquant.engine import EngineEvent, OrchestratorState, ScanFinished, VerdictReached
from vnquant.errors import ClosedError, StateError
from vnquant.trading import Ledger

pytestmark = [pytest.mark.timeout(480)]


@pytest.mark.virtual(start="2025-06-02 09:10")
async def test_on_virtual_time_it_scans_discusses_and_journals(model_cache, quick_predictor, tmp_path):
    async with Workbench.open(
        cache_dir=model_cache, predictor=quick_predictor, progress=False, database=tmp_path / "ledger.db"
    ) as bench:
        orchestrator = bench.orchestrator
        assert bench.orchestrator is orchestrator
        async with orchestrator.bus.subscribe(EngineEvent, maxsize=1_000) as events:
            await orchestrator.start()
            await asyncio.sleep(19 * 60)
            assert orchestrator.state is OrchestratorState.RUNNING
            await bench.close()
            orchestrator.bus.close()
            told = [event async for event in events]
    assert orchestrator.state is OrchestratorState.STOPPED
    scans = [event for event in told if isinstance(event, ScanFinished)]
    assert [f"{event.at:%H:%M}" for event in scans] == ["09:15", "09:18", "09:21", "09:24", "09:27"]
    assert all("102 of 102 fresh" in event.coverage for event in scans)
    verdicts = [event.verdict for event in told if isinstance(event, VerdictReached)]
    assert verdicts
    assert all(len(verdict.components) == 5 for verdict in verdicts)
    assert all(verdict.has_opinion for verdict in verdicts)
    async with await Ledger.open(tmp_path / "ledger.db") as ledger:
        assert len(await ledger.journal(kind="verdict")) == len(verdicts)
        await ledger.reconcile()


async def test_on_a_frozen_clock_it_scans_at_once_and_stops_at_once(bench, tmp_path):
    await bench.prepare()
    bench._database = tmp_path / "ledger.db"
    orchestrator = bench.orchestrator
    async with orchestrator.bus.subscribe(ScanFinished) as scans:
        await orchestrator.start()
        async with asyncio.timeout(20):
            scan = await anext(scans)
    assert scan.predictions == 102
    began = time.perf_counter()
    await orchestrator.stop()
    assert time.perf_counter() - began <= 0.5  # 0.1 s on an idle machine
    assert orchestrator.state is OrchestratorState.STOPPED


async def test_a_file_of_bars_has_no_board_to_trade_on(tmp_path):
    days = pd.bdate_range("2024-01-02", periods=30)
    frame = pd.DataFrame(
        {"symbol": "FPT", "date": days, "open": 1e5, "high": 1e5, "low": 1e5, "close": 1e5, "volume": 1e3}
    )
    async with Workbench.open(frame, cache_dir=tmp_path, progress=False) as bench:
        with pytest.raises(StateError, match="no board"):
            _ = bench.orchestrator
    with pytest.raises(ClosedError):
        _ = bench.orchestrator
