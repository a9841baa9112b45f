"""Levels: support and resistance by four methods, each causal and over whole arrays.

A method gives, for every bar, the level below that should hold and the level above that should stop a rise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vnquant.agents.evidence import Bars, ramp
from vnquant.features.forks import as_forked, cellwise
from vnquant.features.indicators import carried, ratio, rolling_max, rolling_min, rolling_sum, shift
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("Levels", "donchian_levels", "known_swings", "pivot_levels", "swing_levels", "volume_profile")

_WEEK_BARS = 5
_BLUR = 0.005  # share of the close within which a block counts on both sides
_BLOCK_CELLS = 8_000


class Levels(NamedTuple):
    """Support and resistance in VND, shape (T, N); NaN where a method knows none."""

    support: FloatArray
    resistance: FloatArray


class Profile(NamedTuple):
    """Where the volume of a window changed hands, seen from the close.

    `support` and `resistance` are the volume-weighted mean prices of what traded below and above the close;
    `overhead` is the share that traded above, 0..1: holders who wait to sell without a loss.
    """

    support: FloatArray
    resistance: FloatArray
    overhead: FloatArray


def pivot_levels(bars: Bars) -> Levels:
    """Return the first support and resistance of the classic floor-trader pivots of the five bars before.

    With P = (H + L + C) / 3: R1 = 2 P - L, S1 = 2 P - H.
    """
    high, low = bars.now(bars.highest_before(_WEEK_BARS)), bars.now(bars.lowest_before(_WEEK_BARS))
    close = bars.now(shift(bars.close))
    pivot = (high + low + close) / 3.0
    return Levels(2.0 * pivot - high, 2.0 * pivot - low)


def donchian_levels(bars: Bars, days: int) -> Levels:
    """Return the lowest low and highest high of the `days` bars before."""
    return Levels(bars.lowest_before(days), bars.highest_before(days))


def swing_levels(bars: Bars, wing: int) -> Levels:
    """Return the last swing low and swing high: extremes of `wing` bars on both sides.

    A swing is known only `wing` bars after it happened, and enters there.
    """
    width = 2 * wing + 1
    low, high = shift(bars.low, wing), shift(bars.high, wing)
    swung_low = np.where(low == rolling_min(bars.low, width, min_count=width), low, np.nan)
    swung_high = np.where(high == rolling_max(bars.high, width, min_count=width), high, np.nan)
    return Levels(carried(swung_low), carried(swung_high))


def known_swings(panel: BarPanel, wing: int = 5) -> Levels:
    """Return support and resistance as a chart shows them: the last swings that the price has not broken.

    A level that a later close has passed is gone until the next swing; NaN where there is none, and where the
    panel has no bar. The value at a row uses rows up to it only.

    Parameters
    ----------
    panel : BarPanel
    wing : int
        Bars on both sides of a swing; so many bars after it happened it becomes known.
    """
    bars = Bars(panel)
    support, resistance = swing_levels(bars, wing)
    return Levels(
        bars.spread(np.where(bars.close >= support, support, np.nan)),
        bars.spread(np.where(bars.close <= resistance, resistance, np.nan)),
    )


def volume_profile(bars: Bars, days: int) -> Profile:
    """Return the volume profile of the last `days` bars, built from blocks of five.

    Each block counts at its volume-weighted typical price. A block within 0.5 % of the close is divided
    between above and below, so that nothing jumps when the close passes it.
    """
    volume = rolling_sum(bars.volume, _WEEK_BARS)
    value = _traded_value(bars.high, bars.low, bars.close, bars.volume)
    price = ratio(rolling_sum(value, _WEEK_BARS), volume)
    if as_forked(price) is not None:
        return _profile_of_forks(bars, days, bars.now(price), volume, value)
    lags = range(0, days - _WEEK_BARS + 1, _WEEK_BARS)
    now = bars.final(bars.close)
    if len(now) == 1:
        levels, volumes = (_every_week_back(x, len(lags)) for x in (price, volume))
        return _profile_of(np.where(now > 0.0, now, np.nan), levels, volumes)
    sums = np.zeros((4, *price.shape))
    # Blocks of rows whose arrays stay in the cache, and one buffer each: a window of 250 bars takes 50 lags.
    step = max(_BLOCK_CELLS // max(price.shape[1], 1), 1)
    early = np.full((days, price.shape[1]), np.nan)
    price, volume = np.concatenate([early, price]), np.concatenate([early, volume])
    for start in range(0, sums.shape[1], step):
        close = bars.close[start : start + step]
        close = np.where(close > 0.0, close, np.nan)
        part = sums[:, start : start + step]
        for lag in lags:
            back = slice(days + start - lag, days + start - lag + len(close))
            _add_block(part, close, price[back], volume[back])
    above, above_value, below, below_value = sums
    return Profile(ratio(below_value, below), ratio(above_value, above), ratio(above, above + below))


@cellwise
def _traded_value(high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the value traded, at the typical price of each bar."""
    return (high + low + close) / 3.0 * volume


def _every_week_back(x: FloatArray, blocks: int) -> FloatArray:
    """Return the last row and every fifth before it, shape (B, 1, N), NaN where there are not so many."""
    rows = np.full((blocks, 1, x.shape[1]), np.nan)
    found = x[::-1][: blocks * _WEEK_BARS : _WEEK_BARS]
    rows[: len(found), 0] = found
    return rows


def _profile_of_forks(
    bars: Bars, days: int, price: FloatArray, volume: FloatArray, value: FloatArray
) -> Profile:
    """Return the profile at the last rows of forked bars."""
    close = bars.final(bars.close)
    blocks = 1 + (days - _WEEK_BARS) // _WEEK_BARS
    levels, volumes = (np.empty((blocks, *close.shape)) for _ in range(2))
    # The block that ends at the last row, and those before it, which all instants share.
    traded = _blocks_before(bars.volume, blocks - 1)
    levels[0], volumes[0] = price, bars.now(volume)
    levels[1:] = ratio(_blocks_before(value, blocks - 1), traded)[:, None]
    volumes[1:] = traded[:, None]
    return _profile_of(close, levels, volumes)


def _blocks_before(x: FloatArray, blocks: int) -> FloatArray:
    """Return the sums of blocks of five rows of a forked x before its last five, the latest first."""
    forked = as_forked(x)
    assert forked is not None  # for the type checker: what is made of forked bars is forked
    rows = blocks * _WEEK_BARS
    known = forked.tail(rows + _WEEK_BARS - 1)[: 1 - _WEEK_BARS]
    weeks = np.full((rows, known.shape[1]), np.nan)
    weeks[rows - len(known) :] = known
    weeks = weeks.reshape(blocks, _WEEK_BARS, -1)[::-1].transpose(1, 0, 2).reshape(_WEEK_BARS, -1)
    sums: FloatArray = rolling_sum(weeks, _WEEK_BARS)[-1].reshape(blocks, -1)
    return sums


def _profile_of(close: FloatArray, levels: FloatArray, volumes: FloatArray) -> Profile:
    """Return the profile of blocks, shape (B, T, N), the latest first, all at once."""
    upper = ramp(levels / close - 1.0, -_BLUR, _BLUR)
    over, under = volumes * upper, volumes * (1.0 - upper)
    # One block after the other, as it is done where there are too many for that.
    above, above_value, below, below_value = (
        np.add.accumulate(x, axis=0)[-1] for x in (over, over * levels, under, under * levels)
    )
    return Profile(ratio(below_value, below), ratio(above_value, above), ratio(above, above + below))


def _add_block(sums: FloatArray, close: FloatArray, level: FloatArray, traded: FloatArray) -> None:
    """Add what traded at `level` to volume and value above and below the close."""
    above, above_value, below, below_value = sums
    # ramp(level / close - 1, -blur, blur), in place
    upper = level / close
    upper -= 1.0
    upper += _BLUR
    upper /= 2.0 * _BLUR
    np.clip(upper, 0.0, 1.0, out=upper)
    over = traded * upper
    above += over
    over *= level
    above_value += over
    np.subtract(1.0, upper, out=upper)
    upper *= traded
    below += upper
    upper *= level
    below_value += upper
