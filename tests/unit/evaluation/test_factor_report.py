"""The report: planted factors are found at their strength, noise is called noise, and both are shown."""

from datetime import date

import numpy as np
import pytest

from vnquant.evaluation import Verdict, factor_report
from vnquant.market.panel import BarPanel
from vnquant.simulation import Planted, SimulatedMarket, Truth

END = date(2022, 12, 30)


@pytest.fixture(scope="module")
def planted() -> tuple[BarPanel, Truth]:
    market = SimulatedMarket(seed=7, planted=Planted.default())
    return market.panel(END), market.truth_at(END)


@pytest.fixture(scope="module")
def noise() -> BarPanel:
    return SimulatedMarket(seed=5, planted=Planted.noise()).panel(END)


def persistent(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return scores without merit that last for about twenty days, as an agent's do."""
    scores = rng.normal(size=shape)
    for day in range(1, len(scores)):
        scores[day] = 0.95 * scores[day - 1] + np.sqrt(1 - 0.95**2) * scores[day]
    return scores


@pytest.mark.parametrize("name", ["momentum", "reversal", "news_drift", "low_volatility"])
def test_a_planted_factor_is_found_at_its_true_strength_in_either_half(planted, name):
    panel, truth = planted
    report = factor_report(truth.factors[name], panel, horizons=(5,))
    assert report.verdict is Verdict.PREDICTS
    assert report.at(5).rank_ic.mean == pytest.approx(truth.rank_ic()[name].mean, abs=1e-3)
    # What the first half says holds for the second, as far as both are sure.
    half = len(panel.timestamps) // 2
    early, late = (
        factor_report(truth.factors[name][rows], panel.rows(rows), horizons=(5,)).at(5).rank_ic
        for rows in (slice(0, half), slice(half, None))
    )
    error = np.hypot(early.standard_error, late.standard_error)
    assert abs(early.mean - late.mean) < 3.0 * error
    assert report.at(5).quantiles[-1].excess.mean > 0.0 > report.at(5).quantiles[0].excess.mean


def test_the_whole_expected_return_ranks_the_quantiles_and_hits_more_than_chance(planted):
    panel, truth = planted
    report = factor_report(truth.expected_return, panel)
    excess = [q.excess.mean for q in report.at(5).quantiles]
    assert excess == sorted(excess)
    assert report.at(5).hit_edge.low > 0.0
    assert report.at(1).autocorrelation > report.at(10).autocorrelation
    assert report.at(1).quantiles[-1].turnover < report.at(10).quantiles[-1].turnover
    assert report.sharpe(trials=1_000).is_believable
    best, least = report.sharpe(horizon=5, leg="spread"), report.sharpe(trials=1_000, horizon=5, leg="spread")
    assert best.sharpe == least.sharpe
    assert best.observations == pytest.approx(report.at(5).rank_ic.count / 5, abs=1)
    assert best.periods_per_year == pytest.approx(50, abs=1)
    assert best.luck == 0.0 < least.luck


def test_the_opposite_of_a_factor_predicts_the_opposite(planted):
    panel, truth = planted
    report = factor_report(-truth.expected_return, panel, interval="bootstrap")
    assert report.verdict is Verdict.INVERSE
    assert report.at(5).spread.high < 0.0


def test_momentum_and_reversal_in_a_market_without_either_are_noise(noise):
    close = noise.close
    for days in (5, 20, 60):
        score = np.full_like(close, np.nan)
        score[days:] = close[days:] / close[:-days] - 1.0
        report = factor_report(score, noise)
        assert report.verdict is Verdict.NOISE, str(report)
        assert not report.sharpe(trials=20).is_believable


def test_of_scores_without_merit_few_are_called_anything_but_noise(noise):
    rng = np.random.default_rng(1)
    called = [factor_report(persistent(noise.shape, rng), noise, horizons=(1, 5)).verdict for _ in range(60)]
    # At 5 % each, more than 8 of 60 come once in 300 times.
    assert sum(verdict is not Verdict.NOISE for verdict in called) <= 8
    assert Verdict.UNMEASURED not in called


def test_the_best_of_many_tries_on_noise_is_not_believed(noise):
    rng = np.random.default_rng(2)
    reports = [factor_report(persistent(noise.shape, rng), noise, horizons=(1,)) for _ in range(40)]
    plain = [report.sharpe() for report in reports]
    best = max(range(40), key=lambda k: plain[k].sharpe)
    assert plain[best].probabilistic > 0.9
    tried = reports[best].sharpe(trials=40, trial_sharpes=np.array([s.sharpe for s in plain]))
    assert not tried.is_believable
    assert tried.deflated < 0.9


def test_a_constant_score_is_not_measured():
    close = 10_000.0 * np.exp(np.random.default_rng(0).normal(0, 0.02, size=(40, 8)).cumsum(axis=0))
    days = np.datetime64("2024-01-01", "s") + np.arange(40) * np.timedelta64(86_400, "s")
    panel = BarPanel(tuple("ABCDEFGH"), days, close, close, close, close, np.ones_like(close))
    report = factor_report(np.ones_like(close), panel)
    assert report.verdict is Verdict.UNMEASURED
    assert "does not differ between symbols" in str(report)


def test_the_report_is_shown_in_text_html_and_frames(planted):
    panel, truth = planted
    report = factor_report(truth.expected_return, panel, others={"<bear>": -truth.expected_return})
    text, page = str(report), report._repr_html_()
    assert text.startswith("The score predicts returns: rank IC +")
    assert "-1.000" in text
    assert page.count("<table>") == 3
    assert "&lt;bear&gt;" in page
    assert "<bear>" not in page
    assert len(page) < 4_000
    assert report.rank_ic.shape == (len(panel.timestamps), 3)
    assert report.rank_ic is report.rank_ic
    frame = report.to_frame()
    assert frame.index.tolist() == [1, 5, 10]
    assert frame.loc[5, "verdict"] == "predicts"
    assert frame.loc[5, "rank_ic"] == pytest.approx(report.rank_ic[5].mean(), abs=1e-12)
    assert report.quantile_returns.index.names == ["horizon", "quantile"]
    assert report.turnover.columns.names == ["horizon", "quantile"]


def test_bootstrap_and_newey_west_agree_and_the_bootstrap_repeats_itself(planted):
    panel, truth = planted
    some = [factor_report(truth.factors["momentum"], panel, interval=i, seed=3) for i in ("bootstrap",) * 2]
    plain = factor_report(truth.factors["momentum"], panel)
    assert some[0].at(5) == some[1].at(5)
    assert some[0].at(5).rank_ic.mean == plain.at(5).rank_ic.mean
    assert some[0].at(5).rank_ic.standard_error == pytest.approx(plain.at(5).rank_ic.standard_error, rel=0.15)


def test_a_clear_horizon_among_many_is_noise_and_the_headline_says_why(noise):
    rng = np.random.default_rng(1)
    for _ in range(80):
        report = factor_report(persistent(noise.shape, rng), noise, horizons=(1, 2, 3, 5, 10))
        if report.verdict is Verdict.NOISE and any(f.verdict is not Verdict.NOISE for f in report.findings):
            break
    else:
        pytest.fail("of 80 scores none stood out at a single horizon")
    assert "is not told from noise" in str(report)
    assert "the clearest of 5 horizons, too little for so many tries" in str(report)
