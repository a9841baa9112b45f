from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from tests.unit.agents.conftest import random_panel
from vnquant.agents import (
    Agent,
    AgentSignal,
    BullAgent,
    ChiefAgent,
    Opportunity,
    Scores,
    StockData,
    default_agents,
    discuss_opportunity,
)
from vnquant.errors import InputError
from vnquant.market.panel import BarPanel

pytestmark = pytest.mark.usefixtures("no_task_left")


class RaisingAgent(Agent):
    name = "raising"

    def score(self, panel: BarPanel) -> Scores:
        raise ZeroDivisionError("division by zero in the raising agent")


class HangingAgent(Agent):
    """Waits for something that never comes, and tells when it began and how it ended."""

    name = "hanging"

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Event()
        self.cancelled = False

    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.zeros(panel.shape), 0.5)

    async def analyze(self, stock_data: object) -> AgentSignal:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        raise AssertionError("unreachable")


class SilentAgent(Agent):
    name = "silent"

    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.full(panel.shape, np.nan), np.nan)


class OddAgent(Agent):
    """Returns whatever it was given."""

    name = "odd"

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.zeros(panel.shape), 0.5)

    async def analyze(self, stock_data: object) -> AgentSignal:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value]


@pytest.fixture
def opportunity() -> Opportunity:
    return Opportunity(
        symbol="FPT",
        panel=random_panel(150),
        expected_return=0.04,
        forecast_confidence=0.75,
        coverage="12 of 12 fresh",
    )


async def test_five_agents_give_one_verdict(opportunity: Opportunity) -> None:
    verdict = await discuss_opportunity(opportunity)
    assert {one.agent for one in verdict.components} == {"bull", "bear", "analyst", "scout", "risk_doctor"}
    assert verdict.missing == ()
    assert verdict.coverage == "12 of 12 fresh"
    expected = await ChiefAgent().analyze(opportunity.stock_data())
    assert verdict.score == expected.score


async def test_the_prediction_reaches_the_analyst(opportunity: Opportunity) -> None:
    verdict = await discuss_opportunity(opportunity)
    analyst = verdict.component("analyst")
    assert analyst is not None
    assert analyst.reasons[0].startswith("model expects +4.0 % in 5 sessions at confidence 0.75")


async def test_a_discussion_survives_a_raising_a_hanging_and_a_silent_agent(opportunity: Opportunity) -> None:
    hanging = HangingAgent()
    agents = [*default_agents(), RaisingAgent(), hanging, SilentAgent()]
    verdict = await discuss_opportunity(opportunity, agents, timeout_s=0.2)
    assert verdict.has_opinion
    assert len([one for one in verdict.components if one.has_opinion]) == 5
    missing = dict(one.split(": ", 1) for one in verdict.missing)
    assert missing["raising"] == "ZeroDivisionError: division by zero in the raising agent"
    assert missing["hanging"] == "no answer within 0.2 s"
    assert missing["silent"].startswith("no opinion, nothing to judge by")
    assert hanging.cancelled
    alone = await discuss_opportunity(opportunity)
    assert verdict.score == pytest.approx(alone.score, abs=1e-12)
    assert verdict.confidence < alone.confidence


async def test_a_thread_that_hangs_does_not_hold_the_discussion(opportunity: Opportunity) -> None:
    release = threading.Event()

    class StuckAgent(Agent):
        name = "stuck"

        def score(self, panel: BarPanel) -> Scores:
            release.wait(10.0)
            return Scores(np.zeros(panel.shape), 0.5)

    try:
        verdict = await discuss_opportunity(opportunity, [BullAgent(), StuckAgent()], timeout_s=0.1)
    finally:
        release.set()
    assert verdict.missing == ("stuck: no answer within 0.1 s",)


async def test_all_agents_failing_gives_a_verdict_without_opinion(opportunity: Opportunity) -> None:
    verdict = await discuss_opportunity(opportunity, [RaisingAgent(), SilentAgent()])
    assert not verdict.has_opinion
    assert len(verdict.missing) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "analyze returned NoneType, not an AgentSignal"),
        (TimeoutError("my own"), "TimeoutError: my own"),
        (asyncio.CancelledError(), "cancelled from within"),
    ],
)
async def test_odd_answers_are_named_not_weighed(opportunity: Opportunity, answer: object, told: str) -> None:
    verdict = await discuss_opportunity(opportunity, [BullAgent(), OddAgent(answer)])
    assert [one.agent for one in verdict.components] == ["bull"]
    assert told in verdict.missing[0]


async def test_signals_out_of_bounds_or_about_others_are_not_weighed(opportunity: Opportunity) -> None:
    good = await BullAgent().analyze(opportunity.stock_data())
    import msgspec

    for changes, told in (
        ({"agent": "odd", "score": 3.0}, "out of bounds"),
        ({"agent": "odd", "confidence": float("nan")}, "out of bounds"),
        ({"agent": "odd", "symbol": "VCB"}, "about VCB"),
        ({}, "a signal of bull"),
    ):
        odd = OddAgent(msgspec.structs.replace(good, **changes))
        verdict = await discuss_opportunity(opportunity, [BullAgent(), odd])
        assert told in verdict.missing[0]
        assert verdict.score == pytest.approx(good.score)


async def test_cancelling_a_discussion_returns_at_once_and_leaves_no_task(opportunity: Opportunity) -> None:
    hanging = HangingAgent()
    task = asyncio.create_task(discuss_opportunity(opportunity, [*default_agents(), hanging], timeout_s=60.0))
    await hanging.started.wait()
    before = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.get_running_loop().time() - before < 0.1
    assert hanging.cancelled
    assert [one.get_name() for one in asyncio.all_tasks() if one.get_name().startswith("discussion:")] == []


async def test_agents_are_asked_in_parallel(opportunity: Opportunity) -> None:
    class MeetingAgent(HangingAgent):
        async def analyze(self, stock_data: object) -> AgentSignal:
            assert isinstance(stock_data, StockData)
            await barrier.wait()
            return await Agent.analyze(self, stock_data)

    barrier = asyncio.Barrier(3)
    agents = [type(f"{name.title()}Agent", (MeetingAgent,), {})() for name in ("first", "second", "third")]
    verdict = await discuss_opportunity(opportunity, agents, timeout_s=5.0)
    assert verdict.missing == ()


async def test_bad_arguments_are_refused(opportunity: Opportunity) -> None:
    with pytest.raises(InputError, match="at least one agent"):
        await discuss_opportunity(opportunity, [])
    with pytest.raises(InputError, match="timeout_s=0"):
        await discuss_opportunity(opportunity, timeout_s=0)
    with pytest.raises(InputError, match="Two agents are called 'bull'"):
        await discuss_opportunity(opportunity, [BullAgent(), BullAgent(momentum_days=40)])


async def test_a_chief_with_a_users_agent_asks_it_too(opportunity: Opportunity) -> None:
    chief = ChiefAgent([*default_agents(), SilentAgent()])
    verdict = await discuss_opportunity(opportunity, chief=chief)
    assert verdict.missing[0].startswith("silent: no opinion")
