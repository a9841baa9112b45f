"""The seed's patterns of fetching and scanning, each called by its name; the engine's are in its own folder.

Over real loopback HTTP on virtual time: what takes how long is exact, whatever the machine.
"""

import asyncio
import tracemalloc
from contextlib import AsyncExitStack
from datetime import date

import pytest

from vnquant import Workbench
from vnquant.runtime import fetch_with_timeout, sliding_window
from vnquant.simulation import Faults, Latency, SimulatedExchange
from vnquant.sources import CafefSource, Endpoints, HttpClient, RssSource, VpsSource

AT = "2025-06-02 10:00"
START, TODAY = date(2025, 5, 5), date(2025, 6, 2)
WINDOW = 20

pytestmark = [pytest.mark.virtual(start=AT), pytest.mark.timeout(480)]


async def seconds(work):
    """Return the loop seconds that something awaited takes."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await work
    return loop.time() - begun


@pytest.fixture
async def distant(market, model_cache, quick_predictor):
    """A workbench whose exchange is half a second away, by a socket."""
    async with SimulatedExchange(at=AT, market=market, latency=Latency.constant(0.5)) as exchange:
        assert exchange.has_address
        async with Workbench.open(
            exchange, cache_dir=model_cache, predictor=quick_predictor, progress=False, window=WINDOW
        ) as bench:
            await bench.prepare()
            yield bench


async def test_concurrent_scan(distant):
    """A scan of 102 symbols takes as long as the six that stand behind one another in a window of 20."""
    one = await seconds(distant.scan(["FPT"]))
    every = await seconds(distant.scan())
    assert 0.5 <= one < 0.6
    assert 6 * 0.5 <= every < 7 * one
    assert every <= 102 * one / 15


async def test_concurrent_fetch_of_cafef_vps_and_rss(market):
    """All three at once take about as long as the slowest of them, not as long as their sum."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(HttpClient())

        async def endpoints(latency_s: float) -> Endpoints:
            exchange = SimulatedExchange(at=AT, market=market, latency=Latency.constant(latency_s))
            return Endpoints.local((await stack.enter_async_context(exchange)).url)

        fetches = {
            "vps": (VpsSource(client, await endpoints(0.6)).bars, ("FPT", START, TODAY)),
            "cafef": (CafefSource(client, await endpoints(0.9)).bars, ("FPT", START, TODAY)),
            "rss": (RssSource(client, await endpoints(1.2)).headlines, ()),
        }
        alone = {name: await seconds(fetch(*asked)) for name, (fetch, asked) in fetches.items()}
        answers = {}

        async def fetch_all() -> None:
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(fetch(*asked)) for name, (fetch, asked) in fetches.items()}
            answers.update({name: task.result() for name, task in tasks.items()})

        together = await seconds(fetch_all())
    assert min(alone.values()) >= 0.6
    assert max(alone.values()) <= together <= 1.1 * max(alone.values())
    assert together <= 0.6 * sum(alone.values())
    day = answers["vps"].timestamps == answers["cafef"].timestamps[-1]  # which of the two has no running bar
    assert answers["vps"].close[day] == pytest.approx(answers["cafef"].close[-1:], abs=60)
    assert answers["rss"].items


async def test_timeout(distant):
    """An exchange that never answers costs what the caller is ready to wait, and no more."""
    assert len(await distant.scan()) == 102
    distant.exchange.faults = Faults(hang=1.0, hang_s=3_600)
    late = await seconds(distant.scan(deadline_s=2.0))
    assert 2.0 <= late < 2.1
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await fetch_with_timeout(lambda symbol: distant.quotes([symbol]), "FPT", timeout=3.0) is None
    assert loop.time() - begun == pytest.approx(3.0, abs=0.01)
    distant.exchange.faults = Faults()
    assert len((await distant.scan()).coverage.fresh) == 102


async def test_bounded_memory_over_102_symbols(distant):
    """However slowly answers are taken, no more wait than a window holds; scan after scan keeps no more."""
    exchange, taken, ahead = distant.exchange, 0, []
    exchange.requests.clear()
    async with HttpClient() as client:
        vps = VpsSource(client, Endpoints.local(exchange.url))
        async with sliding_window(
            lambda symbol: vps.bars(symbol, START, TODAY), distant.symbols, width=WINDOW
        ) as outcomes:
            async for outcome in outcomes:
                assert outcome.error is None
                taken += 1
                await asyncio.sleep(2.0)
                ahead.append(len({record.symbol for record in exchange.requests}) - taken)
    assert taken == 102
    assert WINDOW <= max(ahead) <= 2 * WINDOW

    async def scans(count: int) -> int:
        for _ in range(count):
            distant.exchange.requests.clear()
            await distant.scan()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        warm = await scans(2)
        later = await scans(4)
    finally:
        tracemalloc.stop()
    assert later - warm < 0.02 * warm
