"""The number that hedging is for, in virtual time: many scans, the same on every machine."""

import asyncio
import math
import random
import statistics

import pytest

from vnquant.runtime import sliding_window
from vnquant.sources import HttpClient, HttpConfig, Response
from vnquant.sources.hedge import Hedger

SYMBOLS = range(102)


class RandomLatency:
    """Lognormal latency of mean 50 ms, as the simulated exchange has it; a share hangs 3 s."""

    def __init__(self, seed, hang):
        self.latencies = random.Random(seed)
        self.hangs = random.Random(seed + 1)
        self.hang = hang
        self.asked = 0

    async def get(self, url, params):
        self.asked += 1
        latency = self.latencies.lognormvariate(math.log(0.05) - 0.6**2 / 2, 0.6)
        await asyncio.sleep(3.0 if self.hangs.random() < self.hang else latency)
        return Response(200, {}, b"x")

    async def aclose(self):
        pass


async def scan(seed, *, hang, hedge_share=0.1):
    transport = RandomLatency(seed, hang)
    begun = asyncio.get_running_loop().time()
    async with HttpClient(HttpConfig(hedge_share=hedge_share), transport=transport) as client:

        async def fetch(symbol):
            return await client.get("http://x", source="s", symbol=str(symbol), decoder=bytes)

        async with sliding_window(fetch, SYMBOLS, width=20) as outcomes:
            failed = [outcome.error async for outcome in outcomes if outcome.error is not None]
    assert failed == []
    return asyncio.get_running_loop().time() - begun, transport.asked / len(SYMBOLS) - 1


def test_two_percent_hanging_cost_a_scan_less_than_half_its_time(run_virtual):
    """At most 1.5 times the makespan without hangs and 10 % duplicates, in nine scans of ten."""
    ratios, duplicates = [], []
    for seed in range(1_000, 1_040):
        without, _ = run_virtual(scan(seed, hang=0.0, hedge_share=0.0))
        hanging, extra = run_virtual(scan(seed, hang=0.02))
        ratios.append(hanging / without)
        duplicates.append(extra)
    assert statistics.median(ratios) <= 1.1
    assert sorted(ratios)[35] <= 1.5
    assert sorted(duplicates)[35] <= 0.1


def test_without_hedging_the_same_scans_take_many_times_as_long(run_virtual):
    without, _ = run_virtual(scan(1_000, hang=0.0, hedge_share=0.0))
    hanging, _ = run_virtual(scan(1_000, hang=0.02, hedge_share=0.0))
    assert hanging > 5 * without


@pytest.mark.parametrize(("others", "hedged_at_s"), [(3, 0.08), (0, 0.095)])
def test_the_last_of_many_is_hedged_earlier_than_one_alone(others, hedged_at_s, run_virtual):
    """Latencies 1 to 100 ms: the p80 is 80 ms, the p95 is 95 ms."""
    hedger = Hedger()
    for milliseconds in range(1, 101):
        hedger.latencies.add(milliseconds / 1_000)
    hedger.budget.tokens = 10.0
    sent = []

    async def main():
        loop = asyncio.get_running_loop()

        async def quick():
            await asyncio.sleep(0.001)

        async def stuck():
            sent.append(loop.time())
            await asyncio.sleep(10 if len(sent) == 1 else 0.01)

        async with asyncio.TaskGroup() as group:
            group.create_task(hedger.run(stuck, may_hedge=lambda: True, name="stuck"))
            for _ in range(others):
                group.create_task(hedger.run(quick, may_hedge=lambda: True, name="quick"))

    run_virtual(main())
    assert len(sent) == 2
    assert sent[1] - sent[0] == pytest.approx(1.05 * hedged_at_s, rel=0.06)
