"""Clients of the broadcaster: one that reads by the protocol, and one that never reads."""

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from vnquant.web import Broadcaster, Conflated, Delta, ServerMessage, Snapshot, Welcome, decode_server_message


class Reader:
    """An aiohttp client that keeps what it reads, and checks the sequence as the protocol promises it."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.welcome: Welcome | None = None
        self.seq = 0
        self.deltas: list[Delta] = []
        self.latest: dict[str, Delta] = {}
        self.snapshots: list[Snapshot] = []
        self.given_up = 0
        self._given_up_upto = 0

    async def read(self) -> ServerMessage:
        async with asyncio.timeout(10):
            message = await self.ws.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        read = decode_server_message(message.data)
        match read:
            case Welcome():
                self.welcome, self.seq = read, read.seq
            case Snapshot():
                self.snapshots.append(read)
                for delta in read.messages:
                    self._keep(delta)
                self.seq = read.seq
            case Conflated():
                assert read.after == self.seq
                self.given_up += read.given_up
                self._given_up_upto = read.upto
            case Delta():
                expected = read.seq == self.seq + 1 or self.seq < read.seq <= self._given_up_upto
                assert expected, (self.seq, read.seq)
                self.seq = read.seq
                self.deltas.append(read)
                self._keep(read)
        return read

    async def read_until(self, seq: int) -> None:
        while self.seq < seq:
            await self.read()

    async def open(self) -> "Reader":
        """Read the welcome, and the snapshot where one follows."""
        assert isinstance(await self.read(), Welcome)
        if not self.welcome.resumed:
            while True:
                part = await self.read()
                if part.part == part.parts:
                    break
        return self

    def _keep(self, delta: Delta) -> None:
        if delta.key is not None:
            self.latest[delta.key] = delta


@contextlib.asynccontextmanager
async def _connected(
    broadcaster: Broadcaster, *, resume: tuple[str, int] | None = None, **options: object
) -> AsyncIterator[Reader]:
    params = {} if resume is None else {"stream": resume[0], "after": str(resume[1])}
    headers = {"Authorization": f"Bearer {broadcaster.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(broadcaster.socket_url, headers=headers, params=params, **options) as ws,
    ):
        yield await Reader(ws).open()


@contextlib.asynccontextmanager
async def _never_reading(broadcaster: Broadcaster) -> AsyncIterator[socket.socket]:
    """Shake hands and then leave everything in the kernel."""
    loop = asyncio.get_running_loop()
    port = int(broadcaster.url.rsplit(":", 1)[1])
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {broadcaster.token}\r\n\r\n"
        )
        before = broadcaster.statistics().connected
        await loop.sock_sendall(sock, request.encode())
        await _until(lambda: broadcaster.statistics().connected > before)
        yield sock


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in the server, of which a client is not told."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def _gone(broadcaster: Broadcaster) -> dict[str, int]:
    """Return why clients are gone once none is left."""
    await _until(lambda: not broadcaster.statistics().clients)
    return dict(broadcaster.statistics().gone)


@pytest.fixture
def connected():
    return _connected


@pytest.fixture
def never_reading():
    return _never_reading


@pytest.fixture
def until():
    return _until


@pytest.fixture
def gone():
    return _gone


@pytest.fixture
async def broadcaster() -> AsyncIterator[Broadcaster]:
    async with Broadcaster() as running:
        yield running
