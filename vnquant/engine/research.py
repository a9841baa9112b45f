"""Research: what the engine asks of whoever brings data, model and agents. The workbench's desk is one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from vnquant.agents import AgentSignal
from vnquant.engine.leads import Lead
from vnquant.market import TradingCalendar, Universe
from vnquant.news import Article
from vnquant.runtime import MarketClock
from vnquant.scanners import ScanResult
from vnquant.sources import ActionSource, QuoteSource

__all__ = ("Research",)


class Research(Protocol):
    """Scans, news, discussions and quotes of one market. Errors are VnQuantErrors."""

    @property
    def universe(self) -> Universe:
        """Symbols that are traded."""
        ...

    @property
    def calendar(self) -> TradingCalendar:
        """Sessions."""
        ...

    @property
    def clock(self) -> MarketClock:
        """The market's time."""
        ...

    @property
    def quotes(self) -> QuoteSource:
        """The board."""
        ...

    @property
    def actions(self) -> ActionSource | None:
        """What went ex and what holders get; None where nobody tells, as on live data."""
        ...

    async def scan(self, *, held: Collection[str]) -> ScanResult:
        """Return the predictions of the whole market; held symbols are asked for first."""
        ...

    async def news(self) -> list[Article]:
        """Return the latest headlines, judged."""
        ...

    async def discuss(self, lead: Lead, *, timeout_s: float) -> AgentSignal:
        """Return the verdict of the agents on a lead, on what is known now; each agent has `timeout_s`."""
        ...
