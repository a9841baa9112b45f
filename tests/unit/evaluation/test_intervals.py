"""Intervals of means: by formula, on short series, and how often they hold the truth."""

import numpy as np
import pytest

from vnquant.errors import ParameterError
from vnquant.evaluation import block_bootstrap, newey_west
from vnquant.evaluation.intervals import lags_for


def overlapping(rng: np.random.Generator, days: int, horizon: int) -> np.ndarray:
    return np.convolve(rng.normal(size=days + horizon - 1), np.ones(horizon), mode="valid")


def test_the_error_is_the_weighted_double_sum_over_all_pairs_of_days():
    x = overlapping(np.random.default_rng(0), 60, 5)
    away = x - x.mean()
    apart = np.abs(np.subtract.outer(np.arange(60), np.arange(60)))
    weights = np.maximum(0.0, 1.0 - apart / 10.0)
    want = np.sqrt(away @ weights @ away) / 60.0
    assert newey_west(x, lags=9).standard_error == pytest.approx(want, rel=1e-9)


def test_without_lags_it_is_the_error_of_independent_days():
    x = np.random.default_rng(0).normal(1.0, 2.0, size=5_000)
    found = newey_west(x, lags=0)
    assert found.standard_error == pytest.approx(x.std() / np.sqrt(5_000))
    assert found.high - found.mean == pytest.approx(1.96 * found.standard_error, rel=1e-3)
    assert found.p_value < 1e-12
    assert not found.is_zero


def test_published_critical_values_of_wide_bandwidths():
    """With all lags 4.771 (Kiefer & Vogelsang 2002, Econometrica 70); here from their later polynomial."""
    x = np.random.default_rng(0).normal(size=40)
    found = newey_west(x, lags=39)
    assert (found.high - found.mean) / found.standard_error == pytest.approx(4.771, rel=0.02)


def test_missing_days_are_left_out_and_few_days_have_no_interval():
    x = np.random.default_rng(0).normal(size=30)
    gaps = np.insert(x, [3, 9, 30], np.nan)
    assert newey_west(gaps, lags=2) == newey_west(x, lags=2)
    few = newey_west(x[:9], lags=0)
    assert few.count == 9
    assert np.isnan([few.standard_error, few.low, few.high, few.p_value]).all()
    assert few.is_zero
    assert np.isnan(newey_west(np.full(5, np.nan), lags=1).mean)
    assert np.isnan(block_bootstrap(np.full(5, np.nan), horizon=1, rng=np.random.default_rng(0)).mean)


@pytest.mark.parametrize(("days", "horizon"), [(250, 1), (250, 5), (250, 10), (60, 5)])
def test_of_intervals_of_means_of_overlapping_returns_nine_in_ten_or_more_hold_the_truth(days, horizon):
    rng = np.random.default_rng(4)
    held = sum(
        newey_west(overlapping(rng, days, horizon), lags=lags_for(horizon, days)).is_zero for _ in range(600)
    )
    assert 0.90 <= held / 600 <= 0.98


def test_bootstrap_intervals_hold_the_truth_as_often():
    rng = np.random.default_rng(5)
    found = [block_bootstrap(overlapping(rng, 250, 5), horizon=5, rng=rng, draws=300) for _ in range(200)]
    assert 0.89 <= np.mean([e.is_zero for e in found]) <= 0.985


def test_p_values_without_merit_are_spread_evenly():
    rng = np.random.default_rng(6)
    p = [newey_west(rng.normal(size=500), lags=lags_for(1, 500)).p_value for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(p) == pytest.approx(0.5, abs=0.05)


def test_a_bootstrap_of_a_handful_of_draws_is_refused():
    with pytest.raises(ParameterError, match="100 draws"):
        block_bootstrap(np.ones(20), horizon=1, rng=np.random.default_rng(0), draws=10)
