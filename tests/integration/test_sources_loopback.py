"""The HTTP client against a real server on loopback: broken answers, and what is left over."""

import asyncio
import json
import socket
import struct

import aiohttp
import pytest
from aiohttp import web

from tests.pace import slowness
from vnquant.errors import (
    ClosedError,
    HttpStatusError,
    PayloadError,
    SourceConnectionError,
    SourceTimeoutError,
)
from vnquant.sources import HttpClient, HttpConfig
from vnquant.sources.transport import AiohttpTransport

ONE_TRY = HttpConfig(attempts=1, attempt_timeout_s=0.3, hedge_share=0)


def _reset(request):
    linger = struct.pack("ii", 1, 0)
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.transport.abort()


async def _handle(request):
    kind = request.match_info["kind"]
    if kind == "json":
        return web.json_response({"ok": True})
    if kind == "html":
        return web.Response(text="<html>maintenance</html>", content_type="text/html")
    if kind == "moved":
        return web.Response(status=301, headers={"Location": "http://127.0.0.1/elsewhere"})
    if kind == "big":
        return web.Response(body=b"x" * 5_000)
    if kind == "hang":
        await asyncio.sleep(60)
    if kind == "truncated":
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"half":')
        request.transport.close()
        return response
    if kind == "badgzip":
        return web.Response(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})
    _reset(request)
    return web.Response()


@pytest.fixture
async def server():
    app = web.Application()
    app.router.add_get("/{kind}", _handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html", PayloadError),
        ("truncated", PayloadError),
        ("badgzip", PayloadError),
        ("reset", SourceConnectionError),
        ("moved", HttpStatusError),
        ("hang", SourceTimeoutError),
    ],
)
async def test_each_way_of_failing_has_its_typed_error(server, kind, error):
    async with HttpClient(ONE_TRY) as client:
        with pytest.raises(error) as caught:
            await client.get_json(f"{server}/{kind}", source="s", symbol="FPT")
    assert (caught.value.source, caught.value.symbol) == ("s", "FPT")


async def test_a_refused_connection_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with HttpClient(ONE_TRY) as client:
            with pytest.raises(SourceConnectionError, match="No answer from"):
                await client.get_json(f"http://127.0.0.1:{port}/", source="s")


async def test_a_body_beyond_the_limit_is_refused(server):
    transport = AiohttpTransport(max_body_bytes=1_000)
    async with HttpClient(ONE_TRY, transport=transport) as client:
        with pytest.raises(PayloadError, match="longer than"):
            await client.get_bytes(f"{server}/big", source="s")


async def test_no_task_and_no_connection_is_left_after_close(server):
    before = asyncio.all_tasks()
    client = HttpClient(ONE_TRY)
    for kind in ("json", "truncated", "reset", "hang", "json"):
        try:
            await client.get_json(f"{server}/{kind}", source="s")
        except (PayloadError, SourceConnectionError, SourceTimeoutError):
            continue
    connector = client._transport._session.connector
    hanging = asyncio.create_task(client.get_json(f"{server}/hang", source="s"))
    await asyncio.sleep(0.05)
    await client.aclose()
    with pytest.raises(ClosedError):
        await hanging
    assert connector.closed
    assert not connector._conns
    assert not connector._acquired
    await asyncio.sleep(0)
    client_tasks = [t for t in asyncio.all_tasks() - before if "RequestHandler" not in repr(t.get_coro())]
    assert client_tasks == []


async def test_a_cancelled_request_returns_within_a_tenth_of_a_second(server):
    loop = asyncio.get_running_loop()
    async with HttpClient(HttpConfig()) as client:
        tasks = [asyncio.create_task(client.get_json(f"{server}/hang", source="s")) for _ in range(30)]
        await asyncio.sleep(0.05)
        started = loop.time()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        took_s = loop.time() - started
        assert took_s < 0.1 * slowness()
        assert all(task.cancelled() for task in tasks)
        assert await client.get_json(f"{server}/json", source="s") == {"ok": True}


async def test_connections_are_reused(server):
    opened = 0
    trace = aiohttp.TraceConfig()

    async def count(*_):
        nonlocal opened
        opened += 1

    trace.on_connection_create_end.append(count)
    async with HttpClient() as client:
        client._transport._open().trace_configs.append(trace)
        trace.freeze()
        for _ in range(20):
            body = await client.get_bytes(f"{server}/json", source="s")
    assert json.loads(body) == {"ok": True}
    assert opened == 1
