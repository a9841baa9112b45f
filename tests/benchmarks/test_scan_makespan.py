"""A scan's makespan against greedy scheduling of the very latencies that the exchange drew.

The exchange runs in a process of its own, so that its work does not count as the client's.
"""

import asyncio
import contextlib
import heapq
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime

import aiohttp
import msgspec
import pytest

from vnquant.market import default_calendar, load_universe
from vnquant.runtime import MarketClock
from vnquant.scanners import MarketHistory, ScannerConfig
from vnquant.simulation import Faults, Latency, SimulatedExchange
from vnquant.sources import Endpoints, HttpClient, HttpConfig, VpsSource

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(180)]

SYMBOLS = load_universe().tickers
WIDTH = 20
LATENCY = Latency.lognormal(mean_s=0.05)
AT = datetime(2025, 6, 2, 10, 0)
ROUNDS = 5
HANG_S = 3.0
ONE_YEAR = date(2024, 6, 3)  # about 250 bars, 14 kB: the replies that the target was measured with
ALL_YEARS = date(2018, 1, 2)


def report(**measured: object) -> None:
    print(json.dumps({"benchmark": "scan makespan", "python": platform.python_version(), **measured}))


@contextlib.contextmanager
def exchange_process(seed: int, *faults: str) -> Iterator[str]:
    command = [
        sys.executable, "-m", "vnquant", "exchange", "--port", "0", "--seed", str(seed), "--speed", "0",
        "--latency", str(LATENCY.mean_s), *(f"--fault={fault}" for fault in faults),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "")
            yield next(line.split()[2].rstrip(";") for line in lines if line.startswith("Listening on"))
        finally:
            process.terminate()
            process.wait(10)


def greedy_s(latencies: list[float], width: int) -> float:
    """Return when the last job ends if each starts on the first free of `width` machines, in order."""
    free = [0.0] * width
    for latency in latencies:
        heapq.heappush(free, heapq.heappop(free) + latency)
    return max(free)


@contextlib.asynccontextmanager
async def client_on(url: str, **config: float):
    async with HttpClient(HttpConfig(**config)) as client:
        source = VpsSource(client, Endpoints.local(url), MarketClock.frozen(AT))
        await source.bars("FPT", ONE_YEAR, AT.date())  # opens a connection, wakes the decoder
        yield source, client


async def scan_s(source: VpsSource, width: int, start: date = ONE_YEAR) -> float:
    history = MarketHistory(
        source,
        universe=load_universe(),
        calendar=default_calendar(),
        clock=MarketClock.frozen(AT),
        config=ScannerConfig(window=width, history_start=start),
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    failures = await history.refresh(SYMBOLS)
    elapsed = loop.time() - began
    assert not failures
    return elapsed


async def bare_s(url: str, session: aiohttp.ClientSession) -> float:
    """Return the time of a bare semaphore of 20 over aiohttp, which fetches, decodes and no more."""
    loop, slots = asyncio.get_running_loop(), asyncio.Semaphore(WIDTH)
    window = {"resolution": "D", "from": "1717372800", "to": "1748822400"}

    async def fetch(symbol: str) -> None:
        params = {"symbol": symbol, **window}
        async with slots, session.get(f"{url}/tradingview/history", params=params) as answer:
            assert msgspec.json.decode(await answer.read())["s"] == "ok"

    began = loop.time()
    await asyncio.gather(*(fetch(symbol) for symbol in SYMBOLS))
    return loop.time() - began


async def batches_s(source: VpsSource) -> float:
    """Return the time of batches of ten with gather, each waiting for its slowest."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for first in range(0, len(SYMBOLS), 10):
        await asyncio.gather(*(source.bars(s, ONE_YEAR, AT.date()) for s in SYMBOLS[first : first + 10]))
    return loop.time() - began


def drawn(seed: int) -> list[list[float]]:
    """Return the latencies that the exchange will draw: one warm-up request, then a list for each round."""
    exchange = SimulatedExchange(seed=seed, at=AT, latency=LATENCY)
    draws = [d.latency_s for d in exchange.preview_draws(1 + (3 * ROUNDS + 2) * len(SYMBOLS))][1:]
    return [draws[n : n + len(SYMBOLS)] for n in range(0, len(draws), len(SYMBOLS))]


async def test_a_scan_takes_hardly_longer_than_greedy_scheduling_of_its_latencies():
    seed, latencies = 11, drawn(11)
    with exchange_process(seed) as url:
        # Duplicates would draw latencies of their own, and the bound would no longer be known.
        async with client_on(url, hedge_share=0.0) as (source, _):
            spans = [await scan_s(source, WIDTH) for _ in range(ROUNDS)]
            bounds = [greedy_s(drawn_here, WIDTH) for drawn_here in latencies]
            ratios = [span / bound for span, bound in zip(spans, bounds[:ROUNDS], strict=True)]
            whole = [await scan_s(source, WIDTH, ALL_YEARS) for _ in range(ROUNDS)]
            whole_ratios = [s / b for s, b in zip(whole, bounds[ROUNDS : 2 * ROUNDS], strict=True)]
            batches = await batches_s(source)
            one_by_one = await scan_s(source, 1)
        async with aiohttp.ClientSession() as session:
            bare = [await bare_s(url, session) for _ in range(ROUNDS)]
            bare_ratios = [s / b for s, b in zip(bare, bounds[2 * ROUNDS + 2 :], strict=True)]
    report(
        measure="window of 20, 102 history requests, lognormal mean 50 ms",
        to_greedy_median=round(statistics.median(ratios), 3),
        to_greedy=[round(r, 3) for r in ratios],
        target_to_greedy=1.06,
        to_greedy_median_of_a_bare_semaphore=round(statistics.median(bare_ratios), 3),
        to_greedy_median_with_seven_years_of_bars=round(statistics.median(whole_ratios), 3),
        faster_than_one_by_one=round(one_by_one / statistics.median(spans), 1),
        target_faster=15,
        batches_of_10_to_scan=round(batches / statistics.median(spans), 2),
    )
    # The reported figure is the claim; these bounds only catch a window that no longer slides.
    assert statistics.median(ratios) < 1.5
    assert one_by_one / statistics.median(spans) > 10


async def test_two_in_a_hundred_requests_that_hang_cost_half_a_makespan_at_most():
    calm, hanging, shares = [], [], []
    for seed in range(21, 26):
        with exchange_process(seed) as url:
            async with client_on(url) as (source, _):
                await scan_s(source, WIDTH)
                calm.append(await scan_s(source, WIDTH))
        with exchange_process(seed, "hang=0.02", f"hang_s={HANG_S}") as url:
            async with client_on(url) as (source, client):
                await scan_s(source, WIDTH)
                hanging.append(await scan_s(source, WIDTH))
                (told,) = client.statistics().values()
                shares.append(told.hedges / told.requests)
    report(
        measure="2 % of the requests hang for 3 s",
        to_calm_median=round(statistics.median(hanging) / statistics.median(calm), 3),
        to_calm=[round(h / c, 3) for h, c in zip(hanging, calm, strict=True)],
        target_to_calm=1.5,
        duplicates_share_max=round(max(shares), 3),
        target_duplicates_share=0.1,
    )
    assert statistics.median(hanging) < HANG_S
    assert max(shares) <= 0.1 + 1 / len(SYMBOLS)


def test_the_faults_of_this_benchmark_exist():
    assert Faults(hang=0.02, hang_s=HANG_S).hang == 0.02
