"""The simulated exchange looked at from inside gives what it gives over the wire."""

from datetime import date, datetime

import numpy as np
import pytest

from vnquant import Workbench
from vnquant.errors import EmptyAnswerError, InputError
from vnquant.market import OHLCV
from vnquant.models import ForecastModel
from vnquant.runtime import ICT, run_virtual
from vnquant.simulation import (
    DirectActions,
    DirectMarket,
    DirectNews,
    DirectQuotes,
    Faults,
    SimulatedExchange,
)
from vnquant.sources import Endpoints, HttpClient, RssSource
from vnquant.unattended import run_virtual_span

pytestmark = [pytest.mark.timeout(120)]

MOMENTS = [
    "2025-06-02 08:10",
    "2025-06-02 08:45",
    "2025-06-02 09:07",
    "2025-06-02 09:15",
    "2025-06-02 10:31",
    "2025-06-02 12:00",
    "2025-06-02 14:46",
    "2025-06-02 15:30",
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
