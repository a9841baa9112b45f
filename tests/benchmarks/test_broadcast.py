"""The broadcaster against `gather(*(ws.send_json(m) ...))`, with clients in a second process on loopback.

Two hundred clients; a thousand with VNQUANT_BENCHMARK_SIZE=full.
"""

import asyncio
import contextlib
import gc
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web

from vnquant.web import BroadcastConfig, Broadcaster

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

FULL = os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full"
CLIENTS = 1000 if FULL else 200
NEVER_READING = 5
MESSAGE = {"symbol": "FPT", "text": "x" * 1450}  # 1.5 kB once encoded


def report(**measured: object) -> None:
    told = {"benchmark": "broadcast", "python": platform.python_version(), "aiohttp": aiohttp.__version__}
    print(json.dumps({**told, "cpus": os.cpu_count(), "clients": CLIENTS, **measured}))


def config(**changes: object) -> BroadcastConfig:
    # A small kernel buffer, so that who never reads is stuck within a second and not within a minute.
    return BroadcastConfig(max_clients=2 * CLIENTS, send_buffer_bytes=32 << 10, **changes)


class Crowd:
    """The process of clients."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, do: str, **options: object) -> dict:
        self._process.stdin.write(json.dumps({"do": do, **options}).encode() + b"\n")
        async with asyncio.timeout(120):
            return json.loads(await self._process.stdout.readline())


@pytest.fixture
async def crowd():
    script = Path(__file__).with_name("broadcast_clients.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    yield Crowd(process)
    process.stdin.close()
    await process.wait()
    process._transport.close()


@pytest.fixture
def young_heap_only():
    """Keep what pytest has allocated out of collections, which would be the p99 measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@contextlib.asynccontextmanager
async def gathering():
    """Yield the address of a plain server, and the set of its WebSockets, as the first system had it."""
    sockets: set[web.WebSocketResponse] = set()

    async def serve(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        sockets.add(ws)
        async for _ in ws:
            pass
        sockets.discard(ws)
        return ws

    app = web.Application()
    app.router.add_get("/ws", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    try:
        yield f"ws://127.0.0.1:{site.port}/ws", sockets
    finally:
        await runner.cleanup()


async def gather_rate(crowd: Crowd, messages: int) -> tuple[float, float]:
    """Return `gather`'s deliveries a second, until the last client has the last message, and a CPU second."""
    async with gathering() as (url, sockets):
        await crowd.ask("connect", url=url, token="", readers=CLIENTS, mute=0)
        began_s, cpu_s = time.monotonic(), time.process_time()
        for _ in range(messages):
            message = {**MESSAGE, "sent_s": time.monotonic()}
            await asyncio.gather(*(ws.send_json(message) for ws in sockets))
        cpu_s = time.process_time() - cpu_s
        told = await crowd.ask("report", upto=messages, wait_s=60)
        await crowd.ask("close")
    assert told["delivered"] == messages * CLIENTS
    return told["delivered"] / (told["last_s"] - began_s), told["delivered"] / cpu_s


async def broadcast_rate(crowd: Crowd, messages: int, *, at_once: int) -> tuple[float, float]:
    """Return the same of the broadcaster, with `at_once` messages published between waits for the clients."""
    async with Broadcaster(config(queue_messages=1000)) as broadcaster:
        await crowd.ask(
            "connect", url=broadcaster.socket_url, token=broadcaster.token, readers=CLIENTS, mute=0
        )
        began_s, cpu_s = time.monotonic(), time.process_time()
        for number in range(1, messages + 1):
            await broadcaster.broadcast_to_clients({**MESSAGE, "sent_s": time.monotonic()})
            if number % at_once == 0:
                assert await broadcaster.settle(60)
        cpu_s = time.process_time() - cpu_s
        told = await crowd.ask("report", upto=messages, wait_s=60)
        await crowd.ask("close")
    assert told["delivered"] == messages * CLIENTS
    return told["delivered"] / (told["last_s"] - began_s), told["delivered"] / cpu_s


@pytest.mark.usefixtures("young_heap_only")
async def test_broadcasting_delivers_at_least_twice_as_much_as_gathering_send_json(crowd):
    messages = 60 if FULL else 200
    gathered, one_by_one, together = [], [], []
    for _ in range(3):  # side by side, so that a busy machine slows all
        gathered.append(await gather_rate(crowd, messages))
        one_by_one.append(await broadcast_rate(crowd, messages, at_once=1))
        together.append(await broadcast_rate(crowd, messages, at_once=20))

    def ratio(runs: list[tuple[float, float]], of: int) -> float:
        return statistics.median(run[of] / base[of] for run, base in zip(runs, gathered, strict=True))

    report(
        measure="deliveries a second, 1.5 kB messages",
        gather_send_json_per_s=round(statistics.median(rate for rate, _ in gathered)),
        one_by_one_per_s=round(statistics.median(rate for rate, _ in one_by_one)),
        in_bursts_of_20_per_s=round(statistics.median(rate for rate, _ in together)),
        ratio_one_by_one=round(ratio(one_by_one, 0), 2),
        ratio_one_by_one_per_cpu_s=round(ratio(one_by_one, 1), 2),
        ratio_in_bursts=round(ratio(together, 0), 2),
        ratio_in_bursts_per_cpu_s=round(ratio(together, 1), 2),
        target_ratio=2,
    )
    assert ratio(together, 0) >= 2
    # One by one it is the clients' own time that passes, and what else the machine does: so the claim is made
    # for the server's CPU time, and the bound on the clock only catches a broadcaster that waits.
    assert ratio(one_by_one, 1) >= 2
    assert ratio(one_by_one, 0) >= 1.2


async def paced(crowd: Crowd, *, mute: int, rounds: int, pause_s: float) -> dict:
    """Broadcast at a steady pace, and return what the readers report, with why clients are gone."""
    async with Broadcaster(config(stall_s=rounds * pause_s / 2)) as broadcaster:
        await crowd.ask(
            "connect", url=broadcaster.socket_url, token=broadcaster.token, readers=CLIENTS, mute=mute
        )
        assert await broadcaster.settle(10)
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        for _ in range(rounds):
            due_s += pause_s
            await asyncio.sleep(due_s - loop.time())
            await broadcaster.broadcast_to_clients({**MESSAGE, "sent_s": time.monotonic()}, key="FPT")
        told = await crowd.ask("report", upto=rounds, wait_s=10)
        told["gone"] = dict(broadcaster.statistics().gone)
        told["stuck"] = sum(not client.live for client in broadcaster.statistics().clients)
        await crowd.ask("close")
    return told


@pytest.mark.usefixtures("young_heap_only")
async def test_clients_that_never_read_take_nothing_from_the_others(crowd):
    rounds, pause_s = (60, 0.1) if FULL else (150, 0.01)
    alone, beside = [], []
    for number in range(4):  # in changing order, so that a busy machine hits both
        for mute in (0, NEVER_READING) if number % 2 else (NEVER_READING, 0):
            told = await paced(crowd, mute=mute, rounds=rounds, pause_s=pause_s)
            (beside if mute else alone).append(told)
    delivered = sum(told["delivered"] for told in beside) / sum(told["expected"] for told in beside)
    p99_alone, p99_beside = (min(told["p99_ms"] for told in runs) for runs in (alone, beside))
    report(
        measure=f"{NEVER_READING} clients never read",
        delivered_to_healthy=round(delivered, 5),
        target_delivered=0.999,
        p50_ms_alone=round(min(told["p50_ms"] for told in alone), 2),
        p99_ms_alone=round(p99_alone, 2),
        p99_ms_beside=round(p99_beside, 2),
        ratio_p99=round(p99_beside / p99_alone, 3),
        ratio_p99_of_medians=round(
            statistics.median(told["p99_ms"] for told in beside)
            / statistics.median(told["p99_ms"] for told in alone),
            3,
        ),
        target_ratio_p99=2,
        never_reading_stuck_or_dropped=[told["stuck"] + sum(told["gone"].values()) for told in beside],
    )
    assert delivered >= 0.999
    assert p99_beside <= 2 * p99_alone
    # They were truly stuck, at least; else the comparison would mean nothing.
    assert all(told["stuck"] + sum(told["gone"].values()) >= NEVER_READING for told in beside)


@pytest.mark.usefixtures("young_heap_only")
async def test_clients_that_never_read_cost_a_bounded_amount_of_memory(crowd):
    messages, process = 20_000, psutil.Process()
    settings = config(stall_s=600, heartbeat_s=600, replay_bytes=4 << 20)
    async with Broadcaster(settings) as broadcaster:
        await crowd.ask(
            "connect", url=broadcaster.socket_url, token=broadcaster.token, readers=5, mute=NEVER_READING
        )
        before = process.memory_info().rss
        peak_buffered = 0
        for number in range(messages):
            await broadcaster.broadcast_to_clients({**MESSAGE, "sent_s": time.monotonic()}, key="FPT")
            if number % 50 == 0:
                await asyncio.sleep(0)
                peak_buffered = max(peak_buffered, broadcaster.statistics().buffered_bytes)
        grown = process.memory_info().rss - before
        counted = broadcaster.statistics()
        await crowd.ask("close")
    missed = sum(client.messages_behind for client in counted.clients if not client.live)
    batches = 10 * settings.batch_bytes  # one that waits for each client
    bound = settings.replay_bytes + batches + (8 << 20)  # and what the allocator may need
    report(
        measure="memory while five clients never read 20,000 messages of 1.5 kB",
        grown_mib=round(grown / 2**20, 1),
        bound_mib=round(bound / 2**20, 1),
        peak_buffered_kib=round(peak_buffered / 1024),
        replay_buffer_mib=round(counted.log_bytes / 2**20, 1),
        would_have_queued_mib=round(missed * 1500 / 2**20, 1),
    )
    assert missed * 1500 > 4 * bound
    assert grown <= bound
    assert peak_buffered <= batches


async def test_gathering_send_json_stalls_once_a_client_stops_reading(crowd):
    """What the broadcaster replaces: shown, so that the comparison is fair."""
    async with gathering() as (url, sockets):
        await crowd.ask("connect", url=url, token="", readers=5, mute=1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while sent < 20_000:
                    async with asyncio.timeout(2):
                        await asyncio.gather(*(ws.send_json(MESSAGE) for ws in sockets))
                    sent += 1
        report(measure="messages until gather stalls on one dead client", messages=sent)
        await crowd.ask("close")
    assert sent < 20_000
