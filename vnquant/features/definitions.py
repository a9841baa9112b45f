"""Features: their definitions. Each is a number without a unit that one symbol's own bars give.

Numbers are scaled by the symbol's own volatility or volume, so that one model serves all symbols: a move of
two deviations means the same for a bank and for a penny stock. Volatility is that of the 20 bars *before*
the ones measured, since a jump would otherwise hide itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import msgspec
import numpy as np

from vnquant.features import indicators as ind
from vnquant.features.forks import Forked, as_array, as_forked
from vnquant.features.gaps import Gaps
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel
from vnquant.market.running import RunningSession

__all__ = ("DEFAULT_FEATURES", "Feature", "FeatureInputs")

# A daily volatility below 0.2 % is a stock that hardly trades; dividing by it makes noise look a signal.
_LEAST_VOLATILITY = 0.002


class FeatureInputs:
    """Bars of a panel without gaps, and the intermediate arrays that several features share.

    All arrays are float64 of shape (T, N), squeezed by `Gaps`. `volume` is that of a whole day: the running
    session is scaled up by the usual share of volume traded by now.
    """

    def __init__(
        self, open: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
    ) -> None:
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume

    @classmethod
    def of(cls, panel: BarPanel, gaps: Gaps) -> FeatureInputs:
        """Squeeze the gaps out of a panel."""
        given = (panel.open, panel.high, panel.low, panel.close, panel.full_day_volume)
        return cls(*(gaps.squeeze(x) for x in given))

    @classmethod
    def forked(cls, running: RunningSession) -> FeatureInputs:
        """Fork the completed sessions into each instant of a running one."""
        past = running.complete
        pairs = (
            (past.open, running.open),
            (past.high, running.high),
            (past.low, running.low),
            (past.close, running.close),
            (past.volume, running.full_day_volume),
        )
        return cls(*(as_array(Forked.of(history, last)) for history, last in pairs))

    def release(self) -> None:
        """Forget the intermediate arrays of forked inputs; nothing to do for plain ones."""
        for x in (self.open, self.high, self.low, self.close, self.volume):
            if (forked := as_forked(x)) is not None:
                forked.release()

    @cached_property
    def log_return(self) -> FloatArray:
        """One-bar log return."""
        return ind.log_returns(self.close)

    @cached_property
    def volatility_20(self) -> FloatArray:
        """Deviation of one-bar log returns over 20 bars."""
        return np.maximum(ind.rolling_std(self.log_return, 20), _LEAST_VOLATILITY)

    @cached_property
    def volatility_60(self) -> FloatArray:
        """Deviation of one-bar log returns over 60 bars."""
        return np.maximum(ind.rolling_std(self.log_return, 60), _LEAST_VOLATILITY)

    @cached_property
    def surprise(self) -> FloatArray:
        """One-bar log return in deviations of the 60 bars before it."""
        return self.log_return / ind.shift(self.volatility_60)

    @cached_property
    def log_volume(self) -> FloatArray:
        """Log of 1 + volume, so that a day without a trade is a number."""
        return np.log1p(self.volume)

    @cached_property
    def relative_volume(self) -> FloatArray:
        """Log of the volume against the mean of the 20 bars before it."""
        return self.log_volume - np.log1p(ind.shift(ind.rolling_mean(self.volume, 20)))

    @cached_property
    def shock(self) -> FloatArray:
        """Surprise of bars that are both a big move and a burst of volume, 0 for the others."""
        big = (np.abs(self.surprise) > 2.0) & (self.relative_volume > np.log(2.0))
        shock = np.where(big, np.clip(self.surprise, -8.0, 8.0), 0.0)
        return np.where(np.isfinite(self.surprise + self.relative_volume), shock, np.nan)

    def scaled_return(self, bars: int) -> FloatArray:
        """Log return over some bars in deviations of that many bars."""
        scaled: FloatArray = ind.log_returns(self.close, bars) / (self.volatility_60 * np.sqrt(bars))
        return scaled


class Feature(msgspec.Struct, frozen=True):
    """One column of the table: how it is called, what it measures, and how it is computed.

    `compute` receives `FeatureInputs` and returns an array of shape (T, N), causal: row t from rows <= t.
    """

    name: str
    help: str
    compute: Callable[[FeatureInputs], FloatArray]


def _volume_pressure(x: FeatureInputs) -> FloatArray:
    signed = np.sign(x.log_return) * x.volume
    return ind.ratio(ind.rolling_sum(signed, 20), ind.rolling_sum(x.volume, 20))


def _close_location(x: FeatureInputs) -> FloatArray:
    location = 2.0 * ind.ratio(x.close - x.low, x.high - x.low) - 1.0
    # A bar without a range (locked at the limit, or a single match) says nothing about where it closed.
    return np.where(np.isfinite(x.close) & ~(x.high > x.low), 0.0, location)


def _efficiency(x: FeatureInputs) -> FloatArray:
    return ind.ratio(ind.rolling_sum(x.log_return, 20), ind.rolling_sum(np.abs(x.log_return), 20))


def _distance(x: FeatureInputs, level: FloatArray, bars: int) -> FloatArray:
    away: FloatArray = np.log(ind.ratio(x.close, level)) / (x.volatility_60 * np.sqrt(bars))
    return away


def _shock_age(x: FeatureInputs) -> FloatArray:
    """Return the sum of shocks that are at most five bars old, the newest weighing most."""
    return sum((ind.shift(x.shock, age) * (1.0 - age / 5.0) for age in range(1, 5)), x.shock.copy())


DEFAULT_FEATURES: tuple[Feature, ...] = (
    Feature("return_1", "1-bar return, deviations", lambda x: x.surprise),
    Feature("return_2", "2-bar return, deviations", lambda x: x.scaled_return(2)),
    Feature("return_5", "5-bar return, deviations", lambda x: x.scaled_return(5)),
    Feature("return_10", "10-bar return, deviations", lambda x: x.scaled_return(10)),
    Feature("return_20", "20-bar return, deviations", lambda x: x.scaled_return(20)),
    Feature("return_60", "60-bar return, deviations", lambda x: x.scaled_return(60)),
    Feature("return_120", "120-bar return, deviations", lambda x: x.scaled_return(120)),
    Feature("momentum_20_5", "20-bar return up to 5 bars ago", lambda x: ind.shift(x.scaled_return(20), 5)),
    Feature("volatility_20", "log daily volatility, 20 bars", lambda x: np.log(x.volatility_20)),
    Feature("volatility_60", "log daily volatility, 60 bars", lambda x: np.log(x.volatility_60)),
    Feature(
        "volatility_trend",
        "log volatility, 20 bars over 60",
        lambda x: np.log(x.volatility_20 / x.volatility_60),
    ),
    Feature("rsi_14", "Wilder's RSI, centred", lambda x: ind.rsi(x.close, 14) / 50.0 - 1.0),
    Feature(
        "macd",
        "MACD histogram, deviations",
        lambda x: ind.macd(x.close).histogram / (x.close * x.volatility_60),
    ),
    Feature("band_20", "distance from the 20-bar mean, its deviations", lambda x: ind.zscore(x.close, 20)),
    Feature(
        "high_20", "distance from the 20-bar high", lambda x: _distance(x, ind.rolling_max(x.high, 20), 20)
    ),
    Feature("low_20", "distance from the 20-bar low", lambda x: _distance(x, ind.rolling_min(x.low, 20), 20)),
    Feature(
        "high_252",
        "distance from the year's high",
        lambda x: _distance(x, ind.rolling_max(x.high, 252, min_count=120), 252),
    ),
    Feature("efficiency_20", "net over total path, 20 bars", _efficiency),
    Feature("largest_20", "largest 1-bar surprise of 20", lambda x: ind.rolling_max(x.surprise, 20)),
    Feature("smallest_20", "smallest 1-bar surprise of 20", lambda x: ind.rolling_min(x.surprise, 20)),
    Feature("volume_1", "volume against the 20 bars before, log", lambda x: x.relative_volume),
    Feature(
        "volume_trend",
        "log volume, mean of 5 bars less that of 60",
        lambda x: ind.rolling_mean(x.log_volume, 5) - ind.rolling_mean(x.log_volume, 60),
    ),
    Feature("volume_pressure", "volume of rising less falling bars, share", _volume_pressure),
    Feature("shock_5", "big moves on a volume burst, 5 bars, decaying", _shock_age),
    Feature("shock_0", "such a move in this bar", lambda x: x.shock),
    Feature(
        "gap",
        "open against the last close, deviations",
        lambda x: np.log(ind.ratio(x.open, ind.shift(x.close))) / x.volatility_60,
    ),
    Feature("close_location", "close within the bar's range, -1..1", _close_location),
    Feature(
        "range_14",
        "average true range, share of the price",
        lambda x: np.log(ind.ratio(ind.atr(x.high, x.low, x.close), x.close)),
    ),
)
