"""Overfitting: two settings by hand, every split by a plain loop, and what choosing is worth."""

from itertools import combinations

import numpy as np
import pytest

from vnquant.errors import AlignmentError, MissingDataError, ParameterError
from vnquant.evaluation import overfitting_report, probability_of_backtest_overfitting


def test_two_settings_and_two_blocks_by_hand():
    # The first setting wins the first half and loses the second, so each half chooses the other's loser.
    returns = np.array([[0.03, 0.01], [0.03, 0.01], [0.0, 0.02], [0.0, 0.02]])
    report = overfitting_report(returns, blocks=2, statistic="mean")
    assert report.probability == 1.0
    np.testing.assert_allclose(np.sort(report.in_sample), [0.02, 0.03])
    np.testing.assert_allclose(np.sort(report.out_of_sample), [0.0, 0.01])
    # The worse of two has relative rank 1/3.
    np.testing.assert_allclose(report.logits, np.log(0.5))
    # Both halves choose the same where one is always better: relative rank 2/3.
    better = overfitting_report(np.array([[0.03, 0.01]] * 4) + [[0.0], [0.01]] * 2, blocks=2)
    assert better.probability == 0.0
    np.testing.assert_allclose(better.logits, np.log(2.0))


def plain(returns: np.ndarray, blocks: int) -> tuple[list[float], list[float], list[float]]:
    """The paper's algorithm, one split after the other."""
    parts = np.array_split(np.arange(len(returns)), blocks)
    best_in, best_out, logits = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        halves = (
            np.concatenate([parts[b] for b in chosen]),
            np.concatenate([parts[b] for b in range(blocks) if b not in chosen]),
        )
        inside, outside = (returns[h].mean(axis=0) / returns[h].std(axis=0) for h in halves)
        best = int(np.argmax(inside))
        rank = (outside < outside[best]).sum() + ((outside == outside[best]).sum() + 1) / 2
        relative = rank / (returns.shape[1] + 1)
        best_in.append(inside[best])
        best_out.append(outside[best])
        logits.append(np.log(relative / (1 - relative)))
    return best_in, best_out, logits


@pytest.mark.parametrize("days", [240, 251])
def test_every_split_agrees_with_a_plain_loop(days):
    returns = np.random.default_rng(0).normal(0.0005, 0.01, size=(days, 17)) + 0.002 * np.arange(17) / 17
    report = overfitting_report(returns, blocks=8)
    best_in, best_out, logits = plain(returns, 8)
    assert len(report.logits) == 70
    np.testing.assert_allclose(report.in_sample, best_in, rtol=1e-9)
    np.testing.assert_allclose(report.out_of_sample, best_out, rtol=1e-9)
    np.testing.assert_allclose(report.logits, logits, atol=1e-9)
    assert report.probability == np.mean(np.array(logits) <= 0)


def test_settings_that_earn_the_same_in_all_are_overfitted_for_sure():
    """The paper's first case: what one half gains the other must lose, so the best is always the worst."""
    noise = np.random.default_rng(1).normal(0.0, 0.01, size=(400, 30))
    report = overfitting_report(noise - noise.mean(axis=0), statistic="mean")
    assert report.probability == 1.0
    assert report.slope == pytest.approx(-1.0)
    assert report.probability_of_loss == 1.0


def test_choosing_among_noise_is_a_coin_on_average_and_a_real_edge_is_found():
    rng = np.random.default_rng(2)
    noise = [probability_of_backtest_overfitting(rng.normal(size=(300, 20)), blocks=8) for _ in range(150)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.06)
    edge = rng.normal(0.0, 0.01, size=(500, 20))
    edge[:, 4] += 0.003
    report = overfitting_report(edge)
    assert report.probability < 0.01
    assert report.probability_of_loss < 0.05
    assert len(report.logits) == 12_870


def test_many_settings_are_done_in_parts_with_the_same_result(monkeypatch):
    from vnquant.evaluation import overfitting as module

    returns = np.random.default_rng(3).normal(size=(120, 9))
    whole = overfitting_report(returns, blocks=6)
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", 27)
    np.testing.assert_array_equal(overfitting_report(returns, blocks=6).logits, whole.logits)


def test_idle_settings_have_a_ratio_of_zero_and_steady_ones_the_best():
    rng = np.random.default_rng(4)
    returns = np.column_stack([np.zeros(80), rng.normal(-0.01, 0.001, size=(80, 2))])
    report = overfitting_report(returns, blocks=4)
    assert report.probability == 0.0
    np.testing.assert_array_equal(report.in_sample, 0.0)
    assert np.isnan(report.slope)
    steady = np.column_stack([np.full(80, 0.001), returns])
    assert overfitting_report(steady, blocks=4).probability == 0.0


def test_the_report_is_shown_in_text_html_and_a_frame():
    report = overfitting_report(np.random.default_rng(5).normal(size=(100, 4)), blocks=6)
    assert f"{report.probability:.3f}" in str(report)
    assert "20 of 6 blocks" in report._repr_html_()
    assert report.to_frame().shape == (20, 3)


def test_wrong_arguments_are_refused_with_what_to_do():
    returns = np.zeros((40, 3))
    with pytest.raises(AlignmentError, match="2 settings"):
        overfitting_report(returns[:, :1])
    with pytest.raises(ParameterError, match="even"):
        overfitting_report(returns, blocks=7)
    with pytest.raises(ParameterError, match="even"):
        overfitting_report(returns[:20], blocks=12)
    with pytest.raises(ParameterError, match="'mean'"):
        overfitting_report(returns, statistic="median")  # type: ignore[arg-type]
    returns[3, 1] = np.nan
    with pytest.raises(MissingDataError, match="put 0"):
        overfitting_report(returns)
