"""Direct: the simulated exchange's quotes, bars and headlines as values, without text in between.

A replay of a year asks some fifty million times. The values are those that the wire formats carry and the
parsers read (`tests/integration/test_direct_market.py` holds them to it); what is left out is the way. Where
the exchange has faults or latency the way is what matters, and the sources that go it are asked instead.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Generic, TypeVar

from vnquant.market import Quote, RunningSession
from vnquant.runtime.clock import ICT
from vnquant.simulation.exchange import SimulatedExchange
from vnquant.simulation.faults import Faults
from vnquant.simulation.film import SessionFilm
from vnquant.simulation.headlines import Headline
from vnquant.simulation.latency import Latency
from vnquant.simulation.wire import FEEDS, Feed, number_of
from vnquant.sources import FeedItem, NewsFeed, NewsSource, QuoteBoard, QuoteSource

__all__ = ("DirectMarket", "DirectNews", "DirectQuotes", "DirectStories", "item_of")

T = TypeVar("T")

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
        self._looked_through: tuple[Faults, Latency] | None = None
        self._is_sound = False
        self._columns = {symbol: column for column, symbol in enumerate(self.market.symbols)}

    @property
    def is_clear(self) -> bool:
        """Whether nothing stands between the exchange and who asks it."""
        exchange = self.exchange
        faults, latency, known = exchange.faults, exchange.latency, self._looked_through
        # Neither can change, so that the same ones need no second look.
        if known is None or faults is not known[0] or latency is not known[1]:
            self._looked_through = (faults, latency)
            self._is_sound = faults == _NO_FAULTS and latency == _NO_LATENCY
        return self._is_sound and exchange.is_open

    def running(self, local: datetime) -> tuple[RunningSession, int]:
        """Return the session that runs, or ran last, and the place in it of what can be seen now."""
        film = self._shown(local)
        return film.running, film.place(local)

    def quotes(self, symbols: Sequence[str], local: datetime) -> QuoteBoard:
        """Return the board; symbols that are not listed are left out, as the feed leaves them out."""
        columns = {s: self._columns[s] for s in symbols if s in self._columns}
        if not columns:
            return QuoteBoard({})
        return _FilmBoard(_Quotes(self._shown(local), local, columns))

    def quotes_now(self, symbols: Sequence[str]) -> QuoteBoard | None:
        """Return the present board; None where something stands between."""
        return self.quotes(symbols, self.exchange.now()) if self.is_clear else None

    def _shown(self, local: datetime) -> SessionFilm:
        """Return the session that boards show."""
        film = self._film
        if film is None or not film.shows(local):
            film = self._film = self.market.film(self.market.shown_session(local), rows=self._rows)
        return film


class _Quotes(Mapping[str, Quote]):
    """The quotes of some symbols at one instant, each made when it is looked at."""

    def __init__(self, film: SessionFilm, local: datetime, columns: dict[str, int]) -> None:
        self._film, self._local, self._columns = film, local, columns
        self._made: dict[str, Quote] = {}

    def __getitem__(self, symbol: str) -> Quote:
        quote = self._made.get(symbol)
        if quote is None:
            quote = self._made[symbol] = self._film.quote(self._columns[symbol], self._local)
        return quote

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def last_prices(self) -> dict[str, float | None]:
        """Return the prices last matched, which need no quotes."""
        last, place = self._film.last_prices, self._film.place(self._local)
        return {symbol: last[column][place] for symbol, column in self._columns.items()}

    def prices(self) -> dict[str, float]:
        """Return what the shares are worth, which needs no quotes either."""
        prices, place = self._film.prices, self._film.place(self._local)
        return {symbol: prices[column][place] for symbol, column in self._columns.items()}


class _FilmBoard(QuoteBoard):
    """A board of which mostly the prices alone are looked at: in a year, by 68,000 looks at what is held."""

    quotes: _Quotes

    def last_prices(self) -> dict[str, float | None]:
        """Return the prices of the film."""
        return self.quotes.last_prices()

    def prices(self) -> dict[str, float]:
        """Return what the shares are worth in the film."""
        return self.quotes.prices()


class DirectQuotes:
    """The board of a direct market."""

    def __init__(self, direct: DirectMarket, otherwise: QuoteSource) -> None:
        self.name = otherwise.name
        self._direct = direct
        self._otherwise = otherwise

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        """Return the present quotes."""
        board = self._direct.quotes_now(symbols)
        return await self._otherwise.quotes(symbols) if board is None else board


class DirectStories(Generic[T]):
    """What the feeds of a direct market list, as something else is made of each story once.

    Parameters
    ----------
    direct : DirectMarket
    feeds : sequence of (name, Feed)
    make : callable
        Given a story, its address in a feed, and the feed's name.
    """

    def __init__(
        self, direct: DirectMarket, feeds: Sequence[tuple[str, Feed]], make: Callable[[Headline, str, str], T]
    ) -> None:
        self._direct, self._feeds, self._make = direct, feeds, make
        self._stand = _Newsstand(feeds, make)
        # The day's stories, how many of them are out, and from when until when that holds.
        self._printed: Sequence[Headline] = ()
        self._out = 0
        self._since = self._until = datetime.max.replace(tzinfo=ICT)
        self._last: list[T] = []

    def latest(self) -> list[T] | None:
        """Return the latest of all feeds, newest first, None where the wire has to be asked.

        While nothing new is printed it is the very object of the last time.
        """
        if not self._direct.is_clear:
            return None
        local = self._direct.exchange.now()
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
            self._stand = _Newsstand(self._feeds, self._make)
        if new:
            self._stand.take(new)
        if new or not follows:
            self._last = self._stand.listed
        self._printed, self._out = printed, out
        self._since, self._until = local, _next_story(printed, out, day)


class DirectNews:
    """The feeds of a direct market; while nothing new is printed, the very object of the last time."""

    def __init__(self, direct: DirectMarket, otherwise: NewsSource, feeds: Sequence[tuple[str, str]]) -> None:
        self.name = otherwise.name
        self._direct = direct
        self._otherwise = otherwise
        self._feeds = tuple((name, _feed_at(url)) for name, url in feeds)
        self._stories = self.stories(item_of)
        self._last: tuple[list[FeedItem] | None, NewsFeed] = (None, NewsFeed(()))

    def stories(self, make: Callable[[Headline, str, str], T]) -> DirectStories[T]:
        """Return the same stories as what `make` makes of each."""
        return DirectStories(self._direct, self._feeds, make)

    async def headlines(self) -> NewsFeed:
        """Return the latest headlines of all feeds."""
        items = self._stories.latest()
        if items is None:
            return await self._otherwise.headlines()
        if items is not self._last[0]:
            self._last = (items, NewsFeed(tuple(items)))
        return self._last[1]


def _next_story(printed: Sequence[Headline], out: int, day: date) -> datetime:
    """Return when the day's next headline appears after those that are out, or the day ends."""
    if out < len(printed):
        return printed[out].published_at
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=ICT)


def _feed_at(url: str) -> Feed:
    """Return the feed that an address names."""
    return next(feed for path, feed in FEEDS.items() if url.endswith(path))


class _Newsstand(Generic[T]):
    """All feeds as a parser reads them and as `merge_feeds` joins them; each story is read once."""

    def __init__(self, feeds: Sequence[tuple[str, Feed]], make: Callable[[Headline, str, str], T]) -> None:
        self._make = make
        self._feeds = [(name, feed, deque[tuple[int, str, T]]()) for name, feed in feeds]
        self._taken = 0
        # By address, oldest first, so that what is new comes to the end.
        self._listed: dict[str, T] = {}

    @property
    def listed(self) -> list[T]:
        """What all feeds list, newest first, each address once."""
        return list(reversed(self._listed.values()))

    def take(self, stories: Sequence[Headline]) -> None:
        """Put newer stories on top, given in order of time, and drop what the feeds no longer list."""
        for _, group in groupby(stories, key=_published_at):
            at_once = [(place, story, number_of(story)) for place, story in enumerate(group, self._taken)]
            self._taken += len(at_once)
            # What is printed at the same second stands by feeds, and in each the last one first.
            for name, feed, kept in reversed(self._feeds):
                for place, story, number in at_once:
                    if feed.carries(number):
                        url = feed.address(story, number)
                        made = self._make(story, url, name)
                        kept.append((place, url, made))
                        self._listed.pop(url, None)
                        self._listed[url] = made
        for _, feed, kept in self._feeds:
            while kept and (len(kept) > feed.items or kept[0][0] < self._taken - _STORIES):
                _, url, made = kept.popleft()
                if self._listed.get(url) is made:
                    del self._listed[url]


def item_of(story: Headline, url: str, source: str) -> FeedItem:
    """Return a story as a feed gives it."""
    return FeedItem(
        title=story.title,
        summary=story.summary,
        url=url,
        source=source,
        published_at=story.published_at,
    )
