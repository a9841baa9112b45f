"""Evaluation: a factor report as findings, frames, Sharpe ratio, text and HTML, each made when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from vnquant.errors import ParameterError
from vnquant.evaluation.factor_days import FactorDays
from vnquant.evaluation.factor_findings import HorizonFindings, Verdict, find, mean_of, overall
from vnquant.evaluation.factor_view import as_html, as_text
from vnquant.evaluation.intervals import Estimate, block_bootstrap, lags_for, newey_west
from vnquant.evaluation.sharpe_report import SharpeReport, sharpe_report
from vnquant.market.bars import FloatArray, TimeArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("FactorReport",)

_YEAR = np.timedelta64(31_557_600, "s")


@dataclass(frozen=True, eq=False, repr=False)
class FactorReport:
    """What a score was worth, by day in `days`, over all days in the rest. Frames are made when asked for.

    Returns are gross of costs; `turnover` says how much would have to be traded for them.

    Attributes
    ----------
    timestamps : datetime64[s], shape (T,)
    horizons : tuple of int
        Rows ahead.
    quantiles : int
    others : tuple of str
        Scores that the overlap is told with.
    days : FactorDays
        Arrays by day.
    interval : {"newey-west", "bootstrap"}
    seed : int
        Of the bootstrap.
    """

    timestamps: TimeArray
    horizons: tuple[int, ...]
    quantiles: int
    others: tuple[str, ...]
    days: FactorDays
    interval: Literal["newey-west", "bootstrap"] = "newey-west"
    seed: int = 0

    # -- findings -----------------------------------------------------------------------------------------

    @cached_property
    def findings(self) -> tuple[HorizonFindings, ...]:
        """What was found, by horizon."""
        return tuple(find(self.days, k, h, self._estimator(h)) for k, h in enumerate(self.horizons))

    def at(self, horizon: int) -> HorizonFindings:
        """Return what was found at one horizon."""
        return self.findings[self._place(horizon)]

    @property
    def verdict(self) -> Verdict:
        """What all horizons say together: noise, unless one of them stands out from as many tries."""
        return overall(self.findings)

    def sharpe(
        self,
        *,
        trials: float = 1,
        horizon: int | None = None,
        leg: Literal["top", "spread"] = "top",
        trial_sharpes: FloatArray | None = None,
    ) -> SharpeReport:
        """Return the Sharpe ratio of trading the quantiles, gross, deflated by the number of settings tried.

        Parameters
        ----------
        trials : float
            Settings tried until this one, itself included.
        horizon : int, optional
            Days that each position is held, the shortest where left out; positions follow each other without
            overlap.
        leg : {"top", "spread"}
            Best quantile beyond the mean of all symbols, or beyond the least quantile; the latter needs short
            sales, which the market does not have.
        trial_sharpes : float64, optional
            See `sharpe_report`.
        """
        held = min(self.horizons) if horizon is None else horizon
        k = self._place(held)
        gained = self.days.quantile_returns[:, -1, k]
        against = self.days.mean_returns[:, k] if leg == "top" else self.days.quantile_returns[:, 0, k]
        span = (self.timestamps[-1] - self.timestamps[0]) / _YEAR
        rows_a_year = (len(self.timestamps) - 1) / float(span) if span > 0 else 250.0
        return sharpe_report(
            (gained - against)[::held],
            trials=trials,
            trial_sharpes=trial_sharpes,
            periods_per_year=rows_a_year / held,
        )

    # -- frames -------------------------------------------------------------------------------------------

    @cached_property
    def rank_ic(self) -> pd.DataFrame:
        """Daily rank IC: date x horizon; NaN where a day cannot tell."""
        return self._by_date(self.days.rank_ic)

    @cached_property
    def hit_rate(self) -> pd.DataFrame:
        """Daily share of symbols whose return had the sign of their score: date x horizon."""
        return self._by_date(self.days.hit_rate)

    @cached_property
    def autocorrelation(self) -> pd.DataFrame:
        """Correlation of each day's ranks with those a horizon before: date x horizon."""
        return self._by_date(self.days.autocorrelation)

    @cached_property
    def overlap(self) -> pd.DataFrame:
        """Daily rank correlation with the other scores: date x name."""
        return self._by_date(self.days.overlap, columns=self.others, name="score")

    @cached_property
    def daily_quantile_returns(self) -> pd.DataFrame:
        """Mean forward return of each quantile, by day: date x (horizon, quantile)."""
        return self._by_date_and_quantile(self.days.quantile_returns)

    @cached_property
    def turnover(self) -> pd.DataFrame:
        """Share of each quantile that was not in it a horizon before, by day: date x (horizon, quantile)."""
        return self._by_date_and_quantile(self.days.turnover)

    @cached_property
    def quantile_returns(self) -> pd.DataFrame:
        """Means over all days: (horizon, quantile) x return, excess, their errors, count, turnover."""
        import pandas as pd

        rows = [
            (
                found.horizon,
                q.quantile,
                q.forward_return.mean,
                q.forward_return.standard_error,
                q.excess.mean,
                q.excess.standard_error,
                q.excess.low,
                q.excess.high,
                q.pairs,
                q.turnover,
            )
            for found in self.findings
            for q in found.quantiles
        ]
        names = ["mean", "standard_error", "excess", "excess_standard_error", "excess_low", "excess_high"]
        frame = pd.DataFrame(rows, columns=["horizon", "quantile", *names, "count", "turnover"])
        return frame.set_index(["horizon", "quantile"])

    def to_frame(self) -> pd.DataFrame:
        """Return one row a horizon: rank IC with its interval, hit rate, spread, autocorrelation, verdict."""
        import pandas as pd

        rows = [
            {
                "horizon": f.horizon,
                "rank_ic": f.rank_ic.mean,
                "standard_error": f.rank_ic.standard_error,
                "low": f.rank_ic.low,
                "high": f.rank_ic.high,
                "p_value": f.rank_ic.p_value,
                "rank_ic_deviation": f.rank_ic_deviation,
                "positive_days": f.positive_days,
                "hit_rate": f.hit_rate.mean,
                "hit_edge": f.hit_edge.mean,
                "spread": f.spread.mean,
                "spread_standard_error": f.spread.standard_error,
                "turnover": f.quantiles[-1].turnover,
                "autocorrelation": f.autocorrelation,
                "days": f.rank_ic.count,
                "verdict": str(f.verdict),
            }
            for f in self.findings
        ]
        return pd.DataFrame(rows).set_index("horizon")

    # -- how it is shown ----------------------------------------------------------------------------------

    def __str__(self) -> str:
        return as_text(self.findings, self._mean_overlap())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self.findings, self._mean_overlap())

    # -- helpers ------------------------------------------------------------------------------------------

    def _estimator(self, horizon: int) -> Callable[[FloatArray], Estimate]:
        """Return how the means of this horizon are estimated."""
        if self.interval == "bootstrap":
            # The same draws for every series of a horizon, whatever is asked for first.
            return lambda values: block_bootstrap(
                values, horizon=horizon, rng=np.random.default_rng([self.seed, horizon])
            )
        return lambda values: newey_west(values, lags=lags_for(horizon, len(values)))

    def _place(self, horizon: int) -> int:
        if horizon not in self.horizons:
            raise ParameterError(
                f"{horizon} is not among this report's horizons {self.horizons}; ask factor_report for it.",
                name="horizon",
                value=horizon,
            )
        return self.horizons.index(horizon)

    def _mean_overlap(self) -> dict[str, float]:
        return {name: mean_of(self.days.overlap[:, k]) for k, name in enumerate(self.others)}

    def _by_date(
        self, values: FloatArray, *, columns: tuple[int, ...] | tuple[str, ...] = (), name: str = "horizon"
    ) -> pd.DataFrame:
        import pandas as pd

        across = pd.Index(columns if name != "horizon" else self.horizons, name=name)
        return pd.DataFrame(values, index=pd.DatetimeIndex(self.timestamps, name="date"), columns=across)

    def _by_date_and_quantile(self, values: FloatArray) -> pd.DataFrame:
        import pandas as pd

        columns = pd.MultiIndex.from_product(
            [self.horizons, range(1, self.quantiles + 1)], names=["horizon", "quantile"]
        )
        flat = values.transpose(0, 2, 1).reshape(len(values), -1)
        return pd.DataFrame(flat, index=pd.DatetimeIndex(self.timestamps, name="date"), columns=columns)
