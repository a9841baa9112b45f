"""Scans over an exchange that fails as real providers do, and scans that are cancelled."""

import asyncio
import random

import pytest

from tests.pace import slowness
from vnquant import Workbench
from vnquant.errors import SourceError
from vnquant.simulation import Faults, Latency, SimulatedExchange

pytestmark = [pytest.mark.timeout(480), pytest.mark.no_cover]  # moments are judged: no tracer beside them

FAULTY = Faults(http_500=0.10, http_429=0.05, bad_json=0.02, truncated=0.02, reset=0.01, hang=0.01)


@pytest.mark.parametrize("seed", range(5))
async def test_99_in_100_symbols_are_predicted_however_the_exchange_fails(
    seed, market, model_cache, quick_predictor
):
    before = asyncio.all_tasks()
    async with SimulatedExchange(seed=seed, at="2025-06-02 10:00", market=market) as exchange:
        async with Workbench.open(
            exchange, cache_dir=model_cache, predictor=quick_predictor, progress=False
        ) as bench:
            await bench.prepare()
            exchange.faults = FAULTY
            exchange.requests.clear()
            result = await bench.scan()
            met = {fault for fault, n in exchange.requests.by_fault().items() if n and fault is not None}
            assert len(met) >= 3, "the exchange did not misbehave"
            assert len(result.coverage.fresh) >= 0.99 * 102
            assert all(isinstance(reason, SourceError) for reason in result.failures.values())
            assert len(result) == 102  # those that failed are judged on yesterday's bars
        await asyncio.sleep(0.05)
        assert exchange.requests.in_flight == 0
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_the_first_scan_ever_also_survives_the_faults(market, tmp_path, quick_predictor):
    async with (
        SimulatedExchange(seed=99, at="2025-06-02 10:00", market=market, faults=FAULTY) as exchange,
        Workbench.open(exchange, cache_dir=tmp_path, predictor=quick_predictor, progress=False) as bench,
    ):
        result = await bench.scan()
        assert len(result.coverage.fresh) >= 0.99 * 102


async def test_an_exchange_that_is_down_gives_typed_reasons_and_yesterdays_predictions(bench, exchange):
    await bench.prepare()
    exchange.faults = Faults(http_500=1.0)
    result = await bench.scan(["FPT", "VCB"], deadline_s=10)
    assert str(result.coverage) == "2 of 2 fresh" or set(result.failures) == {"FPT", "VCB"}
    assert all(isinstance(reason, SourceError) for reason in result.failures.values())
    exchange.faults = Faults()


@pytest.mark.parametrize("seed", range(3))
async def test_a_scan_cancelled_at_any_moment_returns_at_once_and_the_next_one_works(
    seed, market, model_cache, quick_predictor
):
    draw = random.Random(seed)
    loop = asyncio.get_running_loop()
    async with (
        SimulatedExchange(
            seed=seed, at="2025-06-02 10:00", market=market, latency=Latency.lognormal(mean_s=0.02)
        ) as exchange,
        Workbench.open(exchange, cache_dir=model_cache, predictor=quick_predictor, progress=False) as bench,
    ):
        await bench.prepare()
        standing, waits_s = asyncio.all_tasks(), []
        for _ in range(8):
            async with asyncio.TaskGroup() as group:
                scan = group.create_task(bench.scan())
                await asyncio.sleep(draw.uniform(0.0, 0.25))
                scan.cancel()
                asked = loop.time()
                await asyncio.wait([scan])
                waits_s.append(loop.time() - asked)
            await asyncio.sleep(0.03)  # the exchange notices that its client has gone
            assert asyncio.all_tasks() <= standing | _handlers(exchange)
        # A busy machine may hold up single ones; a scan that does not let go would hold up all.
        slow = slowness()
        assert sorted(waits_s)[len(waits_s) // 2] < 0.1 * slow
        assert max(waits_s) < 1.0 * slow
        assert len(await bench.scan()) == 102


def _handlers(exchange: SimulatedExchange) -> set[asyncio.Task]:
    """The server keeps one task an open connection: the client's pool is still there for the next scan."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())}
