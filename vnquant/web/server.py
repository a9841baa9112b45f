"""Server: the HTTP side: the live page, and WebSockets that it checks, reads, and hands to the fan-out."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from importlib import resources

from aiohttp import WebSocketError, WSCloseCode, WSMsgType, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from vnquant.errors import BroadcastError, ClosedError, RecordError
from vnquant.web.client import Client, Departure
from vnquant.web.config import BroadcastConfig
from vnquant.web.fanout import Fanout
from vnquant.web.protocol import PROTOCOL, decode_client_message
from vnquant.web.security import AccessPolicy, Refusal, offered_subprotocols

__all__ = ("LiveServer",)

_PAGE = {
    "/": ("index.html", "text/html"),
    "/live.js": ("live.js", "text/javascript"),
    "/live.css": ("live.css", "text/css"),
}
_SOCKET = "/ws"

# For a handler in the middle of a write when the server closes; spent at most twice.
_GRACE_S = 0.02
# For a client's answer to a closing handshake that the server began.
_CLOSING_S = 1.0
# Connections beyond the WebSockets: pages being loaded, and requests to be refused.
_SPARE_CONNECTIONS = 32


class LiveServer:
    """Serves the page and the WebSockets of one fan-out.

    Parameters
    ----------
    fanout : Fanout
    config : BroadcastConfig
    token : str

    Attributes
    ----------
    refused : Counter
        Requests refused, by reason.
    """

    def __init__(self, fanout: Fanout, config: BroadcastConfig, token: str) -> None:
        self.refused: Counter[str] = Counter()
        self._fanout = fanout
        self._config = config
        self._token = token
        self._files: dict[str, tuple[bytes, str]] = {}
        self._policy: AccessPolicy | None = None
        self._sockets: asyncio.Server | None = None
        self._server: web.Server | None = None
        # WebSockets that have been let in, from before their handshake on: each holds a place.
        self._places = 0

    @property
    def port(self) -> int:
        """The port bound."""
        if self._sockets is None:
            raise ClosedError("The server is not bound to a port.")
        return int(self._sockets.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen; raises BroadcastError where that cannot be."""
        self._files = await asyncio.to_thread(_read_page)
        self._server = web.Server(self._handle, access_log=None)
        config = self._config
        try:
            self._sockets = await asyncio.get_running_loop().create_server(
                self._accept, config.host, config.port, start_serving=False, backlog=1024
            )
        except OSError as exc:
            why = "it is in use" if exc.errno == errno.EADDRINUSE else exc.strerror
            raise BroadcastError(
                f"The live page cannot be served on {config.host}:{config.port}: {why}. "
                "Choose another port, or port=0 for a free one."
            ) from exc
        self._policy = AccessPolicy(
            self._token,
            self.port,
            allowed_hosts=config.allowed_hosts,
            allowed_origins=config.allowed_origins,
        )
        await self._sockets.start_serving()

    async def close(self) -> None:
        """Stop listening and close every connection; closing twice is fine."""
        sockets, self._sockets = self._sockets, None
        server, self._server = self._server, None
        if sockets is not None:
            sockets.close()
        self._fanout.close()
        if server is None:
            return
        await asyncio.sleep(0)
        transports = [transport for c in server.connections if (transport := c.transport) is not None]
        server.pre_shutdown()
        await server.shutdown(_GRACE_S)
        for transport in transports:
            transport.abort()
        # asyncio closes the sockets in callbacks of its own, one turn of the loop later.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _accept(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        limit = self._config.max_clients + _SPARE_CONNECTIONS
        if self._server is None or len(self._server.connections) >= limit:
            self.refused[Refusal.FULL] += 1
            return _Refused()
        return self._server()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._policy is not None  # nobody connects before `start` has made it
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        hosts = request.headers.getall(hdrs.HOST, [])
        if request.path != _SOCKET:
            refusal = self._policy.refuses_page(hosts)
            return self._page(request.path) if refusal is None else self._refuse(refusal)
        protocols = offered_subprotocols(request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, []))
        refusal = self._policy.refuses_socket(
            hosts,
            request.headers.getall(hdrs.ORIGIN, []),
            request.headers.get(hdrs.AUTHORIZATION),
            protocols,
        )
        if refusal is None and self._places >= self._config.max_clients:
            refusal = Refusal.FULL
        if refusal is not None:
            return self._refuse(refusal)
        self._places += 1
        try:
            return await self._serve(request, offers_protocol=bool(protocols))
        finally:
            self._places -= 1

    def _refuse(self, refusal: Refusal) -> web.Response:
        self.refused[refusal] += 1
        headers = {"Connection": "close"}
        if refusal is Refusal.FULL:
            headers["Retry-After"] = "5"
        if refusal is Refusal.TOKEN:
            headers["WWW-Authenticate"] = "Bearer"
        return web.Response(status=refusal.status, text=f"refused: {refusal}\n", headers=headers)

    def _page(self, path: str) -> web.Response:
        if path not in self._files:
            return web.Response(status=404, text="not found\n")
        body, content_type = self._files[path]
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_PAGE_HEADERS)

    async def _serve(self, request: web.BaseRequest, *, offers_protocol: bool) -> web.StreamResponse:
        """Serve one WebSocket to its end."""
        ws = web.WebSocketResponse(
            timeout=_CLOSING_S,
            autoping=False,  # pings and pongs come here, so that one watch serves all clients
            compress=False,  # a frame is made once for all
            max_msg_size=self._config.max_client_message_bytes,
            protocols=(PROTOCOL,) if offers_protocol else (),
        )
        writer = await ws.prepare(request)
        transport = request.transport
        if transport is None:
            return ws
        # With a limit of zero, "paused" means that the kernel has not taken all, and "drained" that it has.
        transport.set_write_buffer_limits(high=0)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._config.send_buffer_bytes)
        stream, after = request.query.get("stream"), _number(request.query.get("after"))
        client = self._fanout.add(transport, request.remote or "", stream=stream, after=after)
        why = Departure.LEFT
        task = asyncio.current_task()
        if task is not None:
            task.set_name(f"web:client-{client.number}")
        try:
            async with asyncio.TaskGroup() as group:
                catching_up = group.create_task(
                    self._catch_up(client, writer), name=f"web:client-{client.number}:catch-up"
                )
                why = await self._read(ws, client)
                catching_up.cancel()
        finally:
            self._fanout.remove(client, why)
        if why is Departure.REFUSED and not ws.closed and client.is_writable:
            await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=b"not of the protocol, or too much")
        else:
            transport.abort()
        return ws

    async def _catch_up(self, client: Client, writer: AbstractStreamWriter) -> None:
        try:
            await self._fanout.catch_up_for_ever(client, writer.drain)
        except ConnectionError:
            return  # the reader notices as well, and ends the connection

    async def _read(self, ws: web.WebSocketResponse, client: Client) -> Departure:
        """Read what the client sends until it is gone or sends what it should not."""
        loop = asyncio.get_running_loop()
        while True:
            message = await ws.receive()
            kind = message.type
            if kind in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
                return Departure.LEFT
            if kind is WSMsgType.ERROR:  # a broken rule of WebSockets, or a broken connection
                return Departure.REFUSED if isinstance(message.data, WebSocketError) else Departure.LEFT
            client.hear(loop.time())
            if client.heard > self._config.max_client_messages:
                return Departure.REFUSED
            if kind is WSMsgType.PING:
                self._fanout.answer_ping(client, message.data)
            elif kind is WSMsgType.TEXT:
                try:
                    decode_client_message(message.data)
                except RecordError:
                    return Departure.REFUSED
                self._fanout.resync(client)
            elif kind is not WSMsgType.PONG:
                return Departure.REFUSED


class _Refused(asyncio.Protocol):
    """A connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


_PAGE_HEADERS = {
    # No script but ours, no request but to ourselves, in nobody's frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _read_page() -> dict[str, tuple[bytes, str]]:
    """Read the page's files from the package."""
    folder = resources.files("vnquant.web") / "page"
    return {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in _PAGE.items()}


def _number(text: str | None) -> int | None:
    """Return a sequence number in a query; None where there is none, or none that could be one."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None
