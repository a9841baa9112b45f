"""The lab on a workbench: real bars and forecasts, a count that outlives it, settings that take effect."""

from pathlib import Path

import numpy as np
import pytest

from vnquant import Workbench
from vnquant.agents import Agent, Scores, parameter
from vnquant.errors import ClosedError, InputError, UnknownSymbolError
from vnquant.features.indicators import rolling_std, shift
from vnquant.market import BarPanel
from vnquant.simulation import SimulatedExchange


class GapAgent(Agent):
    name = "overnight"
    days: int = parameter(20, 5, 60, unit="bars", help="days that a gap is compared with")

    def score(self, panel: BarPanel) -> Scores:
        gap = panel.open / shift(panel.close) - 1.0
        return Scores(np.tanh(gap / rolling_std(gap, self.days)), confidence=0.5)


async def test_a_turned_agent_speaks_in_the_next_discussion(bench: Workbench) -> None:
    lab = await bench.agent_lab("analyst", symbol="FPT").ready()
    forecasts = lab.snapshot()
    assert forecasts["statistics"]["days"] > 1_200
    assert set(forecasts["statistics"]["overlap"]) == {"bull", "bear", "scout", "risk_doctor"}
    lab.set(forecast_weight=0.0)
    await lab.ready()
    # Without its forecasts the Analyst is another one: the panel has them.
    assert lab.snapshot()["statistics"]["rank_ic"] != forecasts["statistics"]["rank_ic"]
    lab.apply()
    verdict = await bench.discuss("FPT")
    assert verdict.component("analyst").parameters["forecast_weight"] == 0.0


async def test_the_count_of_tries_outlives_the_lab(bench: Workbench) -> None:
    lab = await bench.agent_lab("bull").ready()
    lab.set(momentum_days=30)
    await lab.ready()
    again = await bench.agent_lab("bull").ready()
    assert again.trials == 2
    assert (await bench.agent_lab("bear").ready()).trials == 1


async def test_an_agent_of_ones_own_gets_a_lab_and_a_preset(
    bench: Workbench, exchange: SimulatedExchange, model_cache: Path, quick_predictor: object, tmp_path: Path
) -> None:
    bench.agents["overnight"] = GapAgent()
    lab = await bench.agent_lab("overnight").ready()
    assert lab.snapshot()["lookahead"]["state"] == "passed"
    lab.set(days=40)
    file = await lab.save(tmp_path / "gap.toml")
    async with Workbench.open(
        exchange, agents=file, cache_dir=model_cache, predictor=quick_predictor, progress=False
    ) as other:
        assert repr(other.agents["overnight"]) == "GapAgent(days=40)"


async def test_what_cannot_be_is_said_at_once(bench: Workbench) -> None:
    with pytest.raises(InputError, match="Did you mean bull"):
        bench.agent_lab("bul")
    with pytest.raises(UnknownSymbolError):
        bench.agent_lab("bull", symbol="XXX")


async def test_closing_the_workbench_ends_its_labs(bench: Workbench) -> None:
    loading = bench.agent_lab("bull")
    await bench.close()
    assert not loading.is_live
    with pytest.raises(ClosedError):
        await loading.ready()
    with pytest.raises(ClosedError):
        bench.agent_lab("bull")
