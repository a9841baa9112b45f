"""Rank IC: hand-checked days, ties, gaps, and the error of the mean."""

import numpy as np
import pytest
from scipy import stats

from vnquant.errors import AlignmentError, ParameterError
from vnquant.features import forward_return, rank_ic
from vnquant.features.rank import mean_with_error
from vnquant.market.panel import BarPanel

NAN = np.nan


def panel_of(close: np.ndarray, *, session_fraction: float = 1.0) -> BarPanel:
    days = np.datetime64("2024-01-01", "s") + np.arange(len(close)) * np.timedelta64(86_400, "s")
    symbols = tuple(f"S{n}" for n in range(close.shape[1]))
    return BarPanel(
        symbols, days, close, close, close, close, np.ones_like(close), session_fraction=session_fraction
    )


def test_forward_return_is_the_return_from_the_row_on():
    panel = panel_of(np.array([[10.0], [11.0], [12.0], [9.0]]))
    np.testing.assert_allclose(forward_return(panel, 2)[:, 0], [0.2, 9 / 11 - 1, NAN, NAN])


def test_running_session_ends_no_forward_return():
    panel = panel_of(np.array([[10.0], [11.0], [12.0]]), session_fraction=0.5)
    np.testing.assert_allclose(forward_return(panel, 1)[:, 0], [0.1, NAN, NAN])


def test_missing_bars_give_no_forward_return():
    panel = panel_of(np.array([[10.0], [NAN], [12.0], [13.0]]))
    np.testing.assert_allclose(forward_return(panel, 1)[:, 0], [NAN, NAN, 13 / 12 - 1, NAN])


def test_same_order_is_one_and_reversed_order_minus_one():
    forward = np.array([[1.0, 2, 3, 4, 5], [5.0, 4, 3, 2, 1]])
    np.testing.assert_allclose(rank_ic(np.array([[1.0, 2, 3, 4, 5]] * 2), forward).daily, [1.0, -1.0])


def test_ties_and_gaps_agree_with_scipys_spearman():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 6, size=(30, 25)).astype(float)
    forward = np.round(rng.normal(size=(30, 25)), 1)
    scores[rng.random(scores.shape) < 0.2] = NAN
    forward[rng.random(forward.shape) < 0.1] = NAN
    daily = rank_ic(scores, forward).daily
    for day in range(30):
        both = np.isfinite(scores[day]) & np.isfinite(forward[day])
        want = stats.spearmanr(scores[day][both], forward[day][both]).statistic
        assert daily[day] == pytest.approx(want, abs=1e-12)


def test_days_with_few_symbols_or_one_score_are_left_out():
    scores = np.array([[1.0, 2, 3, NAN, NAN], [4.0, 4, 4, 4, 4]])
    ic = rank_ic(scores, np.array([[1.0, 2, 3, 4, 5]] * 2))
    assert np.isnan(ic.daily).all()
    assert ic.days == 0
    assert np.isnan(ic.mean)


def test_error_of_overlapping_returns_is_wider_than_that_of_independent_ones():
    rng = np.random.default_rng(0)
    independent = rng.normal(size=4_000)
    overlapping = np.convolve(independent, np.ones(5), mode="valid")
    _, naive = mean_with_error(overlapping, lags=0)
    _, honest = mean_with_error(overlapping, lags=4)
    # A sum of five has variance 5, its mean over n has 25 / n: the naive error is short by sqrt(5), and a
    # Bartlett kernel of 4 lags finds 17 of the 25.
    assert honest / naive == pytest.approx(np.sqrt(17 / 5), rel=0.1)


def test_shapes_and_horizon_are_checked():
    with pytest.raises(AlignmentError, match="share a shape"):
        rank_ic(np.zeros((3, 2)), np.zeros((2, 3)))
    with pytest.raises(ParameterError, match="horizon"):
        forward_return(panel_of(np.ones((3, 1))), 0)
