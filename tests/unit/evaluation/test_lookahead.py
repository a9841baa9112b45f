"""The guard: honest targets pass, each way of peeking fails and is named."""

from dataclasses import dataclass

import numpy as np
import pytest

from vnquant.errors import AlignmentError, LookaheadError, ParameterError
from vnquant.evaluation import check_lookahead
from vnquant.features import FeatureSet, compute_features
from vnquant.features import indicators as ind
from vnquant.market.panel import BarPanel


def panel_of(rows: int = 420, columns: int = 5, seed: int = 1) -> BarPanel:
    rng = np.random.default_rng(seed)
    close = 20_000.0 * np.exp(rng.normal(0.0, 0.02, size=(rows, columns)).cumsum(axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.005, size=close.shape))
    high, low = np.maximum(close, opened) * 1.005, np.minimum(close, opened) * 0.995
    volume = np.round(np.exp(rng.normal(12.0, 0.5, size=close.shape)))
    days = np.datetime64("2022-01-03", "s") + np.arange(rows) * np.timedelta64(86_400, "s")
    return BarPanel(
        tuple(f"S{n}" for n in range(columns)), days, opened, high, low, close, volume,
        fields={"news_sentiment": rng.normal(size=close.shape)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    return panel_of()


def test_every_feature_passes(panel):
    report = check_lookahead(FeatureSet(), panel, points=4)
    assert report.columns == FeatureSet().names
    assert report.values > 0
    assert "no look-ahead" in str(report)


@pytest.mark.parametrize(
    "indicator",
    [
        lambda p: ind.ema(p.close, 20),
        lambda p: ind.rsi(p.close),
        lambda p: ind.atr(p.high, p.low, p.close),
        lambda p: ind.obv(p.close, p.volume),
        lambda p: ind.rolling_rank(p.close, 60),
        lambda p: p.get("news_sentiment"),
    ],
)
def test_indicators_pass(panel, indicator):
    check_lookahead(indicator, panel, points=3)


LEAKS = {
    "tomorrow": lambda p: np.vstack([p.close[1:], p.close[-1:]]),
    "whole-sample mean": lambda p: p.close - np.nanmean(p.close, axis=0),
    "whole-sample rank": lambda p: np.argsort(np.argsort(p.close, axis=0), axis=0).astype(float),
    "centred window": lambda p: np.apply_along_axis(np.convolve, 0, p.close, np.ones(5) / 5, "same"),
    "tomorrow's news": lambda p: np.vstack([p.get("news_sentiment")[1:], np.zeros((1, p.shape[1]))]),
    "tomorrow's volume": lambda p: np.vstack([p.volume[1:], p.volume[-1:]]),
    "whether there is a bar tomorrow": lambda p: np.vstack([p.present[1:], p.present[-1:]]).astype(float),
    "rows left": lambda p: np.repeat(np.arange(len(p.close))[::-1, None], p.shape[1], axis=1).astype(float),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_leak_is_found(panel, leak):
    with pytest.raises(LookaheadError, match="looks ahead: 'value' of S"):
        check_lookahead(LEAKS[leak], panel, points=3)


def test_leak_in_one_of_many_outputs_is_named(panel):
    def target(p):
        return {"good": p.close, "parts": {"peek": np.vstack([p.close[1:], p.close[-1:]])}}

    with pytest.raises(LookaheadError, match=r"target looks ahead: 'parts\.peek'"):
        check_lookahead(target, panel)


@dataclass
class Scored:
    score: np.ndarray
    confidence: np.ndarray
    note: str = ""


class PeekingAgent:
    name = "peeker"

    def score(self, panel: BarPanel) -> Scored:
        sign = np.sign(ind.returns(panel.close, 5))
        confidence = np.ones_like(sign)
        confidence[:-1] = np.abs(panel.close[1:] / panel.close[:-1] - 1.0)
        return Scored(sign, confidence)


def test_agent_whose_confidence_peeks_is_caught(panel):
    with pytest.raises(LookaheadError, match="peeker looks ahead: 'confidence'"):
        check_lookahead(PeekingAgent(), panel)


def test_same_seed_cuts_at_the_same_rows(panel):
    first, second = (check_lookahead(lambda p: p.close, panel, seed=9) for _ in range(2))
    assert first == second
    assert len(panel.timestamps) - 2 in first.rows


def test_targets_that_cannot_be_checked_are_refused(panel):
    with pytest.raises(ParameterError, match="cannot check a int"):
        check_lookahead(3, panel)
    with pytest.raises(AlignmentError, match="must be time and symbol"):
        check_lookahead(lambda p: p.close[:, 0:1], panel)
    with pytest.raises(AlignmentError, match="holds no"):
        check_lookahead(lambda p: "a word", panel)
    with pytest.raises(ParameterError, match="10 rows"):
        check_lookahead(compute_features, panel.tail(5))
