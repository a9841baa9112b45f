"""A score's days: two days of four symbols by hand, then against pandas and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vnquant.agents import Scores
from vnquant.errors import AlignmentError, MissingDataError, ParameterError
from vnquant.evaluation import FactorReport, factor_report, forward_return, rank_ic
from vnquant.evaluation.ranking import quantile_of, ranked
from vnquant.market.panel import BarPanel

NAN = np.nan


def panel_of(close: np.ndarray, *, session_fraction: float = 1.0) -> BarPanel:
    days = np.datetime64("2024-01-01", "s") + np.arange(len(close)) * np.timedelta64(86_400, "s")
    names = tuple(f"S{n}" for n in range(close.shape[1]))
    return BarPanel(
        names, days, close, close, close, close, np.ones_like(close), session_fraction=session_fraction
    )


# -- two days, four symbols ---------------------------------------------------------------------------------

# The first day's returns are +1, +2, +3, +4 %, the second day's -10, +10, 0, +20 %.
FIRST = np.array([1.01, 1.02, 1.03, 1.04])
CLOSE = 1000.0 * np.array([[1.0] * 4, FIRST, FIRST * [0.9, 1.1, 1.0, 1.2]])
SCORES = np.array([[-0.5, -0.5, 0.5, 0.5], [0.4, 0.3, -0.2, -0.1], [0.0, 0.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def by_hand() -> FactorReport:
    return factor_report(SCORES, panel_of(CLOSE), horizons=(1,), quantiles=2, min_symbols=2)


def test_rank_ic_by_hand(by_hand):
    # Day 1: score ranks 1.5 1.5 3.5 3.5 against 1 2 3 4: 4 / sqrt(4 x 5). Day 2: 4 3 1 2 against 1 3 2 4:
    # products of deviations 1.5 x -1.5, 0.5 x 0.5, -1.5 x -0.5, -0.5 x 1.5 sum to -2; 5 x 5 under the root.
    np.testing.assert_allclose(by_hand.days.rank_ic[:, 0], [4 / np.sqrt(20), -0.4, NAN], rtol=1e-12)
    assert by_hand.rank_ic.index.name == "date"
    assert by_hand.rank_ic.columns.tolist() == [1]
    assert by_hand.rank_ic.index[0] == pd.Timestamp("2024-01-01")


def test_quantile_returns_counts_and_spread_by_hand(by_hand):
    np.testing.assert_allclose(by_hand.days.quantile_returns[0, :, 0], [0.015, 0.035])
    np.testing.assert_allclose(by_hand.days.quantile_returns[1, :, 0], [0.1, 0.0], atol=1e-15)
    assert np.isnan(by_hand.days.quantile_returns[2]).all()
    table = by_hand.quantile_returns
    np.testing.assert_allclose(table["mean"], [0.0575, 0.0175])
    # Means of all four are 2.5 % and 5 %: the least quantile is 1 % below, then 5 % above.
    np.testing.assert_allclose(table["excess"], [0.02, -0.02])
    assert table["count"].tolist() == [4, 4]
    assert by_hand.at(1).spread.mean == pytest.approx(-0.04)


def test_hit_rate_by_hand_is_told_with_what_chance_would_give(by_hand):
    # Day 1: two of four right, all rose, so chance gives the same. Day 2: the score of the unchanged one does
    # not count; +0.4 fell, +0.3 rose, -0.1 rose: one of three; by chance (2 x 2 + 1 x 1) / 9.
    np.testing.assert_allclose(by_hand.days.hit_rate[:2, 0], [0.5, 1 / 3])
    np.testing.assert_allclose(by_hand.days.chance[:2, 0], [0.5, 5 / 9])
    assert by_hand.at(1).hit_edge.mean == pytest.approx((0.0 + 1 / 3 - 5 / 9) / 2)


def test_turnover_and_autocorrelation_by_hand(by_hand):
    # On day 2 both halves have changed sides; on day 3 all scores are equal, and stand together in the lower.
    np.testing.assert_allclose(by_hand.days.turnover[:, :, 0], [[NAN, NAN], [1.0, 1.0], [0.5, NAN]])
    # Ranks -1 -1 1 1 and 1.5 0.5 -1.5 -0.5: -4 / sqrt(4 x 5); a day of equals has no order.
    np.testing.assert_allclose(by_hand.days.autocorrelation[:, 0], [NAN, -4 / np.sqrt(20), NAN], rtol=1e-12)
    assert by_hand.days.quantile_counts.tolist() == [[2, 2], [2, 2], [4, 0]]


def test_two_days_are_too_few_for_an_interval_and_it_says_so(by_hand):
    assert np.isnan(by_hand.at(1).rank_ic.low)
    assert str(by_hand.verdict) == "not measured"
    assert "could not be measured" in str(by_hand)


# -- against scipy and pandas -------------------------------------------------------------------------------

HORIZONS = (1, 5, 10)


def ragged(rows: int, columns: int, *, ties: bool) -> tuple[np.ndarray, BarPanel]:
    """Return scores and a panel with late listings, gaps, and prices on a tick so coarse that returns tie."""
    rng = np.random.default_rng(11)
    close = 20_000.0 * np.exp(rng.normal(0.0, 0.02, size=(rows, columns)).cumsum(axis=0))
    scores = rng.normal(size=close.shape)
    if ties:
        close = np.round(close / 200.0) * 200.0
        scores = np.round(scores, 1)
    close[: rows // 2, : columns // 5] = NAN
    close[rng.random(close.shape) < 0.03] = NAN
    scores[:7] = NAN
    scores[rng.random(close.shape) < 0.05] = NAN
    return scores, panel_of(close)


@pytest.fixture(scope="module", params=[False, True], ids=["no ties", "ties"])
def case(request) -> tuple[np.ndarray, BarPanel, FactorReport]:
    # 900 rows make several blocks of days.
    scores, panel = ragged(900, 103, ties=request.param)
    other = np.where(np.isfinite(scores), np.round(scores + np.arange(103) / 20.0, 1), NAN)
    other[::3, 5:40] = NAN
    return (
        scores,
        panel,
        factor_report(scores, panel, horizons=HORIZONS, others={"other": other, "self": scores}),
    )


def test_rank_ic_is_scipys_on_every_day(case):
    scores, panel, report = case
    for k, horizon in enumerate(HORIZONS):
        forward = forward_return(panel, horizon)
        np.testing.assert_allclose(report.days.rank_ic[:, k], rank_ic(scores, forward).daily, atol=1e-12)
        for day in range(10, 900, 41):
            both = np.isfinite(scores[day]) & np.isfinite(forward[day])
            if both.sum() >= 5:
                want = stats.spearmanr(scores[day][both], forward[day][both]).statistic
                assert report.days.rank_ic[day, k] == pytest.approx(want, abs=1e-9)


def test_quantiles_are_those_of_exact_fractions_and_of_qcut_without_ties(case):
    scores, _, report = case
    bins = quantile_of(ranked(scores), 5, min_symbols=5)
    for day in range(7, 900, 13):
        known = np.isfinite(scores[day])
        values, n = scores[day][known], int(known.sum())
        twice_rank = np.array([int((values < v).sum() * 2 + (values == v).sum() - 1) for v in values])
        want = np.clip(-(-twice_rank * 5 // (2 * (n - 1))) - 1, 0, 4)
        assert bins[day][known].tolist() == want.tolist()
        assert (bins[day][~known] == 5).all()
        if len(set(values)) == n and (n - 1) % 5:
            assert bins[day][known].tolist() == pd.qcut(values, 5, labels=False).tolist()
    counts = np.stack([(bins == q).sum(axis=1) for q in range(5)], axis=1)
    np.testing.assert_array_equal(report.days.quantile_counts, counts)


def test_quantile_returns_and_turnover_are_those_of_a_long_frame(case):
    scores, panel, report = case
    bins = quantile_of(ranked(scores), 5, min_symbols=5)
    for horizon in HORIZONS:
        forward = forward_return(panel, horizon)
        long = pd.DataFrame(
            {
                "day": np.repeat(np.arange(900), 103),
                "quantile": bins.ravel(),
                "forward": forward.ravel(),
                "before": np.vstack([np.full((horizon, 103), -1), bins[:-horizon]]).ravel(),
            }
        )
        long = long[long["quantile"] < 5]
        known = long.dropna()
        enough = known.groupby("day")["forward"].transform("size") >= 5
        want = known[enough].pivot_table("forward", "day", "quantile")
        found = report.daily_quantile_returns[horizon].reset_index(drop=True).iloc[want.index]
        np.testing.assert_allclose(found, want, atol=1e-9)
        assert report.daily_quantile_returns[horizon].notna().sum().sum() == want.notna().sum().sum()
        pairs = known.groupby(["day", "quantile"]).size().groupby("quantile").sum()
        assert report.quantile_returns.loc[horizon, "count"].tolist() == pairs.tolist()
        left = long.assign(left=long["quantile"] != long["before"]).pivot_table("left", "day", "quantile")
        later = left.loc[left.index >= 7 + horizon]
        turned = report.turnover[horizon].reset_index(drop=True).iloc[later.index]
        np.testing.assert_allclose(turned, later, atol=1e-9)


def test_autocorrelation_and_overlap_are_pandas(case):
    scores, _, report = case
    ranks = pd.DataFrame(scores).rank(axis=1)
    for k, horizon in enumerate(HORIZONS):
        want = ranks.corrwith(ranks.shift(horizon), axis=1)
        np.testing.assert_allclose(report.days.autocorrelation[:, k], want, atol=1e-9)
    np.testing.assert_allclose(report.overlap["self"].dropna(), 1.0, atol=1e-12)
    assert report.overlap["other"].notna().sum() == 893
    assert 0.2 < report.overlap["other"].mean() < 0.9


def test_hit_rate_is_the_share_of_right_signs(case):
    scores, panel, report = case
    forward = forward_return(panel, 5)
    for day in range(7, 890, 59):
        counts = np.isfinite(scores[day] * forward[day]) & (scores[day] * forward[day] != 0.0)
        want = np.mean(np.sign(scores[day][counts]) == np.sign(forward[day][counts]))
        assert report.days.hit_rate[day, 1] == pytest.approx(want, abs=1e-12)


# -- properties ---------------------------------------------------------------------------------------------


def test_only_the_order_of_scores_counts_and_the_opposite_score_says_the_opposite():
    scores, panel = ragged(200, 31, ties=True)
    report = factor_report(scores, panel)
    other_scale = factor_report(np.exp(scores), panel)
    np.testing.assert_array_equal(report.days.rank_ic, other_scale.days.rank_ic)
    np.testing.assert_array_equal(report.days.quantile_returns, other_scale.days.quantile_returns)
    opposite = factor_report(-scores, panel)
    np.testing.assert_allclose(opposite.days.rank_ic, -report.days.rank_ic, atol=1e-12)
    both_ways = opposite.days.hit_rate + report.days.hit_rate
    assert np.isfinite(both_ways).sum() > 500
    np.testing.assert_allclose(both_ways[np.isfinite(both_ways)], 1.0)


def test_the_future_moves_no_quantile_and_an_unknown_score_moves_nothing():
    scores, panel = ragged(300, 31, ties=False)
    report, early = factor_report(scores, panel), factor_report(scores[:250], panel.rows(slice(0, 250)))
    np.testing.assert_array_equal(report.days.quantile_counts[:250], early.days.quantile_counts)
    np.testing.assert_array_equal(report.days.turnover[:250], early.days.turnover)
    np.testing.assert_array_equal(report.days.rank_ic[:240], early.days.rank_ic[:240])
    close = np.column_stack([panel.close, np.full(300, 5_000.0)])
    wider = factor_report(np.column_stack([scores, np.full(300, NAN)]), panel_of(close))
    np.testing.assert_array_equal(wider.days.rank_ic, report.days.rank_ic)


def test_a_running_session_has_a_score_but_ends_no_return():
    scores, panel = ragged(60, 20, ties=False)
    running = panel_of(panel.close, session_fraction=0.4)
    days = factor_report(scores, running, horizons=(1,)).days
    assert np.isnan(days.rank_ic[-2:]).all()
    assert np.isfinite(days.rank_ic[-3])
    assert days.quantile_counts[-1].sum() > 0


def test_scores_of_an_agent_are_taken_as_they_are():
    scores, panel = ragged(80, 12, ties=False)
    given = np.tanh(scores)
    told = Scores(score=given, confidence=np.where(np.isfinite(given), 0.5, 0.0))
    a, b = factor_report(told, panel, others={"me": told}), factor_report(given, panel)
    np.testing.assert_array_equal(a.days.rank_ic, b.days.rank_ic)


def test_a_horizon_beyond_the_history_is_not_measured_and_the_others_are():
    scores, panel = ragged(60, 20, ties=False)
    report = factor_report(scores, panel, horizons=(1, 80))
    assert [str(f.verdict) for f in report.findings] in (
        ["noise", "not measured"],
        ["predicts", "not measured"],
    )
    assert np.isnan(report.days.turnover[:, :, 1]).all()
    assert report.at(80).rank_ic.count == 0


def test_wrong_arguments_are_refused_with_what_to_do():
    scores, panel = ragged(40, 12, ties=False)
    with pytest.raises(AlignmentError, match="Score this very panel"):
        factor_report(scores[1:], panel)
    with pytest.raises(AlignmentError, match=r"others\['x'\]"):
        factor_report(scores, panel, others={"x": scores[:, 1:]})
    with pytest.raises(ParameterError, match="horizons"):
        factor_report(scores, panel, horizons=(5, 5))
    with pytest.raises(ParameterError, match="quantiles"):
        factor_report(scores, panel, quantiles=1)
    with pytest.raises(ParameterError, match="newey-west"):
        factor_report(scores, panel, interval="bayes")  # type: ignore[arg-type]
    with pytest.raises(MissingDataError, match="No day has 5 symbols"):
        factor_report(np.full_like(scores, NAN), panel)
    with pytest.raises(ParameterError, match="horizons"):
        factor_report(scores, panel).at(7)
