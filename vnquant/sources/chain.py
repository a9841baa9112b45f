"""Chain: several sources of bars in order of preference, as one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType

from vnquant.errors import AllSourcesFailedError, EmptySelectionError, SourceError
from vnquant.market.bars import BarSeries
from vnquant.runtime import fetch_with_timeout
from vnquant.sources.arguments import Clock, LoopClock, check_interval, check_range
from vnquant.sources.base import BarSource

__all__ = ("SourceChain",)

logger = logging.getLogger(__name__)


class SourceChain:
    """Asks one source after the other until one answers.

    Bars of one symbol always come from one source: two differ in how far back they adjust prices, so that a
    history spliced from both would show jumps that never happened.

    Parameters
    ----------
    sources : sequence of BarSource
        In order of preference. One that does not serve the interval asked for is passed over.
    clock : Clock, optional
        For `fetch_with_timeout`, whose range ends today.
    """

    def __init__(self, sources: Sequence[BarSource], clock: Clock | None = None) -> None:
        if not sources:
            raise EmptySelectionError("A chain needs at least one source.")
        self._sources = tuple(sources)
        self._clock = clock or LoopClock()
        self._served_by: dict[str, str] = {}
        self.name = ">".join(source.name for source in sources)

    @property
    def intervals(self) -> tuple[str, ...]:
        """Every interval that one of the sources serves."""
        return tuple(dict.fromkeys(i for source in self._sources for i in _intervals(source)))

    @property
    def served_by(self) -> Mapping[str, str]:
        """Name of the source that answered last, by symbol."""
        return MappingProxyType(self._served_by)

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        """Return the bars of the sessions from `start` to `end` from the first source that has them.

        Raises
        ------
        AllSourcesFailedError
            With the error of each, if none has.
        """
        check_range(start, end)
        check_interval(interval, self.intervals, self.name)
        causes: list[SourceError] = []
        for source in self._sources:
            if interval not in _intervals(source):
                continue
            try:
                series = await source.bars(symbol, start, end, interval=interval)
            except SourceError as exc:
                causes.append(exc)
                continue
            self._served_by[symbol] = source.name
            if causes:
                logger.info("%s: served by %s after %s", symbol, source.name, causes[-1])
            return series
        raise AllSourcesFailedError(causes, symbol=symbol)

    async def fetch_with_timeout(
        self,
        symbol: str,
        timeout: float = 5.0,
        *,
        start: date | None = None,
        end: date | None = None,
        interval: str = "1D",
    ) -> BarSeries | None:
        """Return the bars of a symbol, or None with a logged warning when they are late or fail to come.

        Parameters
        ----------
        symbol : str
        timeout : float
            Seconds for all sources together.
        start, end : date, optional
            A year to today unless given.
        interval : str
        """
        last = end or self._clock.now().date()
        first = start or last - timedelta(days=365)

        async def fetch(wanted: str) -> BarSeries:
            return await self.bars(wanted, first, last, interval=interval)

        return await fetch_with_timeout(fetch, symbol, timeout)


def _intervals(source: BarSource) -> tuple[str, ...]:
    """Intervals that a source serves; one that does not say is taken to serve daily bars."""
    return tuple(getattr(source, "intervals", ("1D",)))
