"""Files: bars of a Parquet, CSV or AmiBroker zip file, or of a DataFrame."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vnquant.errors import EmptyAnswerError, FileFormatError, PayloadError, RecordError, StateError
from vnquant.market import BarPanel
from vnquant.market.bars import BarSeries
from vnquant.runtime.clock import ICT
from vnquant.sources.arguments import Clock, check_interval, check_range
from vnquant.sources.file_reading import read_table
from vnquant.sources.file_table import BarTable, Unit, normalise
from vnquant.sources.ohlcv import clean_bars, minutes_of
from vnquant.sources.selection import between, take

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("FileSource",)

# From then on a daily bar of the same day is complete (end of the put-through session).
_SESSION_END = time(15, 0)
_SESSION_LENGTH = np.timedelta64(15, "h")


class FileSource:
    """Bars from your own file, read once, on a thread, when first asked for.

    Column names may be English, Vietnamese or AmiBroker's; what was made of them, and of the unit of the
    prices, is told by `explanation`.

    Parameters
    ----------
    data : path or DataFrame
    as_of : date or datetime, optional
        Hide what was not known then, so that a walk through the past sees no future. A date means its close.
    clock : Clock, optional
        The same, moving with market time. Without either everything is shown.
    unit : {"auto", "vnd", "thousand_vnd"}
        Of the prices.
    symbol : str, optional
        Of all rows, where no column tells it.

    Examples
    --------
    ::

        source = FileSource("bars.csv")
        panel = await source.panel()
        print(source.explanation)
    """

    def __init__(
        self,
        data: Path | str | pd.DataFrame,
        *,
        as_of: date | datetime | None = None,
        clock: Clock | None = None,
        unit: Unit = "auto",
        symbol: str | None = None,
    ) -> None:
        self._data = data
        self._clock = clock
        self._as_of = _instant(as_of)
        self._unit: Unit = unit
        self._symbol = symbol
        self._table: BarTable | None = None
        self._series: dict[str, BarSeries] = {}
        self._reading = asyncio.Lock()
        self.name = f"file:{Path(data).name}" if isinstance(data, str | Path) else "frame"

    async def load(self) -> Self:
        """Read the file, if that has not been done."""
        async with self._reading:
            if self._table is None:
                self._table, self._series = await asyncio.to_thread(self._read)
        return self

    @property
    def explanation(self) -> str:
        """What was read, column by column, and what was assumed; after `load()` or the first bars."""
        return "\n".join(self._loaded().explanation)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that have valid bars."""
        self._loaded()
        return tuple(self._series)

    @property
    def intervals(self) -> tuple[str, ...]:
        """The interval of the file."""
        return (self._loaded().interval,) if self._table is not None else ("1D",)

    @property
    def problems(self) -> tuple[RecordError, ...]:
        """Every row that is not among the bars, with its reason."""
        self._loaded()
        return tuple(problem for series in self._series.values() for problem in series.problems)

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        """Return the bars of the sessions from `start` to `end`, both included."""
        check_range(start, end)
        await self.load()
        check_interval(interval, self.intervals, self.name)
        series = self._series.get(symbol)
        if series is None:
            raise EmptyAnswerError(
                f"{self.name} holds no bars of {symbol}, but of {len(self._series)} others: "
                f"{', '.join(list(self._series)[:8])}{' ...' if len(self._series) > 8 else ''}.",
                source=self.name,
                symbol=symbol,
            )
        return between(self._visible(series), start, end)

    async def panel(self) -> BarPanel:
        """Return all bars at once."""
        await self.load()
        shown = [self._visible(series) for series in self._series.values()]
        kept = [series for series in shown if len(series)]
        if not kept:
            raise EmptyAnswerError(f"{self.name} holds no bars before {self._now()}.", source=self.name)
        return await asyncio.to_thread(BarPanel.from_series, kept, interval=self._loaded().interval)

    async def raw_frame(self) -> pd.DataFrame:
        """Return every row under our names in VND and shares, the defective ones too, for the data report."""
        await self.load()
        return self._loaded().frame.copy()

    def _read(self) -> tuple[BarTable, dict[str, BarSeries]]:
        if isinstance(self._data, str | Path):
            path = Path(self._data).expanduser()
            frame, told = read_table(path)
            name = path.name
        else:
            frame, told, name = self._data, "Read a DataFrame.", "the DataFrame"
        table = normalise(frame, name=name, unit=self._unit, symbol=self._symbol)
        series, refused = _series_of(table.frame, self.name)
        if not series:
            raise FileFormatError(f"{name} has no valid bar. The first problem: {refused[0]}", path=name)
        told_problems = sum(len(s.problems) for s in series.values())
        notes = (told, *table.explanation)
        if told_problems or refused:
            notes += (
                f"{told_problems:,} rows are no valid bars and are left out; the data report shows them."
                + (
                    f" No valid bar at all: {', '.join(e.symbol or '?' for e in refused)}." if refused else ""
                ),
            )
        return BarTable(table.frame, table.interval, notes), series

    def _loaded(self) -> BarTable:
        if self._table is None:
            raise StateError(f"{self.name} has not been read yet; `await source.load()` first.")
        return self._table

    def _now(self) -> datetime | None:
        return self._clock.now() if self._clock is not None else self._as_of

    def _visible(self, series: BarSeries) -> BarSeries:
        """Return the bars that are known by now: a daily bar is, once its session has ended."""
        instant = self._now()
        if instant is None:
            return series
        local = np.datetime64(instant.astimezone(ICT).replace(tzinfo=None), "s")
        # Bars are stamped with their start, so each becomes known one length later.
        known_after = (
            _SESSION_LENGTH if self._loaded().interval == "1D" else minutes_of(self._loaded().interval)
        )
        rows = int(np.searchsorted(series.timestamps, local - known_after, side="right"))
        return series if rows == len(series) else take(series, slice(rows))


def _instant(as_of: date | datetime | None) -> datetime | None:
    if as_of is None:
        return None
    if isinstance(as_of, datetime):
        return as_of.replace(tzinfo=ICT) if as_of.tzinfo is None else as_of
    return datetime.combine(as_of, _SESSION_END, ICT)


def _series_of(frame: pd.DataFrame, source: str) -> tuple[dict[str, BarSeries], list[PayloadError]]:
    """Cut a frame sorted by symbol into one series each; those without a valid bar come back as errors."""
    symbols = frame["symbol"].to_numpy(dtype=object)
    stamps = frame["date"].to_numpy().astype("datetime64[s]")
    opened, high, low, close, volume = (
        frame[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close", "volume")
    )
    cuts = np.flatnonzero(symbols[1:] != symbols[:-1]) + 1
    series: dict[str, BarSeries] = {}
    refused: list[PayloadError] = []
    for first, last in zip([0, *cuts], [*cuts, len(symbols)], strict=True):
        rows = slice(int(first), int(last))
        name = str(symbols[first])
        try:
            series[name] = clean_bars(
                name,
                stamps[rows],
                (opened[rows], high[rows], low[rows], close[rows], volume[rows]),
                source=source,
            )
        except PayloadError as exc:
            refused.append(exc)
    return series, refused
