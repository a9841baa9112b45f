"""Evaluation: what a setting is worth at one horizon, as plain numbers, and two settings side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import msgspec
import numpy as np

from vnquant.errors import MissingDataError
from vnquant.evaluation.lab import Assessment
from vnquant.evaluation.sharpe_report import SharpeReport

__all__ = ("Comparison", "Worth", "compare", "worth_of")


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What a setting is worth at one horizon. Returns are fractions over the horizon, gross of costs.

    Attributes
    ----------
    horizon : int
        Rows ahead.
    days : int
    rank_ic, rank_ic_low, rank_ic_high : float
        Mean with its 95 % interval.
    verdict : str
    hit_rate, hit_by_chance : float
    quantile_returns : tuple of float
        Mean return of each fifth of the symbols beyond all symbols', the least scores first.
    top_return, spread : float
        Of the best fifth beyond all symbols, and beyond the least fifth.
    turnover : float
        Share of the best fifth that was not in it a horizon before.
    sharpe, luck : float or None
        Annual Sharpe ratio of holding the best fifth beyond the market, and what the best of as many tries
        shows without any merit; None where returns do not vary.
    above_luck : float or None
        The Sharpe ratio deflated by the tries: probability that the true one is above luck.
    trials : int
        Settings tried.
    overlap : dict of str to float
        Rank correlation with the other agents' scores.
    """

    horizon: int
    days: int
    rank_ic: float
    rank_ic_low: float
    rank_ic_high: float
    verdict: str
    hit_rate: float
    hit_by_chance: float
    quantile_returns: tuple[float, ...]
    top_return: float
    spread: float
    turnover: float
    sharpe: float | None
    luck: float | None
    above_luck: float | None
    trials: int
    overlap: dict[str, float]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic, before and after.

    Attributes
    ----------
    name, before, after : str
    change : str
        Signed, "" where it is nothing.
    direction : int
        1 up, -1 down, 0 the same.
    better : bool or None
        None where up is neither better nor worse.
    help : str
    """

    name: str
    before: str
    after: str
    change: str
    direction: int
    better: bool | None
    help: str = ""


def worth_of(assessment: Assessment, *, horizon: int, trials: int) -> Worth:
    """Return what a setting is worth at one horizon, after so many settings were tried."""
    report = assessment.report
    found = report.at(horizon)
    sharpe: SharpeReport | None = None
    with suppress(MissingDataError):  # a score that never differs between symbols earns nothing that varies
        sharpe = report.sharpe(trials=max(trials, 1), horizon=horizon)
    days = report.days.overlap
    return Worth(
        horizon=horizon,
        days=found.rank_ic.count,
        rank_ic=found.rank_ic.mean,
        rank_ic_low=found.rank_ic.low,
        rank_ic_high=found.rank_ic.high,
        verdict=str(found.verdict),
        hit_rate=found.hit_rate.mean,
        hit_by_chance=found.hit_rate.mean - found.hit_edge.mean,
        quantile_returns=tuple(q.excess.mean for q in found.quantiles),
        top_return=found.quantiles[-1].excess.mean,
        spread=found.spread.mean,
        turnover=found.quantiles[-1].turnover,
        sharpe=None if sharpe is None else sharpe.annual,
        luck=None if sharpe is None else sharpe.annual_luck,
        above_luck=None if sharpe is None else sharpe.deflated,
        trials=trials,
        overlap={
            name: float(np.nanmean(days[:, k])) if np.isfinite(days[:, k]).any() else math.nan
            for k, name in enumerate(report.others)
        },
    )


def compare(before: Worth, after: Worth) -> tuple[Comparison, ...]:
    """Return the statistics of two settings side by side, the second against the first."""
    ahead = f"{after.horizon} session{'s' if after.horizon > 1 else ''}"
    rows = [
        _row(
            f"Rank IC, {ahead} ahead",
            before.rank_ic,
            after.rank_ic,
            _decimal(4),
            up_is_better=True,
            help="Daily Spearman correlation of scores and the returns that followed, mean of all days",
        ),
        Comparison(
            name="95 % interval",
            before=_interval(before),
            after=_interval(after),
            change="",
            direction=0,
            better=None,
            help="Newey-West; where it holds zero, the score is not told from noise",
        ),
        _row(
            "Hit rate beyond chance",
            before.hit_rate - before.hit_by_chance,
            after.hit_rate - after.hit_by_chance,
            _percent(1),
            up_is_better=True,
            help="Share of symbols whose return had the sign of their score, less what chance gives",
        ),
        _row(
            "Best fifth beyond market",
            before.top_return,
            after.top_return,
            _percent(2),
            up_is_better=True,
            help=f"Mean return over {ahead}, before costs",
        ),
        _row(
            "Best less least fifth",
            before.spread,
            after.spread,
            _percent(2),
            up_is_better=True,
            help=f"Mean difference over {ahead}, before costs",
        ),
        _row(
            f"Turnover in {ahead}",
            before.turnover,
            after.turnover,
            _share,
            up_is_better=False,
            help="Share of the best fifth that is new: what would have to be traded",
        ),
        _row(
            "Sharpe ratio, annual",
            before.sharpe,
            after.sharpe,
            _decimal(2),
            up_is_better=True,
            help="Of holding the best fifth beyond the market, before costs",
        ),
        _row(
            f"Luck of the best of {after.trials}",
            before.luck,
            after.luck,
            _decimal(2),
            up_is_better=None,
            help="Sharpe ratio that the best of so many settings shows without any merit",
        ),
        _row(
            "Probability above luck",
            before.above_luck,
            after.above_luck,
            _plain(3),
            up_is_better=True,
            help="The Sharpe ratio deflated by the settings tried (Bailey & Lopez de Prado 2014)",
        ),
    ]
    rows += [
        _row(
            f"Overlap with {name.replace('_', ' ')}",
            before.overlap.get(name),
            value,
            _decimal(2),
            up_is_better=None,
            help="Mean daily rank correlation of the two scores",
        )
        for name, value in after.overlap.items()
    ]
    return tuple(rows)


def _row(
    name: str,
    before: float | None,
    after: float | None,
    text: Callable[[float], str],
    *,
    up_is_better: bool | None,
    help: str,
) -> Comparison:
    old, new = (math.nan if value is None else value for value in (before, after))
    change = new - old
    # What the eye cannot see as a change in the numbers shown is none.
    same = not math.isfinite(change) or text(abs(change)) == text(0.0)
    direction = 0 if same else 1 if change > 0 else -1
    return Comparison(
        name=name,
        before=_known(old, text),
        after=_known(new, text),
        change="" if same else _signed(change, text),
        direction=direction,
        better=None if up_is_better is None or same else (direction > 0) == up_is_better,
        help=help,
    )


def _interval(worth: Worth) -> str:
    if not math.isfinite(worth.rank_ic_low):
        return "–"
    return f"{worth.rank_ic_low:+.3f} to {worth.rank_ic_high:+.3f}"


def _known(value: float, text: Callable[[float], str]) -> str:
    return text(value) if math.isfinite(value) else "–"


def _signed(change: float, text: Callable[[float], str]) -> str:
    told = text(change)
    return told if told.startswith(("+", "-")) else f"+{told}"


def _decimal(places: int) -> Callable[[float], str]:
    return lambda value: f"{value:+.{places}f}"


def _plain(places: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{places}f}"


def _percent(places: int) -> Callable[[float], str]:
    return lambda value: f"{100.0 * value:+.{places}f} %"


def _share(value: float) -> str:
    return f"{100.0 * value:.0f} %"
