"""Forked arrays: what they give at a last row is what plain arrays give there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.features.conftest import synthetic_panel
from vnquant.errors import InputError
from vnquant.features import DEFAULT_FEATURES, FeatureInputs, FeatureSet
from vnquant.features import indicators as ind
from vnquant.features.forks import Forked
from vnquant.features.recurrence_kernel import recursive_average
from vnquant.market import OHLCV, RunningSession

ROWS = 360


def forked_panel(instants: int = 6, *, missing: bool = False):
    """Return a running session whose instants are later rows of a panel, and the panels they stand for."""
    panel = synthetic_panel(rows=ROWS + instants, gaps=False)
    past = panel.rows(slice(0, ROWS))
    last = {name: getattr(panel, name)[ROWS:].copy() for name in OHLCV}
    if missing:
        for name in OHLCV:
            last[name][0] = np.nan
            last[name][2, 3] = np.nan
    day = panel.timestamps[ROWS]
    running = RunningSession(
        complete=past,
        session=day,
        instants=day + np.arange(instants) * np.timedelta64(60, "s"),
        fraction=np.linspace(0.2, 1.0, instants),
        **last,
    )
    return running, [running.panel(k) for k in range(instants)]


@pytest.mark.parametrize("feature", DEFAULT_FEATURES, ids=lambda f: f.name)
def test_a_feature_of_forks_is_that_of_each_panel(feature):
    running, panels = forked_panel(missing=True)
    features = FeatureSet([feature], context=False)
    at_once = features.compute_session(running)[:, :, 0]
    for k, panel in enumerate(panels):
        if panel.shape[0] == ROWS:  # nothing had matched: there is no last row of this session
            assert np.isnan(at_once[k]).all()
            continue
        one_by_one = features.compute(panel).values[-1, :, 0]
        np.testing.assert_allclose(at_once[k], one_by_one, rtol=1e-9, atol=1e-12, err_msg=feature.name)


def test_the_market_context_is_that_of_completed_sessions():
    running, panels = forked_panel()
    features = FeatureSet(DEFAULT_FEATURES[:1])
    at_once = features.compute_session(running)
    for k, panel in enumerate(panels):
        np.testing.assert_allclose(at_once[k], features.compute(panel).values[-1], rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.sampled_from(["mean", "sum", "std", "max", "min"]))
def test_windows_fold_any_last_row_into_any_history(window, seed, kind):
    if kind == "std" and window < 2:
        window = 2
    rng = np.random.default_rng(seed)
    history = rng.normal(size=(80, 3))
    last = rng.normal(size=(4, 3))
    last[rng.random(last.shape) < 0.2] = np.nan
    rolling = getattr(ind, f"rolling_{kind}")
    forked = rolling(Forked.of(history, last), window)
    for k in range(len(last)):
        plain = rolling(np.vstack([history, last[k]]), window)
        np.testing.assert_allclose(forked.last[k], plain[-1], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(forked.tail(10), plain[-11:-1], rtol=1e-9, atol=1e-12)


def test_a_missing_last_row_changes_no_other_and_leaves_the_window_before_it():
    rng = np.random.default_rng(3)
    history, last = rng.normal(size=(40, 6)), rng.normal(size=(5, 6))
    history[30, 2] = np.nan  # fewer values in one column
    history[:25, 4] = np.nan  # and in another too few for a window of 20
    some = np.where(rng.random(last.shape) < 0.3, np.nan, last)
    for rolling in (ind.rolling_sum, ind.rolling_mean, ind.rolling_std, ind.rolling_max, ind.rolling_min):
        whole, holed = (rolling(Forked.of(history, x), 20, min_count=12).last for x in (last, some))
        there = np.isfinite(some)
        np.testing.assert_array_equal(holed[there], whole[there])
        plain = np.array([rolling(np.vstack([history, row]), 20, min_count=12)[-1] for row in some])
        np.testing.assert_allclose(holed, plain, rtol=1e-9, atol=1e-12)


def test_what_is_made_twice_is_the_same_array_until_it_is_forgotten():
    close = Forked.of(np.ones((30, 2)), np.ones((3, 2)))
    first = [close * 2.0, np.sqrt(close), close.shift(2), ind.rolling_mean(close, 5), close / close.shift(1)]
    again = [close * 2.0, np.sqrt(close), close.shift(2), ind.rolling_mean(close, 5), close / close.shift(1)]
    assert all(a is b for a, b in zip(first, again, strict=True))
    assert close * 3.0 is not first[0]
    close.release()
    assert close * 2.0 is not first[0]


def test_a_compiled_average_is_the_recursion_to_the_last_bit():
    history = np.random.default_rng(1).normal(size=(50, 7))
    history[:3] = np.nan
    averages, first = recursive_average(history, 0.07)
    want = history.copy()
    for t in range(4, 50):
        want[t] = 0.07 * history[t] + (1.0 - 0.07) * want[t - 1]
    assert first == 3
    np.testing.assert_array_equal(averages, want)


def test_a_session_in_single_precision_is_that_in_double_rounded():
    running, _ = forked_panel(missing=True)
    features = FeatureSet()
    double, single = features.compute_session(running), features.compute_session(running, dtype=np.float32)
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    assert np.isnan(single[~running.started]).all()
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert np.moveaxis(single, 0, -1).flags.c_contiguous  # as a model walks it, without a copy


def test_operations_on_cells_act_on_history_and_last_rows():
    history, last = np.arange(12.0).reshape(6, 2), np.array([[20.0, 21.0], [30.0, -31.0]])
    forked = np.where(
        Forked.of(history, last) > 5.0, np.clip(Forked.of(history, last) * 2.0, 0.0, 50.0), -1.0
    )
    expected = np.where(last > 5.0, np.clip(last * 2.0, 0.0, 50.0), -1.0)
    np.testing.assert_array_equal(forked.last, expected)
    np.testing.assert_array_equal(forked.tail(6), np.where(history > 5.0, history * 2.0, -1.0))


def test_history_is_computed_only_as_far_back_as_a_window_needs():
    asked = []

    def tail(rows):
        asked.append(rows)
        return np.ones((rows, 1))

    ind.rolling_mean(Forked(1_000, tail, np.ones((3, 1))), 20)
    assert asked == [19]


def test_a_history_with_gaps_is_refused():
    history = np.ones((50, 2))
    history[30, 1] = np.nan
    with pytest.raises(InputError, match="missing"):
        ind.ema(Forked.of(history, np.ones((2, 2))), 5)


def test_what_needs_a_plain_array_is_refused_and_not_guessed():
    forked = Forked.of(np.ones((5, 2)), np.ones((3, 2)))
    with pytest.raises(TypeError, match="plain array"):
        np.asarray(forked)
    with pytest.raises(TypeError):
        np.cumsum(forked, axis=0)
    with pytest.raises(InputError, match="plain panel"):
        ind.rolling_rank(forked, 4)
    assert FeatureInputs.forked(forked_panel()[0]).close.shape == (ROWS + 1, 8)
