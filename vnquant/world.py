"""World: where a workbench's data comes from and whose time it lives in.

A workbench never asks which world it is in. The simulated exchange, the live endpoints and a file of bars
each become the same few parts: a clock, a universe, and sources of bars, quotes and news.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from vnquant.errors import InputError
from vnquant.market import (
    Exchange,
    Symbol,
    TradingCalendar,
    Universe,
    default_calendar,
    load_universe,
    to_timestamp,
)
from vnquant.runtime import ICT, MarketClock, VirtualTimeLoop, now
from vnquant.sources import (
    ActionSource,
    BarCache,
    BarSource,
    CachedBars,
    CafefSource,
    CorporateEventFeed,
    Endpoints,
    FileSource,
    HttpClient,
    HttpConfig,
    NewsSource,
    QuoteSource,
    RssSource,
    SourceChain,
    Transport,
    VpsSource,
)

if TYPE_CHECKING:
    import pandas as pd

    from vnquant.settings import Settings
    from vnquant.simulation import DirectMarket, SimulatedExchange

__all__ = ("DEFAULT_AT", "World", "read_instant")

# A Thursday morning in the continuous session, with seven years of simulated bars behind it.
DEFAULT_AT = "2025-06-05 10:00"
# Completed sessions that a replay looks at: enough for the slowest feature and agent.
_REPLAY_ROWS = 400


@dataclass(kw_only=True)
class World:
    """The parts that differ between simulated, live and file data, and the stack that closes them."""

    name: str
    clock: MarketClock
    universe: Universe
    bars: BarSource
    calendar: TradingCalendar = field(default_factory=default_calendar)
    quotes: QuoteSource | None = None
    news: NewsSource | None = None
    actions: ActionSource | None = None
    exchange: SimulatedExchange | None = None
    client: HttpClient | None = None
    direct: DirectMarket | None = None
    file: FileSource | None = None
    local: bool = False
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def aclose(self) -> None:
        """Close what was opened for this world; idempotent."""
        await self.stack.aclose()

    async def raw_frame(self) -> pd.DataFrame | None:
        """Return the rows as a file gave them, None where bars come from a network."""
        return None if self.file is None else await self.file.raw_frame()


def read_instant(at: datetime | date | str) -> datetime:
    """Read a market time as aware ICT; a bare date is its close at 15:00."""
    if isinstance(at, datetime) and at.tzinfo is not None:
        return at.astimezone(ICT)
    moment = datetime.fromisoformat(str(to_timestamp(at)))
    bare = (isinstance(at, str) and len(at.strip()) <= 10) or (
        isinstance(at, date) and not isinstance(at, datetime)
    )
    return (datetime.combine(moment.date(), time(15)) if bare else moment).replace(tzinfo=ICT)


async def open_world(
    source: Any,
    *,
    settings: Settings,
    seed: int,
    at: datetime | date | str | None,
    speed: float | None,
    exchange_options: dict[str, Any],
    keep_bars: bool,
) -> World:
    """Open the world that `source` names.

    Parameters
    ----------
    source : None, "simulated", "live", SimulatedExchange, path, or DataFrame
    keep_bars : bool
        Whether bars of a simulated exchange are kept on disk as well; those of live sources always are.
    """
    from vnquant.simulation import SimulatedExchange

    named = source if isinstance(source, str) else None
    if source is None or named == "simulated":
        return await _simulated(settings, seed, at, speed, exchange_options, keep_bars)
    if exchange_options:
        raise InputError(
            f"{', '.join(exchange_options)} belong to the exchange that a workbench starts itself; "
            "with a source of your own, set them there."
        )
    if isinstance(source, SimulatedExchange):
        if at is not None or speed is not None:
            raise InputError("This exchange has its own clock; set `at` and `speed` where it is created.")
        return await _on_exchange(source, settings, keep_bars=keep_bars)
    if speed is not None:
        raise InputError("speed belongs to a simulated exchange; live time is real and a file stands still.")
    if named == "live":
        if at is not None:
            raise InputError("Live data has no other time than now; leave out `at`, or use bars from a file.")
        return await _live(settings)
    return await _from_file(source, at)


async def _simulated(
    settings: Settings,
    seed: int,
    at: datetime | date | str | None,
    speed: float | None,
    options: dict[str, Any],
    keep_bars: bool,
) -> World:
    from vnquant.simulation import SimulatedExchange

    if isinstance(asyncio.get_running_loop(), VirtualTimeLoop):
        # Market time is the loop's own, and no socket is needed to pass it.
        options = {**options, "port": None}
        moment, pace = (now() if at is None else read_instant(at)), 1.0
    else:
        moment, pace = read_instant(DEFAULT_AT if at is None else at), 0.0
    exchange = SimulatedExchange(seed=seed, at=moment, speed=pace if speed is None else speed, **options)
    return await _on_exchange(exchange, settings, keep_bars=keep_bars)


async def _on_exchange(exchange: SimulatedExchange, settings: Settings, *, keep_bars: bool) -> World:
    from vnquant.simulation import MEMORY_URL, MemoryTransport

    stack = AsyncExitStack()
    async with stack:
        if not exchange.is_open:
            await stack.enter_async_context(exchange)
        cache = BarCache(settings.cache_dir / "bars" if keep_bars else None, _key_of(exchange))
        endpoints = Endpoints.local(exchange.url if exchange.has_address else MEMORY_URL)
        world = _networked(
            f"simulated exchange, seed {exchange.market.seed}",
            endpoints,
            exchange.clock,
            settings,
            cache,
            stack,
            transport=None if exchange.has_address else MemoryTransport(exchange),
        )
        world.exchange = exchange
        world.local = True
        if isinstance(asyncio.get_running_loop(), VirtualTimeLoop):
            _look_from_inside(world, exchange, endpoints)
        world.stack = stack.pop_all()
    return world


def _look_from_inside(world: World, exchange: SimulatedExchange, endpoints: Endpoints) -> None:
    """Spare a replay the way over the wire, where the exchange has neither faults nor latency."""
    from vnquant.simulation import DirectActions, DirectMarket, DirectNews

    world.direct = DirectMarket(exchange, rows=_REPLAY_ROWS)
    if world.news is not None:
        world.news = DirectNews(world.direct, world.news, endpoints.rss)
    if world.actions is not None:
        world.actions = DirectActions(world.direct, world.actions)


def _key_of(exchange: SimulatedExchange) -> str:
    """Name a simulated history: another seed, other planted factors or another day give other bars."""
    planted = hashlib.blake2b(repr(exchange.market.planted).encode(), digest_size=4).hexdigest()
    return f"simulated-{exchange.market.seed}-{planted}-{exchange.now():%Y%m%d}"


async def _live(settings: Settings) -> World:
    stack = AsyncExitStack()
    async with stack:
        cache = BarCache(settings.cache_dir / "bars", "live")
        world = _networked("live", Endpoints.live(), MarketClock.real(), settings, cache, stack)
        world.stack = stack.pop_all()
    return world


def _networked(
    name: str,
    endpoints: Endpoints,
    clock: MarketClock,
    settings: Settings,
    cache: BarCache,
    stack: AsyncExitStack,
    *,
    transport: Transport | None = None,
) -> World:
    """Wire the HTTP sources: VPS first, CafeF behind it, both under the cache of completed sessions."""
    quota = settings.requests_per_minute
    config = HttpConfig(
        total_timeout_s=settings.timeout_s, requests_per_minute=None if quota is None else int(quota)
    )
    client = HttpClient(config, transport=transport)
    stack.push_async_callback(client.aclose)
    calendar = default_calendar()
    vps = VpsSource(client, endpoints, clock)
    chain = SourceChain([vps, CafefSource(client, endpoints)], clock)
    cached = CachedBars(chain, cache, calendar, clock)
    return World(
        name=name,
        clock=clock,
        universe=load_universe(),
        calendar=calendar,
        bars=cached,
        quotes=vps,
        news=RssSource(client, endpoints),
        actions=None if endpoints.events is None else CorporateEventFeed(client, endpoints.events),
        client=client,
    )


async def _from_file(source: Any, at: datetime | date | str | None) -> World:
    file = FileSource(source, as_of=None if at is None else read_instant(at))
    panel = await file.panel()
    last: date = panel.timestamps[-1].astype("datetime64[D]").item()
    moment = datetime.combine(last, time(15), tzinfo=ICT) if at is None else read_instant(at)
    return World(
        name=f"file {file.name}",
        clock=MarketClock.frozen(moment),
        universe=_universe_of(panel.symbols),
        bars=file,
        file=file,
        local=True,
    )


def _universe_of(tickers: tuple[str, ...]) -> Universe:
    """Return the symbols of a file; a ticker outside the shipped universe is taken to be HOSE's."""
    known = load_universe()
    return Universe(
        known[t] if t in known else Symbol(ticker=t, exchange=Exchange.HOSE, sector="Unknown", company="")
        for t in tickers
    )
