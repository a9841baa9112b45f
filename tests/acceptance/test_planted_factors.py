"""Ground truth: the model finds what is planted, not more than is there, and nothing where nothing is."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from vnquant.features import RankIC, rank_ic
from vnquant.market.panel import BarPanel
from vnquant.models import ForecastHistory, ForecastModel, LightGBMPredictor, ModelConfig
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.planted import Planted

REAL_BARS = Path(__file__).parents[3] / "shared" / "data" / "real" / "vn_daily.parquet"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@dataclass
class Trained:
    model: ForecastModel
    history: ForecastHistory
    truth: np.ndarray
    forward: np.ndarray
    known: np.ndarray

    def ic(self, scores: np.ndarray) -> RankIC:
        return rank_ic(np.where(self.known, scores, np.nan), self.forward)


@pytest.fixture(scope="module", params=[7, 21])
def trained(request) -> Trained:
    """The whole simulated market to mid-2025, and the model of it."""
    market = SimulatedMarket(seed=request.param, planted=Planted.default())
    panel = market.panel(date(2025, 5, 30))
    truth = market.truth
    model = ForecastModel(ModelConfig(threads=1)).fit(panel)
    history = model.history(panel)
    rows = len(panel.timestamps)
    known = np.isfinite(history.expected_return) & np.isfinite(truth.forward_return[:rows])
    return Trained(model, history, truth.expected_return[:rows], truth.forward_return[:rows], known)


def test_rank_ic_is_above_zero_and_most_of_what_is_there_and_no_more(trained):
    found, there = trained.ic(trained.history.expected_return), trained.ic(trained.truth)
    print(json.dumps({"model": found.mean, "truth": there.mean, "share": found.mean / there.mean}))
    assert found.low > 0.0
    assert found.mean >= 0.7 * there.mean
    # The same days and outcomes on both sides: the error is that of the daily differences.
    excess, error = paired_difference(found, there)
    assert excess <= 2.0 * error


def paired_difference(a: RankIC, b: RankIC) -> tuple[float, float]:
    from vnquant.features.rank import mean_with_error

    return mean_with_error(a.daily - b.daily, lags=a.horizon - 1)


def test_on_a_normal_day_one_to_five_symbols_pass_the_filter_of_path_a(trained):
    expected, confidence = trained.history
    days = np.isfinite(confidence).any(axis=1)
    passing = ((expected > 0.03) & (confidence > 0.7)).sum(axis=1)[days]
    share = float(np.mean((passing >= 1) & (passing <= 5)))
    print(
        json.dumps(
            {"mean": float(passing.mean()), "one_to_five": share, "none": float(np.mean(passing == 0))}
        )
    )
    assert 1.0 <= np.median(passing) <= 5.0
    assert share > 0.6
    assert np.mean(passing > 5) < 0.1


@pytest.mark.parametrize("low", [0.5, 0.55, 0.6, 0.65, 0.7, 0.75])
def test_confidence_comes_true_out_of_sample(trained, low):
    expected, confidence = trained.history
    right = np.sign(expected) == np.sign(trained.forward)
    chosen = trained.known & (confidence >= low) & (confidence < low + 0.05)
    said, found = confidence[chosen].mean(), right[chosen].mean()
    print(json.dumps({"said": float(said), "right": float(found), "count": int(chosen.sum())}))
    # Outcomes of a session move together: a tenth of the pairs, at most, are independent facts.
    error = 0.5 / np.sqrt(chosen.sum() / 10)
    assert abs(found - said) < 0.02 + 2.0 * error


def test_of_forecasts_at_seven_tenths_seven_in_ten_come_true(trained):
    expected, confidence = trained.history
    at = trained.known & (confidence >= 0.67) & (confidence < 0.73)
    right = float(np.mean(np.sign(expected[at]) == np.sign(trained.forward[at])))
    assert right == pytest.approx(0.7, abs=0.04)


def test_interval_holds_what_it_promises(trained):
    assert trained.model.report.interval_coverage == pytest.approx(0.8, abs=0.03)


def test_noise_market_is_called_noise_over_twenty_seeds():
    means, errors = [], []
    config = ModelConfig(first_train_sessions=300, fold_sessions=250, threads=1)
    for seed in range(20):
        panel = SimulatedMarket(seed=100 + seed, planted=Planted.noise()).panel(date(2021, 12, 31))
        some = panel.select(panel.symbols[::2])
        model = ForecastModel(config, predictor=LightGBMPredictor(trees=40, threads=1)).fit(some)
        means.append(model.report.rank_ic.mean)
        errors.append(model.report.rank_ic.standard_error)
    t = np.array(means) / np.array(errors)
    pooled = float(np.mean(means) / (np.std(means, ddof=1) / np.sqrt(len(means))))
    print(
        json.dumps({"mean": float(np.mean(means)), "pooled_t": pooled, "t": [round(float(x), 2) for x in t]})
    )
    # Two-sided at 1 %, 19 degrees of freedom; more than 4 of 20 intervals of 95 % miss once in 400 times.
    assert abs(pooled) < 2.86
    assert int((np.abs(t) > 1.96).sum()) <= 4


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_BARS.exists(), reason="the real bars are not on this machine")
def test_rank_ic_on_the_real_bars_is_reported_beside_momentum_and_reversal(record_property):
    import pandas as pd

    panel = BarPanel.from_frame(pd.read_parquet(REAL_BARS))
    report = ForecastModel(ModelConfig(threads=1)).fit(panel).report
    told = {"model": report.rank_ic, **report.baselines}
    for name, ic in told.items():
        record_property(name, str(ic))
        print(f"{name:<10} {ic}")
    assert set(told) == {"model", "momentum", "reversal"}
    assert all(np.isfinite([ic.mean, ic.low, ic.high]).all() and ic.days > 1_500 for ic in told.values())
    assert report.interval_coverage == pytest.approx(0.8, abs=0.05)
