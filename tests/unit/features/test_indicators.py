"""Indicators: hand-checked values, gaps, and causality."""

import numpy as np
import pytest

from vnquant.errors import AlignmentError, ParameterError
from vnquant.features import indicators as ind

NAN = np.nan


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def random_walk(rows: int = 300, columns: int = 4, seed: int = 0) -> np.ndarray:
    moves = np.random.default_rng(seed).normal(0.0, 0.02, size=(rows, columns))
    return 20_000.0 * np.exp(moves.cumsum(axis=0))


def test_sma_is_the_mean_of_the_last_rows():
    np.testing.assert_allclose(ind.sma(column(1, 2, 3, 6), 3, min_count=3), column(NAN, NAN, 2, 11 / 3))


def test_window_gives_a_value_once_four_fifths_of_it_are_there():
    got = ind.sma(column(1, 2, 3, 4, NAN, 6), 5)
    np.testing.assert_allclose(got, column(NAN, NAN, NAN, 2.5, 2.5, 3.75))


def test_window_longer_than_the_history_is_unknown():
    assert np.isnan(ind.sma(column(1, 2, 3), 20)).all()
    assert ind.sma(np.empty((0, 3)), 20).shape == (0, 3)


def test_ema_starts_at_the_first_value_and_weighs_two_over_window_plus_one():
    np.testing.assert_allclose(ind.ema(column(10, 20, 40), 3), column(10, 15, 27.5))


def test_ema_carries_its_state_over_a_gap():
    got = ind.ema(column(NAN, 10, 20, NAN, NAN, 40), 3)
    np.testing.assert_allclose(got, column(NAN, 10, 15, NAN, NAN, 27.5))


def test_one_dimensional_series_equal_their_column():
    walk = random_walk()
    np.testing.assert_array_equal(ind.rsi(walk[:, 1]), ind.rsi(walk)[:, 1])


def test_rsi_is_100_on_a_rising_and_50_on_a_flat_price():
    rising = np.arange(1.0, 31.0)[:, None]
    assert ind.rsi(rising)[-1, 0] == 100.0
    assert ind.rsi(np.full((30, 1), 7.0))[-1, 0] == 50.0


def test_rsi_equals_wilders_recursion_written_out():
    close = random_walk(60, 1)[:, 0]
    moves = np.diff(close)
    gain, loss = max(moves[0], 0.0), max(-moves[0], 0.0)
    for move in moves[1:]:
        gain, loss = (13 * gain + max(move, 0.0)) / 14, (13 * loss + max(-move, 0.0)) / 14
    assert ind.rsi(close)[-1] == pytest.approx(100 * gain / (gain + loss), rel=1e-12)


def test_true_range_reaches_to_the_close_before_a_gap():
    high, low, close = column(11, NAN, 16), column(9, NAN, 15), column(10, NAN, 15.5)
    np.testing.assert_allclose(ind.true_range(high, low, close), column(2, NAN, 6))


def test_macd_is_the_difference_of_its_averages():
    close = random_walk()
    line, signal, histogram = ind.macd(close)
    np.testing.assert_allclose(line[50:], (ind.ema(close, 12) - ind.ema(close, 26))[50:])
    np.testing.assert_allclose(histogram, line - signal)


def test_bollinger_bands_stand_two_deviations_away():
    close = random_walk()
    middle, upper, lower = ind.bollinger(close)
    np.testing.assert_allclose(middle[19], close[:20].mean(axis=0))
    np.testing.assert_allclose(upper[19] - lower[19], 4 * close[:20].std(axis=0), rtol=1e-9)


def test_deviation_of_a_flat_window_is_zero_after_a_wild_one():
    close = np.concatenate([random_walk(100, 1), np.full((40, 1), 12_345.0)])
    assert ind.rolling_std(close, 20)[-1, 0] == 0.0
    assert ind.zscore(close, 20)[-1, 0] == 0.0


def test_obv_adds_volume_of_rising_and_subtracts_that_of_falling_bars():
    np.testing.assert_allclose(ind.obv(column(10, 11, NAN, 10.5), column(5, 7, NAN, 3)), column(0, 7, NAN, 4))


def test_returns_are_unknown_where_an_end_is_missing_or_not_positive():
    np.testing.assert_allclose(
        ind.returns(column(10, 11, NAN, 12, 0, 5)), column(NAN, 0.1, NAN, NAN, -1, NAN)
    )
    assert np.isnan(ind.log_returns(column(10, 0, 5))).all()


@pytest.mark.parametrize(
    "indicator",
    [
        lambda c: ind.sma(c, 20),
        lambda c: ind.ema(c, 20),
        lambda c: ind.rsi(c),
        lambda c: ind.atr(c * 1.01, c * 0.99, c),
        lambda c: ind.macd(c).histogram,
        lambda c: ind.bollinger(c).upper,
        lambda c: ind.zscore(c, 20),
        lambda c: ind.rolling_rank(c, 20),
        lambda c: ind.volatility(c, 20),
    ],
)
def test_appended_rows_change_no_earlier_value(indicator):
    walk = random_walk()
    walk[40:45, 2] = NAN
    np.testing.assert_array_equal(indicator(walk)[:200], indicator(walk[:200]))


def test_reading_the_future_by_a_negative_shift_is_refused():
    with pytest.raises(ParameterError, match="future"):
        ind.shift(column(1, 2), -1)


def test_windows_and_shapes_are_checked_at_the_door():
    with pytest.raises(ParameterError, match="window"):
        ind.sma(column(1, 2), 0)
    with pytest.raises(ParameterError, match="min_count"):
        ind.sma(column(1, 2), 5, min_count=6)
    with pytest.raises(ParameterError, match="shorter"):
        ind.macd(column(1, 2), 26, 12)
    with pytest.raises(AlignmentError, match="shape"):
        ind.atr(np.ones((3, 2)), np.ones((3, 1)), np.ones((3, 2)))
