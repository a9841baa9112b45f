"""Evaluation: how far a Sharpe ratio can be believed, given its length, its tails, and how many were tried.

All Sharpe ratios here are per period, not annual: mean / standard deviation of the returns of one day, say.
`SharpeReport.annual` is the annual one. Nothing but the standard library is needed.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from vnquant.errors import ParameterError

__all__ = (
    "deflated_sharpe_ratio",
    "effective_trials",
    "expected_maximum_sharpe",
    "minimum_track_record",
    "probabilistic_sharpe_ratio",
)

_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329


def probabilistic_sharpe_ratio(
    sharpe: float,
    *,
    observations: int,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark.

    Bailey & Lopez de Prado, The Sharpe ratio efficient frontier, Journal of Risk 15 (2012), equation 11.

    Parameters
    ----------
    sharpe : float
        Found, per period.
    observations : int
        Periods that it was found in, at least 2.
    skewness, kurtosis : float
        Of the returns; kurtosis is 3 for the normal distribution, not 0.
    benchmark : float
        Per period.

    Returns
    -------
    float in [0, 1]
    """
    error = math.sqrt(_variance(sharpe, skewness, kurtosis) / (_checked(observations) - 1))
    return _NORMAL.cdf((sharpe - benchmark) / error)


def deflated_sharpe_ratio(
    sharpe: float,
    *,
    observations: int,
    trials: float,
    trial_variance: float | None = None,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Return the probability that the best of many trials is better than luck: above 0.95 it is.

    The probabilistic Sharpe ratio against the one to expect of the best of as many trials without any merit.
    Bailey & Lopez de Prado, The deflated Sharpe ratio, Journal of Portfolio Management 40 (2014), equation 2.

    Parameters
    ----------
    sharpe, observations, skewness, kurtosis
        As in `probabilistic_sharpe_ratio`, of the one that was chosen.
    trials : float
        Independent settings that were tried, the chosen one included; see `effective_trials` for settings
        that resemble each other.
    trial_variance : float, optional
        Variance of the Sharpe ratios of all trials. Left out, it is that of pure luck,
        1 / (observations - 1); settings that resemble each other vary less, so this errs to the strict side.

    Examples
    --------
    The paper's own: an annual ratio of 2.5 in 1,250 days of 250 a year, the best of 100 trials whose annual
    ratios have a variance of 1/2.

    >>> round(deflated_sharpe_ratio(2.5 / 250**0.5, observations=1250, trials=100, trial_variance=0.5 / 250,
    ...                             skewness=-3.0, kurtosis=10.0), 4)
    0.9004
    """
    variance = 1.0 / (_checked(observations) - 1) if trial_variance is None else trial_variance
    return probabilistic_sharpe_ratio(
        sharpe,
        observations=observations,
        skewness=skewness,
        kurtosis=kurtosis,
        benchmark=expected_maximum_sharpe(trials, variance),
    )


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """Return the Sharpe ratio to expect of the best of some trials without merit.

    `variance` is that of their Sharpe ratios. Equation 1 of the paper on the deflated Sharpe ratio; 0 for
    a single trial.
    """
    if not trials >= 1.0:
        raise ParameterError(
            f"trials = {trials} must be 1 or more: the chosen setting is one itself.",
            name="trials",
            value=trials,
        )
    if not variance >= 0.0:
        raise ParameterError(
            f"The variance of the trials' Sharpe ratios cannot be {variance}; give 0 or more.",
            name="variance",
            value=variance,
        )
    if trials == 1.0:
        return 0.0
    of_maximum = (1.0 - _EULER_GAMMA) * _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    of_maximum += _EULER_GAMMA * _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    # The approximation falls below zero for fractional trials just above 1, where the maximum cannot.
    return math.sqrt(variance) * max(of_maximum, 0.0)


def effective_trials(trials: int, mean_correlation: float) -> float:
    """Return how many independent trials some that resemble each other are worth.

    Appendix 3 of the paper on the deflated Sharpe ratio: all at correlation 0, one at correlation 1.
    """
    if trials < 1 or not mean_correlation <= 1.0:
        raise ParameterError(
            f"trials = {trials} must be 1 or more and mean_correlation = {mean_correlation} at most 1.",
            name="trials",
            value=trials,
        )
    return mean_correlation + (1.0 - mean_correlation) * trials if mean_correlation > 0.0 else float(trials)


def minimum_track_record(
    sharpe: float,
    *,
    benchmark: float = 0.0,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> float:
    """Return how many periods it takes until a Sharpe ratio is above a benchmark with some confidence.

    Equation 13 of the paper on the efficient frontier; infinite where it is not above.
    """
    if not 0.5 < confidence < 1.0:
        raise ParameterError(
            f"confidence = {confidence} must lie between 0.5 and 1, such as 0.95.",
            name="confidence",
            value=confidence,
        )
    if sharpe <= benchmark:
        return math.inf
    needed = _NORMAL.inv_cdf(confidence) / (sharpe - benchmark)
    return 1.0 + _variance(sharpe, skewness, kurtosis) * needed * needed


def _variance(sharpe: float, skewness: float, kurtosis: float) -> float:
    """Return the variance of a Sharpe ratio times observations - 1 (Mertens 2002)."""
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    if not variance > 0.0:
        raise ParameterError(
            f"No returns have a Sharpe ratio of {sharpe} with skewness {skewness} and kurtosis {kurtosis}. "
            "Kurtosis is 3 for the normal distribution (add 3 to an excess kurtosis), and the ratio is per "
            "period, not annual.",
            name="kurtosis",
            value=kurtosis,
        )
    return variance


def _checked(observations: int) -> int:
    if observations < 2:
        raise ParameterError(
            f"A Sharpe ratio of {observations} observations says nothing; give 2 or more.",
            name="observations",
            value=observations,
        )
    return observations
