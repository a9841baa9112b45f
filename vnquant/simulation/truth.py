"""Truth: what the simulated market obeys: exposures, expected returns, and the IC each factor truly has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from vnquant.market import FloatArray
from vnquant.simulation.planted import (
    FACTORS,
    HORIZON,
    LONG_SESSIONS,
    NEWS_FADE,
    SHORT_SESSIONS,
    VOLATILITY_SESSIONS,
    Planted,
    exposures,
)
from vnquant.simulation.process import Trajectory, as_return, faded, planted_drift

__all__ = ("TrueIC", "Truth", "truth_of")


@dataclass(frozen=True, slots=True)
class TrueIC:
    """Mean daily rank IC against the realised 5-session return.

    Attributes
    ----------
    mean, standard_error : float
        The error allows for the overlap of the returns (Newey-West, 9 lags). NaN without two sessions.
    sessions : int
    """

    mean: float
    standard_error: float
    sessions: int


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The planted structure of the sessions so far, arrays of shape (T, N), NaN in the first 59 sessions.

    Attributes
    ----------
    planted : Planted
    symbols : tuple of str, length N
    sessions : datetime64[D], shape (T,)
    factors : mapping of str to float64
        Exposure to each factor, known at the close of its session (`planted.FACTORS`).
    expected_return : float64
        Planted expected return of the next 5 sessions, known at the close: the path without further shocks.
        Exactly 0 where nothing is planted.
    forward_return : float64
        What the adjusted closes then did over these 5 sessions; NaN in the last 5. For measuring only.
    """

    planted: Planted
    symbols: tuple[str, ...]
    sessions: npt.NDArray[np.datetime64]
    factors: Mapping[str, FloatArray]
    expected_return: FloatArray
    forward_return: FloatArray

    def rank_ic(self) -> dict[str, TrueIC]:
        """Return the true rank IC of each factor, and of the whole expected return under "total".

        Only factors that are planted are measured; without any the result is empty.
        """
        measured = {name: self.factors[name] for name, strength in self.planted.strengths.items() if strength}
        if measured:
            measured["total"] = self.expected_return
        return {name: self.ic_of(scores) for name, scores in measured.items()}

    def ic_of(self, scores: FloatArray) -> TrueIC:
        """Return the mean daily rank IC of any scores of shape (T, N) against the realised returns."""
        return _mean_ic(_daily_rank_ic(scores, self.forward_return))


def truth_of(
    planted: Planted,
    symbols: tuple[str, ...],
    sessions: npt.NDArray[np.datetime64],
    path: Trajectory,
    adjusted_close: FloatArray,
) -> Truth:
    """Compute the truth of a trajectory, all sessions at once."""
    rows = len(sessions)
    known = np.arange(rows) >= VOLATILITY_SESSIONS - 1
    # events[a] holds each session's event of a sessions ago.
    events = np.stack([_lagged(path.events[:rows], age) for age in range(len(NEWS_FADE))])
    volatility = path.volatility[:rows]
    older = as_return(path.older_sum[:rows])
    quiet = as_return(path.quiet_sum[:rows])
    values = exposures(older, quiet, volatility, faded(events))
    factors = {
        name: np.where(known[:, None], value, np.nan) for name, value in zip(FACTORS, values, strict=True)
    }
    returns = as_return(path.returns[:rows])
    expected = _shockless_path(planted, returns, older, quiet, volatility, events)
    forward = np.full_like(adjusted_close, np.nan)
    forward[:-HORIZON] = adjusted_close[HORIZON:] / adjusted_close[:-HORIZON] - 1.0
    return Truth(
        planted=planted,
        symbols=symbols,
        sessions=sessions,
        factors=MappingProxyType(factors),
        expected_return=np.where(known[:, None], expected, np.nan),
        forward_return=forward,
    )


def _shockless_path(
    planted: Planted,
    returns: FloatArray,
    older: FloatArray,
    quiet: FloatArray,
    volatility: FloatArray,
    events: FloatArray,
) -> FloatArray:
    """Return the sum of the next 5 drifts if no shock came: what leaves the windows is known already."""
    total = np.zeros_like(returns)
    quiet_returns = np.where(events[0] == 0.0, returns, 0.0)
    for later in range(HORIZON):
        drift = planted_drift(planted, older, quiet, volatility, faded(events, later=later))
        total += drift
        # What turns older is known through all 5 sessions; what stays recent are the drifts themselves.
        older = (
            older + _lagged(returns, SHORT_SESSIONS - 1 - later) - _lagged(returns, LONG_SESSIONS - 1 - later)
        )
        quiet = quiet + drift - _lagged(quiet_returns, SHORT_SESSIONS - 1 - later)
    return total


def _lagged(values: FloatArray, lag: int) -> FloatArray:
    """Return values of `lag` rows ago, 0 before the first."""
    if lag == 0:
        return values
    shifted = np.zeros_like(values)
    shifted[lag:] = values[:-lag]
    return shifted


def _daily_rank_ic(scores: FloatArray, returns: FloatArray) -> FloatArray:
    """Return Spearman's correlation of each row, ties sharing their mean rank; NaN rows left out."""
    import bottleneck as bn

    both = np.isfinite(scores) & np.isfinite(returns)
    ranks = [bn.nanrankdata(np.where(both, values, np.nan), axis=1) for values in (scores, returns)]
    a, b = (r - np.nanmean(r, axis=1, keepdims=True) for r in (r[both.sum(axis=1) >= 5] for r in ranks))
    spread = np.sqrt(np.nansum(a * a, axis=1) * np.nansum(b * b, axis=1))
    usable = spread > 0
    correlation: FloatArray = np.nansum(a * b, axis=1)[usable] / spread[usable]
    return correlation


def _mean_ic(daily: FloatArray) -> TrueIC:
    count = len(daily)
    if count < 2:
        return TrueIC(float(daily.mean()) if count else float("nan"), float("nan"), count)
    mean = float(daily.mean())
    centred = daily - mean
    lags = min(2 * HORIZON - 1, count - 1)
    variance = float(centred @ centred) / count
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1)
        variance += 2.0 * weight * float(centred[lag:] @ centred[:-lag]) / count
    return TrueIC(mean, float(np.sqrt(max(variance, 0.0) / count)), count)
