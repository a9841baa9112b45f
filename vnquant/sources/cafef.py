"""CafeF: daily bars of the CafeF price history, the fallback for VPS."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np

from vnquant.errors import EmptyAnswerError, PayloadError, RecordError
from vnquant.market.bars import BarSeries
from vnquant.runtime import sliding_window
from vnquant.sources.arguments import check_interval, check_range
from vnquant.sources.endpoints import Endpoints
from vnquant.sources.http import HttpClient
from vnquant.sources.ohlcv import clean_bars
from vnquant.sources.selection import between
from vnquant.sources.wire_numbers import as_float, float_column, whole_vnd

__all__ = ("CafefPage", "CafefSource", "bars_of_rows", "parse_page")

# The service caps a page at 20 rows and an answer at about three months before its end date, so a long range
# is a walk of quarters. Eighty days stay safely inside.
_PAGE_SIZE = 20
_WINDOW_DAYS = 80
# A quarter has at most 66 sessions; more pages than this mean that the service repeats itself.
_MOST_PAGES = 6


class CafefPage(msgspec.Struct, frozen=True):
    """One page: its rows as sent, and how many rows its window holds in all."""

    rows: tuple[dict[str, Any], ...]
    total: int


class _Inner(msgspec.Struct):
    TotalCount: int | None = None
    Data: list[Any] | None = None


class _Outer(msgspec.Struct):
    Data: _Inner | None = None
    Message: str | None = None
    Success: bool = True


_outer = msgspec.json.Decoder(_Outer)


class CafefSource:
    """Daily bars from CafeF, adjusted; asked quarter by quarter, a few requests at a time.

    Parameters
    ----------
    client : HttpClient
        Shared; not closed by the source.
    endpoints : Endpoints
    width : int
        Quarters fetched at once.
    """

    name = "cafef"
    intervals = ("1D",)

    def __init__(self, client: HttpClient, endpoints: Endpoints, *, width: int = 4) -> None:
        self._client = client
        self._endpoints = endpoints
        self._width = width

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        """Return the daily bars of the sessions from `start` to `end`, both included.

        Raises
        ------
        SourceError
            If any quarter failed: a history with a hole in it would look like one without.
        """
        check_range(start, end)
        check_interval(interval, self.intervals, self.name)

        async def quarter(window: tuple[date, date]) -> tuple[dict[str, Any], ...]:
            return await self._quarter(symbol, *window)

        rows: list[dict[str, Any]] = []
        windows = _windows(start, end)
        async with sliding_window(
            quarter, windows, width=min(self._width, len(windows)), name=f"{self.name}:{symbol}"
        ) as outcomes:
            async for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
                rows.extend(outcome.value or ())
        if not rows:
            raise EmptyAnswerError(
                f"{self.name} has no bars of {symbol} from {start} to {end}.", source=self.name, symbol=symbol
            )
        return between(bars_of_rows(symbol, rows, source=self.name), start, end)

    async def _quarter(self, symbol: str, start: date, end: date) -> tuple[dict[str, Any], ...]:
        rows: tuple[dict[str, Any], ...] = ()
        for number in range(1, _MOST_PAGES + 1):
            page = await self._client.get(
                self._endpoints.cafef_history,
                {
                    "Symbol": symbol,
                    # Month first; day first is accepted as well and gives another window.
                    "StartDate": start.strftime("%m/%d/%Y"),
                    "EndDate": end.strftime("%m/%d/%Y"),
                    "PageIndex": str(number),
                    "PageSize": str(_PAGE_SIZE),
                },
                source=self.name,
                symbol=symbol,
                decoder=lambda body: parse_page(body, symbol, source=self.name),
            )
            rows += page.rows
            if not page.rows or len(rows) >= page.total:
                break
        return rows


def parse_page(body: bytes, symbol: str, *, source: str) -> CafefPage:
    """Return the rows of a page; none for an unknown symbol or an empty range.

    Raises
    ------
    PayloadError
        If it is not such a page, or reports no success.
    """
    try:
        answer = _outer.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise PayloadError(
            f"{source} did not answer for {symbol} with a price history but {body[:40]!r}: {exc}",
            source=source,
            symbol=symbol,
        ) from exc
    if not answer.Success:
        raise PayloadError(
            f"{source} reports no success for {symbol}: {answer.Message!r:.80}", source=source, symbol=symbol
        )
    given = (answer.Data.Data if answer.Data else None) or []
    # What is not an object becomes an empty row, which is told as a problem further on.
    rows = tuple(row if isinstance(row, dict) else {} for row in given)
    return CafefPage(rows, max((answer.Data.TotalCount if answer.Data else None) or 0, len(rows)))


def bars_of_rows(symbol: str, rows: list[dict[str, Any]], *, source: str) -> BarSeries:
    """Return the adjusted bars of CafeF rows.

    `GiaDieuChinh` is the adjusted close and `GiaDongCua` the raw one; open, high and low come raw and are
    brought to the adjusted scale by their ratio. Volumes are matched shares without put-through deals.
    """
    problems: list[RecordError] = []
    kept: list[dict[str, Any]] = []
    for row in rows:
        owner = row.get("Symbol")  # missing in older answers
        if isinstance(owner, str) and owner.strip() and owner.strip().upper() != symbol:
            problems.append(RecordError(symbol, "Symbol", owner, "belongs to another symbol", source=source))
        else:
            kept.append(row)
    # Newest first on the wire: reversed, so that the later of two records of a day is the one that is kept.
    kept.reverse()
    raw_close = float_column(row.get("GiaDongCua") for row in kept)
    adjusted = float_column(_adjusted(row) for row in kept)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = adjusted / raw_close
        opened, high, low = (
            whole_vnd(float_column(row.get(name) for row in kept) * factor)
            for name in ("GiaMoCua", "GiaCaoNhat", "GiaThapNhat")
        )
    return clean_bars(
        symbol,
        np.array([_day(row.get("Ngay")) for row in kept], dtype="datetime64[s]"),
        (opened, high, low, whole_vnd(adjusted), float_column(row.get("KhoiLuongKhopLenh") for row in kept)),
        source=source,
        problems=tuple(problems),
    )


def _adjusted(row: dict[str, Any]) -> float:
    value = as_float(row.get("GiaDieuChinh"))
    # 0 or absent where nothing has been adjusted yet.
    return value if value > 0.0 and not math.isinf(value) else as_float(row.get("GiaDongCua"))


def _day(text: object) -> np.datetime64:
    """Read dd/mm/yyyy, NaT where it is not that."""
    try:
        day, month, year = (int(part) for part in str(text).split("/"))
        return np.datetime64(date(year, month, day), "s")
    except (ValueError, OverflowError):
        return np.datetime64("NaT", "s")


def _windows(start: date, end: date) -> list[tuple[date, date]]:
    """Cut a range into windows that the service answers whole, newest first."""
    windows = []
    while end >= start:
        first = max(start, end - timedelta(days=_WINDOW_DAYS - 1))
        windows.append((first, end))
        end = first - timedelta(days=1)
    return windows
