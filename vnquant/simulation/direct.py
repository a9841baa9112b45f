"""Direct: the simulated exchange's quotes, bars and headlines as values, without text in between.

A replay of a year asks some fifty million times. The values are those that the wire formats carry and the
parsers read (`tests/integration/test_direct_market.py` holds them to it); what is left out is the way. Where
the exchange has faults or latency the way is what matters, and the sources that go it are asked instead.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter

from vnquant.market import Quote, RunningSession
from vnquant.market.calendar import CLOSING_TIME, to_ict
from vnquant.runtime.clock import ICT
from vnquant.simulation.exchange import SimulatedExchange
from vnquant.simulation.faults import Faults
from vnquant.simulation.film import SessionFilm
from vnquant.simulation.headlines import Headline
from vnquant.simulation.latency import Latency
from vnquant.simulation.wire import FEEDS, Feed
from vnquant.sources import FeedItem, NewsFeed, NewsSource, QuoteBoard, QuoteSource

__all__ = ("DirectMarket", "DirectNews", "DirectQuotes")

# Stories looked through for a feed, as the exchange's server does.
_STORIES = 240
_published_at = attrgetter("published_at")
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
        return _FilmBoard(_Quotes(film, place, local, {s: self._columns[s] for s in known}))

    def _film_of(self, local: datetime) -> SessionFilm | None:
        day = local.date()
        if self._film is not None and self._film.day == day:
            return self._film
        if not self.market.calendar.is_trading_day(day) or day < self.market.start:
            return None
        self._film = self.market.film(day, rows=self._rows)
        return self._film


class _Quotes(Mapping[str, Quote]):
    """The quotes of some symbols at one minute of a film, each made when it is looked at."""

    def __init__(self, film: SessionFilm, place: int, local: datetime, columns: dict[str, int]) -> None:
        self._film, self._place, self._local, self._columns = film, place, local, columns
        self._made: dict[str, Quote] = {}

    def __getitem__(self, symbol: str) -> Quote:
        quote = self._made.get(symbol)
        if quote is None:
            column = self._columns[symbol]
            quote = self._made[symbol] = self._film.quote(self._place, column, self._local)
        return quote

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def last_prices(self) -> dict[str, float | None]:
        """Return the prices last matched, which need no quotes."""
        last_price, place = self._film.last_price, self._place
        return {symbol: last_price(place, column) for symbol, column in self._columns.items()}

    def references(self) -> dict[str, float]:
        """Return the reference prices."""
        references = self._film.references
        return {symbol: references[column] for symbol, column in self._columns.items()}


class _FilmBoard(QuoteBoard):
    """A board of which mostly the prices alone are looked at: in a year, by 68,000 looks at what is held."""

    quotes: _Quotes

    def last_prices(self) -> dict[str, float | None]:
        """Return the prices of the film."""
        return self.quotes.last_prices()

    def references(self) -> dict[str, float]:
        """Return the reference prices of the session."""
        return self.quotes.references()


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
        self._feeds = tuple((name, _feed_at(url)) for name, url in feeds)
        self._stand = _Newsstand(self._feeds)
        # The day's stories, how many of them are out, and from when until when that holds.
        self._printed: Sequence[Headline] = ()
        self._out = 0
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
        """Take in what was printed since the last look, or all where that was later or long ago."""
        market, day = self._direct.market, local.date()
        turned = (day - self._since.date()).days
        printed = self._printed
        if turned:
            printed = market.headlines_of(day) if day >= market.start else ()
        out = bisect_right(printed, local, key=_published_at)
        follows = turned in (0, 1) and self._since <= local
        if follows:
            new = (*self._printed[self._out :], *printed[:out]) if turned else printed[self._out : out]
        else:
            new = market.headlines_at(local, limit=_STORIES)[::-1]
            self._stand = _Newsstand(self._feeds)
        if new:
            self._stand.take(new)
        if new or not follows:
            self._last = NewsFeed(self._stand.items)
        self._printed, self._out = printed, out
        self._since, self._until = local, _next_story(printed, out, day)


def _next_story(printed: Sequence[Headline], out: int, day: date) -> datetime:
    """Return when the day's next headline appears after those that are out, or the day ends."""
    if out < len(printed):
        return printed[out].published_at
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=ICT)


def _feed_at(url: str) -> Feed:
    """Return the feed that an address names."""
    return next(feed for path, feed in FEEDS.items() if url.endswith(path))


class _Newsstand:
    """All feeds as a parser reads them and as `merge_feeds` joins them; each story is read once."""

    def __init__(self, feeds: Sequence[tuple[str, Feed]]) -> None:
        self._listed = [(name, feed, deque[tuple[int, FeedItem]]()) for name, feed in feeds]
        self._taken = 0
        # Oldest first, so that what is new comes to the end.
        self._items: dict[str, FeedItem] = {}

    @property
    def items(self) -> tuple[FeedItem, ...]:
        """The items of all feeds, newest first, each address once."""
        return tuple(reversed(self._items.values()))

    def take(self, stories: Sequence[Headline]) -> None:
        """Put newer stories on top, given in order of time, and drop what the feeds no longer list."""
        for _, group in groupby(stories, key=_published_at):
            at_once = list(enumerate(group, self._taken))
            self._taken += len(at_once)
            # What is printed at the same second stands by feeds, and in each the last one first.
            for name, feed, listed in reversed(self._listed):
                for place, story in at_once:
                    if feed.carries(story):
                        item = _item(name, feed, story)
                        listed.append((place, item))
                        self._items.pop(item.url, None)
                        self._items[item.url] = item
        for _, feed, listed in self._listed:
            while listed and (len(listed) > feed.items or listed[0][0] < self._taken - _STORIES):
                _, item = listed.popleft()
                if self._items.get(item.url) is item:
                    del self._items[item.url]


def _item(name: str, feed: Feed, story: Headline) -> FeedItem:
    """Return a story as a feed gives it."""
    return FeedItem(
        title=story.title,
        summary=story.summary,
        url=feed.address(story),
        source=name,
        published_at=story.published_at,
    )
