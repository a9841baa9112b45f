"""A study panel: the same scores as a plain one, whatever was turned before, with less work."""

import copy
import random

import numpy as np
import pytest

from vnquant.agents import Agent, BullAgent, ChiefAgent, StudyPanel, default_agents
from vnquant.agents.evidence import Bars
from vnquant.agents.study import bars_of
from vnquant.errors import ParameterError
from vnquant.market import BarPanel


def random_settings(agent: Agent, count: int, seed: int) -> list[Agent]:
    """Walk through settings one parameter at a time, back and forth."""
    rng = random.Random(seed)
    found = [agent]
    while len(found) < count:
        one = rng.choice(agent.declared())
        try:
            found.append(found[-1].with_parameters(**{one.name: rng.choice(one.grid()[:2000])}))
        except ParameterError:
            continue
        if rng.random() < 0.3:
            found.append(found[-2])  # undo
    return found


@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
def test_scores_are_those_of_a_plain_panel_whatever_was_turned_before(agent: Agent, panel: BarPanel) -> None:
    study = StudyPanel.of(panel)
    for setting in random_settings(agent, 40, seed=3):
        remembered, plain = setting.scored(study), setting.scored(panel)
        np.testing.assert_array_equal(remembered.score, plain.score)
        np.testing.assert_array_equal(remembered.certainty, plain.certainty)
        for one, other in (
            (remembered.veto, plain.veto),
            (remembered.position_fraction, plain.position_fraction),
        ):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                np.testing.assert_array_equal(one, other)
        assert remembered.reasons(-1, 0) == plain.reasons(-1, 0)


@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
def test_every_parameter_alone_reaches_the_scores(agent: Agent, panel: BarPanel) -> None:
    study = StudyPanel.of(panel)
    agent.scored(study)
    for one in agent.declared():
        end = one.grid()[0] if one.grid()[0] != one.default else one.grid()[-1]
        try:
            turned = agent.with_parameters(**{one.name: end})
        except ParameterError:
            continue
        np.testing.assert_array_equal(
            turned.scored(study).score, turned.scored(panel).score, err_msg=one.name
        )


def test_only_what_reads_the_turned_parameter_is_observed_again(
    panel: BarPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed: list[str] = []
    for name in ("_momentum", "_trend", "_breakout", "_accumulation"):
        method = getattr(BullAgent, name)

        def noting(agent: BullAgent, bars: Bars, method=method, name=name):
            observed.append(name)
            return method(agent, bars)

        monkeypatch.setattr(BullAgent, name, noting)
    study = StudyPanel.of(panel)
    BullAgent().scored(study)
    assert len(observed) == 4
    observed.clear()
    BullAgent(momentum_days=30).scored(study)
    assert observed == ["_momentum"]
    BullAgent().scored(study)
    assert observed == ["_momentum"]  # the setting before is remembered
    BullAgent(doubt=0.9).scored(study)
    assert len(observed) == 5


def test_a_class_defined_again_does_not_meet_the_memory_of_the_old_one(panel: BarPanel) -> None:
    class Louder(BullAgent):
        def _momentum(self, bars: Bars):
            evidence = copy.copy(super()._momentum(bars))
            object.__setattr__(evidence, "weight", 3.0)
            return evidence

    study = StudyPanel.of(panel)
    BullAgent().scored(study)
    np.testing.assert_array_equal(Louder().scored(study).score, Louder().scored(panel).score)


def test_parts_of_a_study_panel_start_without_memory(panel: BarPanel) -> None:
    study = StudyPanel.of(panel)
    BullAgent().scored(study)
    part = study.tail(200)
    assert bars_of(study) is bars_of(study)
    assert bars_of(part) is not bars_of(study)
    np.testing.assert_array_equal(BullAgent().scored(part).score, BullAgent().scored(panel.tail(200)).score)


def test_the_chief_may_be_studied_too(panel: BarPanel) -> None:
    study = StudyPanel.of(panel)
    for weight in (1.0, 2.0):
        chief = ChiefAgent(bull_weight=weight)
        np.testing.assert_array_equal(chief.scored(study).score, chief.scored(panel).score)
