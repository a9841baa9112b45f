"""BarPanel: bars of many symbols as aligned time x symbol arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vnquant.errors import AlignmentError, DateRangeError, EmptySelectionError, InputError, UnknownSymbolError
from vnquant.market.bars import BarSeries, FloatArray, TimeArray
from vnquant.market.frames import arrays_from_frame, long_frame
from vnquant.market.timestamps import to_timestamp

if TYPE_CHECKING:
    import pandas as pd

    from vnquant.market.calendar import TradingCalendar
    from vnquant.market.quality import QualityReport
    from vnquant.market.symbols import Universe

__all__ = ("OHLCV", "BarPanel", "to_timestamp")

_Array = TypeVar("_Array", bound=np.ndarray[Any, Any])

OHLCV = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class BarPanel:
    """Bars of N symbols at T instants, as read-only float64 arrays of shape (T, N).

    A NaN in `close` says that the symbol has no bar at that time; nothing is ever filled in.

    Attributes
    ----------
    symbols : tuple of str, length N
    timestamps : datetime64[s], shape (T,)
        Strictly ascending, ICT wall clock; daily rows stand at 00:00 of the session date.
    open, high, low, close : float64, shape (T, N)
        VND a share.
    volume : float64, shape (T, N)
        Shares.
    interval : str
        "1D", "1W", "1M", or minutes such as "1m", "5m".
    session_fraction : float
        Share of a usual day's volume that is traded by the time of the last row. Below 1 the last row is
        the running session and `partial` is True.
    fields : mapping of str to float64, shape (T, N)
        Optional aligned knowledge, such as `expected_return`, `forecast_confidence`, `news_sentiment` and
        `foreign_net`; NaN where unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("FPT", "2025-06-02", 100_000), ("FPT", "2025-06-03", 101_000), ("VCB", "2025-06-03", 60_000)]
    >>> frame = pd.DataFrame(rows, columns=["symbol", "date", "close"])
    >>> frame = frame.assign(open=frame.close, high=frame.close, low=frame.close, volume=1_000)
    >>> panel = BarPanel.from_frame(frame)
    >>> panel
    BarPanel(2 x 2 symbols, 1D, 2025-06-02 to 2025-06-03)
    >>> panel.close
    array([[100000.,     nan],
           [101000.,  60000.]])
    >>> panel.select("FPT").up_to("2025-06-02").shape
    (1, 1)
    """

    symbols: tuple[str, ...]
    timestamps: TimeArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    interval: str = "1D"
    session_fraction: float = 1.0
    fields: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.timestamps), len(self.symbols))
        if len(set(self.symbols)) != len(self.symbols):
            raise AlignmentError("a panel holds each symbol once")
        if not 0.0 < self.session_fraction <= 1.0:
            raise InputError(f"session_fraction must lie in (0, 1], got {self.session_fraction}")
        stamps = np.asarray(self.timestamps, dtype="datetime64[s]")
        if len(stamps) > 1 and not bool(np.all(stamps[1:] > stamps[:-1])):
            raise AlignmentError("timestamps of a panel must ascend strictly")
        object.__setattr__(self, "timestamps", _read_only(stamps))
        for name in OHLCV:
            object.__setattr__(self, name, _checked(name, getattr(self, name), shape))
        checked = {name: _checked(name, array, shape) for name, array in self.fields.items()}
        object.__setattr__(self, "fields", MappingProxyType(checked))

    # -- what it holds ------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.timestamps), len(self.symbols)

    @property
    def partial(self) -> bool:
        """Whether the last row is a session that still runs."""
        return self.session_fraction < 1.0

    @property
    def present(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Where a bar exists, bool of shape (T, N)."""
        return np.isfinite(self.close)

    @property
    def value(self) -> FloatArray:
        """Traded value in VND, close x volume."""
        return self.close * self.volume

    @property
    def full_day_volume(self) -> FloatArray:
        """Volume with the running session scaled to a whole day by the usual time-of-day curve."""
        if not self.partial:
            return self.volume
        scaled = self.volume.copy()
        scaled[-1] /= self.session_fraction
        return scaled

    def get(self, name: str) -> FloatArray:
        """Return an optional field, all NaN where the panel does not carry it."""
        found = self.fields.get(name)
        return np.full(self.shape, np.nan) if found is None else found

    def index(self, symbol: str) -> int:
        """Return the column of a symbol, or raise UnknownSymbolError with suggestions."""
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise UnknownSymbolError([symbol], self.symbols) from None

    def series(self, symbol: str) -> BarSeries:
        """Return one symbol's bars without the missing rows."""
        column = self.index(symbol)
        rows = np.flatnonzero(np.isfinite(self.close[:, column]))
        return BarSeries(symbol, self.timestamps[rows], *(getattr(self, n)[rows, column] for n in OHLCV))

    # -- selection ----------------------------------------------------------------------------------------

    def select(self, symbols: str | Sequence[str]) -> BarPanel:
        """Return the panel of some symbols, in the order given."""
        wanted = (symbols,) if isinstance(symbols, str) else tuple(symbols)
        if not wanted:
            raise EmptySelectionError("No symbols given; name at least one, such as panel.select(['FPT']).")
        known = set(self.symbols)
        if unknown := [s for s in wanted if s not in known]:
            raise UnknownSymbolError(unknown, self.symbols)
        columns = [self.symbols.index(s) for s in wanted]
        return self._take(wanted, slice(None), columns)

    def between(self, start: date | datetime | str, end: date | datetime | str) -> BarPanel:
        """Return the rows from `start` to `end`, both included; an end date includes its whole day."""
        first, last = to_timestamp(start), to_timestamp(end, end_of_day=True)
        if first > last:
            raise DateRangeError(f"The range runs backwards: {start} is after {end}. Swap them.")
        return self.rows(slice(*np.searchsorted(self.timestamps, [first, last + np.timedelta64(1, "s")])))

    def up_to(self, as_of: date | datetime | str) -> BarPanel:
        """Return the rows that are not after `as_of`; a date includes its whole day."""
        last = to_timestamp(as_of, end_of_day=True)
        return self.rows(slice(0, int(np.searchsorted(self.timestamps, last, side="right"))))

    def tail(self, rows: int) -> BarPanel:
        """Return the last `rows` rows."""
        return self.rows(slice(max(0, len(self.timestamps) - rows), None))

    def rows(self, which: slice) -> BarPanel:
        """Return a contiguous run of rows."""
        return self._take(self.symbols, which, slice(None))

    def _take(self, symbols: tuple[str, ...], rows: slice, columns: Any) -> BarPanel:
        stamps = self.timestamps[rows]
        keeps_last = len(stamps) > 0 and len(self.timestamps) > 0 and stamps[-1] == self.timestamps[-1]
        return replace(
            self,
            symbols=symbols,
            timestamps=stamps,
            **{name: getattr(self, name)[rows][:, columns] for name in OHLCV},
            session_fraction=self.session_fraction if keeps_last else 1.0,
            fields={name: array[rows][:, columns] for name, array in self.fields.items()},
        )

    def with_fields(self, **fields: FloatArray) -> BarPanel:
        """Return the panel with optional fields added or replaced, each of shape (T, N)."""
        return replace(self, fields={**self.fields, **fields})

    # -- time and quality ---------------------------------------------------------------------------------

    def resample(self, interval: str, *, calendar: TradingCalendar | None = None) -> BarPanel:
        """Return a panel of longer bars; see `vnquant.market.resample`."""
        from vnquant.market.resample import resample

        return resample(self, interval, calendar=calendar)

    def align(self, calendar: TradingCalendar | None = None) -> BarPanel:
        """Return the daily panel with a row for every session of its span, NaN where it had none."""
        from vnquant.market.resample import align

        return align(self, calendar)

    def data_report(
        self, *, universe: Universe | None = None, calendar: TradingCalendar | None = None
    ) -> QualityReport:
        """Return what is odd about these bars; see `vnquant.market.quality`."""
        from vnquant.market.quality import data_report

        return data_report(self, universe=universe, calendar=calendar)

    # -- conversion ---------------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """Return a long frame: symbol, date, open, high, low, close, volume, the fields; no missing rows."""
        return long_frame(self)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        interval: str = "1D",
        duplicates: str = "raise",
    ) -> BarPanel:
        """Build a panel from a long frame.

        Parameters
        ----------
        frame : DataFrame
            Columns symbol, date, open, high, low, close, volume (VND, shares); other numeric columns become
            fields. Dates are ICT; time-zone-aware ones are converted.
        interval : str
        duplicates : {"raise", "last"}
            What to do with two rows of one symbol and time.

        Raises
        ------
        InputError
            If a column is missing, or rows are duplicated and `duplicates` is "raise".
        EmptySelectionError
            If the frame has no rows.
        """
        arrays = arrays_from_frame(frame, duplicates=duplicates)
        columns: dict[str, Any] = {**arrays.bars, "interval": interval, "fields": arrays.fields}
        return cls(arrays.symbols, arrays.timestamps, **columns)

    @classmethod
    def from_series(
        cls, series: Iterable[BarSeries], *, interval: str = "1D", session_fraction: float = 1.0
    ) -> BarPanel:
        """Align single-symbol bars on the union of their timestamps, NaN where a symbol has none."""
        given = list(series)
        if not given:
            raise EmptySelectionError("No bars to build a panel from.")
        stacked = [s.timestamps.astype("datetime64[s]") for s in given]
        times = np.unique(np.concatenate(stacked))
        arrays = {name: np.full((len(times), len(given)), np.nan) for name in OHLCV}
        for column, (one, stamps) in enumerate(zip(given, stacked, strict=True)):
            rows = np.searchsorted(times, stamps)
            for name in OHLCV:
                arrays[name][rows, column] = getattr(one, name)
        columns: dict[str, Any] = {**arrays, "interval": interval, "session_fraction": session_fraction}
        return cls(tuple(s.symbol for s in given), times, **columns)

    def fingerprint(self) -> str:
        """Return a hash of the symbols, times and values: equal panels have equal fingerprints."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update("\0".join((self.interval, repr(self.session_fraction), *self.symbols)).encode())
        digest.update(self.timestamps.astype("<i8").tobytes())
        for name in OHLCV:
            digest.update(np.ascontiguousarray(getattr(self, name), dtype="<f8").tobytes())
        for name in sorted(self.fields):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.fields[name], dtype="<f8").tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        rows, columns = self.shape
        if not rows:
            return f"BarPanel(empty, {columns} symbols, {self.interval})"
        span = f"{str(self.timestamps[0])[:16]} to {str(self.timestamps[-1])[:16]}".replace("T00:00", "")
        running = f", last row partial ({self.session_fraction:.0%} of its volume)" if self.partial else ""
        return f"BarPanel({rows} x {columns} symbols, {self.interval}, {span}{running})"

    def _repr_html_(self) -> str:
        shown = self.tail(5).to_frame()
        return f"<p><code>{self!r}</code></p>{shown.tail(10).to_html(index=False)}"


def _checked(name: str, array: FloatArray, shape: tuple[int, int]) -> FloatArray:
    values = np.asarray(array, dtype=np.float64)
    if values.shape != shape:
        raise AlignmentError(f"{name} has shape {values.shape}, the panel is {shape}")
    return _read_only(values)


def _read_only(array: _Array) -> _Array:
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view
