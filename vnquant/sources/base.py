"""Source protocols: what every source of bars, quotes and news offers, and the records they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from html import escape
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from vnquant.errors import RecordError
from vnquant.market.bars import BarSeries, Quote
from vnquant.market.corporate_actions import CorporateAction
from vnquant.sources.board_table import QuoteTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = (
    "ActionSource",
    "BarSource",
    "FeedItem",
    "NewsFeed",
    "NewsSource",
    "QuoteBoard",
    "QuoteSource",
    "Remembering",
)


class FeedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One headline as a feed gave it: text cleaned of markup, meaning not yet judged.

    `published_at` is aware ICT, or None where the feed does not say (never "now").
    """

    title: str
    summary: str
    url: str
    source: str
    published_at: datetime | None


@dataclass(frozen=True, repr=False, slots=True)
class QuoteBoard:
    """Quotes by symbol, and the records that were malformed. Symbols that the answer left out are not."""

    quotes: Mapping[str, Quote]
    problems: tuple[RecordError, ...] = field(default=())

    def last_prices(self) -> Mapping[str, float | None]:
        """Return the prices last matched, None before the first match."""
        return {symbol: quote.last_price for symbol, quote in self.quotes.items()}

    def prices(self) -> dict[str, float]:
        """Return what a share is worth on the board: the last match, before the first one the reference."""
        return {
            symbol: quote.reference_price if quote.last_price is None else quote.last_price
            for symbol, quote in self.quotes.items()
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a symbol, indexed by symbol; prices in VND, volumes in shares."""
        return self._table().to_frame().set_index("symbol")

    def __repr__(self) -> str:
        malformed = f"\n{len(self.problems)} malformed: {self.problems[0]}" if self.problems else ""
        return f"{self._table()!r}{malformed}"

    def _repr_html_(self) -> str:
        table = self._table()._repr_html_()
        if not self.problems:
            return table
        return f"{table}<p>{len(self.problems)} malformed: {escape(str(self.problems[0]))}</p>"

    def _table(self) -> QuoteTable:
        return QuoteTable(self.quotes.values())


@dataclass(frozen=True, slots=True)
class NewsFeed:
    """Headlines, newest first, each URL once, and the records that were malformed."""

    items: tuple[FeedItem, ...]
    problems: tuple[RecordError, ...] = field(default=())


@runtime_checkable
class BarSource(Protocol):
    """Gives historical bars, one symbol a call."""

    name: str

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        """Return the bars of the sessions from `start` to `end`, both included.

        During the session the last daily bar is the running day. Raises EmptyAnswerError where the source
        has none, and another SourceError where it did not answer as it should.
        """
        ...


@runtime_checkable
class Remembering(Protocol):
    """Gives what it knows from earlier without asking anybody; an ability that some bar sources have."""

    async def cached(self, symbol: str, start: date, end: date) -> BarSeries | None:
        """Return the bars of a range that are at hand, None where there are none."""
        ...


@runtime_checkable
class QuoteSource(Protocol):
    """Gives the board of many symbols a call."""

    name: str

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        """Return the present quotes."""
        ...


@runtime_checkable
class NewsSource(Protocol):
    """Gives the latest headlines."""

    name: str

    async def headlines(self) -> NewsFeed:
        """Return the latest headlines of all feeds."""
        ...


@runtime_checkable
class ActionSource(Protocol):
    """Tells what went ex, and what holders get for it."""

    name: str

    async def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return what goes ex from `start` to `end`, both included.

        An empty answer means that nothing does. Who does not know, of a symbol or of a day, raises
        SourceError.
        """
        ...
