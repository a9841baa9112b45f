"""Evaluation: ranks within each day, and what is made of them: correlations and quantiles.

All days at once: one sort of the whole array, ties by their average rank, symbols without a value left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnquant.market.bars import FloatArray

__all__ = ("BoolArray", "IntArray", "Ranked", "autocorrelation", "quantile_of", "rank_correlation", "ranked")

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Ranked:
    """Values and their ranks within each day.

    Attributes
    ----------
    values : float64, shape (T, N)
        +inf where there is none.
    present : bool, shape (T, N)
    count : int64, shape (T,)
        Symbols that have a value.
    centred : float64, shape (T, N)
        Ranks, ties sharing their average, less the mean rank of the day; 0 where absent.
    """

    values: FloatArray
    present: BoolArray
    count: IntArray
    centred: FloatArray

    def rows(self, which: slice) -> Ranked:
        """Return some of the days."""
        return Ranked(self.values[which], self.present[which], self.count[which], self.centred[which])


def ranked(values: FloatArray, present: BoolArray | None = None) -> Ranked:
    """Rank the finite values of each row, or those of them where `present` is True."""
    known = np.isfinite(values) if present is None else present
    filled = np.where(known, values, np.inf)  # a sort without NaN is several times faster
    rows, columns = filled.shape
    count = np.count_nonzero(known, axis=1).astype(np.int64)
    row_start = np.arange(rows) * columns
    order = np.argsort(filled, axis=1)
    order += row_start[:, None]
    ordered = filled.ravel().take(order)
    # Runs of equals in the sorted rows; each of their members gets the run's middle place.
    begins = np.ones(filled.size + 1, dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=begins[:-1].reshape(rows, columns)[:, 1:])
    bounds = np.flatnonzero(begins)
    middle = (bounds[1:] + (bounds[:-1] - 1)) * 0.5
    centred = np.empty((rows, columns))
    centred.ravel()[order.ravel()] = np.repeat(middle, bounds[1:] - bounds[:-1])
    centred -= (row_start + (count - 1) * 0.5)[:, None]
    centred *= known
    return Ranked(filled, known, count, centred)


def rank_correlation(scores: Ranked, other: FloatArray | Ranked, *, min_symbols: int) -> FloatArray:
    """Return Spearman's correlation of each day over the symbols that have both values.

    Parameters
    ----------
    scores : Ranked
    other : float64 of shape (T, N), or Ranked
        Ranks that were made before hold wherever every symbol that has the other value has a score too.
    min_symbols : int

    Returns
    -------
    float64, shape (T,)
        NaN where fewer than `min_symbols` have both, or one side is constant.
    """
    if isinstance(other, Ranked):
        both = scores.present & other.present
        count = np.count_nonzero(both, axis=1)
        enough = count >= min_symbols
        b = _among(other, both, count, enough)
    else:
        both = scores.present & np.isfinite(other)
        pair = ranked(other, both)
        count, enough, b = pair.count, pair.count >= min_symbols, pair.centred
    a = _among(scores, both, count, enough)
    size = np.sqrt(np.vecdot(a, a) * np.vecdot(b, b))
    daily = np.full(len(size), np.nan)
    np.divide(np.vecdot(a, b), size, out=daily, where=enough & (size > 0.0))
    return daily


def _among(all_ranks: Ranked, chosen: BoolArray, count: IntArray, wanted: BoolArray) -> FloatArray:
    """Return the ranks among the chosen symbols, made again on those wanted days that lack some."""
    again = np.flatnonzero((count < all_ranks.count) & wanted)
    if not len(again):
        return all_ranks.centred
    centred = all_ranks.centred.copy()
    centred[again] = ranked(all_ranks.values[again], chosen[again]).centred
    return centred


def autocorrelation(scores: Ranked, lag: int, *, min_symbols: int) -> FloatArray:
    """Return the correlation of each day's ranks with those of `lag` rows before.

    Ranks are those within each day's own symbols; symbols that miss one of the days are left out.

    Returns
    -------
    float64, shape (T,)
        NaN in the first `lag` rows, and as in `rank_correlation`.
    """
    daily = np.full(len(scores.count), np.nan)
    if not 0 < lag < len(daily):
        return daily
    ranks, present = scores.centred, scores.present.astype(np.float64)
    a, in_a, b, in_b = ranks[lag:], present[lag:], ranks[:-lag], present[:-lag]
    n = np.vecdot(in_a, in_b)
    enough = n >= min_symbols
    inverse = np.divide(1.0, n, out=np.zeros_like(n), where=enough)
    sum_a, sum_b = np.vecdot(a, in_b), np.vecdot(b, in_a)
    spread_a = np.vecdot(a * a, in_b) - sum_a * sum_a * inverse
    spread_b = np.vecdot(b * b, in_a) - sum_b * sum_b * inverse
    size = np.sqrt(np.maximum(spread_a, 0.0) * np.maximum(spread_b, 0.0))
    # Ranks of different symbols are at least a quarter apart, so a spread below that is rounding of zero.
    differs = enough & (spread_a > 1e-3) & (spread_b > 1e-3)
    np.divide(np.vecdot(a, b) - sum_a * sum_b * inverse, size, out=daily[lag:], where=differs)
    return daily


def quantile_of(scores: Ranked, quantiles: int, *, min_symbols: int) -> IntArray:
    """Return the quantile of every symbol by its rank: 0 for the least scores, `quantiles - 1` for the best.

    Without ties these are the bins of `pandas.qcut`, edges belonging to the bin below; a run of equal scores
    stays together, in the bin of its average rank. So a day of one score is all in the middle, where `qcut`
    would refuse it.

    Returns
    -------
    int64, shape (T, N)
        `quantiles` where a symbol has no score, or the day fewer than `min_symbols`.
    """
    last = scores.count[:, None] - 1.0
    # rank x quantiles is exact, and correct rounding cannot carry a quotient over a whole number.
    place = (scores.centred + last / 2.0) * quantiles / np.maximum(last, 1.0)
    bins: IntArray = np.clip(np.ceil(place) - 1.0, 0, quantiles - 1).astype(np.int64)
    bins[~scores.present] = quantiles
    bins[scores.count < min_symbols] = quantiles
    return bins
