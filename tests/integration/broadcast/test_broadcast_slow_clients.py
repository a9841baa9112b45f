"""Slow and dead clients, beside others."""

import asyncio

from vnquant.web import BroadcastConfig, Broadcaster


async def test_a_client_that_never_reads_is_dropped_and_delays_nobody(connected, never_reading):
    config = BroadcastConfig(send_buffer_bytes=4096, stall_s=0.4)
    loop = asyncio.get_running_loop()
    async with Broadcaster(config) as broadcaster:
        async with connected(broadcaster) as healthy, never_reading(broadcaster):
            rounds_s = []
            for number in range(300):
                began_s = loop.time()
                await broadcaster.broadcast_to_clients({"n": number, "text": "x" * 1500})
                await healthy.read_until(number + 1)
                rounds_s.append(loop.time() - began_s)
            # Waiting for the dead client would show in every round once its buffer is full; a busy machine
            # shows in single ones.
            assert sorted(rounds_s)[len(rounds_s) * 9 // 10] < config.stall_s / 2
            async with asyncio.timeout(5):
                while len(broadcaster.statistics().clients) > 1:
                    await broadcaster.broadcast_to_clients({"n": -1})
                    await healthy.read()
        statistics = broadcaster.statistics()
        assert sum(statistics.gone[why] for why in ("stalled", "behind") if why in statistics.gone) == 1
        assert healthy.given_up == 0


async def test_a_stuck_client_holds_one_batch_and_not_the_messages_it_misses(never_reading):
    config = BroadcastConfig(send_buffer_bytes=4096, replay_messages=512, stall_s=60)
    async with Broadcaster(config) as broadcaster, never_reading(broadcaster):
        peak = 0
        for number in range(5000):
            await broadcaster.broadcast_to_clients({"n": number, "text": "x" * 1500}, key="same")
            peak = max(peak, broadcaster.statistics().buffered_bytes)
        assert broadcaster.statistics().delivered < 5000
        assert peak <= config.batch_bytes
        assert broadcaster.statistics().log_messages == 512


async def test_a_slow_client_gets_the_latest_of_each_key_and_every_event(connected, until):
    config = BroadcastConfig(
        queue_messages=20, replay_messages=4096, send_buffer_bytes=4096, batch_bytes=8192
    )
    async with Broadcaster(config) as broadcaster, connected(broadcaster) as slow:
        slow.ws._reader._protocol.pause_reading()  # the one way to make aiohttp's client not read ahead
        for number in range(2000):
            await broadcaster.broadcast_to_clients(
                {"n": number, "text": "x" * 1500}, key=f"key {number % 10}"
            )
            if number % 500 == 250:
                await broadcaster.broadcast_to_clients({"event": number})
        await until(lambda: not broadcaster.statistics().backlog)
        slow.ws._reader._protocol.resume_reading()
        await slow.read_until(2004)
        assert slow.given_up > 1000
        assert len(slow.deltas) + slow.given_up == 2004
        assert [d.data["event"] for d in slow.deltas if d.key is None] == [250, 750, 1250, 1750]
        assert {key: delta.data["n"] for key, delta in slow.latest.items()} == {
            f"key {n % 10}": n for n in range(1990, 2000)
        }
        assert broadcaster.statistics().conflated == slow.given_up


async def test_a_client_that_answers_no_ping_is_dropped(connected, until):
    async with Broadcaster(BroadcastConfig(heartbeat_s=0.1)) as broadcaster:
        async with (
            connected(broadcaster, autoping=False),
            connected(broadcaster) as alive,
            asyncio.TaskGroup() as group,
        ):
            reading = group.create_task(alive.read())  # aiohttp answers pings only while it reads
            await until(lambda: len(broadcaster.statistics().clients) == 1)
            await asyncio.sleep(0.3)
            assert len(broadcaster.statistics().clients) == 1
            reading.cancel()
        assert broadcaster.statistics().gone["silent"] == 1


async def test_a_connection_that_breaks_is_removed(broadcaster, never_reading, gone):
    async with never_reading(broadcaster):
        pass
    assert await gone(broadcaster) == {"left": 1}
