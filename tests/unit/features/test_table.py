"""Feature table: gaps, tails, single symbols, the running session, and what a set holds."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from vnquant.errors import AlignmentError, InputError, ParameterError
from vnquant.features import (
    CONTEXT_NAMES,
    WARMUP_BARS,
    Feature,
    FeatureSet,
    Gaps,
    MarketContext,
    compute_features,
)
from vnquant.features import indicators as ind


def assert_close(a, b, tolerance=1e-9):
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    size = np.maximum(np.nanmax(np.abs(a), initial=1.0), 1.0)
    assert np.nanmax(np.abs(a - b), initial=0.0) <= tolerance * size


def test_squeezing_and_spreading_are_inverse(gappy_panel):
    gaps = Gaps(gappy_panel.present)
    squeezed = gaps.squeeze(gappy_panel.close)
    bars = gappy_panel.present.sum(axis=0)
    assert all(np.isfinite(squeezed[:n, k]).all() for k, n in enumerate(bars))
    assert all(np.isnan(squeezed[n:, k]).all() for k, n in enumerate(bars))
    np.testing.assert_array_equal(gaps.spread(squeezed), gappy_panel.close)


def test_windows_count_bars_and_look_over_a_suspension(gappy_panel):
    row = len(gappy_panel.timestamps) // 2 + 30  # the first bar after 30 missing ones
    close = gappy_panel.close[:, 2]
    want = np.log(close[row] / close[row - 35])  # 5 bars ago
    features = compute_features(gappy_panel)
    got = features["return_5"][row, 2]
    deviation = ind.volatility(close[np.isfinite(close)], 60)[row - 30]
    assert got == pytest.approx(want / (deviation * np.sqrt(5)), rel=1e-9)


def test_missing_bars_have_no_features_and_others_are_finite_in_the_end(gappy_panel):
    features = compute_features(gappy_panel)
    assert np.isnan(features.values[~gappy_panel.present]).all()
    assert np.isfinite(features.last()[gappy_panel.present[-1]]).all()


@pytest.mark.parametrize("rows", [WARMUP_BARS, WARMUP_BARS + 57, 400])
def test_tail_gives_the_same_last_row_as_the_whole_history(whole_panel, rows):
    assert_close(compute_features(whole_panel).last(), compute_features(whole_panel.tail(rows)).last())


def test_symbol_alone_gets_the_same_values_as_in_the_batch(gappy_panel):
    context = MarketContext.of(gappy_panel)
    batch = compute_features(gappy_panel)
    for symbol in gappy_panel.symbols:
        alone = compute_features(gappy_panel.select(symbol), context=context)
        assert_close(alone.values[:, 0], batch.values[:, gappy_panel.index(symbol)], 1e-12)


def test_context_of_a_row_does_not_know_that_row(whole_panel):
    other = replace(whole_panel, close=np.vstack([whole_panel.close[:-1], whole_panel.close[-1:] * 1.06]))
    for name in CONTEXT_NAMES:
        np.testing.assert_array_equal(compute_features(whole_panel)[name], compute_features(other)[name])


def test_running_session_is_scaled_to_a_whole_day(whole_panel):
    volume = np.array(whole_panel.volume)
    volume[-1] *= 0.25
    running = replace(whole_panel, volume=volume, session_fraction=0.25)
    assert_close(compute_features(running).values, compute_features(whole_panel).values)


def test_own_features_join_the_set_and_its_fingerprint(whole_panel):
    base = FeatureSet()
    mine = base.adding(Feature("spread", "range over close", lambda x: (x.high - x.low) / x.close))
    table = mine.compute(whole_panel)
    np.testing.assert_allclose(table["spread"], (whole_panel.high - whole_panel.low) / whole_panel.close)
    assert mine.fingerprint() != base.fingerprint()
    other = base.adding(Feature("spread", "range over close", lambda x: (x.high - x.low) / x.open))
    assert other.fingerprint() != mine.fingerprint()
    assert base.adding(*mine.features[-1:]).dropping("spread").fingerprint() == base.fingerprint()


def test_fingerprint_is_the_same_in_another_process():
    code = "from vnquant.features import FeatureSet; print(FeatureSet().fingerprint())"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    assert other.stdout.strip() == FeatureSet().fingerprint()


def test_wrong_features_are_refused(whole_panel):
    with pytest.raises(ParameterError, match="no feature 'return_6'"):
        compute_features(whole_panel)["return_6"]
    with pytest.raises(ParameterError, match="No such feature"):
        FeatureSet().dropping("return_6")
    with pytest.raises(InputError, match="same name"):
        FeatureSet().adding(FeatureSet().features[0])
    with pytest.raises(AlignmentError, match="one value for each time and symbol"):
        FeatureSet().adding(Feature("mean", "", lambda x: x.close.mean(axis=0))).compute(whole_panel)


def test_panel_without_rows_or_of_a_few_rows_has_a_table(whole_panel):
    assert compute_features(whole_panel.rows(slice(0, 0))).values.shape == (0, 8, len(FeatureSet().names))
    assert np.isnan(compute_features(whole_panel.tail(3))["return_20"]).all()
