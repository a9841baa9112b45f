"""MarketHistory: the bars of many symbols, brought up to date by a sliding window of requests."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, time

import msgspec

from vnquant.errors import (
    MissingDataError,
    SourceError,
    SourceTimeoutError,
    StaleDataError,
    VnQuantError,
)
from vnquant.market import OHLCV, BarPanel, BarSeries, TradingCalendar, Universe, session_fraction
from vnquant.runtime import MarketClock, sliding_window
from vnquant.scanners.coverage import Coverage
from vnquant.sources import BarSource, Remembering

__all__ = ("FIRST_BAR", "MarketHistory", "Progress", "ScannerConfig")

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

FIRST_BAR = time(9, 16)  # every board has matched by then: HOSE's opening auction ends at 09:15


class ScannerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a scan proceeds.

    Attributes
    ----------
    window : int
        Symbols in flight at once.
    deadline_s : float
        Seconds after which a scan answers with what it has.
    history_sessions : int
        Rows given to the model, enough for its slowest feature.
    history_start : date
        First day asked for; the default is the depth of the VPS history endpoint.
    max_stale_sessions : int
        A symbol whose newest bar lags more than this many sessions gets no prediction.
    """

    window: int = 20
    deadline_s: float = 60.0
    history_sessions: int = 400
    history_start: date = date(2010, 1, 4)
    max_stale_sessions: int = 5


class MarketHistory:
    """Daily bars of a universe in memory, and how fresh each symbol is.

    Parameters
    ----------
    source : BarSource
        Usually cached, so that only missing sessions are asked for.
    universe, calendar, clock
    config : ScannerConfig
    """

    def __init__(
        self,
        source: BarSource,
        *,
        universe: Universe,
        calendar: TradingCalendar,
        clock: MarketClock,
        config: ScannerConfig | None = None,
    ) -> None:
        self.universe = universe
        self.calendar = calendar
        self.clock = clock
        self.config = config or ScannerConfig()
        self._source = source
        self._series: dict[str, BarSeries] = {}
        self._digests: dict[str, tuple[BarSeries, bytes]] = {}

    async def refresh(
        self,
        wanted: Sequence[str],
        *,
        held: Collection[str] = (),
        deadline_s: float | None = None,
        progress: Progress | None = None,
        arrived: Callable[[str], None] | None = None,
    ) -> dict[str, VnQuantError]:
        """Bring symbols up to date; return why some could not be.

        Parameters
        ----------
        wanted : sequence of str
            Held symbols are asked for first, then the stalest: what matters most if a quota or the
            deadline cuts the round short.
        progress : callable, optional
            Called with (done, total) after each symbol.
        arrived : callable, optional
            Called with each symbol once its bars are in or its failure is known.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.config.deadline_s if deadline_s is None else deadline_s)
        today = self.clock.now().date()
        pending = dict.fromkeys(sorted(wanted, key=lambda s: (s not in held, self._newest_stamp(s))))
        failures: dict[str, VnQuantError] = {}

        async def fetch(symbol: str) -> BarSeries:
            return await self._source.bars(symbol, self.config.history_start, today)

        def settle(symbol: str, error: VnQuantError | None) -> None:
            del pending[symbol]
            if error is not None:
                failures[symbol] = error
            if progress is not None:
                progress(len(wanted) - len(pending), len(wanted))
            if arrived is not None:
                arrived(symbol)

        async with sliding_window(fetch, list(pending), width=self.config.window, name="scan") as outcomes:
            while pending:
                try:
                    async with asyncio.timeout_at(deadline):
                        outcome = await anext(outcomes)
                except TimeoutError:
                    break
                if outcome.value is not None:
                    self._series[outcome.item] = outcome.value
                settle(outcome.item, self._typed(outcome.item, outcome.error))
        for symbol in list(pending):
            late = f"{symbol}: not answered before the scan's deadline; raise deadline_s or the quota"
            settle(symbol, SourceTimeoutError(late, source=self._source.name, symbol=symbol))
        await self._recall(failures, today)
        return failures

    async def _recall(self, symbols: Iterable[str], today: date) -> None:
        """Fall back on bars of earlier days for symbols that failed and were never loaded."""
        if isinstance(self._source, Remembering):
            for symbol in symbols:
                if symbol not in self._series:
                    known = await self._source.cached(symbol, self.config.history_start, today)
                    if known is not None:
                        self._series[symbol] = known

    def loaded(self, symbols: Collection[str] | None = None) -> list[str]:
        """Return the symbols that have bars, in the order of the universe."""
        return [s for s in self.universe if s in self._series and (symbols is None or s in symbols)]

    def newest(self, symbol: str) -> date:
        """Return the session of a loaded symbol's last bar."""
        stamp: date = self._series[symbol].timestamps[-1].astype("datetime64[D]").item()
        return stamp

    def panel(
        self,
        symbols: Collection[str] | None = None,
        *,
        rows: int | None = None,
        as_of: datetime | None = None,
    ) -> BarPanel:
        """Return the loaded bars as one panel, a running session marked partial.

        Raises
        ------
        MissingDataError
            If none of the symbols has been fetched yet.
        """
        series = [self._series[s] for s in self.loaded(symbols)]
        if not series:
            raise MissingDataError(
                "No bars have been fetched yet for these symbols; run `await bench.scan()` or "
                "`await bench.prepare()` first."
            )
        if rows is not None:
            series = [_last(s, rows) for s in series]
        return BarPanel.from_series(series, session_fraction=self.session_fraction_of(series, as_of))

    def session_fraction_of(self, series: Sequence[BarSeries], as_of: datetime | None = None) -> float:
        """Return the share of a usual day's volume behind the last row, below 1 in a running session."""
        now = as_of or self.clock.now()
        last = max(s.timestamps[-1] for s in series).astype("datetime64[D]").item()
        return session_fraction(now) if last == now.date() else 1.0

    def coverage(
        self,
        wanted: Sequence[str],
        as_of: datetime,
        failures: dict[str, VnQuantError],
        *,
        predicted: Collection[str] | None = None,
    ) -> Coverage:
        """Return which of the wanted symbols are fresh or stale, and why; only `predicted` ones if given."""
        newest_session = self._newest_session(as_of)
        fresh: list[str] = []
        stale: dict[str, int] = {}
        reasons = dict(failures)
        for symbol in wanted:
            if symbol not in self._series:
                continue
            lag = self.calendar.sessions_between(self.newest(symbol), newest_session)
            if lag > self.config.max_stale_sessions:
                told = f"{symbol}: newest bar is of {self.newest(symbol)}, {lag} sessions ago: too old"
                reasons.setdefault(symbol, StaleDataError(told))
            elif predicted is None or symbol in predicted:
                if lag <= 0 and symbol not in failures:
                    fresh.append(symbol)
                else:
                    stale[symbol] = max(lag, 0)
        is_fresh = set(fresh)
        kept = {s: reasons[s] for s in wanted if s in reasons and s not in is_fresh}
        return Coverage(requested=len(wanted), fresh=tuple(fresh), stale=stale, failures=kept)

    def fingerprint(self) -> str:
        """Return a hash of all loaded bars; symbols that have not changed are not hashed again."""
        whole = hashlib.blake2b(digest_size=16)
        for symbol in self.loaded():
            series = self._series[symbol]
            known = self._digests.get(symbol)
            if known is None or known[0] is not series:
                known = self._digests[symbol] = (series, _digest(series))
            whole.update(known[1])
        return whole.hexdigest()

    def _typed(self, symbol: str, error: Exception | None) -> VnQuantError | None:
        if error is None or isinstance(error, VnQuantError):
            return error
        # A bug in a source must not sink the other symbols, and must not hide either.
        logger.error("%s: unexpected %r", symbol, error, exc_info=error)
        return SourceError(
            f"{symbol}: {type(error).__name__}: {error}", source=self._source.name, symbol=symbol
        )

    def _newest_stamp(self, symbol: str) -> int:
        series = self._series.get(symbol)
        return -1 if series is None else int(series.timestamps[-1].astype("int64"))

    def _newest_session(self, as_of: datetime) -> date:
        """Return the session whose bar a fresh symbol has: today's once trading began, else the last one."""
        today = as_of.date()
        if self.calendar.is_trading_day(today) and as_of.time() >= FIRST_BAR:
            return today
        return self.calendar.previous_session(today)


def _last(series: BarSeries, rows: int) -> BarSeries:
    """Return a series' last rows as views."""
    if len(series) <= rows:
        return series
    columns = {name: getattr(series, name)[-rows:] for name in OHLCV}
    return BarSeries(series.symbol, series.timestamps[-rows:], **columns, source=series.source)


def _digest(series: BarSeries) -> bytes:
    digest = hashlib.blake2b(series.symbol.encode(), digest_size=16)
    for name in ("timestamps", *OHLCV):
        digest.update(getattr(series, name).tobytes())
    return digest.digest()
