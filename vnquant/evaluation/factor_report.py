"""Evaluation: the factor report, what a score is worth against forward returns, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from vnquant.agents import Scores
from vnquant.errors import AlignmentError, MissingDataError, ParameterError
from vnquant.evaluation.factor_days import measure_days
from vnquant.evaluation.factor_result import FactorReport
from vnquant.evaluation.ranking import Ranked, ranked
from vnquant.features import forward_return
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("Yardstick", "factor_report")


def factor_report(
    scores: FloatArray | Scores,
    panel: BarPanel,
    *,
    horizons: Sequence[int] = (1, 5, 10),
    quantiles: int = 5,
    others: Mapping[str, FloatArray | Scores] | None = None,
    min_symbols: int = 5,
    interval: Literal["newey-west", "bootstrap"] = "newey-west",
    seed: int = 0,
) -> FactorReport:
    """Return what a score is worth: whether it ranks the symbols as their returns then do.

    Parameters
    ----------
    scores : Scores, or float64 of shape (T, N)
        Known at each row; NaN is no opinion. Its order within a day counts, and for the hit rate its sign.
    panel : BarPanel
        The bars that the scores belong to. A running session ends no forward return.
    horizons : sequence of int
        Rows ahead of the forward returns.
    quantiles : int
        Groups of symbols by score; see `quantile_of` for ties.
    others : mapping of str to Scores or arrays, optional
        Other scores to tell the overlap with.
    min_symbols : int
        Days with fewer scores and returns are left out.
    interval : {"newey-west", "bootstrap"}
        How the 95 % intervals of means over days are made; both allow for returns that overlap.
    seed : int
        Of the bootstrap.

    Raises
    ------
    AlignmentError
        If scores and panel differ in shape.
    MissingDataError
        If no day has `min_symbols` symbols with a score and a forward return.

    Examples
    --------
    >>> from datetime import date
    >>> from vnquant.agents import BullAgent
    >>> from vnquant.simulation import SimulatedMarket
    >>> panel = SimulatedMarket(seed=7).panel(date(2020, 12, 31))
    >>> report = factor_report(BullAgent().score(panel), panel)
    >>> report.rank_ic.columns.tolist()
    [1, 5, 10]
    >>> print(report.at(5).verdict)
    predicts
    """
    spans = _checked(horizons, quantiles, min_symbols, interval)
    return _report(
        _array("scores", scores, panel),
        panel,
        {horizon: forward_return(panel, horizon) for horizon in spans},
        {name: _array(f"others[{name!r}]", other, panel) for name, other in (others or {}).items()},
        quantiles=quantiles,
        min_symbols=min_symbols,
        interval=interval,
        seed=seed,
    )


class Yardstick:
    """What many scores on one panel are measured by, ranked once: the forward returns, and other scores.

    Its reports are those of `factor_report`, in about half the time; for sweeps and sliders.

    Parameters
    ----------
    panel : BarPanel
    horizons, quantiles, min_symbols
        As in `factor_report`.

    Examples
    --------
    >>> from datetime import date
    >>> from vnquant.agents import BullAgent
    >>> from vnquant.simulation import SimulatedMarket
    >>> panel = SimulatedMarket(seed=7).panel(date(2020, 12, 31))
    >>> yardstick = Yardstick(panel)
    >>> [str(yardstick.report(BullAgent(momentum_days=n).score(panel)).verdict) for n in (10, 20)]
    ['predicts', 'predicts']
    """

    def __init__(
        self,
        panel: BarPanel,
        *,
        horizons: Sequence[int] = (1, 5, 10),
        quantiles: int = 5,
        min_symbols: int = 5,
    ) -> None:
        self.panel = panel
        self.horizons = _checked(horizons, quantiles, min_symbols, "newey-west")
        self._forwards = {h: ranked(forward_return(panel, h)) for h in self.horizons}
        self._quantiles = quantiles
        self._min_symbols = min_symbols

    def prepare(self, scores: FloatArray | Scores) -> Ranked:
        """Return another score, ranked, to be given to `report` as one of the `others` again and again."""
        return ranked(_array("scores", scores, self.panel))

    def report(
        self, scores: FloatArray | Scores, *, others: Mapping[str, Ranked] | None = None
    ) -> FactorReport:
        """Return what a score is worth; see `factor_report`, whose errors it shares.

        Parameters
        ----------
        scores : Scores, or float64 of shape (T, N)
        others : mapping of str to Ranked, optional
            Other scores to tell the overlap with, each made ready by `prepare`.
        """
        return _report(
            _array("scores", scores, self.panel),
            self.panel,
            self._forwards,
            others or {},
            quantiles=self._quantiles,
            min_symbols=self._min_symbols,
            interval="newey-west",
            seed=0,
        )


def _report(
    values: FloatArray,
    panel: BarPanel,
    forwards: Mapping[int, FloatArray | Ranked],
    others: Mapping[str, FloatArray | Ranked],
    *,
    quantiles: int,
    min_symbols: int,
    interval: Literal["newey-west", "bootstrap"],
    seed: int,
) -> FactorReport:
    days = measure_days(
        values, forwards, tuple(others.values()), quantiles=quantiles, min_symbols=min_symbols
    )
    if not (days.pairs >= min_symbols).any():
        raise MissingDataError(
            f"No day has {min_symbols} symbols with both a score and a return over {min(forwards)} rows: "
            f"{int(np.isfinite(values).sum()):,} scores, {panel.shape[0]} rows, {panel.shape[1]} symbols. "
            "Give more history, a shorter horizon, or a lower min_symbols."
        )
    return FactorReport(
        timestamps=panel.timestamps,
        horizons=tuple(forwards),
        quantiles=quantiles,
        others=tuple(others),
        days=days,
        interval=interval,
        seed=seed,
    )


def _array(name: str, scores: FloatArray | Scores, panel: BarPanel) -> FloatArray:
    values = np.asarray(scores.score if isinstance(scores, Scores) else scores, dtype=np.float64)
    if values.shape != panel.shape:
        raise AlignmentError(
            f"{name} has shape {values.shape}, the panel is {panel.shape}. Score this very panel, or select "
            "the same rows and symbols from both."
        )
    return values


def _checked(horizons: Sequence[int], quantiles: int, min_symbols: int, interval: str) -> tuple[int, ...]:
    spans = tuple(int(horizon) for horizon in horizons)
    if not spans or min(spans) < 1 or len(set(spans)) != len(spans):
        raise ParameterError(
            f"horizons = {spans} must be different numbers of rows, each 1 or more, such as (1, 5, 10).",
            name="horizons",
            value=spans,
        )
    for name, value in (("quantiles", quantiles), ("min_symbols", min_symbols)):
        if value < 2:
            raise ParameterError(f"{name} must be 2 or more, got {value}.", name=name, value=value)
    if interval not in ("newey-west", "bootstrap"):
        raise ParameterError(
            f"interval = {interval!r} is unknown; use 'newey-west' or 'bootstrap'.",
            name="interval",
            value=interval,
        )
    return spans
