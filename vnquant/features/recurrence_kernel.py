"""Features: recursive averages of a history, compiled; the same sums in the same order as in numpy."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ("recursive_average",)


@numba.njit(nogil=True, cache=True)
def recursive_average(history: Any, weight: Any) -> Any:  # pragma: no cover - compiled
    """Return y[t] = (1 - weight) y[t-1] + weight x[t], and the row at which it starts.

    Parameters
    ----------
    history : float64, shape (T, N)
        All columns begin at one row; nothing is missing after it.
    weight : float

    Returns
    -------
    float64, shape (T, N), and int
        -1 where the history is not like that.
    """
    rows, columns = history.shape
    out = np.empty((rows, columns))
    first = -1
    for t in range(rows):
        known = 0
        if first < 0:
            for n in range(columns):
                out[t, n] = history[t, n]
                known += np.isfinite(history[t, n])
            if known == columns:
                first = t
            elif known:
                return out, -1
        else:
            # Rows as arrays of their own, so that several columns are one step.
            given, before, now = history[t], out[t - 1], out[t]
            for n in range(columns):
                x = given[n]
                now[n] = weight * x + (1.0 - weight) * before[n]
                known += np.isfinite(x)
            if known < columns:
                return out, -1
    return out, first
