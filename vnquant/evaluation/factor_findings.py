"""Evaluation: what a score's days say together, horizon by horizon: means, intervals, verdicts."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
import numpy as np

from vnquant.evaluation.factor_days import FactorDays
from vnquant.evaluation.intervals import Estimate
from vnquant.market.bars import FloatArray

__all__ = ("HorizonFindings", "QuantileFindings", "Verdict", "find", "overall")


class Verdict(StrEnum):
    """What the rank IC says: its 95 % interval lies above zero, below, around it, or there is none."""

    PREDICTS = "predicts"
    INVERSE = "predicts the opposite"
    NOISE = "noise"
    UNMEASURED = "not measured"


class QuantileFindings(msgspec.Struct, frozen=True, kw_only=True):
    """One quantile of the score: its mean return a horizon, and that beyond the mean of all symbols that day.

    Attributes
    ----------
    quantile : int
        From 1, the least scores.
    forward_return, excess : Estimate
    pairs : int
        Symbol-days with a forward return.
    turnover : float
        Mean share of its symbols that were not in it a horizon before.
    """

    quantile: int
    forward_return: Estimate
    excess: Estimate
    pairs: int
    turnover: float


class HorizonFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What the score was worth at one horizon.

    Attributes
    ----------
    horizon : int
        Rows ahead.
    rank_ic : Estimate
    rank_ic_deviation : float
        Standard deviation of the daily rank IC.
    positive_days : float
        Share of days with a rank IC above zero.
    hit_rate, hit_edge : Estimate
        Mean daily share of symbols whose return had the sign of their score, and that beyond chance.
    spread : Estimate
        Return of the best quantile less that of the least.
    autocorrelation : float
        Mean correlation of the score's ranks with those a horizon before.
    quantiles : tuple of QuantileFindings
    """

    horizon: int
    rank_ic: Estimate
    rank_ic_deviation: float
    positive_days: float
    hit_rate: Estimate
    hit_edge: Estimate
    spread: Estimate
    autocorrelation: float
    quantiles: tuple[QuantileFindings, ...]

    @property
    def verdict(self) -> Verdict:
        """What the rank IC says."""
        if not np.isfinite(self.rank_ic.standard_error):
            return Verdict.UNMEASURED
        if self.rank_ic.is_zero:
            return Verdict.NOISE
        return Verdict.PREDICTS if self.rank_ic.mean > 0.0 else Verdict.INVERSE


def find(
    days: FactorDays, place: int, horizon: int, estimate: Callable[[FloatArray], Estimate]
) -> HorizonFindings:
    """Return what the days say at the horizon of this place, with means estimated as told."""
    ic = days.rank_ic[:, place]
    known = ic[np.isfinite(ic)]
    returns = days.quantile_returns[:, :, place]
    excess = returns - days.mean_returns[:, place, None]
    return HorizonFindings(
        horizon=horizon,
        rank_ic=estimate(ic),
        rank_ic_deviation=float(known.std(ddof=1)) if len(known) > 1 else float("nan"),
        positive_days=float(np.mean(known > 0.0)) if len(known) else float("nan"),
        hit_rate=estimate(days.hit_rate[:, place]),
        hit_edge=estimate(days.hit_rate[:, place] - days.chance[:, place]),
        spread=estimate(returns[:, -1] - returns[:, 0]),
        autocorrelation=mean_of(days.autocorrelation[:, place]),
        quantiles=tuple(
            QuantileFindings(
                quantile=q + 1,
                forward_return=estimate(returns[:, q]),
                excess=estimate(excess[:, q]),
                pairs=int(days.quantile_pairs[:, q, place].sum()),
                turnover=mean_of(days.turnover[:, q, place]),
            )
            for q in range(returns.shape[1])
        ),
    )


def overall(findings: tuple[HorizonFindings, ...]) -> Verdict:
    """Return what all horizons say together.

    The least p-value is held against 5 % / number of horizons (Bonferroni), so that looking at more horizons
    does not find more.
    """
    measured = [f for f in findings if f.verdict is not Verdict.UNMEASURED]
    if not measured:
        return Verdict.UNMEASURED
    best = min(measured, key=lambda f: f.rank_ic.p_value)
    if best.rank_ic.p_value * len(measured) >= 0.05:
        return Verdict.NOISE
    return Verdict.PREDICTS if best.rank_ic.mean > 0.0 else Verdict.INVERSE


def mean_of(values: FloatArray) -> float:
    """Return the mean of what is known, NaN where nothing is."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
