"""Features: gaps. Squeezes missing rows out of a panel's columns, so that windows count bars and not rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from vnquant.market.bars import FloatArray

__all__ = ("Gaps",)


class Gaps:
    """The missing rows of each column, to be taken out before a computation and put back after it.

    A symbol that was suspended for 20 sessions has 20 missing rows; "the last 20 bars" of its first day back
    are those before the suspension. Squeezed, every column starts with its first bar and has no hole, and
    what a column gives does not depend on which other symbols stand beside it.

    Parameters
    ----------
    present : bool, shape (T, N)
        Where a bar exists.
    """

    def __init__(self, present: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        self._present = present
        self._complete = bool(present.all())
        if not self._complete:
            # A stable sort of "missing" moves the bars to the top and keeps their order.
            self._order = np.argsort(~present, axis=0, kind="stable")
            self._filled = np.arange(len(present))[:, None] < present.sum(axis=0)

    def squeeze(self, x: FloatArray) -> FloatArray:
        """Return x with each column's bars moved to the top, NaN below them."""
        if self._complete:
            return x
        return np.where(self._filled, np.take_along_axis(x, self._order, axis=0), np.nan)

    def spread(self, x: FloatArray) -> FloatArray:
        """Return the squeezed x back in its rows, NaN where no bar exists."""
        if self._complete:
            return x
        out = np.empty_like(x)
        np.put_along_axis(out, self._order, x, axis=0)
        out[~self._present] = np.nan
        return out
