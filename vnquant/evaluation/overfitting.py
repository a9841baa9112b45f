"""Evaluation: how likely it is that the best of many settings is only the best of the past."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Literal

import numpy as np

from vnquant.errors import AlignmentError, MissingDataError, ParameterError
from vnquant.market.bars import FloatArray
from vnquant.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("OverfittingReport", "overfitting_report", "probability_of_backtest_overfitting")

_MOST_BLOCKS = 20
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False, repr=False)
class OverfittingReport:
    """What became of each split's best setting on the days that did not choose it.

    Attributes
    ----------
    probability : float
        Share of splits in which the best in sample is no better than the median out of sample.
    in_sample, out_of_sample : float64, shape (splits,)
        Statistic of the setting that was best in sample, on both sides of the split.
    logits : float64, shape (splits,)
        log(w / (1 - w)) of its relative rank w among all settings out of sample; 0 is the median.
    trials, blocks, observations : int
        Settings, blocks of days, and days.
    statistic : {"sharpe", "mean"}
    """

    probability: float
    in_sample: FloatArray
    out_of_sample: FloatArray
    logits: FloatArray
    trials: int
    blocks: int
    observations: int
    statistic: str

    @property
    def probability_of_loss(self) -> float:
        """Share of splits in which the best in sample lost money out of sample."""
        return float(np.mean(self.out_of_sample < 0.0))

    @property
    def slope(self) -> float:
        """What a better result in sample is worth out of sample: 1 keeps all of it, below 0 it is harmful.

        NaN where the best in sample are all as good.
        """
        known = np.isfinite(self.in_sample) & np.isfinite(self.out_of_sample)
        x, y = self.in_sample[known], self.out_of_sample[known]
        x = x - x.mean() if len(x) else x
        size = float(x @ x)
        return float(x @ y) / size if size > 0.0 else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """Return one row a split: in_sample, out_of_sample, logit."""
        import pandas as pd

        columns = {"in_sample": self.in_sample, "out_of_sample": self.out_of_sample, "logit": self.logits}
        return pd.DataFrame(columns).rename_axis("split")

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("probability of overfitting", f"{self.probability:.3f}"),
            ("probability of loss out of sample", f"{self.probability_of_loss:.3f}"),
            ("kept out of sample (slope)", f"{self.slope:+.2f}"),
            (f"mean {self.statistic} of the best in sample", f"{np.mean(self.in_sample):+.4f}"),
            ("  and out of sample", f"{np.mean(self.out_of_sample):+.4f}"),
            ("settings, days", f"{self.trials:,}, {self.observations:,}"),
            ("splits", f"{len(self.logits):,} of {self.blocks} blocks"),
        ]

    def __str__(self) -> str:
        return text_table(("Choosing the best setting", ""), self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_table(("Choosing the best setting", ""), self._rows())


def probability_of_backtest_overfitting(
    returns: FloatArray, *, blocks: int = 16, statistic: Literal["sharpe", "mean"] = "sharpe"
) -> float:
    """Return the probability that the setting chosen in sample is no better than the median out of sample.

    Near 0 the choice is real. Settings without merit give 0.5 on average, but anything from 0.2 to 0.8 in a
    single history (measured: 50 settings, 1,000 days). See `overfitting_report`.
    """
    return overfitting_report(returns, blocks=blocks, statistic=statistic).probability


def overfitting_report(
    returns: FloatArray, *, blocks: int = 16, statistic: Literal["sharpe", "mean"] = "sharpe"
) -> OverfittingReport:
    """Split the days in every way into two halves of blocks; choose on one half, look at the other.

    Combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado & Zhu, The probability of
    backtest overfitting, Journal of Computational Finance 20, 2017).

    Parameters
    ----------
    returns : float64, shape (T, K)
        Returns of K settings on the same T days, 2 settings or more; a day without a position is 0.
    blocks : int
        Even, from 2 to 20, at most T / 2. 16 blocks make 12,870 splits. Where T is not a multiple, the first
        blocks are a day longer.
    statistic : {"sharpe", "mean"}
        What the best setting is best in.

    Raises
    ------
    MissingDataError
        If a return is missing.
    """
    table = np.asarray(returns, dtype=np.float64)
    _check(table, blocks, statistic)
    days, trials = table.shape
    # Sums of a half are sums of its blocks; taken from the mean, so that squares do not cancel.
    centre = table.mean(axis=0)
    away = table - centre
    starts = np.cumsum([0, *(len(part) for part in np.array_split(np.arange(days), blocks)[:-1])])
    length = np.diff([*starts, days]).astype(np.float64)
    sums = np.add.reduceat(away, starts, axis=0)
    squares = np.add.reduceat(away * away, starts, axis=0)
    chosen = _halves(blocks)
    best_in, best_out, rank = (np.empty(len(chosen)) for _ in range(3))
    step = max(1, _CELLS_AT_ONCE // trials)
    for first in range(0, len(chosen), step):
        part = slice(first, first + step)
        half = chosen[part]
        rest = 1.0 - half
        inside, outside = (
            _statistic(which @ length, which @ sums, which @ squares, centre, statistic)
            for which in (half, rest)
        )
        best = inside.argmax(axis=1)[:, None]
        best_in[part] = np.take_along_axis(inside, best, axis=1)[:, 0]
        reached = np.take_along_axis(outside, best, axis=1)
        best_out[part] = reached[:, 0]
        # Average rank from 1 to K, ties shared; the best itself is one of the equals.
        rank[part] = (outside < reached).sum(axis=1) + ((outside == reached).sum(axis=1) + 1.0) / 2.0
    logits = np.log(rank / (trials + 1.0 - rank))
    return OverfittingReport(
        probability=float(np.mean(logits <= 0.0)),
        in_sample=best_in,
        out_of_sample=best_out,
        logits=logits,
        trials=trials,
        blocks=blocks,
        observations=days,
        statistic=statistic,
    )


def _check(table: FloatArray, blocks: int, statistic: str) -> None:
    if table.ndim != 2 or table.shape[1] < 2:
        raise AlignmentError(
            f"returns of shape {table.shape} must be days x settings with 2 settings or more: "
            "one setting leaves nothing to choose."
        )
    if blocks % 2 or not 2 <= blocks <= min(_MOST_BLOCKS, table.shape[0] // 2):
        raise ParameterError(
            f"blocks = {blocks} must be even, from 2 to {_MOST_BLOCKS}, and leave 2 of the {table.shape[0]} "
            "days to each block.",
            name="blocks",
            value=blocks,
        )
    if statistic not in ("sharpe", "mean"):
        raise ParameterError(
            f"statistic = {statistic!r} is unknown; use 'sharpe' or 'mean'.",
            name="statistic",
            value=statistic,
        )
    if missing := int(np.count_nonzero(~np.isfinite(table))):
        raise MissingDataError(
            f"{missing} of the returns are missing or infinite. Settings are compared on the same days: "
            "put 0 where there was no position, or leave out the days that not all settings have."
        )


def _halves(blocks: int) -> FloatArray:
    """Return every choice of half the blocks, as rows of ones and zeros."""
    chosen = np.zeros((comb(blocks, blocks // 2), blocks))
    places = np.array(list(combinations(range(blocks), blocks // 2)))
    np.put_along_axis(chosen, places, 1.0, axis=1)
    return chosen


def _statistic(
    n: FloatArray, total: FloatArray, square: FloatArray, centre: FloatArray, statistic: str
) -> FloatArray:
    """Return the statistic of every split and setting from sums of returns less their centre."""
    away = total / n[:, None]
    mean: FloatArray = centre + away
    if statistic == "mean":
        return mean
    variance = square / n[:, None] - away * away
    # A setting that never varied has a ratio of 0 if it earned nothing; what is left of it is rounding.
    flat = variance <= 1e-14 * (mean * mean + centre * centre)
    ratio = np.divide(mean, np.sqrt(np.maximum(variance, 0.0)), out=np.zeros_like(mean), where=~flat)
    return np.where(flat & (mean != 0.0), np.copysign(np.inf, mean), ratio)
