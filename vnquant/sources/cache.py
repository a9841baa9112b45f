"""Cache: daily history on disk, one Parquet file a symbol, with a copy in memory."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from vnquant.errors import ParameterError
from vnquant.market.bars import BarSeries

__all__ = ("BarCache", "CachedHistory")

logger = logging.getLogger(__name__)

_COLUMNS = ("open", "high", "low", "close", "volume")
# In the directory's name: another layout starts anew beside the old one.
_LAYOUT = "v1"


@dataclass(frozen=True, slots=True)
class CachedHistory:
    """Complete sessions of one symbol, and the range that was asked for to get them.

    The range says more than the bars: a symbol listed in 2020 has none before, and need not be asked again.
    """

    series: BarSeries
    start: date
    end: date


class BarCache:
    """Stores histories of one source. Reading and writing run on threads; what was read once stays in memory.

    Parameters
    ----------
    directory : Path or None
        Created when first written to; None keeps histories in memory alone.
    source_key : str
        Name of the source, with whatever makes its prices differ (a simulation's seed): histories of two keys
        never mix.
    """

    def __init__(self, directory: Path | str | None, source_key: str) -> None:
        if not re.fullmatch(r"[\w.+=-]{1,80}", source_key) or source_key.startswith("."):
            raise ParameterError(
                f"source_key {source_key!r} must be 1 to 80 letters, digits or _.+=- to name a directory.",
                name="source_key",
                value=source_key,
            )
        self.directory = None if directory is None else Path(directory) / _LAYOUT / source_key
        self._memory: dict[str, CachedHistory | None] = {}

    async def get(self, symbol: str) -> BarSeries | None:
        """Return the stored bars of a symbol, None where there are none."""
        found = await self.history(symbol)
        return None if found is None else found.series

    async def history(self, symbol: str) -> CachedHistory | None:
        """Return the stored bars of a symbol with the range they answer."""
        if symbol not in self._memory and (path := self._path(symbol)) is not None:
            self._memory[symbol] = await asyncio.to_thread(_read, path, symbol)
        return self._memory.get(symbol)

    async def load(self, symbols: Iterable[str]) -> int:
        """Read the files of many symbols in one go, and return how many have one."""
        paths = {s: self._path(s) for s in dict.fromkeys(symbols) if s not in self._memory}
        missing = {s: path for s, path in paths.items() if path is not None}

        def read_all() -> dict[str, CachedHistory | None]:
            return {symbol: _read(path, symbol) for symbol, path in missing.items()}

        for symbol, found in (await asyncio.to_thread(read_all)).items() if missing else ():
            self._memory.setdefault(symbol, found)
        return sum(found is not None for found in self._memory.values())

    async def put(self, history: CachedHistory) -> None:
        """Store a symbol's bars in place of what was there.

        A failing disk is logged and does not fail the caller, who has the bars.
        """
        symbol = history.series.symbol
        self._memory[symbol] = history
        path = self._path(symbol)
        if path is None:
            return
        try:
            await asyncio.to_thread(_write, path, history)
        except OSError as exc:
            logger.warning("%s: history not written to %s: %s", symbol, self.directory, exc)

    def peek(self, symbol: str) -> CachedHistory | None:
        """Return what memory holds, without looking on the disk."""
        return self._memory.get(symbol)

    def forget(self) -> None:
        """Drop the copies in memory; files stay."""
        self._memory.clear()

    def _path(self, symbol: str) -> Path | None:
        if not re.fullmatch(r"\w{1,20}", symbol):
            raise ParameterError(f"{symbol!r} is not a ticker.", name="symbol", value=symbol)
        return None if self.directory is None else self.directory / f"{symbol}.parquet"


def _write(path: Path, history: CachedHistory) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    series = history.series
    columns: dict[str, Any] = {"timestamp": pa.array(series.timestamps.astype("datetime64[s]"))}
    columns.update({name: pa.array(getattr(series, name)) for name in _COLUMNS})
    table = pa.table(columns).replace_schema_metadata(
        {
            "symbol": series.symbol,
            "source": series.source,
            "start": history.start.isoformat(),
            "end": history.end.isoformat(),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and moved over, so that a reader, or a process killed here, never sees half a file. The
    # process id keeps two workbenches on one cache apart.
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        pq.write_table(table, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path, symbol: str) -> CachedHistory | None:
    """Return a stored history; None where there is none or it cannot be trusted."""
    if not path.exists():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # `read_table` is for data sets, and imports pandas
            table = file.read()
        told = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        if told["symbol"] != symbol:
            raise ValueError(f"it holds {told['symbol']}")
        columns: dict[str, Any] = {
            name: np.from_dlpack(_whole(table, name)).astype(np.float64) for name in _COLUMNS
        }
        stamps = _whole(table, "timestamp")
        if not pa.types.is_timestamp(stamps.type):
            raise ValueError(f"its timestamps are {stamps.type}")
        since_1970 = np.from_dlpack(stamps.view("int64")).astype(f"datetime64[{stamps.type.unit}]")
        series = BarSeries(symbol, since_1970.astype("datetime64[s]"), **columns, source=told["source"])
        return CachedHistory(series, date.fromisoformat(told["start"]), date.fromisoformat(told["end"]))
    except (pa.ArrowException, OSError, KeyError, ValueError) as exc:
        logger.warning(
            "%s: cached history %s cannot be read and is fetched again: %s", symbol, path.name, exc
        )
        return None


def _whole(table: Any, name: str) -> Any:
    """Return a column as one Arrow array, to be read by numpy itself: pyarrow's `to_numpy` imports pandas."""
    column = table.column(name).combine_chunks()
    if column.null_count:
        raise ValueError(f"its column {name} has gaps")
    return column
