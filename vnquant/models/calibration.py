"""Models: calibration. Makes raw forecasts honest, by out-of-sample forecasts whose outcome is known.

Three things are learnt from the past of the forecasts themselves, never from rows they were fitted on:

- the scale: regression of outcomes on forecasts, so that an overfitted model speaks more softly and one of
  noise falls nearly silent;
- the interval: quantiles of the errors in deviations (split conformal prediction, Lei et al. 2018, scaled by
  the volatility known at the time);
- the confidence: logistic regression (Platt 1999) of "the sign was right" on the size of the forecast in
  deviations and on the blend of `confidence`. Its prior is what normal errors imply, since the outcomes of a
  session are few independent facts.
"""

from __future__ import annotations

import msgspec
import numpy as np

from vnquant.market.bars import FloatArray

__all__ = ("LEAST_OUTCOMES", "Calibration", "fit_confidence", "fit_interval", "fit_slope")

# Slope: forecasts that the prior slope is worth.
_PRIOR_ROWS = 2_000.0
_PRIOR_SLOPE = 0.5
# Confidence. Outcomes of one session move together and overlap over the horizon: about 100 of them are one
# independent fact (the correlation of two symbols is near 0.3, times 100 symbols, times 5 sessions).
_ROWS_PER_FACT = 100.0
# What a normal forecast error says: P(right) = Phi(u) ~ logistic(1.6 u), the blend adds nothing, no bias.
_PRIOR_WEIGHTS = np.array([0.0, 1.6, 0.0])
# How sure that is: inverse variances of bias, strength and blend.
_PRIOR_PRECISION = np.array([1.0 / 0.15**2, 1.0 / 0.5**2, 1.0 / 0.5**2])
_NEWTON_STEPS = 12
_STRENGTH_LIMIT = 3.0
# Below this the quantiles of the interval would be guesses.
LEAST_OUTCOMES = 200
_LEAST_SLOPE = 0.02


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt from past forecasts.

    Attributes
    ----------
    slope : float
        Outcome per unit of raw forecast, both in deviations.
    error_low, error_high : float
        Quantiles of outcome less forecast, in deviations.
    bias, strength_weight, blend_weight : float
        Of the logistic regression.
    accuracy : float
        Share of the recent forecasts whose sign came true.
    outcomes : int
        Forecasts that were learnt from.
    """

    slope: float
    error_low: float
    error_high: float
    bias: float
    strength_weight: float
    blend_weight: float
    accuracy: float
    outcomes: int

    def confidence(self, strength: FloatArray, raw: FloatArray) -> FloatArray:
        """Return the probability of the right sign.

        Parameters
        ----------
        strength : float64
            Size of the calibrated forecast in deviations.
        raw : float64
            The blend, same shape.
        """
        told = (
            self.bias
            + self.strength_weight * np.minimum(strength, _STRENGTH_LIMIT)
            + self.blend_weight * (raw - 0.5)
        )
        return 1.0 / (1.0 + np.exp(-np.clip(told, -6.0, 6.0)))


def fit_slope(raw: FloatArray, outcome: FloatArray) -> float:
    """Return the regression slope of outcomes on raw forecasts through the origin, shrunk, in 0.02..2."""
    energy = float(raw @ raw)
    prior = _PRIOR_ROWS * float(np.mean(raw * raw)) if len(raw) else 0.0
    if energy + prior <= 0.0:
        return _LEAST_SLOPE
    slope = (float(raw @ outcome) + _PRIOR_SLOPE * prior) / (energy + prior)
    return min(max(slope, _LEAST_SLOPE), 2.0)


def fit_interval(error: FloatArray, level: float) -> tuple[float, float]:
    """Return the error quantiles that hold a share `level` between them, finite-sample corrected."""
    n = len(error)
    tail = min(0.5, max(0.5 * (1.0 - level) - 0.5 / max(n, 1), 0.0))
    low, high = np.quantile(error, [tail, 1.0 - tail])
    return float(low), float(high)


def fit_confidence(strength: FloatArray, raw: FloatArray, right: FloatArray) -> tuple[float, float, float]:
    """Return bias and weights of the logistic regression of `right` (0 or 1), shrunk to the normal theory."""
    design = np.column_stack([np.ones_like(strength), np.minimum(strength, _STRENGTH_LIMIT), raw - 0.5])
    weights = _PRIOR_WEIGHTS.copy()
    for _ in range(_NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -6.0, 6.0)))
        slope = design.T @ (right - chance) / _ROWS_PER_FACT - _PRIOR_PRECISION * (weights - _PRIOR_WEIGHTS)
        curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design / _ROWS_PER_FACT
        step = np.linalg.solve(curvature + np.diag(_PRIOR_PRECISION), slope)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-8:
            break
    # The more a forecast says, the surer it may be, never the less.
    return float(weights[0]), max(float(weights[1]), 0.0), float(weights[2])
