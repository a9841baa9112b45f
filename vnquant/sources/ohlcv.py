"""OHLCV: validate columns of bars at the door, once for all feeds.

Kept are bars whose prices are positive and whose high is not below the low. A bar with zero volume is kept
(no match that day), and so is one whose open or close lies a little outside high and low: adjusting and
rounding do that in every feed, and the data report tells of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vnquant.errors import AlignmentError, PayloadError, RecordError
from vnquant.market.bars import BarSeries, FloatArray, TimeArray

__all__ = ("MINUTES", "clean_bars", "ict_stamps", "minutes_of")

# Resolution of the intraday intervals that feeds serve, in minutes.
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}

_NAMES = ("open", "high", "low", "close", "volume")
_ICT_OFFSET_S = 7 * 3600
# Trading in Ho Chi Minh City began on 2000-07-28; a stamp before that, or beyond 2100, is no session.
_FIRST_S = 964_742_400
_LAST_S = 4_102_444_800

# VND a share, or shares a bar: the dearest share stood near 1.5 million, the busiest day near 300 million.
_ABSURD = 1e12

Flags = npt.NDArray[np.bool_]


def minutes_of(interval: str) -> np.timedelta64:
    """Return the length of an intraday interval such as "5m" or "1h"."""
    return np.timedelta64(int(interval[:-1]) * (60 if interval.endswith("h") else 1), "m")


def ict_stamps(unix_s: FloatArray, *, daily: bool) -> TimeArray:
    """Return Unix seconds as ICT wall clock, datetime64[s], NaT where no session can have been.

    Daily stamps fall to 00:00 of their ICT date. That reads both habits right: 00:00 UTC of the session date,
    which VPS, VNDIRECT and DNSE send, and 00:00 ICT of it, which is still the day before in UTC.
    """
    usable = np.isfinite(unix_s) & (unix_s >= _FIRST_S) & (unix_s < _LAST_S)
    local = np.where(usable, unix_s, 0.0).astype(np.int64) + _ICT_OFFSET_S
    if daily:
        local -= local % 86_400
    stamps = local.astype("datetime64[s]")
    stamps[~usable] = np.datetime64("NaT")
    return stamps


def clean_bars(
    symbol: str,
    stamps: TimeArray,
    columns: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    *,
    source: str,
    problems: tuple[RecordError, ...] = (),
) -> BarSeries:
    """Return the valid bars, ascending, the last of each timestamp; the others become problems.

    Parameters
    ----------
    symbol : str
    stamps : datetime64[s], shape (T,)
        In any order. NaT marks a record without a usable time.
    columns : open, high, low, close, volume, each float64, shape (T,)
        VND and shares.
    source : str
    problems : tuple of RecordError
        Found before, while decoding.

    Raises
    ------
    PayloadError
        If there are records and none is valid, or the columns differ in length.
    """
    if len({len(stamps), *(len(column) for column in columns)}) != 1:
        told = ", ".join(f"{n} {len(c)}" for n, c in zip(_NAMES, columns, strict=True))
        raise PayloadError(
            f"{source} sent columns of different lengths for {symbol}: t {len(stamps)}, {told}.",
            source=source,
            symbol=symbol,
        )
    broken = _broken(stamps, columns)
    found = problems
    valid = np.ones(len(stamps), dtype=np.bool_)
    for field, flags, values, reason in broken:
        for row in np.flatnonzero(flags & valid):
            when = "" if np.isnat(stamps[row]) else f" at {str(stamps[row]).replace('T00:00:00', '')}"
            found += (RecordError(symbol, field, _plain(values[row]), reason + when, source=source),)
        valid &= ~flags
    if found and not valid.any():
        raise PayloadError(
            f"{source} sent {len(stamps)} records for {symbol} and none is usable; the first: {found[0]}",
            source=source,
            symbol=symbol,
        )
    rows = np.flatnonzero(valid)
    rows = rows[np.argsort(stamps[rows], kind="stable")]
    kept = stamps[rows]
    # Duplicates occur, some with different values; the later record of the answer is the corrected one.
    rows = rows[np.append(kept[1:] != kept[:-1], True)] if len(rows) else rows
    try:
        opened, high, low, close, volume = (column[rows] for column in columns)
        return BarSeries(
            symbol, stamps[rows], opened, high, low, close, volume, source=source, problems=found
        )
    except AlignmentError as exc:  # cannot happen; a data source raises nothing but SourceError
        raise PayloadError(str(exc), source=source, symbol=symbol) from exc


def _broken(
    stamps: TimeArray, columns: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
) -> list[tuple[str, Flags, FloatArray | TimeArray, str]]:
    """Return field, rows, values and reason of each rule."""
    _, high, low, _, volume = columns
    rules: list[tuple[str, Flags, FloatArray | TimeArray, str]] = [
        ("time", np.isnat(stamps), stamps, "no usable time")
    ]
    for name, values in zip(_NAMES[:4], columns[:4], strict=True):
        # Written so that NaN fails it.
        rules.append(
            (name, ~((values > 0.0) & (values < _ABSURD)), values, "a price must be a positive number")
        )
    rules.append(("high", high < low, high, "the high is below the low"))
    rules.append(("volume", ~((volume >= 0.0) & (volume < _ABSURD)), volume, "a volume must be 0 or more"))
    return rules


def _plain(value: object) -> object:
    """Return a numpy scalar as the Python value that reads well in a message."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    return value.item() if isinstance(value, np.generic) else value
