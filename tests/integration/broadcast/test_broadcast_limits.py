"""Limits: clients, connections, messages in and out."""

import asyncio

import aiohttp
import pytest

from vnquant.errors import ParameterError
from vnquant.web import BroadcastConfig, Broadcaster


async def test_a_client_one_too_many_is_refused_and_comes_in_when_another_leaves(connected, gone):
    async with Broadcaster(BroadcastConfig(max_clients=1)) as broadcaster:
        async with connected(broadcaster):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                async with connected(broadcaster):
                    pass
        await gone(broadcaster)
        async with connected(broadcaster):
            assert broadcaster.statistics().refused == {"full": 1}


async def test_connections_that_ask_for_nothing_are_limited_too():
    async with Broadcaster(BroadcastConfig(max_clients=1)) as broadcaster:
        port = int(broadcaster.url.rsplit(":", 1)[1])
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        async with asyncio.timeout(5):
            assert await streams[-1][0].read() == b""
        assert broadcaster.statistics().refused["full"] >= 7
        for _, writer in streams:
            writer.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [("not json", 1008), ('{"type":"order"}', 1008), ('{"type":"resync","more":1}', 1008), (b"bytes", 1008),
     ("x" * 5000, 1009)],
    ids=["text", "unknown", "fields", "binary", "large"],
)  # fmt: skip
async def test_a_client_that_breaks_the_protocol_is_closed(broadcaster, sent, code, connected, gone):
    async with connected(broadcaster) as reader:
        await (reader.ws.send_str(sent) if isinstance(sent, str) else reader.ws.send_bytes(sent))
        async with asyncio.timeout(5):
            assert (await reader.ws.receive()).type is aiohttp.WSMsgType.CLOSE
        assert reader.ws.close_code == code
    assert await gone(broadcaster) == {"refused": 1}


async def test_a_client_that_talks_too_much_is_closed(connected, gone):
    async with Broadcaster(BroadcastConfig(max_client_messages=10)) as broadcaster:
        async with connected(broadcaster) as reader:
            for _ in range(11):
                await reader.ws.ping()
            async with asyncio.timeout(5):
                while (await reader.ws.receive()).type is not aiohttp.WSMsgType.CLOSE:
                    pass
            assert reader.ws.close_code == 1008
        assert await gone(broadcaster) == {"refused": 1}


async def test_a_message_that_cannot_be_sent_is_refused_to_its_publisher(broadcaster, connected):
    async with connected(broadcaster) as reader:
        with pytest.raises(ParameterError, match="max_message_bytes"):
            await broadcaster.broadcast_to_clients({"text": "x" * (1 << 20)})
        with pytest.raises(ParameterError, match="object cannot be broadcast"):
            await broadcaster.broadcast_to_clients(object())
        assert await broadcaster.broadcast_to_clients({"fine": True}) == 1
        await reader.read_until(1)
