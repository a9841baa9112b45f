"""Levels: support and resistance by four methods, each causal and over whole arrays.

A method gives, for every bar, the level below that should hold and the level above that should stop a rise.
"""

from __future__ import annotations

from typing import NamedTuple

import bottleneck as bn
import numpy as np

from vnquant.agents.evidence import Bars, ramp
from vnquant.features.indicators import ratio, rolling_max, rolling_min, rolling_sum, shift
from vnquant.market.bars import FloatArray

__all__ = ("Levels", "donchian_levels", "pivot_levels", "swing_levels", "volume_profile")

_WEEK_BARS = 5


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
    high = shift(rolling_max(bars.high, _WEEK_BARS))
    low = shift(rolling_min(bars.low, _WEEK_BARS))
    pivot = (high + low + shift(bars.close)) / 3.0
    return Levels(2.0 * pivot - high, 2.0 * pivot - low)


def donchian_levels(bars: Bars, days: int) -> Levels:
    """Return the lowest low and highest high of the `days` bars before."""
    return Levels(shift(rolling_min(bars.low, days)), shift(rolling_max(bars.high, days)))


def swing_levels(bars: Bars, wing: int) -> Levels:
    """Return the last swing low and swing high: extremes of `wing` bars on both sides.

    A swing is known only `wing` bars after it happened, and enters there.
    """
    width = 2 * wing + 1
    low, high = shift(bars.low, wing), shift(bars.high, wing)
    swung_low = np.where(low == rolling_min(bars.low, width, min_count=width), low, np.nan)
    swung_high = np.where(high == rolling_max(bars.high, width, min_count=width), high, np.nan)
    if not len(low):
        return Levels(swung_low, swung_high)
    return Levels(bn.push(swung_low, axis=0), bn.push(swung_high, axis=0))


def volume_profile(bars: Bars, days: int) -> Profile:
    """Return the volume profile of the last `days` bars, built from blocks of five.

    Each block counts at its volume-weighted typical price. A block within 0.5 % of the close is divided
    between above and below, so that nothing jumps when the close passes it.
    """
    typical = (bars.high + bars.low + bars.close) / 3.0
    volume = rolling_sum(bars.volume, _WEEK_BARS)
    price = ratio(rolling_sum(typical * bars.volume, _WEEK_BARS), volume)
    above, above_value = np.zeros_like(price), np.zeros_like(price)
    below, below_value = np.zeros_like(price), np.zeros_like(price)
    for lag in range(0, days - _WEEK_BARS + 1, _WEEK_BARS):
        level, traded = shift(price, lag), shift(volume, lag)
        upper = ramp(ratio(level, bars.close) - 1.0, -0.005, 0.005)
        above += traded * upper
        above_value += traded * upper * level
        below += traded * (1.0 - upper)
        below_value += traded * (1.0 - upper) * level
    return Profile(ratio(below_value, below), ratio(above_value, above), ratio(above, above + below))
