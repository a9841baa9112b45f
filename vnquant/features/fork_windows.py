"""Windows of forks: each folds the last rows of a session, shape (S, N), into the rows before them.

`before` holds the window - 1 rows of history, `earlier` says how many values these have: a number where it is
the same for all columns. Where a last row has no value, the window is that of the rows before alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bottleneck as bn
import numpy as np

from vnquant.market.bars import FloatArray

if TYPE_CHECKING:
    from vnquant.features.forks import Forked

__all__ = ("FOLDS",)


def _fold_sum(before: FloatArray, x: Forked, earlier: Any) -> FloatArray:
    total = bn.nansum(before, axis=0)
    return _unless_missing(x, x.last + total, total)


def _fold_mean(before: FloatArray, x: Forked, earlier: Any) -> FloatArray:
    total = bn.nansum(before, axis=0)
    mean = x.last + total
    mean /= earlier + 1
    return _unless_missing(x, mean, total / earlier)


def _fold_std(before: FloatArray, x: Forked, earlier: Any) -> FloatArray:
    # Welford's update: the squares of the window grow by the distance to the mean before, scaled.
    mean = bn.nansum(before, axis=0) / np.maximum(earlier, 1)
    squares = bn.nansum((before - mean) ** 2, axis=0)
    # One buffer for all steps: there are as many cells as in a hundred sessions.
    spread = x.last - mean
    spread *= spread
    spread *= earlier
    spread /= earlier + 1
    spread += squares
    spread /= earlier + 1
    return _unless_missing(x, np.sqrt(spread, out=spread), np.sqrt(squares / earlier))


def _fold_max(before: FloatArray, x: Forked, earlier: Any) -> FloatArray:
    return np.fmax(np.fmax.reduce(before, axis=0, initial=-np.inf), x.last)


def _fold_min(before: FloatArray, x: Forked, earlier: Any) -> FloatArray:
    return np.fmin(np.fmin.reduce(before, axis=0, initial=np.inf), x.last)


def _unless_missing(x: Forked, window: FloatArray, before: FloatArray) -> FloatArray:
    """Return windows with the last row, and those of the rows before where it has no value."""
    if x.missing is not None:
        np.copyto(window, before, where=x.missing)
    return window


FOLDS: dict[Any, Callable[[FloatArray, Forked, Any], FloatArray]] = {
    bn.move_sum: _fold_sum,
    bn.move_mean: _fold_mean,
    bn.move_std: _fold_std,
    bn.move_max: _fold_max,
    bn.move_min: _fold_min,
}
