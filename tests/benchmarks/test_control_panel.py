"""What a repaint of the control panel costs the loop, after a busy day on the engine's test street."""

import asyncio
import json
import platform
import statistics
import time
from pathlib import Path

import pytest

from tests.pace import slowness
from tests.unit.engine.street import Street
from vnquant.engine import AutonomousOrchestrator
from vnquant.ui.control_panel import ControlPanel

pytestmark = [pytest.mark.benchmark, pytest.mark.virtual(start="2025-06-02 09:00")]

SECTIONS = ("positions", "orders", "opportunities", "news", "tasks", "health", "feed")


def median_ms(work: object, times: int = 40) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def test_a_repaint_is_small_change(tmp_path: Path) -> None:
    orchestrator = AutonomousOrchestrator(Street(), database=tmp_path / "ledger.db")
    panel = ControlPanel(orchestrator, loop=asyncio.get_running_loop())
    panel.press("start")
    await asyncio.sleep(6 * 3600)

    def repaint_everything() -> None:
        panel._shown.clear()
        panel._paint()

    measured = {
        "quiet_ms": median_ms(panel._paint),
        "everything_ms": median_ms(repaint_everything),
        "snapshot_ms": median_ms(panel.snapshot),
        "html_bytes": {name: len(getattr(panel.widget, name)["html"].encode()) for name in SECTIONS},
    }
    print(json.dumps({"benchmark": "control panel", "python": platform.python_version(), **measured}))
    # 0.1 ms and 1 ms on an idle machine; four of them a second.
    slow = slowness()
    assert measured["quiet_ms"] <= 2.0 * slow
    assert measured["everything_ms"] <= 15.0 * slow
    assert sum(measured["html_bytes"].values()) <= 64_000
    await orchestrator.stop()
    await panel.aclose()
