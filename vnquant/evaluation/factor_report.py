"""Evaluation: the factor report, what a score is worth against forward returns, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from vnquant.agents import Scores
from vnquant.errors import AlignmentError, MissingDataError, ParameterError
from vnquant.evaluation.factor_days import measure_days
from vnquant.evaluation.factor_result import FactorReport
from vnquant.features import forward_return
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("factor_report",)


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
    values = _array("scores", scores, panel)
    compared = {name: _array(f"others[{name!r}]", other, panel) for name, other in (others or {}).items()}
    forwards = {horizon: forward_return(panel, horizon) for horizon in spans}
    days = measure_days(
        values, forwards, tuple(compared.values()), quantiles=quantiles, min_symbols=min_symbols
    )
    if not (days.pairs >= min_symbols).any():
        raise MissingDataError(
            f"No day has {min_symbols} symbols with both a score and a return over {min(spans)} rows: "
            f"{int(np.isfinite(values).sum()):,} scores, {panel.shape[0]} rows, {panel.shape[1]} symbols. "
            "Give more history, a shorter horizon, or a lower min_symbols."
        )
    return FactorReport(
        timestamps=panel.timestamps,
        horizons=spans,
        quantiles=quantiles,
        others=tuple(compared),
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
