"""Sharpe ratios that can be believed: the examples of the papers, then properties."""

import math

import numpy as np
import pytest
from scipy import stats

from vnquant.errors import MissingDataError, ParameterError
from vnquant.evaluation import (
    deflated_sharpe_ratio,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe_ratio,
    sharpe_report,
)


class TestPublishedExamples:
    """Bailey & Lopez de Prado, The Sharpe ratio efficient frontier (2012), The deflated ratio (2014)."""

    # Two years of monthly returns with a Sharpe ratio of 0.458 a month, 1.59 a year.
    def test_a_hedge_fund_looks_sure_if_its_returns_were_normal(self):
        assert probabilistic_sharpe_ratio(0.458, observations=24) == pytest.approx(0.982, abs=5e-4)

    def test_and_less_so_with_the_tails_it_has(self):
        found = probabilistic_sharpe_ratio(0.458, skewness=-2.448, kurtosis=10.164, observations=24)
        assert found == pytest.approx(0.913, abs=5e-4)

    @pytest.mark.parametrize(
        ("periods", "skewness", "kurtosis", "years"),
        [(252, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
    )
    def test_years_to_tell_an_annual_ratio_of_two_from_one(self, periods, skewness, kurtosis, years):
        found = minimum_track_record(
            2.0 / math.sqrt(periods), benchmark=1.0 / math.sqrt(periods), skewness=skewness, kurtosis=kurtosis
        )
        assert found / periods == pytest.approx(years, abs=6e-3)

    # An annual ratio of 2.5 over 1,250 days of 250 a year; the trials' annual ratios have a variance of 1/2.
    SHARPE = 2.5 / math.sqrt(250)

    def test_luck_of_a_hundred_trials(self):
        assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)

    @pytest.mark.parametrize(
        ("trials", "skewness", "kurtosis", "probability"),
        [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
    )
    def test_deflated_ratios(self, trials, skewness, kurtosis, probability):
        found = deflated_sharpe_ratio(
            self.SHARPE,
            observations=1250,
            trials=trials,
            trial_variance=0.5 / 250,
            skewness=skewness,
            kurtosis=kurtosis,
        )
        assert found == pytest.approx(probability, abs=5e-5)


def test_the_probability_is_that_of_scipys_normal_distribution():
    rng = np.random.default_rng(0)
    for _ in range(50):
        sharpe, skew, n = rng.normal(0, 0.1), rng.normal(0, 1), int(rng.integers(20, 2000))
        kurtosis = 1.5 + skew**2 + rng.gamma(2.0)
        spread = np.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (n - 1))
        found = probabilistic_sharpe_ratio(
            sharpe, observations=n, skewness=skew, kurtosis=kurtosis, benchmark=0.02
        )
        assert found == pytest.approx(stats.norm.cdf((sharpe - 0.02) / spread), abs=1e-9)


def test_expected_maximum_is_near_that_of_drawn_normals():
    rng = np.random.default_rng(1)
    for trials in (5, 50, 500):
        drawn = rng.normal(size=(4_000, trials)).max(axis=1).mean()
        assert expected_maximum_sharpe(trials, 1.0) == pytest.approx(drawn, rel=0.05)


def test_one_trial_is_no_selection_and_more_trials_deflate_more():
    one = deflated_sharpe_ratio(0.1, observations=500, trials=1)
    assert one == probabilistic_sharpe_ratio(0.1, observations=500)
    deflated = [deflated_sharpe_ratio(0.1, observations=500, trials=n) for n in (1, 1.1, 2, 10, 100, 1_000)]
    assert deflated == sorted(deflated, reverse=True)


def test_trials_that_resemble_each_other_count_for_fewer():
    assert effective_trials(100, 0.0) == 100
    assert effective_trials(100, 1.0) == 1
    assert effective_trials(100, 0.75) == pytest.approx(25.75)
    assert effective_trials(100, -0.2) == 100


def test_a_report_takes_the_moments_from_the_returns():
    rng = np.random.default_rng(2)
    returns = rng.standard_t(5, size=600) * 0.01 + 0.001
    report = sharpe_report(np.insert(returns, 5, np.nan), trials=30)
    assert report.observations == 600
    assert report.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-12)
    assert report.skewness == pytest.approx(stats.skew(returns), rel=1e-9)
    assert report.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-9)
    assert report.annual == pytest.approx(report.sharpe * math.sqrt(250))
    want = deflated_sharpe_ratio(
        report.sharpe, observations=600, trials=30, skewness=report.skewness, kurtosis=report.kurtosis
    )
    assert report.deflated == want
    assert "best of 30 tries by luck alone" in str(report)
    assert "<table>" in report._repr_html_()


def test_sharpes_of_all_trials_give_their_number_and_variance():
    returns = np.random.default_rng(3).normal(0.001, 0.01, size=500)
    tried = [0.01, 0.05, -0.02, 0.1]
    report = sharpe_report(returns, trial_sharpes=tried)
    assert report.trials == 4
    assert report.luck == expected_maximum_sharpe(4, float(np.var(tried, ddof=1)))


def test_of_luck_chosen_from_many_few_are_believed():
    rng = np.random.default_rng(4)
    believed = 0
    for _ in range(200):
        tried = rng.normal(0.0, 0.01, size=(250, 50))
        ratios = tried.mean(axis=0) / tried.std(axis=0, ddof=1)
        believed += sharpe_report(tried[:, ratios.argmax()], trials=50).is_believable
    assert believed / 200 < 0.06


def test_wrong_arguments_are_refused_with_what_to_do():
    with pytest.raises(ParameterError, match="add 3 to an excess"):
        probabilistic_sharpe_ratio(2.0, observations=100, skewness=0.0, kurtosis=0.0)
    with pytest.raises(ParameterError, match="1 or more"):
        deflated_sharpe_ratio(0.1, observations=100, trials=0)
    with pytest.raises(ParameterError, match="2 or more"):
        probabilistic_sharpe_ratio(0.1, observations=1)
    with pytest.raises(ParameterError, match="variance"):
        expected_maximum_sharpe(10, -1.0)
    with pytest.raises(ParameterError, match="such as"):
        minimum_track_record(0.1, confidence=95)
    with pytest.raises(ParameterError, match="at most 1"):
        effective_trials(10, 1.5)
    with pytest.raises(MissingDataError, match="all the same"):
        sharpe_report(np.full(10, 0.01))
    with pytest.raises(MissingDataError, match="3 returns"):
        sharpe_report(np.array([0.01, np.nan]))
    with pytest.raises(ParameterError, match="trial_sharpes"):
        sharpe_report(np.array([0.01, 0.02, 0.0]), trial_sharpes=[0.1])
    assert minimum_track_record(0.1, benchmark=0.2) == math.inf
