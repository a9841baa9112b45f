"""Windows of forks: each folds the last rows of a session, shape (S, N), into the rows before them.

`before` holds the window - 1 rows of history, `earlier` says how many values these have, `count` how many the
window holds with the last row: numbers where they are all the same.
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


def _fold_sum(before: FloatArray, x: Forked, earlier: Any, count: Any) -> FloatArray:
    total: FloatArray = bn.nansum(before, axis=0) + x.filled
    return total


def _fold_mean(before: FloatArray, x: Forked, earlier: Any, count: Any) -> FloatArray:
    mean: FloatArray = _fold_sum(before, x, earlier, count) / count
    return mean


def _fold_std(before: FloatArray, x: Forked, earlier: Any, count: Any) -> FloatArray:
    # Welford's update: the squares of the window grow by the distance to the mean before, scaled.
    mean = bn.nansum(before, axis=0) / np.maximum(earlier, 1)
    squares = bn.nansum((before - mean) ** 2, axis=0)
    gap = x.last - mean
    if not x.is_whole:
        gap = np.where(x.there, gap, 0.0)
    spread: FloatArray = np.sqrt((squares + gap * gap * earlier / np.maximum(count, 1)) / count)
    return spread


def _fold_max(before: FloatArray, x: Forked, earlier: Any, count: Any) -> FloatArray:
    return np.fmax(np.fmax.reduce(before, axis=0, initial=-np.inf), x.last)


def _fold_min(before: FloatArray, x: Forked, earlier: Any, count: Any) -> FloatArray:
    return np.fmin(np.fmin.reduce(before, axis=0, initial=np.inf), x.last)


FOLDS: dict[Any, Callable[[FloatArray, Forked, Any, Any], FloatArray]] = {
    bn.move_sum: _fold_sum,
    bn.move_mean: _fold_mean,
    bn.move_std: _fold_std,
    bn.move_max: _fold_max,
    bn.move_min: _fold_min,
}
