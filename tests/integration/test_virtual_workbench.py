"""The workbench on virtual time: the same values as over HTTP, without a socket, hours in milliseconds."""

import asyncio

import pytest

from vnquant import Workbench
from vnquant.runtime import now
from vnquant.simulation import Faults, Latency, SimulatedExchange

pytestmark = [pytest.mark.timeout(480)]


@pytest.mark.virtual(start="2025-06-02 10:00")
async def test_the_exchange_answers_from_memory_and_time_is_the_loops(model_cache, quick_predictor):
    async with Workbench.open(cache_dir=model_cache, predictor=quick_predictor, progress=False) as bench:
        assert bench.exchange is not None
        assert not bench.exchange.has_address
        first = await bench.scan(["FPT", "VCB"])
        assert f"{bench.clock.now():%Y-%m-%d %H:%M}" == "2025-06-02 10:00"
        await asyncio.sleep(3600)
        assert bench.clock.now() == now()
        assert f"{now():%H:%M}" == "11:00"
        later = await bench.scan(["FPT", "VCB"])
        assert dict(first) != dict(later)  # an hour of trading has changed the running bar


@pytest.fixture
async def over_http(market, model_cache, quick_predictor):
    async with (
        SimulatedExchange(at="2025-06-02 10:00", market=market) as exchange,
        Workbench.open(exchange, cache_dir=model_cache, predictor=quick_predictor, progress=False) as bench,
    ):
        yield dict(await bench.scan()), await bench.quotes(), await bench.news()


async def test_memory_and_http_give_the_same_values(over_http, market, model_cache, quick_predictor):
    async with (
        SimulatedExchange(at="2025-06-02 10:00", market=market, port=None) as exchange,
        Workbench.open(exchange, cache_dir=model_cache, predictor=quick_predictor, progress=False) as bench,
    ):
        assert (dict(await bench.scan()), await bench.quotes(), await bench.news()) == over_http


@pytest.mark.virtual(start="2025-06-02 10:00")
async def test_a_hanging_exchange_never_hangs_a_scan_and_a_minute_costs_nothing(model_cache, quick_predictor):
    async with Workbench.open(cache_dir=model_cache, predictor=quick_predictor, progress=False) as bench:
        await bench.prepare()
        bench.exchange.faults = Faults(hang=1.0, hang_s=3600)
        began = now()
        result = await bench.scan(["FPT", "VCB", "HPG"])
        assert (now() - began).total_seconds() <= 65
        assert set(result.failures) == {"FPT", "VCB", "HPG"}
        bench.exchange.faults = Faults()


@pytest.mark.virtual(start="2025-06-02 10:00")
async def test_latency_passes_in_virtual_time(model_cache, quick_predictor):
    async with Workbench.open(
        cache_dir=model_cache, predictor=quick_predictor, progress=False, latency=Latency.constant(1.0)
    ) as bench:
        began = asyncio.get_running_loop().time()
        await bench.quotes(["FPT"])
        assert asyncio.get_running_loop().time() - began == pytest.approx(1.0)
