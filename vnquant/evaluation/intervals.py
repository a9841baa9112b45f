"""Evaluation: how sure a mean of overlapping days is: Newey-West and block-bootstrap intervals."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from vnquant.errors import ParameterError
from vnquant.market.bars import FloatArray

__all__ = ("Estimate", "block_bootstrap", "lags_for", "newey_west")

_Z95 = 1.959963984540054
# Two-sided 5 % critical value of a Bartlett t-statistic as a polynomial in b = bandwidth / days: Kiefer and
# Vogelsang (2005), Econometric Theory 21, table 1. At b = 0 it is the normal's; it widens the interval by
# what the estimate of the variance itself is unsure of, which a short sample makes large.
_FIXED_B = (_Z95, 2.9694, 0.4160, -0.5324)
_FEWEST = 10


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over days, and how sure it is.

    Attributes
    ----------
    mean, standard_error : float
    low, high : float
        95 % interval. It and the error are NaN with fewer than 10 days.
    p_value : float
        Probability of a mean as far from zero as this, either way, if the true one were zero.
    count : int
        Days that count.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    p_value: float
    count: int

    @property
    def is_zero(self) -> bool:
        """Whether the interval holds zero, or there is none: nothing was found."""
        return not (self.low > 0.0 or self.high < 0.0)

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f}, {self.count} days)"


def lags_for(horizon: int, days: int) -> int:
    """Return the lags of a Newey-West error for returns that span `horizon` rows.

    Neighbouring returns share days up to `horizon - 1` rows apart. A Bartlett kernel gives the farthest of
    them almost no weight, so it has to reach farther to count them: with horizon - 1 lags it finds 17 of 25
    parts of the variance of 5-row returns, with 3 horizon - 1 lags 22. Measured on 250 days, a 95 % interval
    then holds the truth 93 times in 100, in place of 88. The second term is Newey and West's (1994) rule for
    what else lasts from day to day.
    """
    return min(max(3 * horizon - 1, int(4.0 * (days / 100.0) ** (2.0 / 9.0))), max(days - 1, 0))


def newey_west(values: FloatArray, *, lags: int) -> Estimate:
    """Estimate the mean of a series whose neighbours resemble each other.

    Newey & West, Econometrica 55 (1987).

    Parameters
    ----------
    values : float64, shape (T,)
        NaN is left out.
    lags : int
        Of the Bartlett kernel; see `lags_for`. The interval uses critical values for this bandwidth (Kiefer &
        Vogelsang 2005), so it does not get too narrow on short series.
    """
    kept = values[np.isfinite(values)]
    n = len(kept)
    if n == 0:
        return _unsure(float("nan"), 0)
    mean = float(kept.mean())
    if n < _FEWEST:
        return _unsure(mean, n)
    lags = min(lags, n - 1)
    away = kept - mean
    variance = float(away @ away) / n
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(away[lag:] @ away[:-lag]) / n
    error = math.sqrt(max(variance, 0.0) / n)
    critical = _critical((lags + 1) / n)
    return Estimate(
        mean=mean,
        standard_error=error,
        low=mean - critical * error,
        high=mean + critical * error,
        p_value=_p_value(mean, error, critical),
        count=n,
    )


def block_bootstrap(
    values: FloatArray, *, horizon: int, rng: np.random.Generator, draws: int = 2_000
) -> Estimate:
    """Estimate a mean from resampled runs of days, with no assumption on their distribution.

    The circular block bootstrap (Politis & Romano 1992): each draw strings together runs of consecutive days
    that start anywhere, as many as fill the sample.

    Parameters
    ----------
    values : float64, shape (T,)
        NaN is left out.
    horizon : int
        Rows that each value spans; runs are three times as long or longer, so that they keep the overlap.
    rng : Generator
    draws : int
        At least 100.
    """
    if draws < 100:
        raise ParameterError(f"A bootstrap needs 100 draws or more, got {draws}.", name="draws", value=draws)
    kept = values[np.isfinite(values)]
    n = len(kept)
    if n == 0:
        return _unsure(float("nan"), 0)
    mean = float(kept.mean())
    if n < _FEWEST:
        return _unsure(mean, n)
    block = min(max(3 * horizon, round(1.5 * n ** (1.0 / 3.0))), n)
    running = np.concatenate([[0.0], np.cumsum(np.concatenate([kept, kept]) - mean)])
    starts = rng.integers(0, n, size=(draws, -(-n // block)))
    away = (running[starts + block] - running[starts]).mean(axis=1) / block
    error = float(away.std(ddof=1))
    # A block bootstrap's variance is that of a Bartlett kernel as wide as its blocks, and as unsure.
    critical = _critical(block / n)
    low, high = np.quantile(away, [0.025, 0.975]) * (critical / _Z95)
    return Estimate(
        mean=mean,
        standard_error=error,
        low=mean + float(low),
        high=mean + float(high),
        p_value=_p_value(mean, error, critical),
        count=n,
    )


def _critical(b: float) -> float:
    """Return the two-sided 5 % critical value for a bandwidth of `b` times the sample."""
    return sum(weight * min(b, 1.0) ** power for power, weight in enumerate(_FIXED_B))


def _p_value(mean: float, error: float, critical: float) -> float:
    if error <= 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return math.erfc(abs(mean) / error * (_Z95 / critical) / math.sqrt(2.0))


def _unsure(mean: float, count: int) -> Estimate:
    nan = float("nan")
    return Estimate(mean=mean, standard_error=nan, low=nan, high=nan, p_value=nan, count=count)
