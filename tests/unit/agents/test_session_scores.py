"""Agents on a whole session at once: what they say at an instant is what the panel of that instant says."""

from datetime import date

import numpy as np
import pytest

from vnquant.agents import Agent, AnalystAgent, BearAgent, BullAgent, RiskDoctorAgent, Scores, ScoutAgent
from vnquant.agents.session import SessionScores
from vnquant.features.indicators import rolling_std, shift
from vnquant.market import RunningSession
from vnquant.simulation import SimulatedMarket

MINUTES = [50, 60, 100, 200, 340, 380]  # of the film: 09:20 to 14:50


@pytest.fixture(scope="module")
def running() -> RunningSession:
    return SimulatedMarket(7).film(date(2020, 6, 5), rows=320).running.at(MINUTES)


@pytest.fixture(scope="module")
def fields(running):
    rng = np.random.default_rng(3)
    return {
        "expected_return": rng.normal(0.0, 0.03, running.close.shape),
        "forecast_confidence": rng.uniform(0.3, 0.9, running.close.shape),
    }


def one_by_one(agent, running, fields, place):
    panel = running.panel(place)
    last = {name: np.full(panel.shape, np.nan) for name in fields}
    for name, values in fields.items():
        last[name][-1] = values[place]
    return agent.score(panel.with_fields(**last))


@pytest.mark.parametrize(
    "agent",
    [
        BullAgent(),
        BearAgent(rsi_days=9),
        AnalystAgent(profile_days=120, swing_wing=3),
        RiskDoctorAgent(veto_value_bn=20.0),
    ],
    ids=lambda agent: agent.name,
)
def test_scores_and_reasons_are_those_of_each_instant(agent, running, fields):
    at = SessionScores(running, fields).of(agent, running.complete.symbols[5], 2)
    assert at is not None
    assert at[1:] == (2, 5)
    together = at.scores
    for place in range(len(MINUTES)):
        alone = one_by_one(agent, running, fields, place)
        np.testing.assert_allclose(together.score[place], alone.score[-1], rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(together.certainty[place], alone.certainty[-1], rtol=1e-9, atol=1e-10)
        for column in range(0, 102, 17):
            assert together.reasons(place, column) == alone.reasons(-1, column)
        if alone.veto is not None:
            np.testing.assert_array_equal(together.veto[place], alone.veto[-1])
            np.testing.assert_allclose(together.position_fraction[place], alone.position_fraction[-1])


def test_an_agent_that_compares_across_time_and_news_is_asked_instant_by_instant(running, fields):
    assert SessionScores(running, fields).of(ScoutAgent(), "FPT", 0) is None


def test_a_stock_that_is_not_among_them_is_asked_alone(running, fields):
    some = running.select([3, 4])
    cut = {name: values[:, 3:5] for name, values in fields.items()}
    scores = SessionScores(some, cut)
    assert scores.of(BullAgent(), "FPT" if "FPT" not in some.complete.symbols else "VCB", 0) is None
    whole = SessionScores(running, fields).of(BullAgent(), some.complete.symbols[1], 4)
    part = scores.of(BullAgent(), some.complete.symbols[1], 4)
    assert part.scores.score[4, 1] == pytest.approx(whole.scores.score[4, 4])


class GapAgent(Agent):
    """A user's own, on the plain arrays of a panel."""

    name = "gap"
    per_symbol = True

    def score(self, panel):
        gap = panel.open / shift(panel.close) - 1.0
        return Scores(np.tanh(gap / rolling_std(gap, 20)), confidence=0.5)


def test_a_users_own_agent_is_asked_instant_by_instant(running, fields):
    assert SessionScores(running, fields).of(GapAgent(), "FPT", 0) is None
