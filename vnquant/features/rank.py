"""Features: what a score is worth: its rank IC against forward returns. Here, since models report it too."""

from __future__ import annotations

from dataclasses import dataclass

import bottleneck as bn
import numpy as np

from vnquant.errors import AlignmentError, ParameterError
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("RankIC", "forward_return", "rank_ic")

_Z95 = 1.959963984540054  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, eq=False)
class RankIC:
    """Rank IC by day, its mean, and how sure that is.

    Attributes
    ----------
    daily : float64, shape (T,)
        Spearman correlation of the day in [-1, 1]; NaN where fewer than `min_symbols` had both values, or one
        side was constant.
    mean, standard_error : float
        The error is Newey and West's (1987, Econometrica 55), with `horizon - 1` lags since forward returns
        of neighbouring days share days. NaN without enough days.
    horizon : int
        Sessions of the forward return.
    days : int
        Days that count.
    """

    daily: FloatArray
    mean: float
    standard_error: float
    horizon: int
    days: int

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval of the mean."""
        return self.mean - _Z95 * self.standard_error

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval of the mean."""
        return self.mean + _Z95 * self.standard_error

    def __repr__(self) -> str:
        return (
            f"RankIC({self.mean:+.4f}, 95 % interval {self.low:+.4f} to {self.high:+.4f}, "
            f"{self.horizon} sessions ahead, {self.days} days)"
        )


def forward_return(panel: BarPanel, horizon: int = 5) -> FloatArray:
    """Return the simple return from each row to `horizon` rows later: for evaluation and labels only.

    Parameters
    ----------
    panel : BarPanel
    horizon : int
        Rows ahead, at least 1.

    Returns
    -------
    float64, shape (T, N)
        NaN in the last `horizon` rows, and where either bar is missing.
    """
    if horizon < 1:
        raise ParameterError(f"horizon must be 1 or more, got {horizon}.", name="horizon", value=horizon)
    ahead = np.full(panel.shape, np.nan)
    rows = len(panel.timestamps) - int(panel.partial)  # a running session has no close yet
    if rows > horizon:
        start, end = panel.close[: rows - horizon], panel.close[horizon:rows]
        np.divide(end, start, out=ahead[: rows - horizon], where=start > 0.0)
    return ahead - 1.0


def rank_ic(scores: FloatArray, forward: FloatArray, *, horizon: int = 5, min_symbols: int = 5) -> RankIC:
    """Return the daily rank IC of scores (Grinold & Kahn, Active Portfolio Management, ch. 6) and its mean.

    Parameters
    ----------
    scores, forward : float64, shape (T, N)
        Score known at each row, and the return from there on. NaN in either leaves the pair out; ties get
        their average rank.
    horizon : int
        Sessions that `forward` spans, for the error of the mean.
    min_symbols : int
        Days with fewer pairs are left out.

    Raises
    ------
    AlignmentError
        If the shapes differ.
    """
    if np.shape(scores) != np.shape(forward) or np.ndim(scores) != 2:
        raise AlignmentError(
            f"scores {np.shape(scores)} and forward returns {np.shape(forward)} must share a shape (T, N)"
        )
    both = np.isfinite(scores) & np.isfinite(forward)
    count = both.sum(axis=1)
    daily = np.full(len(both), np.nan)
    used = np.flatnonzero(count >= max(2, min_symbols))
    if len(used):
        a, b = (_centred_ranks(np.where(both, x, np.nan)[used]) for x in (scores, forward))
        size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        daily[used] = np.divide((a * b).sum(axis=1), size, out=np.full_like(size, np.nan), where=size > 0.0)
    mean, error = mean_with_error(daily, lags=horizon - 1)
    return RankIC(daily, mean, error, horizon, int(np.isfinite(daily).sum()))


def mean_with_error(values: FloatArray, *, lags: int) -> tuple[float, float]:
    """Return the mean of a series and its Newey-West standard error with a Bartlett kernel; NaN left out."""
    kept = values[np.isfinite(values)]
    n = len(kept)
    if n == 0:
        return float("nan"), float("nan")
    mean = float(kept.mean())
    if n < lags + 2:
        return mean, float("nan")
    away = kept - mean
    variance = float(away @ away) / n
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(away[lag:] @ away[:-lag]) / n
    return mean, float(np.sqrt(max(variance, 0.0) / n))


def _centred_ranks(x: FloatArray) -> FloatArray:
    """Return average ranks along each row less their mean, 0 where x is NaN."""
    ranks = bn.nanrankdata(x, axis=1)
    ranks -= bn.nanmean(ranks, axis=1)[:, None]
    centred: FloatArray = np.nan_to_num(ranks)
    return centred
