"""Selection: cut and join bars of one symbol."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import numpy.typing as npt

from vnquant.errors import EmptyAnswerError
from vnquant.market.bars import BarSeries

__all__ = ("between", "join", "take")


def take(series: BarSeries, rows: slice | npt.NDArray[np.intp]) -> BarSeries:
    """Return some rows."""
    return replace(
        series,
        timestamps=series.timestamps[rows],
        open=series.open[rows],
        high=series.high[rows],
        low=series.low[rows],
        close=series.close[rows],
        volume=series.volume[rows],
    )


def between(series: BarSeries, start: date, end: date, *, allow_empty: bool = False) -> BarSeries:
    """Return the bars of the sessions from `start` to `end`, both included.

    Raises
    ------
    EmptyAnswerError
        If there are none, unless `allow_empty`.
    """
    first = np.searchsorted(series.timestamps, np.datetime64(start, "s"))
    last = np.searchsorted(series.timestamps, np.datetime64(end, "D") + np.timedelta64(1, "D"))
    if first >= last and not allow_empty:
        raise EmptyAnswerError(
            f"{series.source or 'The source'} has no bars of {series.symbol} from {start} to {end}.",
            source=series.source,
            symbol=series.symbol,
        )
    if first == 0 and last == len(series):
        return series
    return take(series, slice(int(first), int(last)))


def join(earlier: BarSeries, later: BarSeries) -> BarSeries:
    """Return both one after the other; where they overlap, the later series counts."""
    if not len(later):
        return earlier
    head = slice(int(np.searchsorted(earlier.timestamps, later.timestamps[0])))
    return replace(
        later,
        timestamps=np.concatenate([earlier.timestamps[head], later.timestamps]),
        open=np.concatenate([earlier.open[head], later.open]),
        high=np.concatenate([earlier.high[head], later.high]),
        low=np.concatenate([earlier.low[head], later.low]),
        close=np.concatenate([earlier.close[head], later.close]),
        volume=np.concatenate([earlier.volume[head], later.volume]),
    )
