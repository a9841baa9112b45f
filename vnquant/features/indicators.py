"""Features: indicators, causal and vectorised. Each takes float64 arrays whose axis 0 is time.

Three rules hold for all of them, so that agents and features can be built on top without looking again:

- the value at row t uses rows <= t only, and appending rows never changes an earlier value;
- a NaN is a missing bar: it is left out of the window, never filled. A window gives a value once `min_count`
  of its rows are there (default: four fifths of it), and recursive averages carry their state over a gap;
- windows count rows. Where a symbol has missing rows and a window should count its bars instead, squeeze the
  gaps out first with `vnquant.features.gaps.Gaps`.

Outputs have the shape of the first input. RSI, ATR and their average follow J. W. Wilder (New
Concepts in Technical Trading Systems, 1978); the others are defined in their docstrings.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import bottleneck as bn
import numpy as np

from vnquant.errors import AlignmentError, ParameterError
from vnquant.features.forks import as_array, as_forked, cellwise
from vnquant.market.bars import FloatArray

__all__ = (
    "MACD",
    "Bands",
    "atr",
    "bollinger",
    "carried",
    "change",
    "ema",
    "log_returns",
    "macd",
    "obv",
    "ratio",
    "returns",
    "rolling_max",
    "rolling_mean",
    "rolling_min",
    "rolling_rank",
    "rolling_std",
    "rolling_sum",
    "rsi",
    "shift",
    "sma",
    "true_range",
    "volatility",
    "wilder",
    "zscore",
)

# Up to so many columns a recursive average is computed in a dozen passes rather than row by row.
_NARROW = 16
# Below this share of the level a rolling deviation is rounding noise of a flat window.
_FLAT = 1e-10


class MACD(NamedTuple):
    """Moving average convergence/divergence, in the units of the price."""

    line: FloatArray
    signal: FloatArray
    histogram: FloatArray


class Bands(NamedTuple):
    """Bollinger bands, in the units of the price."""

    middle: FloatArray
    upper: FloatArray
    lower: FloatArray


# -- moves ------------------------------------------------------------------------------------------------


def shift(x: FloatArray, rows: int = 1) -> FloatArray:
    """Return `x` moved `rows` later: the value at t is that of t - rows, NaN in the first rows."""
    if rows < 0:
        raise ParameterError(
            f"shift by {rows} rows would read the future; use rows >= 0.", name="rows", value=rows
        )
    if (forked := as_forked(x)) is not None:
        return as_array(forked.shift(rows))
    moved = np.full_like(x, np.nan, dtype=np.float64)
    if rows < len(x):
        moved[rows:] = x[: len(x) - rows]
    return moved


def carried(x: FloatArray) -> FloatArray:
    """Return the last value at or before each row, looking over missing ones; NaN before the first."""
    if (forked := as_forked(x)) is not None:
        return as_array(forked.carried())
    pushed: FloatArray = bn.push(x, axis=0) if len(x) else x
    return pushed


def change(x: FloatArray, rows: int = 1) -> FloatArray:
    """Return x less its value `rows` before."""
    return np.subtract(x, shift(x, rows))


def returns(close: FloatArray, rows: int = 1) -> FloatArray:
    """Return the simple return over `rows` rows, 0.01 for one per cent; NaN where either end is missing."""
    return ratio(close, shift(close, rows)) - 1.0


def log_returns(close: FloatArray, rows: int = 1) -> FloatArray:
    """Return the log return over `rows` rows; NaN where either end is missing or not positive."""
    return change(_log(close), rows)


@cellwise
def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return numerator / denominator, NaN where the denominator is not positive."""
    denominator = np.asarray(denominator, dtype=np.float64)
    shape = denominator.shape
    if np.shape(numerator) != shape:
        shape = np.broadcast_shapes(np.shape(numerator), shape)
    out: FloatArray = np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator > 0.0)
    return out


# -- windows ----------------------------------------------------------------------------------------------


def rolling_mean(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the mean of the last `window` rows, this one included."""
    return _moving(bn.move_mean, x, window, min_count)


def sma(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the simple moving average: the mean of the last `window` rows."""
    return rolling_mean(x, window, min_count=min_count)


def rolling_sum(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the sum over the last `window` rows; missing rows add nothing."""
    return _moving(bn.move_sum, x, window, min_count)


def rolling_max(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the highest of the last `window` rows, this one included."""
    return _moving(bn.move_max, x, window, min_count)


def rolling_min(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the lowest of the last `window` rows, this one included."""
    return _moving(bn.move_min, x, window, min_count)


def rolling_rank(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return where x stands among its last `window` rows: -1 the lowest, 0 the middle, 1 the highest."""
    return _moving(bn.move_rank, x, window, min_count)


def rolling_std(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the standard deviation over `window` rows (denominator n), exactly 0 in a flat window."""
    if window < 2:
        raise ParameterError(
            f"a deviation needs a window of 2 rows or more, got {window}.", name="window", value=window
        )
    spread = _moving(bn.move_std, x, window, min_count)
    return _flattened(spread, _moving(bn.move_mean, np.abs(x), window, min_count))


def zscore(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return how many deviations x stands from its mean over the last `window` rows; 0 in a flat window."""
    spread = rolling_std(x, window, min_count=min_count)
    return _in_deviations(x - rolling_mean(x, window, min_count=min_count), spread)


def volatility(close: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return the deviation of one-row log returns over `window` rows, a row's (not a year's) volatility."""
    return rolling_std(log_returns(close), window, min_count=min_count)


# -- recursive averages -----------------------------------------------------------------------------------


def ema(x: FloatArray, window: int, *, min_count: int = 1) -> FloatArray:
    """Return the exponential moving average with weight 2 / (window + 1), started at the first value.

    NaN where x is missing and until `min_count` values are seen; the average carries on over a gap as if
    the missing rows did not exist.
    """
    _check_window(window)
    return _recursive(x, 2.0 / (window + 1.0), min_count)


def wilder(x: FloatArray, window: int, *, min_count: int | None = None) -> FloatArray:
    """Return Wilder's average, recursive with weight 1 / window, NaN until `window` values are seen."""
    _check_window(window)
    return _recursive(x, 1.0 / window, window if min_count is None else min_count)


def _recursive(x: FloatArray, weight: float, min_count: int) -> FloatArray:
    if (forked := as_forked(x)) is not None:
        return as_array(forked.recursive(weight, min_count))
    values = np.asarray(x, dtype=np.float64)
    there = np.isfinite(values)
    seen = np.cumsum(there, axis=0)
    first = there & (seen == 1)
    # y[t] = keep[t] * y[t-1] + add[t]: a missing row keeps the state, the first value replaces it.
    keep = np.where(there, 1.0 - weight, 1.0)
    keep[first] = 0.0
    add = np.where(there, weight * np.where(there, values, 0.0), 0.0)
    add[first] = values[first]
    out = _recurrence(keep, add)
    out[~there | (seen < min_count)] = np.nan
    return out


def _recurrence(keep: FloatArray, add: FloatArray) -> FloatArray:
    """Return y[t] = keep[t] y[t-1] + add[t], y[-1] = 0; writes into its arguments."""
    if add[:1].size > _NARROW:
        for row in range(1, len(add)):
            add[row] += keep[row] * add[row - 1]
        return add
    # Few columns: a step costs more than its sums, so the steps are doubled (Hillis and Steele 1986).
    width = 1
    while width < len(add):
        add[width:] += keep[width:] * add[:-width].copy()
        keep[width:] = keep[width:] * keep[:-width]
        width *= 2
    return add


# -- named indicators -------------------------------------------------------------------------------------


def rsi(close: FloatArray, window: int = 14) -> FloatArray:
    """Return Wilder's relative strength index, 0..100; 50 where the price has not moved at all."""
    moves = _bar_change(close)
    gain = wilder(np.maximum(moves, 0.0), window)
    loss = wilder(np.maximum(-moves, 0.0), window)
    return 100.0 * _share_of_gains(gain, gain + loss)


def true_range(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Return the true range: the day's range, stretched to the previous close (that before a gap)."""
    _check_same(high, low, close)
    before = _previous(close)
    # A sum with a missing high or low is missing; the extremes alone would look over it.
    return np.fmax(high, before) - np.fmin(low, before) + 0.0 * (high + low)


def atr(high: FloatArray, low: FloatArray, close: FloatArray, window: int = 14) -> FloatArray:
    """Return Wilder's average true range, in the units of the price."""
    return wilder(true_range(high, low, close), window)


def macd(close: FloatArray, fast: int = 12, slow: int = 26, signal: int = 9) -> MACD:
    """Return MACD: EMA(fast) - EMA(slow), its EMA(signal), and their difference."""
    if fast >= slow:
        raise ParameterError(f"fast ({fast}) must be shorter than slow ({slow}).", name="fast", value=fast)
    line = ema(close, fast) - ema(close, slow, min_count=slow)
    trigger = ema(line, signal, min_count=signal)
    return MACD(line, trigger, line - trigger)


def bollinger(close: FloatArray, window: int = 20, width: float = 2.0) -> Bands:
    """Return the moving average and the bands `width` deviations above and below it."""
    middle = sma(close, window)
    reach = width * rolling_std(close, window)
    return Bands(middle, middle + reach, middle - reach)


def obv(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return on-balance volume: the running sum of volume signed by the move; NaN for missing bars.

    Its level depends on where the history starts; use differences or z-scores of it.
    """
    _check_same(close, volume)
    signed = np.sign(_bar_change(close)) * volume
    total = np.cumsum(np.nan_to_num(signed), axis=0)
    total[np.isnan(close)] = np.nan
    return total


# -- helpers ----------------------------------------------------------------------------------------------


def _previous(x: FloatArray) -> FloatArray:
    """Return the last value before each row, looking over gaps."""
    if (forked := as_forked(x)) is not None:
        return as_array(forked.previous())
    return (
        shift(bn.push(np.asarray(x, dtype=np.float64), axis=0)) if len(x) else np.asarray(x, dtype=np.float64)
    )


def _bar_change(x: FloatArray) -> FloatArray:
    """Return the move since the last bar that was there."""
    return np.subtract(x, _previous(x))


@cellwise
def _flattened(spread: FloatArray, level: FloatArray) -> FloatArray:
    """Return deviations, those of flat windows exactly 0."""
    return np.where(spread <= _FLAT * level, 0.0, spread)


@cellwise
def _in_deviations(distance: FloatArray, spread: FloatArray) -> FloatArray:
    score = np.divide(distance, spread, out=np.zeros_like(spread), where=spread > 0.0)
    score[np.isnan(spread) | np.isnan(distance)] = np.nan
    return score


@cellwise
def _share_of_gains(gain: FloatArray, total: FloatArray) -> FloatArray:
    strength = np.divide(gain, total, out=np.full_like(total, 0.5), where=total > 0.0)
    strength[np.isnan(total)] = np.nan
    return strength


@cellwise
def _log(x: FloatArray) -> FloatArray:
    x = np.asarray(x, dtype=np.float64)
    return np.log(x, out=np.full_like(x, np.nan), where=x > 0.0)


def _moving(kernel: object, x: FloatArray, window: int, min_count: int | None) -> FloatArray:
    """Run a bottleneck kernel along time; it wants a window no longer than the array."""
    _check_window(window)
    needed = math.ceil(0.8 * window) if min_count is None else min_count
    if not 1 <= needed <= window:
        raise ParameterError(
            f"min_count must lie in 1..{window} (the window), got {min_count}.",
            name="min_count",
            value=min_count,
        )
    if (forked := as_forked(x)) is not None:
        return as_array(forked.moving(kernel, window, needed))
    values = np.asarray(x, dtype=np.float64)
    if len(values) < needed or values.size == 0:
        return np.full(values.shape, np.nan)
    out: FloatArray = kernel(values, min(window, len(values)), min_count=needed, axis=0)  # type: ignore[operator]
    return out


def _check_window(window: int) -> None:
    if window < 1:
        raise ParameterError(f"a window needs 1 row or more, got {window}.", name="window", value=window)


def _check_same(*arrays: FloatArray) -> None:
    if len({np.shape(a) for a in arrays}) != 1:
        raise AlignmentError(f"arrays of one symbol panel differ in shape: {[np.shape(a) for a in arrays]}")
