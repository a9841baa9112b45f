"""Listener: the exchange's HTTP server, which carries out deliveries on sockets and can always close."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from vnquant.errors import ClosedError, ExchangeError, PortInUseError
from vnquant.simulation.delivery import Delivery
from vnquant.simulation.faults import Fault

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ("Deliver", "Listener")

Deliver = Callable[[str, Mapping[str, str]], Awaitable[Delivery]]

# What a handler may still take when the listener closes. Those that wait on purpose are woken by the
# exchange; this is for one in the middle of a write, and is spent at most twice.
_GRACE_S = 0.02


class Listener:
    """Listens on one address and hands every request to `deliver`.

    `deliver` raises ClosedError for requests that it no longer answers; their connections are dropped.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._sockets: asyncio.Server | None = None
        self._server: web.Server | None = None

    @property
    def port(self) -> int:
        """The port bound."""
        if self._sockets is None:
            raise ClosedError("The listener is not bound to a port.")
        return int(self._sockets.sockets[0].getsockname()[1])

    async def bind(self, host: str, port: int) -> None:
        """Take the address without accepting anything yet; raises PortInUseError, ExchangeError."""
        from aiohttp import web

        # handler_cancellation: a client that gives up frees the handler that hangs for it.
        self._server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        loop = asyncio.get_running_loop()
        try:
            self._sockets = await loop.create_server(self._server, host, port, start_serving=False)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortInUseError(port) from exc
            raise ExchangeError(
                f"The exchange cannot listen on {host}:{port} ({exc.strerror}). "
                "Choose an address of this machine, such as host='127.0.0.1', and a port above 1023."
            ) from exc

    async def serve(self) -> None:
        """Accept connections from now on."""
        if self._sockets is None:
            raise ClosedError("The listener is not bound to a port.")
        await self._sockets.start_serving()

    async def close(self) -> None:
        """Stop listening and drop every connection; closing twice is fine."""
        sockets, self._sockets = self._sockets, None
        server, self._server = self._server, None
        if sockets is not None:
            sockets.close()
        if server is None:
            return
        transports = [transport for c in server.connections if (transport := c.transport) is not None]
        server.pre_shutdown()
        await server.shutdown(_GRACE_S)
        # A client that does not read would keep a closing transport alive with what it has not taken.
        for transport in transports:
            _abort(transport)
        # asyncio closes the sockets in callbacks of its own, one turn of the loop later.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        try:
            delivery = await self._deliver(request.path, request.query)
        except ClosedError:
            delivery = Delivery(None)
        answer, transport = delivery.answer, request.transport
        if answer is None or transport is None:
            if transport is not None:
                _abort(transport, reset=delivery.fault is Fault.RESET)
            # The connection is gone; aiohttp notices when it writes, and drops this response.
            return web.Response()
        if delivery.cut_at is None:
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_length = len(answer.body)
        await response.prepare(request)
        await response.write(answer.body[: delivery.cut_at])
        transport.close()
        return response


def _abort(transport: asyncio.BaseTransport, *, reset: bool = False) -> None:
    """Close a connection without flushing it; with `reset` the peer sees RST in place of FIN."""
    raw = transport.get_extra_info("socket")
    if reset and raw is not None:
        # SO_LINGER on with zero seconds makes close() send RST (socket(7)).
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
