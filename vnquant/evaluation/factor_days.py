"""Evaluation: what a score was worth on each single day, as arrays; nothing here says how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnquant.evaluation.ranking import (
    BoolArray,
    IntArray,
    Ranked,
    autocorrelation,
    quantile_of,
    rank_correlation,
    ranked,
)
from vnquant.market.bars import FloatArray

__all__ = ("FactorDays", "measure_days")

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]

_BLOCK_CELLS = 24_000


@dataclass(frozen=True, eq=False)
class FactorDays:
    """A score's days. T days, H horizons, Q quantiles, K other scores; NaN where a day cannot tell.

    Attributes
    ----------
    rank_ic : float64, shape (T, H)
        Spearman correlation of scores and forward returns.
    hit_rate : float64, shape (T, H)
        Share of symbols whose return had the sign of their score; zeros on either side are left out.
    chance : float64, shape (T, H)
        The hit rate of the same numbers of rising calls and rising returns, dealt at random. A score that is
        always positive hits often on a day that rises, without any merit.
    pairs : int64, shape (T, H)
        Symbols with both score and forward return.
    quantile_counts : int64, shape (T, Q)
        Symbols by quantile of the score, the least scores first.
    quantile_pairs : int64, shape (T, Q, H)
        Those of them with a forward return.
    quantile_returns : float64, shape (T, Q, H)
        Their mean forward return, as a fraction over the whole horizon.
    mean_returns : float64, shape (T, H)
        Mean forward return of all pairs.
    turnover : float64, shape (T, Q, H)
        Share of a quantile's symbols that were not in it as many rows before as the horizon has.
    autocorrelation : float64, shape (T, H)
        Of the score's ranks, with those of as many rows before.
    overlap : float64, shape (T, K)
        Rank correlation with each of the other scores.
    """

    rank_ic: FloatArray
    hit_rate: FloatArray
    chance: FloatArray
    pairs: IntArray
    quantile_counts: IntArray
    quantile_pairs: IntArray
    quantile_returns: FloatArray
    mean_returns: FloatArray
    turnover: FloatArray
    autocorrelation: FloatArray
    overlap: FloatArray


def measure_days(
    scores: FloatArray,
    forwards: Mapping[int, FloatArray | Ranked],
    others: Sequence[FloatArray | Ranked],
    *,
    quantiles: int,
    min_symbols: int,
) -> FactorDays:
    """Measure scores of shape (T, N) against forward returns of the same shape, by horizon.

    Returns and other scores that are given ranked are not ranked again, which is most of the work.
    """
    days, wide = len(scores), len(forwards)
    found = FactorDays(
        rank_ic=np.empty((days, wide)),
        hit_rate=np.empty((days, wide)),
        chance=np.empty((days, wide)),
        pairs=np.empty((days, wide), dtype=np.int64),
        quantile_counts=np.empty((days, quantiles), dtype=np.int64),
        quantile_pairs=np.empty((days, quantiles, wide), dtype=np.int64),
        quantile_returns=np.empty((days, quantiles, wide)),
        mean_returns=np.empty((days, wide)),
        turnover=np.empty((days, quantiles, wide)),
        autocorrelation=np.empty((days, wide)),
        overlap=np.empty((days, len(others))),
    )
    # Blocks of days whose arrays stay in the cache: twice as fast as all days at once, which waits for fresh
    # memory. Each block ranks the days before it that its lags reach back to once more.
    reach = max(forwards)
    step = max(_BLOCK_CELLS // max(scores.shape[1], 1), 4 * reach, 1)
    for start in range(0, days, step):
        rows, earlier = slice(start, start + step), min(reach, start)
        order = ranked(scores[start - earlier : start + step])
        groups = _Groups(quantile_of(order, quantiles, min_symbols=min_symbols), quantiles)
        found.quantile_counts[rows] = groups.counts[earlier:]
        today, groups_today = order.rows(slice(earlier, None)), groups.rows(slice(earlier, None))
        for k, other in enumerate(others):
            found.overlap[rows, k] = rank_correlation(today, _days(other, rows), min_symbols=min_symbols)
        for k, (horizon, forward) in enumerate(forwards.items()):
            found.turnover[rows, :, k] = groups.turnover(horizon)[earlier:]
            found.autocorrelation[rows, k] = autocorrelation(order, horizon, min_symbols=min_symbols)[
                earlier:
            ]
            _compare_with_returns(found, rows, k, today, groups_today, _days(forward, rows), min_symbols)
    return found


def _compare_with_returns(
    found: FactorDays,
    rows: slice,
    k: int,
    order: Ranked,
    groups: _Groups,
    forward: FloatArray | Ranked,
    min_symbols: int,
) -> None:
    """Fill in what a block of days says about the forward returns of one horizon."""
    gained = forward.values if isinstance(forward, Ranked) else forward
    both = order.present & (forward.present if isinstance(forward, Ranked) else np.isfinite(forward))
    pairs = np.count_nonzero(both, axis=1)
    enough = pairs >= min_symbols
    reached = np.where(both, gained, 0.0)
    known, total = groups.sums(both), groups.sums(reached)
    found.pairs[rows, k] = pairs
    found.rank_ic[rows, k] = rank_correlation(order, forward, min_symbols=min_symbols)
    found.hit_rate[rows, k], found.chance[rows, k] = _hits(order, gained, both, min_symbols)
    found.quantile_pairs[rows, :, k] = known
    found.quantile_returns[rows, :, k] = _ratio(total, known, (known > 0.0) & enough[:, None])
    found.mean_returns[rows, k] = _ratio(reached.sum(axis=1), pairs, enough)


def _days(values: FloatArray | Ranked, rows: slice) -> FloatArray | Ranked:
    return values.rows(rows) if isinstance(values, Ranked) else values[rows]


class _Groups:
    """The quantiles that symbols are in, and sums over them by day."""

    def __init__(self, bins: IntArray, quantiles: int) -> None:
        self.bins, self.quantiles = bins, quantiles
        # One number for each day and quantile; the last of a day collects what has no quantile.
        self._cells = (bins + np.arange(len(bins))[:, None] * (quantiles + 1)).ravel()
        self.counts = self.sums(None)

    def rows(self, which: slice) -> _Groups:
        """Return some of the days."""
        return _Groups(self.bins[which], self.quantiles)

    def sums(self, weights: Array | None) -> FloatArray:
        """Return the sums of weights, or the number of symbols, by day and quantile: shape (T, Q)."""
        wide = self.quantiles + 1
        flat = None if weights is None else weights.ravel()
        summed = np.bincount(self._cells, flat, minlength=len(self.bins) * wide).astype(np.float64)
        return summed.reshape(len(self.bins), wide)[:, : self.quantiles]

    def turnover(self, lag: int) -> FloatArray:
        """Return the share of each quantile's symbols that were elsewhere, or nowhere, `lag` rows before."""
        share = np.full(self.counts.shape, np.nan)
        if lag < len(self.bins):
            stayed = np.zeros(self.bins.shape, dtype=bool)
            np.equal(self.bins[lag:], self.bins[:-lag], out=stayed[lag:])
            now, before = self.counts[lag:], self.counts[:-lag]
            share[lag:] = 1.0 - _ratio(self.sums(stayed)[lag:], now, (now > 0.0) & (before > 0.0))
        return share


def _hits(
    scores: Ranked, forward: FloatArray, both: BoolArray, min_symbols: int
) -> tuple[FloatArray, FloatArray]:
    """Return each day's hit rate, and the one that chance would give."""
    rising, falling = (scores.values > 0.0) & both, (scores.values < 0.0) & both
    up, down = forward > 0.0, forward < 0.0
    up_up, up_down, down_up, down_down = (
        np.count_nonzero(called & came, axis=1).astype(np.float64)
        for called in (rising, falling)
        for came in (up, down)
    )
    calls = up_up + up_down + down_up + down_down
    used = calls >= min_symbols
    by_chance = (up_up + up_down) * (up_up + down_up) + (down_up + down_down) * (up_down + down_down)
    return _ratio(up_up + down_down, calls, used), _ratio(by_chance, calls * calls, used)


def _ratio(above: Array, below: Array, where: BoolArray) -> FloatArray:
    """Return the quotient, NaN where it is not wanted."""
    quotient = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=quotient, where=where)
    return quotient
