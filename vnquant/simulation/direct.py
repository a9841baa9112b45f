"""Direct: the simulated exchange's quotes, bars and headlines as values, without text in between.

A replay of a year asks some fifty million times. The values are those that the wire formats carry and the
parsers read (`tests/integration/test_direct_market.py` holds them to it); what is left out is the way. Where
the exchange has faults or latency the way is what matters, and the sources that go it are asked instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from vnquant.market import RunningSession
from vnquant.market.calendar import CLOSING_TIME, to_ict
from vnquant.runtime.clock import ICT
from vnquant.simulation.exchange import SimulatedExchange
from vnquant.simulation.faults import Faults
from vnquant.simulation.film import SessionFilm
from vnquant.simulation.headlines import Headline
from vnquant.simulation.latency import Latency
from vnquant.simulation.wire import FEEDS, Feed
from vnquant.sources import FeedItem, NewsFeed, NewsSource, QuoteBoard, QuoteSource, merge_feeds

__all__ = ("DirectMarket", "DirectNews", "DirectQuotes")

# Stories looked through for a feed, as the exchange's server does.
_STORIES = 240
_NO_FAULTS, _NO_LATENCY = Faults(), Latency.none()


class DirectMarket:
    """A simulated exchange, looked at from inside its process.

    Parameters
    ----------
    exchange : SimulatedExchange
    rows : int
        Completed sessions that a running one is shown over.
    """

    def __init__(self, exchange: SimulatedExchange, *, rows: int) -> None:
        self.exchange = exchange
        self.market = exchange.market
        self._rows = rows
        self._film: SessionFilm | None = None
        self._columns = {symbol: column for column, symbol in enumerate(self.market.symbols)}

    @property
    def is_clear(self) -> bool:
        """Whether nothing stands between the exchange and who asks it."""
        exchange = self.exchange
        return exchange.is_open and exchange.faults == _NO_FAULTS and exchange.latency == _NO_LATENCY

    def running(self, local: datetime) -> tuple[RunningSession, int]:
        """Return the session that runs, or ran last, and the place in it of what can be seen now."""
        film = self._film_of(local)
        place = -1 if film is None else film.place(local)
        if film is None or place < 0:
            film = self._film_of(datetime.combine(self.market.shown_session(local), CLOSING_TIME))
            assert film is not None  # for the type checker: a shown session is one
            place = film.place(datetime.combine(film.day, CLOSING_TIME))
        return film.running, place

    def quotes(self, symbols: Sequence[str], local: datetime) -> QuoteBoard:
        """Return the board; symbols that are not listed are left out, as the feed leaves them out."""
        known = [s for s in dict.fromkeys(symbols) if s in self._columns]
        film = self._film_of(local)
        place = -1 if film is None else film.place(local)
        if film is None or place < 0:
            return QuoteBoard(self.market.quotes_at(local, known) if known else {})
        return QuoteBoard({s: film.quote(place, self._columns[s], local) for s in known})

    def _film_of(self, local: datetime) -> SessionFilm | None:
        day = local.date()
        if self._film is not None and self._film.day == day:
            return self._film
        if not self.market.calendar.is_trading_day(day) or day < self.market.start:
            return None
        self._film = self.market.film(day, rows=self._rows)
        return self._film


class DirectQuotes:
    """The board of a direct market."""

    def __init__(self, direct: DirectMarket, otherwise: QuoteSource) -> None:
        self.name = otherwise.name
        self._direct = direct
        self._otherwise = otherwise

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        """Return the present quotes."""
        if not self._direct.is_clear:
            return await self._otherwise.quotes(symbols)
        return self._direct.quotes(symbols, to_ict(self._direct.exchange.now()))


class DirectNews:
    """The feeds of a direct market; while nothing new is printed, the very object of the last time."""

    def __init__(self, direct: DirectMarket, otherwise: NewsSource, feeds: Sequence[tuple[str, str]]) -> None:
        self.name = otherwise.name
        self._direct = direct
        self._otherwise = otherwise
        self._feeds = tuple(_Reading(name, _feed_at(url)) for name, url in feeds)
        self._since = self._until = datetime.max.replace(tzinfo=ICT)
        self._last = NewsFeed(())

    async def headlines(self) -> NewsFeed:
        """Return the latest headlines of all feeds."""
        direct = self._direct
        if not direct.is_clear:
            return await self._otherwise.headlines()
        local = to_ict(direct.exchange.now())
        if not self._since <= local < self._until:
            self._look(local)
        return self._last

    def _look(self, local: datetime) -> None:
        market = self._direct.market
        stories = market.headlines_at(local, limit=_STORIES)
        self._last = merge_feeds([NewsFeed(feed.items(stories)) for feed in self._feeds])
        self._since = local
        self._until = _next_story(market.headlines_of(local.date()), local)


def _next_story(printed: Sequence[Headline], local: datetime) -> datetime:
    """Return when the day's next headline appears, or the day ends."""
    later = [h.published_at for h in printed if h.published_at > local]
    return min(later, default=datetime.combine(local.date() + timedelta(days=1), time(), tzinfo=ICT))


def _feed_at(url: str) -> Feed:
    """Return the feed that an address names."""
    return next(feed for path, feed in FEEDS.items() if url.endswith(path))


class _Reading:
    """One feed as a parser reads it; each story is read once."""

    def __init__(self, name: str, feed: Feed) -> None:
        self._name = name
        self._feed = feed
        self._read: dict[int, FeedItem | None] = {}

    def items(self, stories: Sequence[Headline]) -> tuple[FeedItem, ...]:
        """Return the items that the feed lists, of stories newest first."""
        read: dict[int, FeedItem | None] = {}
        chosen: list[FeedItem] = []
        for story in stories:
            item = read[story.number] = (
                self._read[story.number] if story.number in self._read else self._item(story)
            )
            if item is not None:
                chosen.append(item)
                if len(chosen) == self._feed.items:
                    break
        self._read = read
        return tuple(chosen)

    def _item(self, story: Headline) -> FeedItem | None:
        if not self._feed.carries(story):
            return None
        return FeedItem(
            title=story.title,
            summary=story.summary,
            url=self._feed.address(story),
            source=self._name,
            published_at=story.published_at,
        )
