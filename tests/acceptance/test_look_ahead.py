"""Nothing sees its own future: every feature, every agent and the model; an agent that peeks is caught."""

from datetime import date

import numpy as np
import pytest

from vnquant.agents import Agent, Scores, default_agents
from vnquant.errors import LookaheadError
from vnquant.evaluation import check_lookahead
from vnquant.features import FeatureSet, MarketContext
from vnquant.market.panel import BarPanel
from vnquant.models import ForecastModel, LightGBMPredictor, ModelConfig
from vnquant.simulation.generator import SimulatedMarket


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    """Thirty symbols over two years, with the optional fields that agents look at."""
    market = SimulatedMarket(seed=11).panel(date(2020, 6, 30))
    some = market.select(market.symbols[::4]).tail(560)
    rng = np.random.default_rng(0)
    known = {
        "expected_return": rng.normal(0.0, 0.02, some.shape),
        "forecast_confidence": rng.uniform(0.4, 0.8, some.shape),
        "news_sentiment": rng.uniform(-1.0, 1.0, some.shape),
        "foreign_net": rng.normal(0.0, 1e9, some.shape),
    }
    return some.with_fields(**known)


def test_every_feature_passes(panel):
    report = check_lookahead(FeatureSet(), panel, points=6)
    assert report.columns == FeatureSet().names


def test_market_context_passes(panel):
    def context(p: BarPanel) -> np.ndarray:
        return np.broadcast_to(MarketContext.of(p).before(p.timestamps)[:, None, 0], p.shape)

    check_lookahead(context, panel, points=6)


@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
def test_every_agent_passes(panel, agent):
    assert check_lookahead(agent, panel, points=4).values > 0


def test_model_passes_training_included(panel):
    config = ModelConfig(first_train_sessions=250, fold_sessions=120, calibration_sessions=50, threads=1)
    model = ForecastModel(config, predictor=LightGBMPredictor(trees=20, leaves=7, threads=1))
    report = check_lookahead(model, panel, points=2)
    assert report.columns == ("expected_return", "confidence")


class TomorrowAgent(Agent):
    """Buys what rises tomorrow."""

    name = "tomorrow"

    def score(self, panel: BarPanel) -> Scores:
        tomorrow = np.vstack([panel.close[1:], panel.close[-1:]])
        return Scores(np.sign(np.nan_to_num(tomorrow / panel.close - 1.0)), np.full(panel.shape, 0.5))


def test_agent_that_peeks_is_caught_and_named(panel):
    with pytest.raises(LookaheadError, match="tomorrow looks ahead: 'score'"):
        check_lookahead(TomorrowAgent(), panel)
