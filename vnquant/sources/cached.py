"""Cached bars: a source in front of which stands the cache, so that only missing sessions are asked for."""

from __future__ import annotations

import asyncio
from datetime import date, datetime

import numpy as np

from vnquant.errors import EmptyAnswerError
from vnquant.market import TradingCalendar, default_calendar
from vnquant.market.bars import BarSeries
from vnquant.sources.arguments import Clock, LoopClock, check_range
from vnquant.sources.base import BarSource
from vnquant.sources.cache import BarCache, CachedHistory
from vnquant.sources.selection import between, join

__all__ = ("CachedBars",)

# Two sendings of one unadjusted bar are equal; a dividend of a tenth of a percent shows more than this.
_SAME_PRICE = 1e-6


class CachedBars:
    """A bar source that keeps complete daily sessions and asks only for those it lacks.

    When it extends a history it asks from the last session it knows, and compares that one. Where the prices
    differ, the source has adjusted them since, for a dividend or a split, and the history is fetched anew.
    The running session's bar is passed on and never kept. Intraday bars are passed through.

    Parameters
    ----------
    source : BarSource
    cache : BarCache
    calendar : TradingCalendar, optional
    clock : Clock, optional
    """

    def __init__(
        self,
        source: BarSource,
        cache: BarCache,
        calendar: TradingCalendar | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._source = source
        self._cache = cache
        self._calendar = calendar or default_calendar()
        self._clock = clock or LoopClock()
        # One request for a symbol at a time: a second caller finds what the first has brought.
        self._locks: dict[str, asyncio.Lock] = {}
        self.name = source.name
        self.intervals = tuple(getattr(source, "intervals", ("1D",)))

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        """Return the bars of the sessions from `start` to `end`, both included."""
        check_range(start, end)
        if interval != "1D":
            return await self._source.bars(symbol, start, end, interval=interval)
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            known = await self._cache.history(symbol)
            now = self._clock.now()
            complete = self._calendar.latest_complete_session(now)
            if known is not None and known.end > complete:
                known = None  # kept by a run whose market time was later: it would tell this one its future
            # The latest session that can have a bar by now and is wanted.
            last = min(end, self._calendar.latest_session(now))
            if known is not None and known.start <= start:
                if self._missing(known.end, last) <= 0:
                    return between(known.series, start, end)
                if len(known.series):
                    extended = await self._extend(known, last, complete)
                    if extended is not None:
                        return between(extended, start, end)
            if known is not None:
                first, to = min(start, known.start), max(end, known.end)
            else:
                first, to = start, end
            whole = await self._source.bars(symbol, first, to)
            await self._keep(whole, first, min(complete, to))
            return between(whole, start, end)

    async def cached(self, symbol: str, start: date, end: date) -> BarSeries | None:
        """Return what the cache holds of a range without asking the source, None where it holds nothing."""
        known = await self._cache.history(symbol)
        if known is None:
            return None
        held = between(known.series, start, end, allow_empty=True)
        return held if len(held) else None

    def staleness(self, symbol: str, now: datetime | None = None) -> int | None:
        """Return how many complete sessions the history of a symbol lacks at `now`, None where there is none.

        Counts what is in memory: `await cache.load(symbols)` first.
        """
        known = self._cache.peek(symbol)
        if known is None:
            return None
        complete = self._calendar.latest_complete_session(now or self._clock.now())
        return max(0, self._missing(known.end, complete))

    async def load(self, symbols: tuple[str, ...]) -> int:
        """Read the histories of many symbols into memory at once; return how many there are."""
        return await self._cache.load(symbols)

    async def _extend(self, known: CachedHistory, last: date, complete: date) -> BarSeries | None:
        """Fetch the sessions after the known ones; None where the known ones no longer hold."""
        overlap = _last_day(known.series)
        try:
            fresh = await self._source.bars(known.series.symbol, overlap, max(last, overlap))
        except EmptyAnswerError:
            # Not even the session that it gave us before: ask for everything, and let that answer count.
            return None
        if not _same_bar(known.series, fresh) or fresh.source != known.series.source:
            return None
        whole = join(known.series, fresh)
        if complete > known.end:
            await self._keep(whole, known.start, min(complete, last))
        return whole

    async def _keep(self, series: BarSeries, start: date, end: date) -> None:
        """Store the sessions up to `end`.

        The history is known up to its last bar, not up to the day asked for: a source that lags behind would
        otherwise never be asked for the sessions it did not have yet.
        """
        if end < start:
            return
        held = between(series, start, end, allow_empty=True)
        if len(held):
            await self._cache.put(CachedHistory(held, start, _last_day(held)))

    def _missing(self, known_end: date, last: date) -> int:
        """Return how many sessions lie after the known ones, up to `last`."""
        if last <= known_end:
            return 0
        if known_end < self._calendar.first:  # before the calendar every weekday may be one
            return int(np.busday_count(known_end, last))
        return self._calendar.sessions_between(known_end, last)


def _last_day(series: BarSeries) -> date:
    day: date = series.timestamps[-1].astype("datetime64[D]").item()
    return day


def _same_bar(known: BarSeries, fresh: BarSeries) -> bool:
    """Whether the last known bar is the first fresh one, at the same prices."""
    if not len(fresh) or fresh.timestamps[0] != known.timestamps[-1]:
        return False
    before = np.array([known.open[-1], known.high[-1], known.low[-1], known.close[-1]])
    after = np.array([fresh.open[0], fresh.high[0], fresh.low[0], fresh.close[0]])
    return bool(np.allclose(before, after, rtol=_SAME_PRICE, atol=0.0))
