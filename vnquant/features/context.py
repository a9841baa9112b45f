"""Features: the market context, what all symbols together did up to the previous close.

A row uses completed sessions before it only. So a symbol that is looked at alone while the session runs gets
the same context as in a batch of all, whichever of the other symbols have ticked by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import bottleneck as bn
import numpy as np

from vnquant.features import indicators as ind
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.market.panel import BarPanel

__all__ = ("CONTEXT_NAMES", "MarketContext")

CONTEXT_NAMES = ("market_return_5", "market_return_20", "market_volatility_20", "market_breadth_50")


@dataclass(frozen=True, eq=False)
class MarketContext:
    """Market-wide numbers by session.

    Attributes
    ----------
    timestamps : datetime64[s], shape (T,)
        Completed sessions.
    values : float64, shape (T, 4)
        By `CONTEXT_NAMES`: equal-weighted log return over 5 and 20 sessions in its own deviations, daily
        volatility of the market over 20, and the share of symbols above their 50-session average less 1/2.
    """

    timestamps: TimeArray
    values: FloatArray

    @classmethod
    def of(cls, panel: BarPanel) -> MarketContext:
        """Read the context off a panel of many symbols; a running session is left out."""
        rows = len(panel.timestamps) - int(panel.partial)
        close = panel.close[:rows]
        if not rows:
            return cls(panel.timestamps[:0], np.empty((0, len(CONTEXT_NAMES))))
        moves = np.clip(ind.log_returns(close), -0.2, 0.2)
        market = _row_mean(moves)
        volatility = ind.rolling_std(market, 20)
        average = ind.sma(close, 50)
        above = np.where(np.isfinite(average) & np.isfinite(close), close > average, np.nan)
        five, twenty = (ind.ratio(ind.rolling_sum(market, n), volatility * np.sqrt(n)) for n in (5, 20))
        return cls(
            panel.timestamps[:rows], np.column_stack([five, twenty, volatility, _row_mean(above) - 0.5])
        )

    def before(self, timestamps: TimeArray) -> FloatArray:
        """Return the context of the last session strictly before each time, NaN where there is none."""
        if not len(self.timestamps):
            return np.full((len(timestamps), len(CONTEXT_NAMES)), np.nan)
        row = np.searchsorted(self.timestamps, timestamps, side="left") - 1
        known = self.values[np.maximum(row, 0)]
        return np.where((row >= 0)[:, None], known, np.nan)


def _row_mean(x: FloatArray) -> FloatArray:
    """Return the mean over symbols, NaN for a row without any."""
    count = np.isfinite(x).sum(axis=1)
    total = bn.nansum(x, axis=1)
    mean: FloatArray = np.divide(total, count, out=np.full(len(x), np.nan), where=count > 0)
    return mean
