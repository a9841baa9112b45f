"""The sources against the simulated exchange: with faults as without, what was generated is served."""

import asyncio
import statistics
from datetime import date

import numpy as np
import pytest

from tests.pace import slowness
from vnquant.errors import SourceError
from vnquant.runtime import sliding_window
from vnquant.simulation import Faults, Latency, SimulatedExchange, SimulatedMarket
from vnquant.sources import (
    BarCache,
    CachedBars,
    CafefSource,
    Endpoints,
    HttpClient,
    HttpConfig,
    RssSource,
    SourceChain,
    VpsSource,
)

START, TODAY = date(2024, 1, 2), date(2025, 6, 2)
ISSUE_FAULTS = {
    "http_500": 0.1,
    "http_429": 0.05,
    "bad_json": 0.02,
    "truncated": 0.02,
    "reset": 0.01,
    "hang": 0.01,
}


@pytest.fixture(scope="module")
def market():
    return SimulatedMarket(7)


@pytest.fixture
async def exchange(market):
    async with SimulatedExchange(market=market) as running:
        yield running


async def scan(source, symbols, start=START):
    """Return bars and failures by symbol, and the seconds it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    served, failed = {}, {}
    async with sliding_window(lambda s: source.bars(s, start, TODAY), symbols, width=20) as outcomes:
        async for outcome in outcomes:
            if outcome.error is None:
                served[outcome.item] = outcome.value
            else:
                failed[outcome.item] = outcome.error
    return served, failed, loop.time() - begun


def same_bars(one, two, tolerance_vnd=0.0):
    assert np.array_equal(one.timestamps, two.timestamps)
    for name in ("open", "high", "low", "close"):
        assert np.abs(getattr(one, name) - getattr(two, name)).max() <= tolerance_vnd
    assert np.array_equal(one.volume, two.volume)


async def test_served_bars_are_the_generated_bars(exchange, market):
    async with HttpClient() as client:
        source = VpsSource(client, Endpoints.local(exchange.url), exchange.clock)
        series = await source.bars("FPT", START, TODAY)
    direct = market.bars_at(exchange.now(), "FPT", START, TODAY, "1D")
    same_bars(series, direct, tolerance_vnd=1.0)  # the wire has a thousandth of a thousand VND
    assert series.problems == ()


async def test_cafef_and_vps_agree_on_complete_sessions(exchange):
    async with HttpClient() as client:
        endpoints = Endpoints.local(exchange.url)
        vps = await VpsSource(client, endpoints, exchange.clock).bars("VCB", START, date(2025, 5, 30))
        cafef = await CafefSource(client, endpoints).bars("VCB", START, date(2025, 5, 30))
    same_bars(vps, cafef, tolerance_vnd=0.001 * vps.close.max())


async def test_the_board_and_the_news_are_read_whole(exchange, market):
    async with HttpClient() as client:
        endpoints = Endpoints.local(exchange.url)
        board = await VpsSource(client, endpoints, exchange.clock).quotes(market.symbols)
        news = await RssSource(client, endpoints).headlines()
    assert tuple(board.quotes) == tuple(market.symbols)
    assert board.problems == ()
    direct = market.quotes_at(exchange.now(), ["FPT"])["FPT"]
    quote = board.quotes["FPT"]
    assert (quote.last_price, quote.bids, quote.asks) == (direct.last_price, direct.bids, direct.asks)
    assert len(news.items) > 50
    assert all(item.published_at <= exchange.now() for item in news.items)


@pytest.mark.parametrize("seed", range(5))
async def test_with_the_usual_faults_nearly_every_symbol_is_served_and_each_other_has_a_reason(seed, market):
    async with SimulatedExchange(
        market=market, seed=seed, faults=Faults(retry_after_s=0.2, **ISSUE_FAULTS)
    ) as exchange:
        before = asyncio.all_tasks()
        async with HttpClient(HttpConfig(seed=seed)) as client:
            endpoints = Endpoints.local(exchange.url)
            chain = SourceChain(
                [VpsSource(client, endpoints, exchange.clock), CafefSource(client, endpoints)]
            )
            served, failed, _ = await scan(chain, market.symbols, date(2025, 3, 3))
        own = {t for t in asyncio.all_tasks() - before if "RequestHandler" not in repr(t.get_coro())}
        assert own == set()
        assert len(served) >= 0.99 * len(market.symbols)
        assert all(isinstance(error, SourceError) for error in failed.values())
        clean = market.bars_at(exchange.now(), "FPT", date(2025, 3, 3), TODAY, "1D")
        same_bars(served["FPT"], clean, tolerance_vnd=1.0)


async def test_hanging_requests_are_hedged_within_the_budget(market):
    """2 % of the requests hang 3 s: the median scan takes at most 1.5 times as long as without."""
    times = {0.0: [], 0.02: []}
    duplicates = []
    for seed in range(3):
        for hang in times:
            async with (
                SimulatedExchange(
                    market=market,
                    seed=seed,
                    latency=Latency.lognormal(mean_s=0.05),
                    faults=Faults(hang=hang, hang_s=3.0),
                ) as exchange,
                HttpClient() as client,
            ):
                source = VpsSource(client, Endpoints.local(exchange.url), exchange.clock)
                served, _, took = await scan(source, market.symbols, date(2025, 3, 3))
                assert len(served) == len(market.symbols)
                times[hang].append(took)
                told = client.statistics()["vps"]
                duplicates.append(told.hedges / told.attempts)
    assert statistics.median(times[0.02]) <= 1.5 * statistics.median(times[0.0])
    assert max(duplicates) <= 0.1


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.3])
async def test_a_scan_cancelled_at_any_moment_ends_at_once_and_the_next_works(after_s, market):
    async with (
        SimulatedExchange(market=market, latency=Latency.constant(0.02)) as exchange,
        HttpClient(HttpConfig(breaker_failure_rate=1.0)) as client,
    ):
        source = VpsSource(client, Endpoints.local(exchange.url), exchange.clock)
        loop = asyncio.get_running_loop()
        took = []
        for _ in range(3):
            exchange.faults = Faults(hang=0.3, http_500=0.3)
            task = asyncio.create_task(scan(source, market.symbols))
            await asyncio.sleep(after_s)
            begun = loop.time()
            task.cancel()
            await asyncio.wait({task})
            took.append(loop.time() - begun)
            assert task.cancelled()
        # The quickest of three: the others may have had to share the processor with another program.
        assert min(took) < 0.1 * slowness()
        exchange.faults = Faults()
        served, failed, _ = await scan(source, market.symbols[:20])
        assert len(served) == 20
        assert failed == {}


async def test_the_cache_in_front_changes_nothing_but_the_number_of_requests(exchange, market, tmp_path):
    symbols = market.symbols[:10]
    async with HttpClient() as client:
        plain = VpsSource(client, Endpoints.local(exchange.url), exchange.clock)
        cached = CachedBars(plain, BarCache(tmp_path, "sim-7"), clock=exchange.clock)
        await scan(cached, symbols)
        again, _, _ = await scan(cached, symbols)
        fresh, _, _ = await scan(plain, symbols)
    for symbol in symbols:
        same_bars(again[symbol], fresh[symbol])
