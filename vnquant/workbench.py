"""Workbench: the one object that a notebook needs. It wires the rooms and owns what runs in them."""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import weakref
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vnquant.dossier import SymbolCharts
from vnquant.errors import ClosedError, DateRangeError, StateError
from vnquant.market import BarPanel, to_timestamp
from vnquant.opening import Opening
from vnquant.runtime import MarketClock, wake_on_interrupt
from vnquant.views import Views
from vnquant.world import World, open_world

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from sqlalchemy.engine import URL

    from vnquant.agents import Agent, AgentSignal, ChiefAgent
    from vnquant.engine import AutonomousOrchestrator, EngineConfig
    from vnquant.market import QualityReport, Universe
    from vnquant.models import ForecastModel, ModelConfig, Prediction, Predictor
    from vnquant.news import Articles
    from vnquant.scanners import ScanResult
    from vnquant.settings import Settings
    from vnquant.simulation import Faults, Latency, Planted, SimulatedExchange
    from vnquant.sources import QuoteBoard
    from vnquant.sync import SyncWorkbench
    from vnquant.ui.agent_lab import AgentLab
    from vnquant.ui.control_panel import ControlPanel
    from vnquant.ui.heatmap import Heatmap
    from vnquant.ui.live_chart import LiveChart
    from vnquant.ui.price_board import PriceBoard
    from vnquant.ui.theme import ChartTheme

__all__ = ("Workbench",)

_CHART_SESSIONS = 375  # a year and a half: room to look back from the first of them that "1Y" shows


class Workbench:
    """A researcher's workbench: scan, discuss, chart, on simulated, live or your own data.

    Made by `Workbench.open`, which can be awaited or entered:

    >>> bench = await Workbench.open()                                  # doctest: +SKIP
    >>> async with Workbench.open(source="bars.parquet") as bench: ...  # doctest: +SKIP

    Attributes
    ----------
    agents : dict of str to Agent
        Who takes part in a discussion. Add your own: `bench.agents["gap"] = GapAgent()`.
    chief : ChiefAgent
    exchange : SimulatedExchange or None
        The exchange behind this workbench, where it is simulated.
    """

    def __init__(
        self,
        world: World,
        *,
        settings: Settings,
        seed: int,
        agents: Iterable[Agent] | None = None,
        chief: ChiefAgent | None = None,
        predictor: Predictor | None = None,
        model: ModelConfig | None = None,
        database: str | Path | URL | None = None,
        engine: EngineConfig | None = None,
    ) -> None:
        from vnquant.agents import ChiefAgent, default_agents
        from vnquant.desk import Desk
        from vnquant.models import ModelConfig

        self._desk = Desk(
            world, settings=settings, predictor=predictor, model_config=model or ModelConfig(seed=seed)
        )
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._views = Views(self._desk, self._loop)
        self._charts = SymbolCharts(self._desk.history)
        self._is_open = True
        self._last_scan: ScanResult | None = None
        self._database = database
        self._engine_config = engine
        self._orchestrator: AutonomousOrchestrator | None = None
        self.seed = seed
        self.agents: dict[str, Agent] = {a.name: a for a in default_agents()}
        self.agents.update({a.name: a for a in agents or ()})
        self.chief = chief or ChiefAgent()
        wake_on_interrupt(self._loop)
        _close_at_exit(self)

    @classmethod
    def open(
        cls,
        source: str | Path | pd.DataFrame | SimulatedExchange | None = None,
        *,
        seed: int = 7,
        at: datetime | date | str | None = None,
        speed: float | None = None,
        planted: Planted | None = None,
        faults: Faults | None = None,
        latency: Latency | None = None,
        agents: Iterable[Agent] | str | Path | None = None,
        chief: ChiefAgent | None = None,
        predictor: Predictor | None = None,
        model: ModelConfig | None = None,
        cache_dir: str | Path | None = None,
        database: str | Path | URL | None = None,
        engine: EngineConfig | None = None,
        **overrides: Any,
    ) -> Opening:
        """Open a workbench; await the result, or enter it with `async with`.

        Parameters
        ----------
        source : optional
            Nothing or "simulated" starts a simulated exchange inside this process; "live" asks VPS, CafeF
            and the RSS feeds; a path (Parquet, CSV, AmiBroker zip) or a DataFrame brings your own bars; a
            `SimulatedExchange` that you run yourself is used as it is.
        seed : int
            Of the simulated market and of the model.
        at : datetime, date or str, optional
            Market time, ICT. Simulated: 2025-06-05 10:00 by default. A file's own last close by default.
        speed : float, optional
            Simulated market seconds a second: 0 (default) stands still, so that cells give the same result
            each time; 1 is real time; 60 makes a minute pass each second.
        planted, faults, latency : optional
            What the simulated exchange hides in its prices, and how badly it behaves.
        agents : iterable of Agent, str or Path, optional
            Replace the default agents of the same name, or join them. A path is a preset, as an agent's lab
            or `vnquant.agents.save_preset` writes it.
        chief : ChiefAgent, optional
        predictor : Predictor, optional
            Any object with `fit(X, y)` and `predict(X)` in place of the gradient-boosted trees.
        model : ModelConfig, optional
        cache_dir : str or Path, optional
            For bars and trained models; VNQUANT_CACHE_DIR or the platform's cache folder by default.
        database : str or Path or URL, optional
            The orchestrator's ledger, such as "sqlite+aiosqlite:///ledger.db"; the user's own by default.
        engine : EngineConfig, optional
            How the orchestrator works.
        **overrides
            Any other field of `vnquant.settings.Settings`, such as `window` or `requests_per_minute`.

        Raises
        ------
        InputError, PresetError, FileFormatError, PortInUseError
            On awaiting, each saying what to do.
        """

        async def opening() -> Workbench:
            from vnquant.settings import settings

            joining = await _agents_of(agents)
            chosen = settings().overridden(cache_dir=cache_dir, **overrides)
            options = {"planted": planted, "faults": faults, "latency": latency}
            world = await open_world(
                source,
                settings=chosen,
                seed=seed,
                at=at,
                speed=speed,
                exchange_options={k: v for k, v in options.items() if v is not None},
                keep_bars=cache_dir is not None,
            )
            try:
                return cls(
                    world,
                    settings=chosen,
                    seed=seed,
                    agents=joining,
                    chief=chief,
                    predictor=predictor,
                    model=model,
                    database=database,
                    engine=engine,
                )
            except BaseException:
                await world.aclose()
                raise

        return Opening(opening)

    # -- what it stands on --------------------------------------------------------------------------------

    @property
    def symbols(self) -> tuple[str, ...]:
        """All tickers of this workbench."""
        return self._desk.world.universe.tickers

    @property
    def universe(self) -> Universe:
        """Symbols with their exchange, sector and company."""
        return self._desk.world.universe

    @property
    def exchange(self) -> SimulatedExchange | None:
        """The simulated exchange behind this workbench, None on live or file data."""
        return self._desk.world.exchange

    @property
    def clock(self) -> MarketClock:
        """The market's clock."""
        return self._desk.world.clock

    @property
    def model(self) -> ForecastModel | None:
        """The forecasting model, None until the first scan or `prepare()`; `.report` tells its worth."""
        return self._desk.model

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        return self._is_open

    @property
    def fingerprint(self) -> str:
        """Hash of data, code version, model, agents' parameters and seed: what a result stands on."""
        from vnquant import __version__

        parts = [
            __version__,
            self._desk.world.name,
            str(self.seed),
            self._desk.history.fingerprint(),
            self.model.fingerprint if self.model is not None else "",
            *(f"{name}:{dict(agent.parameters)}" for name, agent in sorted(self.agents.items())),
            f"chief:{dict(self.chief.parameters)}",
        ]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()

    @property
    def sync(self) -> SyncWorkbench:
        """The same methods without `await`, for scripts and for callbacks that must be synchronous."""
        from vnquant.sync import SyncWorkbench

        return SyncWorkbench(self, self._loop)

    # -- scanning -----------------------------------------------------------------------------------------

    async def prepare(self, *, charts: bool = True) -> Self:
        """Load the history and the model now, so that the first scan starts warm.

        The model is trained once a month of market time and kept on disk; that takes some ten seconds and
        shows a bar. `scan` and `discuss` do it by themselves when needed.

        Parameters
        ----------
        charts : bool
            Whether the first chart starts warm too; who draws none spares itself plotly.
        """
        await self._desk.ready()
        if charts:
            agents = dict(self.agents)
            await asyncio.to_thread(self._charts.warm, self.model, agents, sessions=_CHART_SESSIONS)
        return self

    async def scan(
        self,
        symbols: Sequence[str] | None = None,
        *,
        deadline_s: float | None = None,
        held: Sequence[str] = (),
    ) -> ScanResult:
        """Return the expected 5-session return of many symbols, with what was missing and why.

        Parameters
        ----------
        symbols : sequence of str, optional
            All of them by default.
        deadline_s : float, optional
            Seconds after which the scan answers with what it has.
        held : sequence of str
            Asked for first.

        Examples
        --------
        >>> result = await bench.scan()
        >>> result.coverage
        102 of 102 fresh
        >>> result.to_frame().columns.tolist()
        ['as_of', 'expected_return', 'low', 'high', 'confidence', 'action', 'opportunity']
        """
        self._check_open()
        wanted = self.universe.check(symbols)
        scanner = await self._desk.ready()
        with self._desk.progress("Scanning", unit="symbol") as bar:
            result = await scanner.scan_stocks(wanted, deadline_s=deadline_s, held=held, progress=bar.items)
        self._last_scan = result
        return result

    async def scan_stream(
        self, symbols: Sequence[str] | None = None, *, deadline_s: float | None = None
    ) -> AsyncGenerator[Prediction]:
        """Yield predictions in the order in which the symbols' bars arrive."""
        self._check_open()
        wanted = self.universe.check(symbols)
        scanner = await self._desk.ready()
        async with aclosing(scanner.stream(wanted, deadline_s=deadline_s)) as stream:
            async for prediction in stream:
                yield prediction

    async def discuss(self, symbol: str, *, timeout_s: float = 5.0) -> AgentSignal:
        """Let the agents judge one symbol in parallel, and return the Chief's verdict with theirs inside.

        Parameters
        ----------
        symbol : str
        timeout_s : float
            For each agent; one that is late or fails is named in `missing`, never guessed.

        Examples
        --------
        >>> verdict = await bench.discuss("FPT")
        >>> verdict.agent, [signal.agent for signal in verdict.components]
        ('chief', ['bull', 'bear', 'analyst', 'scout', 'risk_doctor'])
        """
        from vnquant.agents import discuss_opportunity

        self._check_open()
        (ticker,) = self.universe.check([symbol])
        coverage = "" if self._last_scan is None else str(self._last_scan.coverage)
        await self._desk.ready()
        with self._desk.progress(f"Discussing {ticker}"):
            opportunity = await self._desk.opportunity(ticker, coverage=coverage)
            return await discuss_opportunity(
                opportunity, tuple(self.agents.values()), self.chief, timeout_s=timeout_s
            )

    @property
    def orchestrator(self) -> AutonomousOrchestrator:
        """Scans, discusses and trades on paper in the background: `await bench.orchestrator.start()`.

        Raises
        ------
        StateError
            On a file of bars, which has no board to trade on.
        """
        self._check_open()
        if self._orchestrator is None:
            from vnquant.engine import AutonomousOrchestrator, EngineConfig
            from vnquant.operation import research_on

            config = self._engine_config or EngineConfig()
            self._orchestrator = AutonomousOrchestrator(
                research_on(
                    self._desk,
                    self.agents,
                    lambda: self.chief,
                    every_s=(config.model_every_s, config.news_every_s),
                ),
                database=self._database,
                config=config,
                seed=self.seed,
            )
        return self._orchestrator

    # -- data ---------------------------------------------------------------------------------------------

    async def bars(
        self,
        symbols: str | Sequence[str],
        start: date | datetime | str,
        end: date | datetime | str,
        *,
        interval: str = "1D",
    ) -> BarPanel:
        """Return bars of some symbols between two dates, both included.

        Raises
        ------
        UnknownSymbolError, EmptySelectionError, DateRangeError
            Before anything is asked for.
        SourceError
            The first failure, if a symbol cannot be had: a panel never lacks a symbol in silence.

        Examples
        --------
        >>> await bench.bars(["FPT", "VCB"], "2025-05-26", "2025-05-30")
        BarPanel(5 x 2 symbols, 1D, 2025-05-26 to 2025-05-30)
        """
        self._check_open()
        wanted = self.universe.check(symbols)
        first, last = _dates(start, end, self.clock.now().date())
        with self._desk.progress("Loading bars", unit="symbol") as bar:
            return await self._desk.bars(wanted, first, last, interval=interval, progress=bar.items)

    async def quotes(self, symbols: str | Sequence[str] | None = None) -> QuoteBoard:
        """Return the present board of some symbols, of all by default.

        Examples
        --------
        >>> board = await bench.quotes(["FPT", "VCB"])
        >>> board.to_frame()[["floor_price", "last_price", "ceiling_price"]].shape
        (2, 3)
        """
        self._check_open()
        if self._desk.world.quotes is None:
            raise StateError(f"There is no board behind {self._desk.world.name}; a file holds bars only.")
        wanted = self.universe.check(symbols)
        with self._desk.progress("Asking the board"):
            return await self._desk.world.quotes.quotes(wanted)

    async def news(self) -> Articles:
        """Return the latest headlines with the symbols they name, their sentiment and alert level.

        A list of `Article` that shows itself as a table, and has `.to_frame()`.

        Examples
        --------
        >>> articles = await bench.news()
        >>> articles.to_frame()[["level", "sentiment", "symbols"]].columns.tolist()
        ['level', 'sentiment', 'symbols']
        """
        from vnquant.news import Articles

        self._check_open()
        with self._desk.progress("Reading the news"):
            return Articles(await self._desk.news())

    async def data_report(self) -> QualityReport:
        """Check the bars for gaps, duplicates, impossible prices and unadjusted splits; drops nothing."""
        self._check_open()
        return await self._desk.data_report()

    def chart(
        self, symbol: str, *, sessions: int = _CHART_SESSIONS, theme: ChartTheme | str = "auto"
    ) -> go.Figure:
        """Draw candles, volume, the agents' scores and all that happened to one symbol.

        Marked are the Chief's turns to buy and to sell, the orchestrator's fills, the headlines that were
        read last, support and resistance. Export it with `vnquant.ui.export_png`.

        Parameters
        ----------
        symbol : str
        sessions : int
            How many last sessions are drawn; buttons choose how many of them are seen.
        theme : {"auto", "light", "dark"}
            "auto" reads on a light and on a dark notebook; the others bring their own ground.

        Raises
        ------
        MissingDataError
            Before `scan()`, `discuss()` or `prepare()` has loaded its bars.

        Examples
        --------
        >>> bench = await bench.prepare()
        >>> bench.chart("FPT").layout.title.text
        '<b>FPT</b> CTCP FPT · last bar is the running session'
        """
        self._check_open()
        (ticker,) = self.universe.check([symbol])
        return self._charts.draw(
            ticker,
            self.model,
            self.agents,
            self.chief,
            sessions=sessions,
            articles=self._desk.articles,
            fills=() if self._orchestrator is None else self._orchestrator.fills,
            fingerprint=self.fingerprint,
            theme=theme,
        )

    # -- widgets ------------------------------------------------------------------------------------------

    def control_panel(self) -> ControlPanel:
        """Show the orchestrator: start, pause, resume and cancel it, and watch all that it does."""
        return self._views.control_panel(self.orchestrator)

    def agent_lab(self, agent: str | Agent | type[Agent], *, symbol: str | None = None) -> AgentLab:
        """Show what an agent's parameters change: its signals on a chart, its worth over all symbols.

        Parameters
        ----------
        agent : str, Agent or Agent class
            The name of one in `bench.agents`, or an agent of your own.
        symbol : str, optional
            Whose chart is shown first.
        """
        self._check_open()
        if symbol is not None:
            (symbol,) = self.universe.check([symbol])
        return self._views.agent_lab(agent, self.agents, symbol=symbol)

    def price_board(self) -> PriceBoard:
        """Show all symbols live, in the colours of Vietnamese boards."""
        self._check_open()
        return self._views.price_board()

    def heatmap(self) -> Heatmap:
        """Show the market by sector, each symbol as large as its value traded."""
        self._check_open()
        return self._views.heatmap()

    def live_chart(self, symbol: str) -> LiveChart:
        """Show a symbol's candles, the last of which moves with the board."""
        self._check_open()
        (ticker,) = self.universe.check([symbol])
        return self._views.live_chart(ticker)

    def discussion_chart(self, verdict: AgentSignal, *, theme: ChartTheme | str = "auto") -> go.Figure:
        """Draw a verdict and its components as diverging bars."""
        from vnquant.ui import discussion_chart

        return discussion_chart(verdict, fingerprint=self.fingerprint, theme=theme)

    # -- lifetime -----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End everything that this workbench started; idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self._orchestrator is not None:
                await self._orchestrator.stop()
        finally:
            try:
                await self._views.aclose()  # they stay, and show how it ended
            finally:
                await self._desk.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "open" if self._is_open else "closed"
        return f"Workbench({self._desk.world.name}, {len(self.symbols)} symbols, {self.clock!r}, {state})"

    # -- inside -------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if not self._is_open:
            raise ClosedError("This workbench is closed. Open another: `bench = await Workbench.open()`.")


async def _agents_of(given: Iterable[Agent] | str | Path | None) -> Iterable[Agent] | None:
    """Return the agents, those of a preset read off the loop."""
    if not isinstance(given, str | Path):
        return given
    from vnquant.agents import load_preset

    return await asyncio.to_thread(load_preset, given)


def _dates(start: date | datetime | str, end: date | datetime | str, today: date) -> tuple[date, date]:
    first: date = to_timestamp(start).astype("datetime64[D]").item()
    last: date = to_timestamp(end).astype("datetime64[D]").item()
    if first > last:
        raise DateRangeError(f"The range runs backwards: {first} is after {last}. Swap them.")
    if first > today:
        raise DateRangeError(f"{first} lies in the future: market time is {today}. Ask for an earlier start.")
    return first, last


def _close_at_exit(bench: Workbench) -> None:
    """Close the workbench when the interpreter ends: a kernel restart runs `atexit`, not `finally`."""
    reference: weakref.ref[Workbench] = weakref.ref(bench)

    def close() -> None:
        left = reference()
        if left is not None and left.is_open and not left._loop.is_closed() and not left._loop.is_running():
            left._loop.run_until_complete(left.close())

    atexit.register(close)
    # For a workbench that is collected earlier; at exit it would only cancel what is about to run.
    weakref.finalize(bench, atexit.unregister, close).atexit = False
