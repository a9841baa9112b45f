"""Models: the raw confidence, a weighted blend of six parts; `calibration` makes it a probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.features import Gaps, MarketContext
from vnquant.features import indicators as ind
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("CONFIDENCE_WEIGHTS", "Surroundings", "blend", "market_regime", "symbol_parts")

IndexArray = npt.NDArray[np.intp]

CONFIDENCE_WEIGHTS = {
    "expected_return": 0.20,
    "model_accuracy": 0.20,
    "inverse_volatility": 0.15,
    "volume": 0.15,
    "technical_agreement": 0.15,
    "market_regime": 0.15,
}

# Path A asks for 3 %: an expected return of twice that earns the full part.
_FULL_RETURN = 0.06
# Daily volatility from quiet (1 %) to wild (5 %) on this market.
_QUIET, _WILD = 0.01, 0.05


class Surroundings:
    """What the blend needs besides the forecast itself, each float64 of shape (T, N) and causal.

    Attributes
    ----------
    calm : 1 at a daily volatility of 1 % or less, 0 at 5 % or more.
    activity : 0..1, volume of the last 5 bars against 60, one half when equal.
    trend : -1..1, mean vote of five indicators on the direction.
    market : -1..1, direction of the market up to the previous close.
    """

    def __init__(self, panel: BarPanel, *, context: MarketContext | None = None) -> None:
        gaps = Gaps(panel.present)
        parts = symbol_parts(gaps.squeeze(panel.close), gaps.squeeze(panel.full_day_volume))
        self.calm, self.activity, self.trend = (gaps.spread(part) for part in parts)
        known = (MarketContext.of(panel) if context is None else context).before(panel.timestamps)
        self.market = np.broadcast_to(market_regime(known)[:, None], panel.shape)

    @classmethod
    def at(
        cls, calm: FloatArray, activity: FloatArray, trend: FloatArray, market: FloatArray
    ) -> Surroundings:
        """Return surroundings whose parts are known."""
        known = object.__new__(cls)
        known.calm, known.activity, known.trend, known.market = calm, activity, trend, market
        return known

    def rows(self, which: slice) -> Surroundings:
        """Return the surroundings of a run of rows."""
        return self._part(which)

    def cells(self, rows: IndexArray, columns: IndexArray) -> Surroundings:
        """Return the surroundings of single cells, as arrays of shape (cells,)."""
        return self._part((rows, columns))

    def _part(self, which: Any) -> Surroundings:
        return Surroundings.at(self.calm[which], self.activity[which], self.trend[which], self.market[which])


def symbol_parts(close: FloatArray, volume: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return calm, activity and trend of bars without gaps; `volume` is that of whole days."""
    daily = ind.volatility(close, 20)
    recent, usual = np.log1p(ind.rolling_mean(volume, 5)), np.log1p(ind.rolling_mean(volume, 60))
    votes = (
        ind.log_returns(close, 5),
        ind.log_returns(close, 20),
        close - ind.sma(close, 50),
        ind.macd(close).histogram,
        ind.rsi(close, 14) - 50.0,
    )
    return (
        np.clip((_WILD - daily) / (_WILD - _QUIET), 0.0, 1.0),
        1.0 / (1.0 + np.exp(np.clip(usual - recent, -30.0, 30.0))),
        sum((np.sign(v) for v in votes[1:]), np.sign(votes[0])) / len(votes),
    )


def market_regime(context: FloatArray) -> FloatArray:
    """Return the direction of the market, -1..1, from rows of its context, shape (T, 4)."""
    regime: FloatArray = np.tanh(np.nan_to_num(context[:, 1]) / 1.5)
    return regime


def blend(expected_return: FloatArray, accuracy: FloatArray | float, around: Surroundings) -> FloatArray:
    """Return the raw confidence in [0, 1]; a part that is not known counts as one half.

    Parameters
    ----------
    expected_return : float64, shape (T, N)
    accuracy : float64, shape (T, 1), or a number
        Share of recent forecasts whose direction came true, known at each row.
    around : Surroundings
    """
    side = np.sign(expected_return)
    parts = {
        "expected_return": np.clip(np.abs(expected_return) / _FULL_RETURN, 0.0, 1.0),
        # From 40 % right (no credit) to 70 % right (full).
        "model_accuracy": np.clip((np.asarray(accuracy) - 0.4) / 0.3, 0.0, 1.0),
        "inverse_volatility": around.calm,
        "volume": around.activity,
        "technical_agreement": 0.5 + 0.5 * side * around.trend,
        "market_regime": 0.5 + 0.5 * side * around.market,
    }
    total = np.zeros_like(expected_return)
    for name, weight in CONFIDENCE_WEIGHTS.items():
        part = np.broadcast_to(parts[name], total.shape)
        total += weight * np.where(np.isfinite(part), part, 0.5)
    return np.where(np.isfinite(expected_return), total, np.nan)
