"""Features: recursive averages row by row, compiled; the same sums in the same order as in numpy."""

from __future__ import annotations

from typing import Any

import numba

__all__ = ("run_recurrence",)


@numba.njit(nogil=True, cache=True)
def run_recurrence(keep: Any, add: Any) -> None:  # pragma: no cover
    """Turn `add`, float64 of shape (T, N), into y[t] = keep y[t-1] + add[t]."""
    for row in range(1, add.shape[0]):
        for column in range(add.shape[1]):
            add[row, column] += keep * add[row - 1, column]
