"""Sync: the workbench without `await`, for scripts and for callbacks that must be synchronous.

Inside a running kernel a synchronous call must re-enter the loop that already runs; nest-asyncio makes that
possible by patching asyncio, on the first such call and never otherwise. Measured breakages after the patch:
on Python 3.12 and later `asyncio.run(..., loop_factory=...)` (and so `uvloop.run`) raises TypeError; nested
calls return last-in first-out, so a short call may wait for a long one started after it; a lock held by the
outer coroutine deadlocks the inner call. Prefer `await` wherever a cell allows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from vnquant.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vnquant.agents import AgentSignal
    from vnquant.market import BarPanel, QualityReport
    from vnquant.models import Prediction
    from vnquant.news import Article
    from vnquant.scanners import ScanResult
    from vnquant.sources import QuoteBoard
    from vnquant.workbench import Workbench

__all__ = ("SyncWorkbench", "open_sync")

T = TypeVar("T")


class SyncWorkbench:
    """Blocking versions of a workbench's methods; everything else is passed through to `bench`."""

    def __init__(
        self, bench: Workbench, loop: asyncio.AbstractEventLoop, *, runner: asyncio.Runner | None = None
    ) -> None:
        self.bench = bench
        self._loop = loop
        self._runner = runner

    def prepare(self, *, charts: bool = True) -> Self:
        """See `Workbench.prepare`."""
        self._run(lambda: self.bench.prepare(charts=charts))
        return self

    def scan(self, symbols: Sequence[str] | None = None, *, deadline_s: float | None = None) -> ScanResult:
        """See `Workbench.scan`."""
        return self._run(lambda: self.bench.scan(symbols, deadline_s=deadline_s))

    def scan_stream(self, symbols: Sequence[str] | None = None) -> Iterator[Prediction]:
        """See `Workbench.scan_stream`."""
        stream = self.bench.scan_stream(symbols)
        while True:
            try:
                yield self._run(lambda: anext(stream))
            except StopAsyncIteration:
                return

    def discuss(self, symbol: str, *, timeout_s: float = 5.0) -> AgentSignal:
        """See `Workbench.discuss`."""
        return self._run(lambda: self.bench.discuss(symbol, timeout_s=timeout_s))

    def bars(
        self,
        symbols: str | Sequence[str],
        start: date | datetime | str,
        end: date | datetime | str,
        *,
        interval: str = "1D",
    ) -> BarPanel:
        """See `Workbench.bars`."""
        return self._run(lambda: self.bench.bars(symbols, start, end, interval=interval))

    def quotes(self, symbols: str | Sequence[str] | None = None) -> QuoteBoard:
        """See `Workbench.quotes`."""
        return self._run(lambda: self.bench.quotes(symbols))

    def news(self) -> list[Article]:
        """See `Workbench.news`."""
        return self._run(lambda: self.bench.news())

    def data_report(self) -> QualityReport:
        """See `Workbench.data_report`."""
        return self._run(lambda: self.bench.data_report())

    def close(self) -> None:
        """Close the workbench, and the loop too where it was opened for it; idempotent."""
        if self.bench.is_open:
            self._run(self.bench.close)
        if self._runner is not None:
            self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bench, name)

    def __repr__(self) -> str:
        return f"Sync{self.bench!r}"

    def _run(self, call: Callable[[], Awaitable[T]]) -> T:
        if not self.bench.is_open:
            raise ClosedError("This workbench is closed. Open another: `Workbench.open().sync()`.")
        coroutine = _awaited(call)
        if self._runner is not None:
            return self._runner.run(coroutine)
        if not self._loop.is_running():
            return self._loop.run_until_complete(coroutine)
        if _running_loop() is self._loop:
            import nest_asyncio

            nest_asyncio.apply(self._loop)
            return self._loop.run_until_complete(coroutine)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def open_sync(opening: Callable[[], Coroutine[Any, Any, Workbench]]) -> SyncWorkbench:
    """Open a workbench on a new loop that belongs to the result."""
    runner = asyncio.Runner()
    try:
        return SyncWorkbench(runner.run(opening()), runner.get_loop(), runner=runner)
    except BaseException:
        runner.close()
        raise


async def _awaited(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
