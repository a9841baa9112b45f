"""Rows for the data report: daily bars as flat sorted columns, and each row's predecessor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vnquant.errors import InputError
from vnquant.market.bars import FloatArray
from vnquant.market.calendar import TradingCalendar, default_calendar
from vnquant.market.frames import naive_ict, require_columns
from vnquant.market.panel import BarPanel
from vnquant.market.symbols import EXCHANGE_ORDER, Universe
from vnquant.market.ticks import exchange_codes, tick_sizes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("BoolArray", "IndexArray", "Rows", "rows_of")

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
DayArray = npt.NDArray[np.datetime64]

_OHLC = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class Rows:
    """Bars sorted by symbol and day; equal days keep the order in which they came.

    `code` is the symbol's place in `labels`, `exchange` its exchange's code. `tick` and `missed` belong to
    each row: the tick size at its close, and how many sessions lie between it and the symbol's row before.
    """

    labels: tuple[str, ...]
    known: BoolArray
    code: IndexArray
    day: DayArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    exchange: npt.NDArray[np.int8]
    tick: FloatArray
    repeated: BoolArray
    previous: IndexArray
    missed: npt.NDArray[np.int64]
    calendar: TradingCalendar

    def __len__(self) -> int:
        return len(self.code)

    @property
    def has_previous(self) -> BoolArray:
        """Where the symbol has an earlier row, repeated rows aside."""
        found: BoolArray = self.previous >= 0
        return found

    @property
    def positive(self) -> BoolArray:
        """Where all four prices are finite and positive."""
        prices = np.stack([self.open, self.high, self.low, self.close])
        found: BoolArray = np.asarray(((prices > 0) & np.isfinite(prices)).all(axis=0))
        return found

    @property
    def last_days(self) -> DayArray:
        """Last day of each symbol, shape (len(labels),); NaT for one without a row."""
        ends = np.searchsorted(self.code, np.arange(len(self.labels)), side="right") - 1
        empty = np.bincount(self.code, minlength=len(self.labels)) == 0
        return np.where(empty, np.datetime64("NaT"), self.day[ends])

    def last_rows(self, count: int) -> BoolArray:
        """Return where a row is among its symbol's last `count`."""
        ends = np.searchsorted(self.code, np.arange(len(self.labels)), side="right")
        within: BoolArray = ends[self.code] - np.arange(len(self)) <= count
        return within


def rows_of(data: BarPanel | pd.DataFrame, universe: Universe, calendar: TradingCalendar | None) -> Rows:
    """Return the rows of a daily panel or of a long frame."""
    labels, code, day, columns = _from_panel(data) if isinstance(data, BarPanel) else _from_frame(data)
    order = np.lexsort((day, code))
    code, day = code[order], day[order]
    columns = {name: column[order] for name, column in columns.items()}
    same_symbol = np.r_[False, code[1:] == code[:-1]]
    repeated = same_symbol & np.r_[False, day[1:] == day[:-1]]
    # The last of repeated rows stands for the day, as it does when a panel keeps the last.
    standing = np.flatnonzero(~np.r_[repeated[1:], False])
    previous = np.full(len(code), -1, dtype=np.intp)
    linked = code[standing[1:]] == code[standing[:-1]]
    previous[standing[1:][linked]] = standing[:-1][linked]
    exchange = exchange_codes(universe.exchanges(labels))[code]
    return Rows(
        labels=labels,
        known=np.array([label in universe for label in labels]),
        code=code,
        day=day,
        **columns,
        exchange=exchange,
        tick=tick_sizes(columns["close"], exchange, on=day),
        repeated=repeated,
        previous=previous,
        missed=_missed(day, exchange, previous, calendar),
        calendar=default_calendar() if calendar is None else calendar,
    )


def _from_panel(panel: BarPanel) -> tuple[tuple[str, ...], IndexArray, DayArray, dict[str, FloatArray]]:
    if panel.interval != "1D":
        raise InputError(
            f"The data report is about daily bars, this panel holds {panel.interval} bars; "
            "panel.resample('1D') makes daily ones of shorter ones."
        )
    code, row = np.nonzero(panel.present.T)
    columns = {name: getattr(panel, name)[row, code] for name in (*_OHLC, "volume")}
    return panel.symbols, code, panel.timestamps[row].astype("datetime64[D]"), columns


def _from_frame(
    frame: pd.DataFrame,
) -> tuple[tuple[str, ...], IndexArray, DayArray, dict[str, FloatArray]]:
    import pandas as pd

    require_columns(frame)
    code, labels = pd.factorize(frame["symbol"], sort=True, use_na_sentinel=False)
    columns = {
        name: pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for name in (*_OHLC, "volume")
    }
    return (
        tuple(str(label) for label in labels),
        code,
        naive_ict(frame["date"]).astype("datetime64[D]"),
        columns,
    )


def _missed(
    day: DayArray, exchange: npt.NDArray[Any], previous: IndexArray, calendar: TradingCalendar | None
) -> npt.NDArray[np.int64]:
    """Return how many sessions of its own exchange lie between each row and the one before."""
    missed = np.zeros(len(day), dtype=np.int64)
    linked = previous >= 0
    for code, board in enumerate(EXCHANGE_ORDER):
        days = default_calendar(board) if calendar is None else calendar
        sessions = days.sessions(days.first, days.last)
        at = linked & (exchange == code)
        place = np.searchsorted(sessions, day)
        missed[at] = np.maximum(place[at] - place[previous[at]] - 1, 0)
    return missed
