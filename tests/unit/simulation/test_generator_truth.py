"""The truth: what is planted can be seen in the bars and comes true; noise rewards nothing."""

from datetime import date

import numpy as np
import pytest
from scipy.stats import spearmanr

from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.planted import FACTORS, Planted
from vnquant.simulation.truth import TrueIC

END = date(2025, 12, 30)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    made = SimulatedMarket(7)
    made.daily(END)
    return made


def rolling_sum(values, sessions):
    total = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values]), axis=0)
    out = np.full_like(values, np.nan)
    out[sessions - 1 :] = total[sessions:] - total[:-sessions]
    return out


def test_every_exposure_can_be_computed_from_a_symbols_own_daily_bars(market):
    """The definitions of the planted module, written again on the published bars alone."""
    truth, panel, days = market.truth_at(END), market.panel(END), market.daily(END)
    close = days.adjusted_close
    returns = np.zeros_like(close)
    returns[1:] = close[1:] / close[:-1] - 1.0
    # A split multiplies the shares traded; whoever adjusts volume with the splits sees the usual ratio.
    before = np.concatenate([np.full((20, 102), np.nan), rolling_sum(panel.volume, 20)[19:-1]]) / 20.0
    volatility = np.sqrt(rolling_sum(returns**2, 60) / 60.0)
    scaled = np.zeros_like(close)
    scaled[1:] = returns[1:] / volatility[:-1]
    event = (np.abs(scaled) >= 2.0) & (panel.volume / before >= 2.0)
    older = rolling_sum(returns, 20) - rolling_sum(returns, 5)
    quiet = rolling_sum(np.where(event, 0.0, returns), 5)
    moves = np.where(event, np.clip(scaled, -4.0, 4.0), 0.0)
    news = sum(
        left * np.concatenate([np.zeros((age, 102)), moves[: len(moves) - age]])
        for age, left in enumerate((1.0, 0.85, 0.65, 0.45, 0.3))
    )
    seen = {
        "momentum": np.clip(older / (volatility * 15**0.5), -2.5, 2.5),
        "reversal": np.clip(-quiet / (volatility * 5**0.5), -2.5, 2.5),
        "news_drift": news,
        "low_volatility": np.clip((0.023 - volatility) / 0.007, -1.5, 1.5),
    }
    rows = slice(130, None)
    assert set(seen) == set(FACTORS)
    for name, values in seen.items():
        error = np.abs(values - truth.factors[name])[rows]
        # Splits within the last 20 sessions, and ratios a hair from 2, may decide an event differently.
        assert (error < 1e-6).mean() > 0.995, name


def test_nothing_is_known_before_sixty_sessions(market):
    truth = market.truth_at(END)
    assert np.isnan(truth.expected_return[:59]).all()
    assert np.isfinite(truth.expected_return[59:]).all()
    assert np.isnan(truth.forward_return[-5:]).all()


def test_expected_returns_come_true_on_average(market):
    truth = market.truth_at(END)
    expected, came = truth.expected_return[59:-5], truth.forward_return[59:-5]
    expected = expected - expected.mean(axis=1, keepdims=True)
    came = came - came.mean(axis=1, keepdims=True)
    daily_cross, daily_square = (expected * came).sum(axis=1), (expected**2).sum(axis=1)
    slope = daily_cross.sum() / daily_square.sum()
    # Blocks of 20 sessions, since returns of 5 sessions overlap.
    usable = len(daily_cross) // 20 * 20
    left = (daily_cross - slope * daily_square)[:usable].reshape(-1, 20).sum(axis=1)
    error = np.sqrt((left**2).sum()) / daily_square.sum()
    assert abs(slope - 1.0) < 3.0 * error
    assert error < 0.05


def test_rank_ic_is_spearmans_correlation_session_by_session(market):
    truth = market.truth_at(date(2018, 6, 29))
    by_scipy = [
        spearmanr(truth.factors["news_drift"][row], truth.forward_return[row]).statistic
        for row in range(59, len(truth.sessions) - 5)
    ]
    measured = truth.rank_ic()["news_drift"]
    assert measured.mean == pytest.approx(np.mean(by_scipy), abs=1e-12)
    assert measured.sessions == len(by_scipy)


def test_default_plants_each_factor_and_more_in_total(market):
    found = market.truth_at(END).rank_ic()
    assert set(found) == {*FACTORS, "total"}
    for name in FACTORS:
        assert found[name].mean > 3.0 * found[name].standard_error, name
    assert 0.15 < found["total"].mean < 0.3
    assert found["total"].mean > max(found[name].mean for name in FACTORS)


def test_rank_ic_of_one_half_agrees_with_the_other_within_its_error(market):
    whole, half = market.truth_at(END), market.truth_at(date(2021, 12, 31))
    second = np.where(whole.sessions[:, None] > half.sessions[-1], whole.expected_return, np.nan)
    late, early = whole.ic_of(second), half.rank_ic()["total"]
    error = (late.standard_error**2 + early.standard_error**2) ** 0.5
    assert abs(late.mean - early.mean) < 3.5 * error


@pytest.mark.parametrize("seed", [1, 2])
def test_realistic_factors_have_the_rank_ics_of_published_studies(seed):
    found = SimulatedMarket(seed, Planted.realistic()).truth_at(END).rank_ic()
    for name in FACTORS:
        slack = 1.5 * found[name].standard_error
        assert 0.02 - slack < found[name].mean < 0.05 + slack, name


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_planted_alone_is_found_alone(name):
    truth = SimulatedMarket(11, Planted(**{name: 0.12})).truth_at(date(2022, 12, 30))
    assert set(truth.rank_ic()) == {name, "total"}
    assert truth.rank_ic()[name].mean > 4.0 * truth.rank_ic()[name].standard_error


def test_noise_expects_exactly_nothing():
    truth = SimulatedMarket(3, Planted.noise()).truth_at(date(2019, 12, 31))
    assert truth.rank_ic() == {}
    assert (truth.expected_return[59:] == 0.0).all()


def test_noise_rewards_no_factor_over_several_seeds():
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in FACTORS}
    for seed in range(5):
        truth = SimulatedMarket(seed, Planted.noise()).truth_at(date(2022, 12, 30))
        for name in FACTORS:
            measured: TrueIC = truth.ic_of(truth.factors[name])
            errors[name].append((measured.mean, measured.standard_error))
    for name, pairs in errors.items():
        means, spread = np.array(pairs).T
        assert abs(means.mean()) < 3.0 * np.sqrt((spread**2).sum()) / len(pairs), name


def test_on_a_normal_day_one_to_five_symbols_are_worth_buying(market):
    """Expected 5-session return above 3 %, and above 0.52 of its own deviation: the right sign in 7 of 10."""
    truth, days = market.truth_at(END), market.daily(END)
    returns = np.diff(np.log(days.adjusted_close), axis=0, prepend=np.nan)
    deviation = np.sqrt(5.0 * rolling_sum(np.nan_to_num(returns) ** 2, 60) / 60.0)
    chosen = (truth.expected_return > 0.03) & (truth.expected_return > 0.524 * deviation)
    count = chosen[60:].sum(axis=1)
    assert np.percentile(count, 25) >= 1
    assert np.percentile(count, 90) <= 5
    right = truth.forward_return[chosen & np.isfinite(truth.forward_return)] > 0
    assert right.mean() > 0.7
