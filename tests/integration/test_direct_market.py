"""The simulated exchange looked at from inside gives what it gives over the wire."""

import asyncio
import random
from datetime import date, datetime, time, timedelta

import numpy as np
import pytest

from vnquant import Workbench
from vnquant.direct_operation import DirectResearch
from vnquant.errors import EmptyAnswerError, InputError
from vnquant.market import OHLCV
from vnquant.models import ForecastModel
from vnquant.news import article_from
from vnquant.runtime import ICT, run_virtual
from vnquant.simulation import (
    DirectActions,
    DirectMarket,
    DirectNews,
    DirectQuotes,
    Faults,
    SimulatedExchange,
    direct,
)
from vnquant.simulation.headlines import Headline
from vnquant.simulation.wire import FEEDS, number_of
from vnquant.sources import Endpoints, HttpClient, NewsFeed, RssSource, merge_feeds
from vnquant.unattended import run_virtual_span

pytestmark = [pytest.mark.timeout(480)]

MOMENTS = [
    "2025-06-02 08:10",
    "2025-06-02 08:45",
    "2025-06-02 09:07",
    "2025-06-02 09:15",
    "2025-06-02 10:31",
    "2025-06-02 12:00",
    "2025-06-02 14:46",
    "2025-06-02 15:02",
    "2025-06-02 15:30",
    "2025-06-03 08:10",
    "2025-06-08 11:00",
]


@pytest.fixture
async def exchange_at(market):
    """Return an exchange without sockets that can be moved to any moment, and a workbench on it."""
    async with SimulatedExchange(market=market, at=MOMENTS[0], port=None) as exchange:
        yield exchange


@pytest.mark.parametrize("moment", MOMENTS)
async def test_board_and_news_are_those_of_the_wire(exchange_at, model_cache, quick_predictor, moment):
    async with Workbench.open(
        exchange_at, cache_dir=model_cache, predictor=quick_predictor, progress=False
    ) as bench:
        exchange_at.clock.set(at=datetime.fromisoformat(moment))
        direct = DirectMarket(exchange_at, rows=400)
        world = bench._desk.world
        quotes = await DirectQuotes(direct, world.quotes).quotes(bench.symbols)
        wired = await world.quotes.quotes(bench.symbols)
        assert (quotes.prices(), quotes.last_prices()) == (wired.prices(), wired.last_prices())
        assert dict(quotes.quotes) == dict(wired.quotes)
        news = await DirectNews(direct, world.news, Endpoints.local("http://memory").rss).headlines()
        assert news.items == (await world.news.headlines()).items


async def test_corporate_events_are_those_of_the_wire(exchange_at, model_cache, quick_predictor):
    span = (date(2025, 4, 1), date(2025, 6, 2))
    exchange_at.clock.set(at=datetime(2025, 6, 2, 9, 0, tzinfo=ICT))
    async with Workbench.open(
        exchange_at, cache_dir=model_cache, predictor=quick_predictor, progress=False
    ) as bench:
        wired = bench._desk.world.actions
        direct = DirectActions(DirectMarket(exchange_at, rows=400), wired)
        found = await wired.actions(bench.symbols, *span)
        assert await direct.actions(bench.symbols, *span) == found
        assert len(found) > 5
        with pytest.raises(EmptyAnswerError):
            await direct.actions(bench.symbols, date(2025, 6, 2), date(2025, 6, 3))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_bars_are_those_of_the_market(market, moment):
    async with SimulatedExchange(market=market, at=moment, port=None) as exchange:
        at = datetime.fromisoformat(moment).replace(tzinfo=ICT)
        running, place = DirectMarket(exchange, rows=400).running(at)
        ours, theirs = running.panel(place).tail(300), market.panel_at(at).tail(300)
        assert ours.symbols == theirs.symbols
        np.testing.assert_array_equal(ours.timestamps, theirs.timestamps)
        for name in OHLCV:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert ours.session_fraction == theirs.session_fraction


async def test_unchanged_news_is_the_very_same_object(market):
    async with SimulatedExchange(market=market, at="2025-06-02 10:00", port=None) as exchange:
        endpoints = Endpoints.local("http://memory")
        async with HttpClient() as client:
            source = DirectNews(DirectMarket(exchange, rows=400), RssSource(client, endpoints), endpoints.rss)
            first = await source.headlines()
            assert await source.headlines() is first
            exchange.clock.set(at=datetime(2025, 6, 2, 21, 0, tzinfo=ICT))
            later = await source.headlines()
            assert later.items[0].published_at > first.items[0].published_at


def plain_feed(market, feeds, at):
    """All feeds read anew, from the stories of the whole window."""
    stories = market.headlines_at(at, limit=240)
    return merge_feeds(
        NewsFeed(tuple(item_in(feed, story, name) for story in feed.choose(stories))) for name, feed in feeds
    )


def item_in(feed, story, name):
    return direct.item_of(story, feed.address(story, number_of(story)), name)


async def test_headlines_taken_in_one_by_one_are_those_of_reading_all_feeds_anew(market):
    drawn = random.Random(3)
    endpoints = Endpoints.local("http://memory")
    feeds = [(name, direct._feed_at(url)) for name, url in endpoints.rss]
    async with (
        SimulatedExchange(market=market, at="2025-05-29", port=None) as exchange,
        HttpClient() as client,
    ):
        source = DirectNews(DirectMarket(exchange, rows=400), RssSource(client, endpoints), endpoints.rss)
        at, looked = exchange.now(), 0
        while at < datetime(2025, 6, 20, tzinfo=ICT):
            exchange.clock.set(at=at)
            assert await source.headlines() == plain_feed(market, feeds, at)
            steps = (60, 600, 600, 3_600, 9_000)
            leaps = (-5_000, -100_000, 86_400, 216_000)  # a clock may be set
            at += timedelta(seconds=drawn.choice(steps if drawn.random() < 0.95 else leaps))
            looked += 1
        assert looked > 150


async def test_before_its_first_session_the_market_prints_nothing(market):
    endpoints = Endpoints.local("http://memory")
    before = datetime.combine(market.start, time(0, 0, 1), tzinfo=ICT) - timedelta(days=1)
    async with (
        SimulatedExchange(market=market, at="2025-06-02 10:00", port=None) as exchange,
        HttpClient() as client,
    ):
        source = DirectNews(DirectMarket(exchange, rows=400), RssSource(client, endpoints), endpoints.rss)
        assert (await source.headlines()).items
        for hours in (0, 12, 23):
            exchange.clock.set(at=before + timedelta(hours=hours))
            assert (await source.headlines()).items == ()
        exchange.clock.set(at=before + timedelta(hours=40))
        printed = market.headlines_at(exchange.now(), limit=240)
        assert 0 < len(printed) < 25
        titles = {item.title for item in (await source.headlines()).items}
        assert titles == {story.title for story in printed}


def test_stories_of_one_second_stand_as_a_merger_of_the_feeds_puts_them():
    drawn = random.Random(5)
    opened = datetime(2025, 6, 2, 8, tzinfo=ICT)
    feeds = [(f"feed {n}", feed) for n, feed in enumerate((*FEEDS.values(), *FEEDS.values()))]
    stand, stories = direct._Newsstand(feeds, direct.item_of), []
    for minute in range(300):
        new = [
            Headline(
                published_at=opened + timedelta(minutes=minute, seconds=drawn.randrange(2)),
                title=f"{minute} {place}",
                summary="",
                symbol=None,
                sentiment_truth="neutral",
                slug=drawn.choice(("a", "b")),
                number=minute * 10 + place,
            )
            for place in range(drawn.randrange(4))
        ]
        new.sort(key=lambda story: story.published_at)
        stand.take(new)
        stories.extend(new)
        window = stories[:-241:-1]
        merged = merge_feeds(
            NewsFeed(tuple(item_in(feed, story, name) for story in feed.choose(window)))
            for name, feed in feeds
        )
        assert tuple(stand.listed) == merged.items
    assert len(stories) > 400


@pytest.mark.virtual(start="2025-06-02 08:00")
async def test_news_judged_one_by_one_is_the_feed_judged_whole(model_cache, quick_predictor, tmp_path):
    async with Workbench.open(
        cache_dir=model_cache, predictor=quick_predictor, progress=False, database=tmp_path / "l.db"
    ) as bench:
        research, source = bench.orchestrator.research, bench._desk.world.news
        assert isinstance(research, DirectResearch)
        for hours in (0, 1, 1, 7, 12, 2, 60, 30):
            await asyncio.sleep(hours * 3_600)
            articles = await research.news()
            assert articles == [article_from(item) for item in (await source.headlines()).items]
            assert len({article.url for article in articles}) == len(articles) > 100
            assert await research.news() is articles


def test_with_faults_or_latency_the_wire_is_asked(market):
    exchange = SimulatedExchange(market=market, port=None)
    direct = DirectMarket(exchange, rows=400)
    assert not direct.is_clear  # not open yet
    run_virtual(_fault_matters(exchange, direct), start="2025-06-02 10:00")


async def _fault_matters(exchange, direct):
    async with exchange:
        assert direct.is_clear
        exchange.faults = Faults(http_500=0.1)
        assert not direct.is_clear
        exchange.faults = Faults()
        assert direct.is_clear


@pytest.mark.slow
def test_a_run_from_inside_leaves_the_ledger_of_one_over_the_wire(
    tmp_path, monkeypatch, model_cache, quick_predictor
):
    def run(name: str):
        return run_virtual(
            run_virtual_span(
                datetime(2025, 6, 4, tzinfo=ICT),
                database=tmp_path / f"{name}.db",
                cache_dir=model_cache,
                predictor=quick_predictor,
            ),
            start="2025-06-02 00:00",
        )

    direct = run("direct")
    monkeypatch.setattr(DirectMarket, "is_clear", False)
    wired = run("wired")
    assert (direct.orders, direct.fills, direct.equity_vnd, direct.ledger_digest) == (
        wired.orders,
        wired.fills,
        wired.equity_vnd,
        wired.ledger_digest,
    )
    assert direct.orders > 0
    assert date(2025, 6, 3) == direct.ended_at.date()


@pytest.mark.virtual(start="2025-06-02 10:00")
async def test_where_a_session_cannot_be_forecast_at_once_the_wire_is_asked(
    model_cache, quick_predictor, monkeypatch, tmp_path
):
    async with Workbench.open(
        cache_dir=model_cache, predictor=quick_predictor, progress=False, database=tmp_path / "l.db"
    ) as bench:
        research = bench.orchestrator.research
        direct = await research.scan(held=())

        def refuse(*_):
            raise InputError("the history has gaps")

        monkeypatch.setattr(ForecastModel, "predict_session", refuse)
        research._forecasts._known.clear()
        bench.exchange.requests.clear()
        wired = await research.scan(held=())
        assert len(bench.exchange.requests) >= 102
        assert {s: p.action for s, p in direct.items()} == {s: p.action for s, p in wired.items()}
