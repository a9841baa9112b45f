"""Life of a broadcaster, and how it is found."""

import asyncio
import gc
import socket
from pathlib import Path

import psutil
import pytest

from tests.pace import slowness
from vnquant.errors import BroadcastError, ClosedError, StateError
from vnquant.web import BroadcastConfig, Broadcaster, broadcast_to_clients


async def test_closing_tells_the_clients_and_leaves_no_task_and_no_socket(connected, never_reading):
    tasks, process = asyncio.all_tasks(), psutil.Process()
    gc.collect()
    sockets = len(process.net_connections())
    broadcaster = Broadcaster(BroadcastConfig(send_buffer_bytes=4096))
    await broadcaster.start()
    async with connected(broadcaster) as reader, never_reading(broadcaster) as dead:
        names = {task.get_name() for task in asyncio.all_tasks() - tasks}
        assert {
            "web:broadcaster",
            "web:writer",
            "web:watch",
            "web:client-1",
            "web:client-1:catch-up",
        } <= names
        for _ in range(200):
            await broadcaster.broadcast_to_clients({"text": "x" * 1500})
        await reader.read_until(200)
        await broadcaster.broadcast_to_clients({"last": "words"})
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await broadcaster.close()
        took_s = loop.time() - began_s
        assert took_s < 0.1 * slowness()
        assert asyncio.all_tasks() == tasks
        await reader.read_until(201)
        assert (await reader.ws.receive()).data == 1001
        dead.close()
    await broadcaster.close()
    await asyncio.sleep(0)
    assert len(process.net_connections()) == sockets
    with pytest.raises(ClosedError):
        await broadcaster.broadcast_to_clients({})
    with pytest.raises(ClosedError):
        await broadcaster.start()


async def test_a_publisher_in_a_tight_loop_lets_others_work(broadcaster, connected):
    async with connected(broadcaster) as reader, asyncio.TaskGroup() as group:
        reading = group.create_task(reader.read_until(3000))
        for number in range(3000):
            await broadcaster.broadcast_to_clients({"n": number}, key=str(number % 5))
        async with asyncio.timeout(5):
            await reading


async def test_settle_waits_for_clients_but_not_for_ever(connected, never_reading):
    config = BroadcastConfig(send_buffer_bytes=4096, stall_s=60)
    async with Broadcaster(config) as broadcaster:
        assert await broadcaster.settle(1.0)
        async with connected(broadcaster):
            await broadcaster.broadcast_to_clients({"n": 1})
            assert await broadcaster.settle(1.0)
            async with never_reading(broadcaster):
                for number in range(500):
                    await broadcaster.broadcast_to_clients({"n": number, "text": "x" * 1500}, key="same")
                assert not await broadcaster.settle(0.05)


async def test_a_port_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BroadcastError, match=f"{port}: it is in use"):
            async with Broadcaster(BroadcastConfig(port=port)):
                pass


async def test_a_failed_writer_is_the_publishers_error(broadcaster, monkeypatch, caplog, connected, until):
    async with connected(broadcaster):
        monkeypatch.setattr(broadcaster._fanout.log, "batch", lambda after: 1 / 0)
        await broadcaster.broadcast_to_clients({})
        await until(lambda: not broadcaster.is_open)
        with pytest.raises(BroadcastError, match="ended by an error"):
            await broadcaster.broadcast_to_clients({})
    assert "broadcasting has ended" in caplog.text


async def test_the_module_function_finds_the_broadcaster_of_its_loop():
    with pytest.raises(StateError, match="No broadcaster is open"):
        await broadcast_to_clients({})
    async with Broadcaster() as one:
        assert await broadcast_to_clients({}) == 1
        assert await asyncio.create_task(broadcast_to_clients({}, topic="t", key="k")) == 2
        async with Broadcaster() as other:
            with pytest.raises(StateError, match="2 broadcasters are open"):
                await broadcast_to_clients({})
            assert await broadcast_to_clients({}, broadcaster=other) == 1
        assert await broadcast_to_clients({}) == 3
        assert one.statistics().published == 3
    with pytest.raises(StateError):
        await broadcast_to_clients({})


async def test_statistics_show_each_client(broadcaster, connected):
    async with connected(broadcaster) as reader:
        await broadcaster.broadcast_to_clients({"n": 1})
        await reader.read_until(1)
        statistics = broadcaster.statistics()
        (client,) = statistics.clients
        assert (client.live, client.delivered, client.messages_behind, client.buffered_bytes) == (
            True,
            1,
            0,
            0,
        )
        assert list(statistics.to_frame()["delivered"]) == [1]
    assert (statistics.published, statistics.connected, statistics.snapshots) == (1, 1, 1)


def test_the_page_is_in_the_package():
    import vnquant.web

    folder = Path(vnquant.web.__file__).parent / "page"
    assert {path.name for path in folder.iterdir()} == {"index.html", "live.js", "live.css"}


async def test_broadcast(broadcaster, connected, never_reading, until):
    """The seed's pattern by its name: all clients there get it, and one that has gone is forgotten."""
    async with connected(broadcaster) as stays:
        async with connected(broadcaster), never_reading(broadcaster):
            await until(lambda: len(broadcaster.statistics().clients) == 3)
            await broadcast_to_clients({"n": 1})
        await broadcast_to_clients({"n": 2})
        await stays.read_until(2)
        assert [delta.data["n"] for delta in stays.deltas] == [1, 2]
        await until(lambda: len(broadcaster.statistics().clients) == 1)
