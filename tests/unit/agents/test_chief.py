from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from vnquant.agents import AgentSignal, ChiefAgent, Scores, StockData, default_agents
from vnquant.errors import AgentError, InputError
from vnquant.market.actions import Action
from vnquant.market.panel import BarPanel
from vnquant.runtime.clock import ICT

WHEN = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)


def said(agent: str, score: float, confidence: float = 0.5, **more: Any) -> AgentSignal:
    values: dict[str, Any] = {"reasons": (f"{agent} says so",), **more}
    return AgentSignal(
        agent=agent,
        symbol="FPT",
        as_of=WHEN,
        action=Action.HOLD,
        score=score,
        confidence=confidence,
        **values,
    )


def all_say(score: float, confidence: float = 0.5) -> list[AgentSignal]:
    return [said(name, score, confidence) for name in ("bull", "bear", "analyst", "scout", "risk_doctor")]


def test_the_verdict_is_the_mean_weighted_by_confidence() -> None:
    verdict = ChiefAgent().combine(
        [said("bull", 0.8, 0.6), said("bear", -0.2, 0.3), said("analyst", 0.5, 0.7), said("scout", 0.1, 0.2),
         said("risk_doctor", -0.4, 0.5)]
    )  # fmt: skip
    weight = 1.0 * 0.6 + 1.0 * 0.3 + 1.2 * 0.7 + 1.0 * 0.2 + 0.8 * 0.5
    amount = 0.6 * 0.8 - 0.3 * 0.2 + 0.84 * 0.5 + 0.2 * 0.1 - 0.4 * 0.4
    assert verdict.score == pytest.approx(amount / weight, abs=1e-15)
    assert verdict.confidence == pytest.approx(weight / 5.0)
    assert verdict.missing == ()
    assert sum(verdict.contributions.values()) == pytest.approx(verdict.score)
    assert [one.agent for one in verdict.components] == ["bull", "bear", "analyst", "scout", "risk_doctor"]


@pytest.mark.parametrize(
    ("points", "action"),
    [
        (80.0, Action.STRONG_BUY),
        (79.9, Action.BUY),
        (65.0, Action.BUY),
        (64.9, Action.HOLD),
        (50.0, Action.HOLD),
        (49.9, Action.SELL),
        (35.0, Action.SELL),
        (34.9, Action.STRONG_SELL),
        (0.0, Action.STRONG_SELL),
    ],
)
def test_actions_follow_the_thresholds(points: float, action: Action) -> None:
    assert ChiefAgent().combine([said("bull", points / 50.0 - 1.0)], expected=["bull"]).action is action


def test_a_missing_agent_is_named_and_lowers_confidence_only() -> None:
    signals = all_say(0.5)
    whole = ChiefAgent().combine(signals)
    partial = ChiefAgent().combine(signals[:4], missing={"risk_doctor": "no answer within 5 s"})
    assert partial.score == pytest.approx(whole.score)
    assert partial.missing == ("risk_doctor: no answer within 5 s",)
    assert partial.confidence == pytest.approx(whole.confidence * 4.2 / 5.0)
    assert ChiefAgent().combine(signals[1:]).missing == ("bull: gave no signal",)


def test_no_opinion_counts_as_missing_with_its_reason() -> None:
    verdict = ChiefAgent().combine(
        [*all_say(0.5)[1:], said("bull", float("nan"), 0.0, reasons=("no bar of FPT",))]
    )
    assert verdict.missing == ("bull: no opinion, no bar of FPT",)
    assert verdict.score == pytest.approx(0.5)


def test_without_any_opinion_there_is_no_verdict_to_act_on() -> None:
    verdict = ChiefAgent().combine([], symbol="FPT", as_of=WHEN)
    assert (verdict.action, verdict.confidence, verdict.has_opinion) == (Action.HOLD, 0.0, False)
    assert len(verdict.missing) == 5
    assert "no agent gave an opinion" in str(verdict)


def test_a_veto_turns_a_buy_into_hold_and_says_what_it_cost() -> None:
    signals = [*all_say(0.7)[:4], said("risk_doctor", 0.6, vetoed=True, reasons=("veto: too thin",))]
    verdict = ChiefAgent().combine(signals)
    assert (verdict.action, verdict.score, verdict.vetoed) == (Action.HOLD, 0.0, True)
    assert verdict.reasons[0] == "a buy is vetoed; the score would have been 84 of 100"
    assert verdict.reasons[1] == "veto: too thin"
    assert ChiefAgent(heed_veto=False).combine(signals).action is Action.STRONG_BUY


def test_a_veto_never_softens_a_sale() -> None:
    signals = [*all_say(-0.7)[:4], said("risk_doctor", -0.6, vetoed=True)]
    verdict = ChiefAgent().combine(signals)
    assert verdict.action is Action.STRONG_SELL
    assert not verdict.vetoed


def test_weights_are_parameters_and_strangers_have_one_too() -> None:
    signals = [said("bull", 1.0), said("gap", -1.0)]
    assert ChiefAgent().combine(signals).score == pytest.approx(0.0)
    assert ChiefAgent(other_weight=3.0).combine(signals).score == pytest.approx(-0.5)
    assert ChiefAgent(bull_weight=0.0).combine(signals).score == pytest.approx(-1.0)


def test_signals_of_two_stocks_or_twice_the_same_agent_are_refused() -> None:
    other = AgentSignal(agent="bear", symbol="VCB", as_of=WHEN, action=Action.HOLD, score=0.0, confidence=0.1)
    with pytest.raises(InputError, match=r"about one stock, not 2 \(FPT, VCB\)"):
        ChiefAgent().combine([said("bull", 0.1), other])
    with pytest.raises(InputError, match="Two agents are called 'bull'"):
        ChiefAgent().combine([said("bull", 0.1), said("bull", 0.2)])
    with pytest.raises(InputError, match="pass as_of"):
        ChiefAgent().combine([], symbol="FPT")


def test_arrays_combine_as_single_signals_do(panel: BarPanel) -> None:
    scores = {agent.name: agent.score(panel) for agent in default_agents()}
    whole = ChiefAgent().combine_scores(scores)
    rng = np.random.default_rng(8)
    for _ in range(50):
        row, column = int(rng.integers(100, panel.shape[0])), int(rng.integers(panel.shape[1]))
        signals = [
            said(name, float(one.score[row, column]), float(one.certainty[row, column]),
                 vetoed=bool(one.veto is not None and one.veto[row, column]))
            for name, one in scores.items()
        ]  # fmt: skip
        verdict = ChiefAgent().combine(signals)
        np.testing.assert_allclose(verdict.score, whole.score[row, column], atol=1e-12)
        np.testing.assert_allclose(verdict.confidence, whole.certainty[row, column], atol=1e-12)
        assert whole.veto is not None
        assert verdict.vetoed == whole.veto[row, column]


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AgentError, match="different shapes"):
        ChiefAgent().combine_scores(
            {"bull": Scores(np.zeros((2, 2)), 0.5), "bear": Scores(np.zeros((3, 2)), 0.5)}
        )
    with pytest.raises(InputError, match="No scores"):
        ChiefAgent().combine_scores({})


async def test_the_chief_analyses_like_any_agent(panel: BarPanel) -> None:
    data = StockData(panel, "FPT")
    verdict = await ChiefAgent().analyze(data)
    assert [one.agent for one in verdict.components] == ["bull", "bear", "analyst", "scout", "risk_doctor"]
    assert verdict.component("bull") == verdict.components[0]
    assert verdict.component("nobody") is None
    assert verdict.position_fraction == verdict.components[4].position_fraction
    assert verdict._repr_html_().count("<tr>") == 6
