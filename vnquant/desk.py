"""Desk: the working state behind a workbench, from an empty history to a model and cases to discuss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from vnquant.dossier import dossier_panel, opportunity_of
from vnquant.errors import MissingDataError, ModelError, SourceError, StateError
from vnquant.market import BarPanel, BarSeries, QualityReport, data_report
from vnquant.models import ForecastModel, ModelConfig, ModelStore, Predictor, training_cutoff
from vnquant.news import Article, article_from
from vnquant.runtime import ICT, sliding_window
from vnquant.scanners import MarketHistory, ModelScanner, ScannerConfig, ScanResult
from vnquant.ui.progress import ProgressBar
from vnquant.world import World

if TYPE_CHECKING:
    from vnquant.agents import Opportunity
    from vnquant.settings import Settings
    from vnquant.sources import FeedItem

__all__ = ("Desk",)

_LOADING_ROUNDS = 3


class Desk:
    """Loads history, trains or reads the model, and prepares what the workbench shows.

    Parameters
    ----------
    world : World
        Closed with the desk.
    settings : Settings
    predictor : Predictor or None
    model_config : ModelConfig
    """

    def __init__(
        self, world: World, *, settings: Settings, predictor: Predictor | None, model_config: ModelConfig
    ) -> None:
        self.world = world
        self.model: ForecastModel | None = None
        self._settings = settings
        self._predictor = predictor
        self._model_config = model_config
        self._preparing = asyncio.Lock()
        self._scanner: ModelScanner | None = None
        self._judged: dict[FeedItem, Article] = {}
        self._market_as_of = datetime.min.replace(tzinfo=ICT)
        self.history = MarketHistory(
            world.bars,
            universe=world.universe,
            calendar=world.calendar,
            clock=world.clock,
            config=ScannerConfig(window=settings.window, deadline_s=settings.scan_deadline_s),
        )

    async def ready(self) -> ModelScanner:
        """Return the scanner, once the history is loaded and the model trained or read from disk.

        Raises
        ------
        MissingDataError
            If no symbol could be loaded; it names the first reason.
        ModelError
            If there are too few sessions to train on.
        """
        async with self._preparing:
            if self._scanner is None:
                await self._load()
                self.model = await self._trained()
                self._scanner = ModelScanner(self.history, self.model)
        return self._scanner

    async def scan(self, *, held: Collection[str] = ()) -> ScanResult:
        """Return the predictions of the whole market."""
        scanner = await self.ready()
        at = self.world.clock.now()
        result = await scanner.scan_stocks(held=held)
        self._market_as_of = at
        return result

    async def opportunity(
        self, symbol: str, *, coverage: str, market_since: datetime | None = None
    ) -> Opportunity:
        """Return one symbol's case, on its newest bars, forecasts and headlines.

        The other symbols' bars, which some agents compare with, are those of the last scan. With
        `market_since` they are asked for anew where that was before, so that a case does not depend on
        what happened to be scanned earlier.
        """
        await self.ready()
        wanted: Sequence[str] = [symbol]
        if market_since is not None and self._market_as_of < market_since:
            wanted, self._market_as_of = self.world.universe.tickers, self.world.clock.now()
        failures = await self.history.refresh(wanted, held=[symbol])
        if not self.history.loaded([symbol]):
            raise failures[symbol]
        return await asyncio.to_thread(
            opportunity_of,
            symbol,
            self.history,
            self.model,
            await self._news_if_any(),
            as_of=self.world.clock.now(),
            coverage=coverage or str(self.history.coverage([symbol], self.world.clock.now(), failures)),
        )

    async def research_panel(self) -> BarPanel:
        """Return all loaded bars with the model's out-of-sample forecasts beside them, to study agents on."""
        await self.ready()
        return await asyncio.to_thread(
            dossier_panel, self.history, self.model, None, rows=None, as_of=self.world.clock.now()
        )

    async def bars(
        self,
        symbols: Sequence[str],
        start: date,
        end: date,
        *,
        interval: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> BarPanel:
        """Return bars of all the symbols, or raise the first failure."""

        async def fetch(symbol: str) -> BarSeries:
            return await self.world.bars.bars(symbol, start, end, interval=interval)

        found: dict[str, BarSeries] = {}
        async with sliding_window(fetch, symbols, width=self._settings.window, name="bars") as outcomes:
            async for outcome in outcomes:
                if outcome.value is None:
                    raise outcome.error or SourceError(f"{outcome.item}: no answer", symbol=outcome.item)
                found[outcome.item] = outcome.value
                if progress is not None:
                    progress(len(found), len(symbols))
        ordered = [found[s] for s in symbols]
        fraction = self.history.session_fraction_of(ordered) if interval == "1D" else 1.0
        return BarPanel.from_series(ordered, interval=interval, session_fraction=fraction)

    async def news(self) -> list[Article]:
        """Return the latest headlines, read for symbols, sentiment and alert level."""
        if self.world.news is None:
            raise StateError(f"There is no news feed behind {self.world.name}; a file holds bars only.")
        feed = await self.world.news.headlines()
        fresh = [item for item in feed.items if item not in self._judged]
        universe = self.world.universe
        if fresh:
            judged = await asyncio.to_thread(lambda: [article_from(item, universe) for item in fresh])
            self._judged |= dict(zip(fresh, judged, strict=True))
        # A feed shows the same headlines for hours: each is judged once, and forgotten with the feed.
        self._judged = {item: self._judged[item] for item in feed.items}
        return list(self._judged.values())

    @property
    def articles(self) -> tuple[Article, ...]:
        """The headlines that were read last."""
        return tuple(self._judged.values())

    async def data_report(self) -> QualityReport:
        """Check a file's rows as they stand, or the loaded bars of any other source."""
        with self.progress("Checking the bars", unit="symbol") as bar:
            raw = await self.world.raw_frame()
            if raw is None and not self.history.loaded():
                await self.history.refresh(self.world.universe.tickers, progress=bar.items)
            return await asyncio.to_thread(
                lambda: data_report(
                    self.history.panel() if raw is None else raw,
                    universe=self.world.universe,
                    calendar=self.world.calendar,
                )
            )

    def progress(self, what: str, *, unit: str = "it") -> ProgressBar:
        """Return a bar for something that may take longer than a second, silent where bars are off."""
        return ProgressBar(what, unit=unit, shown=self._settings.progress)

    async def aclose(self) -> None:
        """End the scans that still run, then the world; idempotent."""
        if self._scanner is not None:
            await self._scanner.aclose()
        await self.world.aclose()

    async def _load(self) -> None:
        """Load every symbol; those that fail are asked again, since each one missing makes another model."""
        wanted, failures = self.world.universe.tickers, {}
        at = self.world.clock.now()
        for _ in range(_LOADING_ROUNDS):
            with self.progress("Loading history", unit="symbol") as bar:
                failures = await self.history.refresh(wanted, progress=bar.items)
            loaded = set(self.history.loaded())
            wanted = tuple(s for s in wanted if s not in loaded)
            if not wanted:
                self._market_as_of = at
                return
        if not self.history.loaded():
            symbol, error = next(iter(failures.items()))
            raise MissingDataError(f"No bars could be loaded; {symbol}, for one: {error}") from error

    async def _trained(self) -> ForecastModel:
        as_of = self.world.clock.now()
        cutoff = training_cutoff(as_of, self.world.calendar)
        panel = await asyncio.to_thread(lambda: self.history.panel().up_to(cutoff))
        if not panel.shape[0]:
            raise ModelError(f"No bars before {as_of:%Y-%m} to train on; give bars of earlier years.")
        store = ModelStore(self._settings.cache_dir / "models")
        with self.progress("Training the model", unit="%") as bar:
            return await store.load_or_train(
                panel, self._model_config, predictor=self._predictor, progress=bar.share
            )

    async def _news_if_any(self) -> list[Article] | None:
        """Return the news, or None where there is none to be had: a discussion goes on without."""
        if self.world.news is None:
            return None
        try:
            return await self.news()
        except SourceError:
            return None
