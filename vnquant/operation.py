"""Operation: a workbench's desk, agents and board, as the engine asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from vnquant.agents import discuss_opportunity
from vnquant.errors import StateError

if TYPE_CHECKING:
    from vnquant.agents import Agent, AgentSignal, ChiefAgent
    from vnquant.desk import Desk
    from vnquant.engine import Lead, Research
    from vnquant.market import TradingCalendar, Universe
    from vnquant.news import Article
    from vnquant.runtime import MarketClock
    from vnquant.scanners import ScanResult
    from vnquant.sources import ActionSource, QuoteSource

__all__ = ("DeskResearch", "research_on")


class DeskResearch:
    """The engine's `Research` on a desk.

    Parameters
    ----------
    desk : Desk
    agents : mapping of str to Agent
        Looked at for each discussion, so that what is changed in a notebook counts at once.
    chief : callable
        Returns the Chief of the moment.
    """

    def __init__(self, desk: Desk, agents: Mapping[str, Agent], chief: Callable[[], ChiefAgent]) -> None:
        if desk.world.quotes is None:
            raise StateError(
                f"There is no board behind {desk.world.name}, so nothing can be traded there; a file holds "
                "bars only. Open a workbench on a simulated exchange or on live data."
            )
        self._desk = desk
        self._agents = agents
        self._chief = chief
        self.quotes: QuoteSource = desk.world.quotes
        self.actions: ActionSource | None = desk.world.actions

    @property
    def universe(self) -> Universe:
        """Symbols that are traded."""
        return self._desk.world.universe

    @property
    def calendar(self) -> TradingCalendar:
        """Sessions."""
        return self._desk.world.calendar

    @property
    def clock(self) -> MarketClock:
        """The market's time."""
        return self._desk.world.clock

    async def scan(self, *, held: Collection[str]) -> ScanResult:
        """Return the predictions of the whole market."""
        return await self._desk.scan(held=held)

    async def news(self) -> list[Article]:
        """Return the latest headlines, judged."""
        return await self._desk.news()

    async def discuss(self, lead: Lead, *, timeout_s: float) -> AgentSignal:
        """Return the verdict on a lead, on the whole market as it is now."""
        since = lead.found_at if lead.not_before is None else lead.not_before
        case = await self._desk.opportunity(lead.symbol, coverage=lead.coverage, market_since=since)
        return await discuss_opportunity(
            case, tuple(self._agents.values()), self._chief(), timeout_s=timeout_s
        )


def research_on(
    desk: Desk, agents: Mapping[str, Agent], chief: Callable[[], ChiefAgent], *, every_s: Sequence[float]
) -> Research:
    """Return the research of a desk: on a replay's loop that which looks at the exchange from inside."""
    asked = DeskResearch(desk, agents, chief)
    if desk.world.direct is None:
        return asked
    from vnquant.direct_operation import DirectResearch

    return DirectResearch(desk, desk.world.direct, asked, agents, chief, every_s=every_s)
