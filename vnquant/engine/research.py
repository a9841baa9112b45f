"""Research: what the engine asks of whoever brings data, model and agents. The workbench's desk is one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from vnquant.agents import AgentSignal
from vnquant.engine.leads import Lead
from vnquant.market import TradingCalendar, Universe
from vnquant.news import Article
from vnquant.runtime import MarketClock
from vnquant.scanners import ScanResult
from vnquant.sources import ActionSource, QuoteBoard, QuoteSource

__all__ = ("AtHand", "Research")


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


@runtime_checkable
class AtHand(Protocol):
    """Knows the present without asking anybody; an ability of a research that replays."""

    def quotes_at_hand(self, symbols: Sequence[str]) -> QuoteBoard | None:
        """Return the board of some symbols; None where somebody has to be asked after all."""
        ...

    def news_at_hand(self) -> list[Article] | None:
        """Return the latest headlines, judged; None where somebody has to be asked after all."""
        ...
