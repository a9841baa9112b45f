"""Evaluation: the look-ahead guard. Perturbs the future; nothing before it may move.

A score at t that uses a row after t changes when these rows change. So the target is computed on the panel as
it is, and for each of some random rows with everything after that row replaced by other numbers, and with it
cut off. Any value up to the row that differs is a leak, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from html import escape
from typing import Any

import numpy as np

from vnquant.errors import AlignmentError, LookaheadError, ParameterError
from vnquant.market.bars import FloatArray
from vnquant.market.panel import OHLCV, BarPanel

__all__ = ("LookaheadReport", "check_lookahead")


@dataclass(frozen=True)
class LookaheadReport:
    """What was checked, and that nothing moved.

    Attributes
    ----------
    target : str
        Name of what was checked.
    columns : tuple of str
        Names of its outputs.
    rows : tuple of int
        Rows after which the future was changed.
    values : int
        Values compared.
    """

    target: str
    columns: tuple[str, ...]
    rows: tuple[int, ...]
    values: int

    def __str__(self) -> str:
        return (
            f"{self.target}: no look-ahead. {len(self.columns)} outputs, {len(self.rows)} cuts, "
            f"{self.values:,} values unchanged by their future."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def check_lookahead(
    target: Any, panel: BarPanel, *, seed: int = 0, points: int = 5, rtol: float = 1e-9
) -> LookaheadReport:
    """Prove on a panel that a target does not see its own future.

    Parameters
    ----------
    target : Agent, ForecastModel, FeatureSet, or callable
        An agent is asked for `score(panel)`, an unfitted model for `fit(panel).history(panel)` (so its
        training is checked too), a feature set for `compute(panel)`; a callable gets the panel. The answer
        may be an array whose first axes are time and symbol, a mapping of such arrays, or a record of them.
    panel : BarPanel
        A hundred rows or more, so that windows are filled.
    seed : int
        Of the rows and of the numbers that replace the future.
    points : int
        Random rows at which to cut; the second-last row is always one of them.
    rtol : float
        Differences up to this share of the column's size are rounding.

    Raises
    ------
    LookaheadError
        Naming the column, the symbol and the time of the first value that moved.
    """
    rows = len(panel.timestamps)
    if points < 1 or rows < 10:
        raise ParameterError(
            f"The guard needs a cut and 10 rows or more to cut, got points={points} and {rows} rows.",
            name="points",
            value=points,
        )
    rng = np.random.default_rng(seed)
    cuts = sorted({rows - 2, *(int(r) for r in rng.integers(rows // 3, rows - 1, size=points))})
    name, compute = _named(target)
    before = dict(_columns(compute(panel), panel))
    compared = 0
    for cut in cuts:
        for changed, how in (
            (_with_other_future(panel, cut, rng), "were replaced"),
            (panel.rows(slice(0, cut + 1)), "were cut off"),
        ):
            after = dict(_columns(compute(changed), changed))
            compared += _compare(name, before, after, panel, cut, how, rtol)
    return LookaheadReport(name, tuple(before), tuple(cuts), compared)


def _named(target: Any) -> tuple[str, Callable[[BarPanel], Any]]:
    """Return a name for the target and the function of the panel to check."""
    name = str(getattr(target, "name", None) or getattr(target, "__qualname__", type(target).__qualname__))
    if hasattr(target, "score"):
        return name, target.score
    if hasattr(target, "history") and hasattr(target, "fit"):
        return name, lambda panel: target.fit(panel).history(panel)
    if hasattr(target, "compute"):
        return name, target.compute
    if callable(target):
        return name, target
    raise ParameterError(
        f"The guard cannot check a {type(target).__qualname__}: give it an agent, a model, a FeatureSet, or "
        "a function of a panel.",
        name="target",
        value=target,
    )


def _with_other_future(panel: BarPanel, cut: int, rng: np.random.Generator) -> BarPanel:
    """Return the panel with plausible other numbers in every row after the cut."""
    after = slice(cut + 1, None)
    columns = panel.shape[1]
    later = len(panel.timestamps) - cut - 1
    # One factor for the prices of a bar keeps it a bar (low <= close <= high), fit for code that validates.
    scale = np.exp(rng.normal(0.0, 0.3, size=(later, columns)))
    volume = np.exp(rng.normal(0.0, 1.5, size=(later, columns)))
    changed: dict[str, Any] = {}
    for name in OHLCV:
        values = np.array(getattr(panel, name))
        values[after] *= volume if name == "volume" else scale
        changed[name] = values
    # Bars that come and go: presence in the future is knowledge too.
    gone = rng.random((later, columns)) < 0.1
    for name in OHLCV:
        changed[name][after][gone] = np.nan
    others = {name: np.array(values) for name, values in panel.fields.items()}
    for values in others.values():
        values[after] = values[after] * scale + rng.normal(0.0, 1.0, size=scale.shape)
    return replace(panel, **changed, fields=others)


def _columns(answer: Any, panel: BarPanel, prefix: str = "") -> Iterator[tuple[str, FloatArray]]:
    """Yield every time x symbol array in an answer, with a name a reader can find."""
    if isinstance(answer, np.ndarray):
        if answer.ndim < 2 or answer.shape[:2] != panel.shape:
            raise AlignmentError(
                f"{prefix or 'The answer'} has shape {answer.shape} for a panel of {panel.shape}; the "
                "first two axes must be time and symbol."
            )
        yield prefix or "value", np.asarray(answer, dtype=np.float64)
    elif isinstance(answer, Mapping):
        for key, value in answer.items():
            yield from _columns(value, panel, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(getattr(answer, "values", None), np.ndarray) and hasattr(answer, "names"):
        for k, key in enumerate(answer.names):
            yield from _columns(answer.values[:, :, k], panel, f"{prefix}.{key}" if prefix else key)
    else:
        yield from _members(answer, panel, prefix)


def _members(answer: Any, panel: BarPanel, prefix: str) -> Iterator[tuple[str, FloatArray]]:
    names = getattr(answer, "_fields", None) or getattr(answer, "__struct_fields__", None)
    if names is None and is_dataclass(answer):
        names = tuple(f.name for f in fields(answer))
    if names is None:
        raise AlignmentError(
            f"{prefix or 'The answer'} is a {type(answer).__qualname__}, which holds no time x symbol arrays "
            "that the guard can find; return an array or a mapping of arrays."
        )
    for key in names:
        value = getattr(answer, key)
        nested = isinstance(value, Mapping) or is_dataclass(value) or hasattr(value, "__struct_fields__")
        if nested or (isinstance(value, np.ndarray) and value.ndim >= 2):
            yield from _columns(value, panel, f"{prefix}.{key}" if prefix else key)


def _compare(
    target: str,
    before: Mapping[str, FloatArray],
    after: Mapping[str, FloatArray],
    panel: BarPanel,
    cut: int,
    how: str,
    rtol: float,
) -> int:
    if missing := set(before) ^ set(after):
        raise LookaheadError(
            f"{target}: the outputs {', '.join(sorted(missing))} are there or not depending on rows after "
            f"{panel.timestamps[cut]}. Return the same columns for every panel.",
            column=min(missing),
        )
    compared = 0
    for name, values in before.items():
        a, b = values[: cut + 1], after[name][: cut + 1]
        size = float(np.nanmax(np.abs(a), initial=0.0)) if np.isfinite(a).any() else 0.0
        with np.errstate(invalid="ignore"):
            same = (a == b) | (np.abs(a - b) <= rtol * max(size, 1e-300)) | (np.isnan(a) & np.isnan(b))
        compared += same.size
        if not same.all():
            moved = np.argwhere(~same)
            row, column = (int(i) for i in moved[0][:2])
            old, new = (float(x[tuple(moved[0])]) for x in (a, b))
            raise LookaheadError(
                f"{target} looks ahead: {name!r} of {panel.symbols[column]} at {_day(panel, row)} moved "
                f"from {old:.6g} to {new:.6g} when only rows after {_day(panel, cut)} {how} "
                f"({len(moved)} values moved). Use rows up to t alone: no negative shift, no centred window, "
                "no mean or rank over the whole sample.",
                column=name,
                symbol=panel.symbols[column],
            )
    return compared


def _day(panel: BarPanel, row: int) -> str:
    return str(panel.timestamps[row])[:16].replace("T00:00", "")
