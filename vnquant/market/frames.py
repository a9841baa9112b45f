"""Frames: what a panel needs from a long pandas frame, and the frame that a panel becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vnquant.errors import EmptySelectionError, InputError
from vnquant.market.bars import FloatArray, TimeArray

if TYPE_CHECKING:
    import pandas as pd

    from vnquant.market.panel import BarPanel

__all__ = ("FrameArrays", "arrays_from_frame", "long_frame", "naive_ict", "require_columns")

_OHLCV = ("open", "high", "low", "close", "volume")


class FrameArrays(NamedTuple):
    """A long frame as aligned arrays of shape (T, N): the bars, and the other numeric columns."""

    symbols: tuple[str, ...]
    timestamps: TimeArray
    bars: Mapping[str, FloatArray]
    fields: Mapping[str, FloatArray]


def arrays_from_frame(frame: pd.DataFrame, *, duplicates: str) -> FrameArrays:
    """Spread a long frame over time and symbols; see `BarPanel.from_frame` for what it accepts."""
    import pandas as pd

    require_columns(frame)
    times, row = np.unique(naive_ict(frame["date"]).astype("datetime64[s]"), return_inverse=True)
    codes, labels = pd.factorize(frame["symbol"], sort=True)
    cell = row * len(labels) + codes
    if duplicates == "raise":
        _refuse_duplicates(cell)
    extra = [
        name
        for name in frame.columns
        if name not in ("symbol", "date", *_OHLCV) and pd.api.types.is_numeric_dtype(frame[name])
    ]
    shape = len(times), len(labels)

    def spread(name: str) -> FloatArray:
        array = np.full(shape[0] * shape[1], np.nan)
        array[cell] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return array.reshape(shape)

    return FrameArrays(
        symbols=tuple(str(label) for label in labels),
        timestamps=times,
        bars={name: spread(name) for name in _OHLCV},
        fields={name: spread(name) for name in extra},
    )


def long_frame(panel: BarPanel) -> pd.DataFrame:
    """Return the bars of a panel as rows ordered by symbol and date, without the missing ones."""
    import pandas as pd

    columns, rows = np.nonzero(panel.present.T)
    data: dict[str, Any] = {
        "symbol": np.asarray(panel.symbols, dtype=object)[columns],
        "date": panel.timestamps[rows],
    }
    for name in _OHLCV:
        data[name] = getattr(panel, name)[rows, columns]
    for name, array in panel.fields.items():
        data[name] = array[rows, columns]
    return pd.DataFrame(data)


def require_columns(frame: pd.DataFrame) -> None:
    """Raise InputError where a column is missing, EmptySelectionError where there are no rows."""
    if missing := [name for name in ("symbol", "date", *_OHLCV) if name not in frame.columns]:
        raise InputError(
            f"Columns missing: {', '.join(missing)}. A panel needs symbol, date, {', '.join(_OHLCV)}; "
            f"the frame has {', '.join(map(str, frame.columns))}."
        )
    if frame.empty:
        raise EmptySelectionError("The frame holds no rows.")


def naive_ict(dates: pd.Series[Any]) -> TimeArray:
    """Return a column of dates as ICT wall clock; aware ones are converted."""
    import pandas as pd

    stamps = pd.to_datetime(dates)
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_convert("Asia/Ho_Chi_Minh").dt.tz_localize(None)
    return np.asarray(stamps.to_numpy())


def _refuse_duplicates(cell: Sequence[int] | np.ndarray[Any, Any]) -> None:
    _, counts = np.unique(cell, return_counts=True)
    if repeated := int((counts > 1).sum()):
        raise InputError(
            f"{repeated} symbol-dates occur more than once. Decide which row is right, or pass "
            "duplicates='last' to keep the last of each."
        )
