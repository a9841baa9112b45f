"""From a slider to the redrawn chart and statistics: 102 symbols, five years, each of the five agents."""

import asyncio
import json
import os
import platform
import time
from datetime import date
from itertools import cycle, islice

import numpy as np
import pytest

from tests.pace import slowness
from vnquant.agents import Agent, default_agents
from vnquant.errors import ParameterError
from vnquant.evaluation import factor_report
from vnquant.market import BarPanel
from vnquant.simulation import SimulatedMarket
from vnquant.ui.agent_lab import AgentLab

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

DAYS = 1_250
TURNS = 200 if os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full" else 60


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    """The simulated market up to 5 June 2025, with forecasts as the model gives them: of each session."""
    market = SimulatedMarket(seed=7).panel(date(2025, 6, 5))
    rng = np.random.default_rng(0)
    return market.with_fields(
        expected_return=rng.normal(0.0, 0.03, market.shape),
        forecast_confidence=rng.uniform(0.4, 0.9, market.shape),
    )


def turns_of(agent: Agent) -> list[tuple[str, object]]:
    """Drag each of the agent's sliders a few steps to the right, one slider after the other."""
    found = []
    for one in agent.declared():
        grid = one.grid()
        at = min(range(len(grid)), key=lambda k: abs(grid[k] - one.default))
        for value in grid[at + 1 : at + 6]:
            try:
                agent.with_parameters(**{one.name: value})
            except ParameterError:
                continue
            found.append((one.name, value))
    return found


async def opened(agent: Agent, panel: BarPanel) -> AgentLab:
    async def load() -> BarPanel:
        return panel

    agents = {each.name: each for each in default_agents()}
    lab = AgentLab(agent, agents=agents, panel=load, symbol="FPT", loop=asyncio.get_running_loop())
    return await lab.ready()


def shown_event(lab: AgentLab) -> asyncio.Event:
    """Return an event that is set whenever the lab has drawn a setting."""
    shown, draw = asyncio.Event(), lab._session._on_measured

    def drawn() -> None:
        draw()
        shown.set()

    lab._session._on_measured = drawn
    return shown


def baseline_ms(agent: Agent, panel: BarPanel) -> float:
    """Return what the plain way takes: score the panel and make the report, with nothing remembered."""
    others = {each.name: each.score(panel) for each in default_agents() if each.name != agent.name}
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        str(factor_report(agent.score(panel), panel, others=others))
        taken.append(1000 * (time.perf_counter() - began))
    return float(np.median(taken))


@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
async def test_a_slider_redraws_chart_and_statistics_within_a_tenth_of_a_second(
    agent: Agent, panel: BarPanel
) -> None:
    plain = baseline_ms(agent, panel.tail(DAYS + 300))
    lab = await opened(agent, panel)
    shown = shown_event(lab)
    taken, computed = [], []
    for name, value in islice(cycle(turns_of(agent)), TURNS):
        slider = lab._page.controls.turns[name]
        before = lab.snapshot()["statistics"]
        shown.clear()
        began, used = time.perf_counter(), time.process_time()
        slider.value = value
        await shown.wait()
        taken.append(1000 * (time.perf_counter() - began))
        computed.append(1000 * (time.process_time() - used))
        assert lab._session.now.agent.parameters[name] == value
        assert before is not None
    median, p95 = np.percentile(taken, [50, 95])
    cpu_median, cpu_p95 = np.percentile(computed, [50, 95])
    print(
        json.dumps(
            {
                "benchmark": "agent_lab_slider",
                "agent": agent.name,
                "symbols": panel.shape[1],
                "days": DAYS,
                "turns": len(taken),
                "median_ms": round(median, 1),
                "p95_ms": round(p95, 1),
                "worst_ms": round(max(taken), 1),
                "cpu_median_ms": round(cpu_median, 1),
                "cpu_p95_ms": round(cpu_p95, 1),
                "plain_score_and_report_ms": round(plain, 1),
                "target_median_ms": 100,
                "target_p95_ms": 200,
                "python": platform.python_version(),
            }
        )
    )
    await lab.aclose()
    slow = slowness()
    assert cpu_median < 100.0 * slow
    assert cpu_p95 < 200.0 * slow
    # Beside others at work on the machine the wall clock may run for longer, but not past the plain way.
    assert median < max(100.0, plain)


async def test_a_fast_drag_never_queues_up_and_ends_at_the_newest_setting(panel: BarPanel) -> None:
    lab = await opened(default_agents()[0], panel)
    shown = shown_event(lab)
    slider = lab._page.controls.turns["momentum_days"]
    drawn = 0
    for days in range(21, 121):  # a hundred positions, five milliseconds apart
        slider.value = days
        await asyncio.sleep(0.005)
        drawn += shown.is_set()
        shown.clear()
    began = time.perf_counter()
    await lab._catch_up()
    tail = 1000 * (time.perf_counter() - began)
    print(
        json.dumps(
            {
                "benchmark": "agent_lab_drag",
                "positions": 100,
                "drawn": drawn,
                "after_the_last_ms": round(tail, 1),
            }
        )
    )
    assert lab.snapshot()["parameters"]["momentum_days"] == 120
    assert lab._session.now.agent.parameters["momentum_days"] == 120
    assert 1 < drawn < 100
    assert lab.trials < 102
    await lab.aclose()
