"""Evaluation: the Sharpe ratio of some returns, and how far it can be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from vnquant.errors import MissingDataError, ParameterError
from vnquant.evaluation.sharpe import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe_ratio,
)
from vnquant.market.bars import FloatArray
from vnquant.tables import html_table, text_table

__all__ = ("SharpeReport", "sharpe_report")

_SESSIONS_A_YEAR = 250.0


class SharpeReport(msgspec.Struct, frozen=True, kw_only=True):
    """A Sharpe ratio, and how far it can be believed.

    Attributes
    ----------
    sharpe : float
        Per period.
    observations : int
    skewness, kurtosis : float
        Of the returns; kurtosis is 3 for the normal distribution.
    periods_per_year : float
    trials : float
        Settings tried, this one included.
    luck : float
        What the best of so many trials would show without any merit, per period.
    probabilistic, deflated : float
        Probability that the true ratio is above zero, and above luck.
    minimum_track_record : float
        Periods until the ratio is above zero with 95 % confidence.
    """

    sharpe: float
    observations: int
    skewness: float
    kurtosis: float
    periods_per_year: float
    trials: float
    luck: float
    probabilistic: float
    deflated: float
    minimum_track_record: float

    @property
    def annual(self) -> float:
        """Annual Sharpe ratio, as if the periods were independent."""
        return self.sharpe * math.sqrt(self.periods_per_year)

    @property
    def annual_luck(self) -> float:
        """Annual Sharpe ratio of the best of so many trials without merit."""
        return self.luck * math.sqrt(self.periods_per_year)

    @property
    def is_believable(self) -> bool:
        """Whether the ratio is above luck with 95 % confidence."""
        return self.deflated > 0.95

    def _rows(self) -> list[tuple[str, str]]:
        years = self.minimum_track_record / self.periods_per_year
        tried = f"best of {self.trials:,.4g} tries"
        return [
            ("Sharpe ratio, annual", f"{self.annual:+.2f}"),
            (f"{tried} by luck alone", f"{self.annual_luck:+.2f}"),
            ("probability above zero", f"{self.probabilistic:.3f}"),
            ("probability above luck (deflated)", f"{self.deflated:.3f}"),
            ("skewness, kurtosis", f"{self.skewness:+.2f}, {self.kurtosis:.2f}"),
            ("periods", f"{self.observations:,}"),
            ("needed to tell from zero", f"{years:.1f} years" if math.isfinite(years) else "never"),
        ]

    def _title(self) -> str:
        return "more than luck" if self.is_believable else "may be luck"

    def __str__(self) -> str:
        return text_table(("Sharpe ratio", self._title()), self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_table(("Sharpe ratio", self._title()), self._rows())


def sharpe_report(
    returns: FloatArray,
    *,
    trials: float = 1,
    trial_sharpes: Sequence[float] | FloatArray | None = None,
    periods_per_year: float = _SESSIONS_A_YEAR,
) -> SharpeReport:
    """Return how far the Sharpe ratio of some returns can be believed.

    Parameters
    ----------
    returns : float64, shape (T,)
        Simple returns of periods that do not overlap; NaN is left out.
    trials : float
        Settings tried until this one was chosen, itself included.
    trial_sharpes : sequence of float, optional
        Sharpe ratios per period of all of them; gives their variance, and their number where `trials` is
        left at 1.
    periods_per_year : float

    Raises
    ------
    MissingDataError
        With fewer than 3 returns, or returns that do not vary.
    """
    kept = np.asarray(returns, dtype=np.float64).ravel()
    kept = kept[np.isfinite(kept)]
    n = len(kept)
    deviation = float(kept.std(ddof=1)) if n > 2 else 0.0
    if n < 3 or deviation <= 1e-12 * float(np.abs(kept).max()):
        raise MissingDataError(
            f"A Sharpe ratio needs 3 returns or more that vary; these are {n} known returns"
            f"{' that are all the same' if n > 2 else ''}. Give the returns of each period, not prices."
        )
    variance = None
    if trial_sharpes is not None:
        tried = np.asarray(trial_sharpes, dtype=np.float64)
        if len(tried) < 2 or not np.isfinite(tried).all():
            raise ParameterError(
                "trial_sharpes holds the Sharpe ratios of all settings tried, two finite numbers or more; "
                "leave it out where they are not known.",
                name="trial_sharpes",
                value=len(tried),
            )
        variance = float(tried.var(ddof=1))
        trials = len(tried) if trials == 1 else trials
    away = (kept - kept.mean()) / kept.std()
    ratio = float(kept.mean()) / deviation
    shape = {"skewness": float(np.mean(away**3)), "kurtosis": float(np.mean(away**4))}
    return SharpeReport(
        sharpe=ratio,
        observations=n,
        periods_per_year=periods_per_year,
        trials=float(trials),
        luck=expected_maximum_sharpe(trials, 1.0 / (n - 1) if variance is None else variance),
        probabilistic=probabilistic_sharpe_ratio(ratio, observations=n, **shape),
        deflated=deflated_sharpe_ratio(
            ratio, observations=n, trials=trials, trial_variance=variance, **shape
        ),
        minimum_track_record=minimum_track_record(ratio, **shape),
        **shape,
    )
