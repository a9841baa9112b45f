"""Bar series of the simulated market: days from a panel, minutes gathered from the tapes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from vnquant.market import OHLCV, BarPanel, BarSeries
from vnquant.simulation.tape import MINUTES, Tape

__all__ = ("INTERVAL_MINUTES", "INTRADAY_SESSIONS", "daily_series", "gather_minutes")

INTERVAL_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
# The real history endpoint's minutes reach back about six sessions.
INTRADAY_SESSIONS = 6


def gather_minutes(
    symbol: str, column: int, sessions: Sequence[tuple[date, Tape, int, float]], minutes: int
) -> BarSeries:
    """Return bars of `minutes` minutes.

    Parameters
    ----------
    symbol : str
    column : int
        The symbol's column on the tapes.
    sessions : sequence of (session, tape, visible minutes, adjustment factor)
    minutes : int
        Bars start at multiples of this after midnight; minutes without a match make no bar.
    """
    stamps, columns = [], []
    for session, tape, visible, factor in sessions:
        rows = np.flatnonzero(tape.volume[:visible, column] > 0)
        opened = np.datetime64(session, "s")
        stamps.append(opened + (MINUTES[rows] // minutes * minutes * 60).astype("timedelta64[s]"))
        prices = [
            np.rint(getattr(tape, name)[rows, column] * factor) for name in ("open", "high", "low", "close")
        ]
        columns.append(np.stack([*prices, tape.volume[rows, column]]))
    if not stamps:
        nothing = np.empty(0)
        empty = np.empty(0, dtype="datetime64[s]")
        return BarSeries(symbol, empty, nothing, nothing, nothing, nothing, nothing, source="simulation")
    times = np.concatenate(stamps)
    opening, high, low, close, volume = np.concatenate(columns, axis=1)
    starts = (
        np.flatnonzero(np.concatenate([[True], times[1:] != times[:-1]])) if len(times) else np.empty(0, int)
    )
    if not len(starts):
        return BarSeries(symbol, times, opening, high, low, close, volume, source="simulation")
    ends = np.append(starts[1:], len(times)) - 1
    return BarSeries(
        symbol,
        times[starts],
        opening[starts],
        np.maximum.reduceat(high, starts),
        np.minimum.reduceat(low, starts),
        close[ends],
        np.add.reduceat(volume, starts),
        source="simulation",
    )


def daily_series(panel: BarPanel, column: int, start: date, end: date) -> BarSeries:
    """Return one column of a daily panel, from `start` to `end`, both included."""
    first, last = np.searchsorted(
        panel.timestamps, [np.datetime64(start, "s"), np.datetime64(end, "s") + np.timedelta64(1, "D")]
    )
    arrays = {name: getattr(panel, name)[first:last, column] for name in OHLCV}
    stamps = panel.timestamps[first:last]
    if len(stamps) and not np.isfinite(arrays["close"][-1]):
        # The running session has not matched this symbol yet; no other row is ever missing.
        stamps, arrays = stamps[:-1], {name: values[:-1] for name, values in arrays.items()}
    return BarSeries(panel.symbols[column], stamps, **arrays, source="simulation")
