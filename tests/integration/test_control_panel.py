"""The control panel of a workbench over HTTP, on a market that stands still."""

import asyncio
from collections.abc import Callable

import pytest

from vnquant.engine import OrchestratorState

pytestmark = [pytest.mark.timeout(480)]


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1200):
        if is_so():
            return
        await asyncio.sleep(0.025)
    raise AssertionError("it has not become so within half a minute")


async def test_it_drives_the_orchestrator_and_shows_the_sources_it_asked(bench, tmp_path):
    await bench.prepare()
    bench._database = tmp_path / "ledger.db"
    panel = bench.control_panel()
    await until(lambda: panel.widget.control.get("state") == "new")
    assert panel.widget.clock["pace"] == "frozen"
    panel.press("start")
    await until(lambda: any(line["kind"] == "scan" for line in panel.snapshot()["feed"]))
    shown = panel.snapshot()
    assert shown["control"]["state"] == "running"
    assert shown["clock"]["speed"] == 0.0
    (vps,) = [source for source in shown["health"]["sources"] if source["name"] == "vps"]
    assert vps["breaker"] == "closed"
    assert vps["requests"] >= 102
    assert vps["p50_ms"] is not None
    again = bench.control_panel()  # the cell is run again
    await until(lambda: again.widget.control.get("state") == "running")
    assert [task["state"] for task in again.snapshot()["tasks"]] == ["running"] * 5
    again.press("cancel")
    await until(lambda: panel.widget.control["state"] == "stopped")
    assert bench.orchestrator.status().tasks == ()


async def test_closing_the_workbench_leaves_a_picture_of_the_end(bench, tmp_path):
    await bench.prepare()
    bench._database = tmp_path / "ledger.db"
    panel = bench.control_panel()
    panel.press("start")
    await until(lambda: panel.widget.control.get("state") == "running")
    orchestrator = bench.orchestrator
    await bench.close()
    assert orchestrator.state is OrchestratorState.STOPPED
    assert not panel.is_live
    assert panel.widget.control["state"] == "stopped"
    assert panel.widget.control["enabled"] == []
