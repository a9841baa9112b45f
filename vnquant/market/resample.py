"""Resample: longer bars from shorter ones, and rows for the sessions that a panel lacks."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vnquant.errors import EmptySelectionError, InputError, ParameterError
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.market.calendar import TradingCalendar, default_calendar
from vnquant.market.sessions import session_fraction

if TYPE_CHECKING:
    from vnquant.market.panel import BarPanel

__all__ = ("FIELD_AGG", "OHLCV_AGG", "align", "interval_minutes", "resample")

# How each column of several bars becomes one; NaN only where none of them has a value.
OHLCV_AGG = MappingProxyType({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
# Optional fields are knowledge at the close, so the last counts; flows add up.
FIELD_AGG = MappingProxyType({"foreign_net": "sum"})

_MINUTES = MappingProxyType({"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60})
_DAYS_AND_UP = ("1D", "1W", "1M")

Starts = npt.NDArray[np.intp]


def interval_minutes(interval: str) -> int | None:
    """Return the length of an intraday interval in minutes, None for 1D, 1W and 1M.

    Raises
    ------
    ParameterError
        If the interval is not one of 1m, 5m, 15m, 30m, 1h, 1D, 1W, 1M.
    """
    if interval in _DAYS_AND_UP:
        return None
    if interval not in _MINUTES:
        raise ParameterError(
            f"Unknown interval {interval!r}. Use one of {', '.join((*_MINUTES, *_DAYS_AND_UP))}.",
            name="interval",
            value=interval,
        )
    return _MINUTES[interval]


def resample(panel: BarPanel, interval: str, *, calendar: TradingCalendar | None = None) -> BarPanel:
    """Return a panel of longer bars (`OHLCV_AGG`).

    Intraday bars stand at their start on the clock. A week or month stands at its last session so far, so
    that, as with days, a row at d is known at the close of d and `up_to(d)` never shows a price after d.

    Parameters
    ----------
    panel : BarPanel
    interval : {"5m", "15m", "30m", "1h", "1D", "1W", "1M"}
        Not shorter than the panel's own.
    calendar : TradingCalendar, optional
        Decides how much of the last week or month has passed; the shipped one where it is left out.

    Returns
    -------
    BarPanel
        With `session_fraction` below 1 where the last day, week or month is not complete yet.

    Raises
    ------
    ParameterError
        If the interval is unknown or shorter than the panel's.
    EmptySelectionError
        If the panel has no rows.
    """
    if interval == panel.interval:
        return panel
    if not len(panel.timestamps):
        raise EmptySelectionError("The panel has no rows to resample.")
    _refuse_shorter(panel.interval, interval)
    keys = _bucket_keys(panel.timestamps, interval)
    starts: Starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    lasts = np.r_[starts[1:], len(keys)] - 1
    intraday = interval_minutes(interval) is not None
    stamps = panel.timestamps[lasts] if interval in ("1W", "1M") else keys[starts]
    columns: dict[str, Any] = {
        name: _aggregate(getattr(panel, name), starts, how) for name, how in OHLCV_AGG.items()
    }
    columns["fields"] = {
        name: _aggregate(array, starts, FIELD_AGG.get(name, "last")) for name, array in panel.fields.items()
    }
    return replace(
        panel,
        timestamps=stamps.astype("datetime64[s]"),
        interval=interval,
        session_fraction=panel.session_fraction if intraday else _passed(panel, interval, keys[-1], calendar),
        **columns,
    )


def align(panel: BarPanel, calendar: TradingCalendar | None = None) -> BarPanel:
    """Return the daily panel with a row for each session of its span, NaN where it had none.

    Rows on days that are no sessions are kept: the data report names them, nothing drops them.

    Raises
    ------
    InputError
        If the panel is not daily.
    """
    if panel.interval != "1D":
        raise InputError(f"Only daily bars are aligned with the calendar, not {panel.interval}.")
    if not len(panel.timestamps):
        return panel
    days = default_calendar() if calendar is None else calendar
    first, last = (stamp.astype("datetime64[D]").item() for stamp in panel.timestamps[[0, -1]])
    if last < days.first or first > days.last:
        return panel
    sessions = days.sessions(max(first, days.first), min(last, days.last))
    stamps = np.union1d(panel.timestamps, sessions.astype("datetime64[s]"))
    if len(stamps) == len(panel.timestamps):
        return panel
    rows = np.searchsorted(stamps, panel.timestamps)

    def spread(array: FloatArray) -> FloatArray:
        wide = np.full((len(stamps), array.shape[1]), np.nan)
        wide[rows] = array
        return wide

    columns: dict[str, Any] = {name: spread(getattr(panel, name)) for name in OHLCV_AGG}
    columns["fields"] = {name: spread(array) for name, array in panel.fields.items()}
    return replace(panel, timestamps=stamps, **columns)


def _refuse_shorter(have: str, want: str) -> None:
    order = (*_MINUTES, *_DAYS_AND_UP)
    interval_minutes(have)
    interval_minutes(want)
    # Weeks do not add up to months.
    if order.index(want) < order.index(have) or (have, want) == ("1W", "1M"):
        raise ParameterError(
            f"{want} bars cannot be made from {have} bars; start from shorter ones.",
            name="interval",
            value=want,
        )


def _bucket_keys(stamps: TimeArray, interval: str) -> TimeArray:
    """Return the start on the clock or calendar of each row's bucket."""
    minutes = interval_minutes(interval)
    if minutes is not None:
        since_midnight = stamps - stamps.astype("datetime64[D]")
        start: TimeArray = stamps - since_midnight % np.timedelta64(minutes, "m")
        return start
    days = stamps.astype("datetime64[D]")
    if interval == "1M":
        return days.astype("datetime64[M]").astype("datetime64[D]")
    if interval == "1W":
        # numpy's own weeks begin on a Thursday, as 1970 did.
        since_monday = ((days.astype(np.int64) + 3) % 7).astype("timedelta64[D]")
        monday: TimeArray = days - since_monday
        return monday
    return days


def _aggregate(array: FloatArray, starts: Starts, how: str) -> FloatArray:
    """Aggregate rows of each bucket, looking past NaN."""
    if how == "max":
        return np.asarray(np.fmax.reduceat(array, starts, axis=0))
    if how == "min":
        return np.asarray(np.fmin.reduceat(array, starts, axis=0))
    known = np.isfinite(array)
    if how == "sum":
        total = np.add.reduceat(np.where(known, array, 0.0), starts, axis=0)
        return np.where(np.logical_or.reduceat(known, starts, axis=0), total, np.nan)
    rows = np.arange(len(array))[:, None]
    if how == "first":
        place = np.minimum.reduceat(np.where(known, rows, len(array)), starts, axis=0)
        found = place < len(array)
    else:
        place = np.maximum.reduceat(np.where(known, rows, -1), starts, axis=0)
        found = place >= 0
    picked = np.take_along_axis(array, np.clip(place, 0, len(array) - 1), axis=0)
    return np.where(found, picked, np.nan)


def _passed(panel: BarPanel, interval: str, start: Any, calendar: TradingCalendar | None) -> float:
    """Return which share of the last day, week or month the panel's last row has reached."""
    days = default_calendar() if calendar is None else calendar
    last = panel.timestamps[-1]
    minutes = interval_minutes(panel.interval)
    of_day = panel.session_fraction
    if minutes is not None and days.first <= last.item().date() <= days.last:
        of_day = session_fraction((last + np.timedelta64(minutes, "m")).item(), calendar=days)
    if interval == "1D":
        return of_day
    first = start.astype("datetime64[D]")
    end = first + 6 if interval == "1W" else (first.astype("datetime64[M]") + 1).astype("datetime64[D]") - 1
    today = last.astype("datetime64[D]")
    if not days.first <= first.item() <= end.item() <= days.last:
        return of_day
    expected = len(days.sessions(first.item(), end.item()))
    done = len(days.sessions(first.item(), today.item())) - 1 + of_day
    return min(max(done / expected, 1e-6), 1.0) if expected else of_day
