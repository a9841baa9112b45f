"""ModelScanner: predicts what a market history knows, fresh from its sources, in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from vnquant.errors import MissingDataError, VnQuantError
from vnquant.market import BarPanel
from vnquant.models import Prediction
from vnquant.scanners.coverage import Coverage
from vnquant.scanners.history import MarketHistory, Progress
from vnquant.scanners.result import OpportunityFilter, ScanResult

__all__ = ("BatchPredictor", "ModelScanner")


class BatchPredictor(Protocol):
    """What a scanner asks of a model."""

    @property
    def fingerprint(self) -> str:
        """Hash of the data, features and parameters that the model was trained on."""
        ...

    def predict(self, panel: BarPanel) -> Mapping[str, Prediction]:
        """Return the prediction of each symbol at its own last bar; those with too few bars are left out."""
        ...


class ModelScanner:
    """Scans symbols for their expected return.

    Parameters
    ----------
    history : MarketHistory
        Fetches what is missing.
    model : BatchPredictor
    criteria : OpportunityFilter
        Which predictions are opportunities.
    """

    def __init__(
        self, history: MarketHistory, model: BatchPredictor, *, criteria: OpportunityFilter | None = None
    ) -> None:
        self.history = history
        self.model = model
        self.criteria = criteria or OpportunityFilter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def scan_stocks(
        self,
        symbols: Sequence[str] | None = None,
        *,
        held: Collection[str] = (),
        deadline_s: float | None = None,
        progress: Progress | None = None,
    ) -> ScanResult:
        """Return the predictions of many symbols, however many of their requests fail.

        Parameters
        ----------
        symbols : sequence of str, optional
            The whole universe by default.
        held : collection of str
            Symbols with open positions: asked for first, since their exits depend on it.
        deadline_s : float, optional
            Overrides the configured deadline.
        progress : callable, optional
            Called with (done, total) after each symbol.

        Raises
        ------
        UnknownSymbolError, EmptySelectionError
            Before any request is made. Failures of single symbols are reported in the result.
        """
        wanted = self._wanted(symbols)
        loop = asyncio.get_running_loop()
        started, as_of = loop.time(), self.history.clock.now()
        failures = await self.history.refresh(wanted, held=held, deadline_s=deadline_s, progress=progress)
        predictions, coverage = await asyncio.to_thread(self._judge, wanted, as_of, failures)
        return ScanResult(
            predictions,
            as_of=as_of,
            coverage=coverage,
            elapsed_s=loop.time() - started,
            criteria=self.criteria,
            fingerprint=self.model.fingerprint,
        )

    async def stream(
        self,
        symbols: Sequence[str] | None = None,
        *,
        held: Collection[str] = (),
        deadline_s: float | None = None,
    ) -> AsyncGenerator[Prediction]:
        """Yield predictions in order of arrival; symbols without one are left out.

        Whatever arrives while the model judges the previous arrivals is judged together, so a burst
        costs one batch and not one prediction a symbol.
        """
        wanted, as_of = self._wanted(symbols), self.history.clock.now()
        arrived: asyncio.Queue[str | None] = asyncio.Queue()

        async def collect() -> None:
            try:
                await self.history.refresh(
                    wanted, held=held, deadline_s=deadline_s, arrived=arrived.put_nowait
                )
            finally:
                arrived.put_nowait(None)

        collector = self._own(collect(), name="scan:stream")
        try:
            ended = False
            while not ended:
                batch = [await arrived.get()]
                while not arrived.empty():
                    batch.append(arrived.get_nowait())
                ended = batch[-1] is None
                names = tuple(s for s in batch if s is not None)
                predictions, _ = await asyncio.to_thread(self._judge, names, as_of, {})
                for symbol in names:
                    if symbol in predictions:
                        yield predictions[symbol]
            await collector
        finally:
            collector.cancel()

    async def aclose(self) -> None:
        """End the streams that still run; idempotent."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wanted(self, symbols: Sequence[str] | None) -> tuple[str, ...]:
        universe = self.history.universe
        return universe.check(tuple(universe) if symbols is None else symbols)

    def _own(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start a task that ends with this scanner at the latest."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _judge(
        self, wanted: Sequence[str], as_of: datetime, failures: dict[str, VnQuantError]
    ) -> tuple[dict[str, Prediction], Coverage]:
        """Predict the wanted symbols that have bars, in one batch.

        The panel holds all loaded symbols, also where few are wanted: the model's market context is then
        the same for one symbol as for all.
        """
        coverage = self.history.coverage(wanted, as_of, failures)
        lags = dict.fromkeys(coverage.fresh, 0) | dict(coverage.stale)
        if not lags:
            return {}, coverage
        found = self.model.predict(self.history.panel(rows=self.history.config.history_sessions, as_of=as_of))
        predictions = {
            s: msgspec.structs.replace(found[s], stale_sessions=lag) for s, lag in lags.items() if s in found
        }
        short = {s: MissingDataError(f"{s}: too few bars for a prediction") for s in lags if s not in found}
        return predictions, self.history.coverage(wanted, as_of, failures | short, predicted=predictions)
