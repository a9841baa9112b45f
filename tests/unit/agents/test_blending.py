"""Single points are told without arrays, and are those of the arrays, to the last bit."""

import dataclasses
import math
from datetime import datetime

import numpy as np
import pytest

from tests.unit.agents.conftest import SYMBOLS, gappy_panel, random_panel
from vnquant.agents import Agent, AgentSignal, BullAgent, ChiefAgent, RiskDoctorAgent, Scores, default_agents
from vnquant.agents.study import SharedPanel
from vnquant.market import Action, BarPanel
from vnquant.runtime import ICT

AS_OF = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)
PANELS = {
    "whole": random_panel(150),
    "running": random_panel(150, session_fraction=0.3),
    "gappy": gappy_panel(260),
    "gappy and running": gappy_panel(260, seed=5, session_fraction=0.6),
}


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
def test_points_are_those_of_the_arrays(agent: Agent, panel: BarPanel) -> None:
    whole, late = agent.scored(panel), agent.scored(SharedPanel.of(panel))
    for row in (0, 20, 60, len(panel.timestamps) - 2, len(panel.timestamps) - 1):
        for column in range(len(SYMBOLS)):
            told, seen = late.point(row, column), whole.point(row, column)
            assert repr(told) == repr(seen)
            assert seen.reasons == (() if math.isnan(seen.score) else whole.reasons(row, column))


@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
def test_arrays_are_there_for_who_asks(agent: Agent, panel: BarPanel) -> None:
    whole, late = agent.scored(panel), agent.scored(SharedPanel.of(panel))
    assert late.shape == whole.shape
    late.point(-1, 0)
    np.testing.assert_array_equal(late.score, whole.score)
    np.testing.assert_array_equal(late.certainty, whole.certainty)
    assert late.reasons(-1, 2) == whole.reasons(-1, 2)
    assert repr(late) == repr(whole)
    assert late.column(3).shape == (panel.shape[0], 1)


def test_late_scores_can_be_changed_as_others_can(panel: BarPanel) -> None:
    late, barred = BullAgent().scored(SharedPanel.of(panel)), np.ones(panel.shape, dtype=np.bool_)
    changed = dataclasses.replace(late, veto=barred)
    assert isinstance(changed, Scores)
    assert changed.veto is not None
    assert changed.veto.all()
    assert repr(changed.point(-1, 0)) == repr(late.point(-1, 0))
    assert changed.shape == panel.shape


def test_vetoes_and_sizes_are_those_of_each_bar(panel: BarPanel) -> None:
    doctor = RiskDoctorAgent(veto_value_bn=20.0, veto_volatility_pct=45.0)
    scores = doctor.scored(panel)
    assert scores.veto is not None
    assert 0.02 < scores.veto.mean() < 0.98
    assert not scores.veto[~panel.present].any()
    told = {text for row in (100, 399) for c in range(12) for text in scores.reasons(row, c)}
    assert any(text.startswith("veto: trades") for text in told)
    assert any(text.startswith("veto: volatility") for text in told)


def signal(agent: str, score: float, confidence: float, *, vetoed: bool) -> AgentSignal:
    return AgentSignal(
        agent=agent,
        symbol="FPT",
        as_of=AS_OF,
        action=Action.HOLD,
        score=score,
        confidence=confidence,
        vetoed=vetoed,
    )


def test_a_verdict_on_signals_is_that_on_arrays() -> None:
    rng = np.random.default_rng(4)
    names = ["bull", "bear", "analyst", "scout", "risk_doctor", "own"]
    vetoed = 0
    for _ in range(300):
        chief = ChiefAgent(
            heed_veto=bool(rng.random() < 0.8),
            **{f"{name}_weight": round(float(rng.choice([0.0, rng.uniform(0, 3)])), 1) for name in names[:5]},
        )
        asked = [name for name in names if rng.random() < 0.8]
        said = {name: (rng.uniform(-1, 1), rng.choice([0.0, rng.uniform(0, 1)])) for name in asked}
        barred = {name: bool(rng.random() < 0.2) for name in asked}
        told = chief.combine(
            [signal(name, *said[name], vetoed=barred[name]) for name in asked],
            symbol="FPT",
            as_of=AS_OF,
            expected=names,
        )
        if not asked:
            assert not told.has_opinion
            continue
        arrays = {
            name: Scores(np.full((1, 1), one[0]), one[1], veto=np.full((1, 1), barred[name]))
            for name, one in said.items()
        }
        whole = chief.combine_scores(arrays, expected=names)
        np.testing.assert_equal(told.score, float(whole.score[0, 0]))
        if told.has_opinion:
            assert told.confidence == whole.certainty[0, 0]
            assert told.contributions == {name: part.at(0, 0) for name, part in whole.parts.items()}
        assert whole.veto is not None
        assert told.vetoed == bool(whole.veto[0, 0])
        vetoed += told.vetoed
    assert vetoed > 10
