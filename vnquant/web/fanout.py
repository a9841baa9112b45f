"""Fan-out: writes the log to every client, each at its own pace. Knows transports, not HTTP.

One task, the writer, takes what has been broadcast since it last looked, joins it to one batch, and writes
that to each live client: messages that come together cost one system call a client, not one each. Clients
that are behind are passed over and cost nothing; a task of their own catches each up. A second task pings,
and drops whoever has stalled or gone silent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from vnquant.web.client import Client, Departure, Transport
from vnquant.web.config import BroadcastConfig
from vnquant.web.message_log import MessageLog, Selection
from vnquant.web.protocol import CLOSE, PING, PONG, Welcome, frame, text_frame

__all__ = ("Fanout",)

# Clients written to before other tasks have their turn: one or two milliseconds.
_CLIENTS_A_TURN = 200
_GOING_AWAY = frame(CLOSE, (1001).to_bytes(2, "big"))
_PING = frame(PING, b"")


class Fanout:
    """The clients of one log.

    Parameters
    ----------
    config : BroadcastConfig
    stream : str
        Names this run to the clients.

    Attributes
    ----------
    log : MessageLog
    clients : dict
        By number, in order of connection.
    """

    def __init__(self, config: BroadcastConfig, stream: str) -> None:
        self.config = config
        self.stream = stream
        self.log = MessageLog(config)
        self.clients: dict[int, Client] = {}
        self.connected = 0
        self.resumed = 0
        self.snapshots = 0
        self.gone: Counter[str] = Counter()
        self._gone_delivered = 0
        self._gone_conflated = 0
        # Everything up to here was written to the live clients, or is being written to them now.
        self._written = 0
        self._wake = asyncio.Event()
        # Set for an instant whenever something that others wait for has moved on.
        self._moved = asyncio.Event()
        # A publisher waits for the writer (never for a client) rather than fill half the log ahead of it.
        self._backlog_limit = config.queue_messages
        self._backlog_bytes_limit = config.replay_bytes // 4
        self._backlog_bytes = 0

    @property
    def delivered(self) -> int:
        """Messages written as deltas, over all clients that there ever were."""
        return self._gone_delivered + sum(client.delivered for client in self.clients.values())

    @property
    def conflated(self) -> int:
        """Messages given up for a later one of their key, likewise."""
        return self._gone_conflated + sum(client.conflated for client in self.clients.values())

    @property
    def backlog(self) -> int:
        """Messages that the writer has not taken yet."""
        return self.log.head - self._written

    # -- broadcasting -------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether the writer has kept up so far that another message may come."""
        return self.backlog < self._backlog_limit and self._backlog_bytes < self._backlog_bytes_limit

    async def moved(self) -> None:
        """Wait until the writer has written a batch, a client has caught up or gone, or `close`."""
        await self._moved.wait()

    def append(self, framed: bytes, key: str | None) -> int:
        """Take a message, of the number `log.head + 1`, and wake the writer."""
        entry = self.log.append(framed, key)
        self._backlog_bytes += len(framed)
        self._wake.set()
        return entry.seq

    async def write_for_ever(self) -> None:
        """Write what is appended to the live clients, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.backlog:
                await self._write(self.log.batch(self._written))

    async def _write(self, batch: Selection) -> None:
        before, self._written = self._written, batch.last
        self._backlog_bytes -= len(batch.data)
        # A copy, since clients come and go whenever others have their turn.
        for turn, client in enumerate(tuple(self.clients.values()), 1):
            if client.live and client.cursor < batch.last and not self._takes(client, batch, before):
                self._fall_behind(client)
            if turn % _CLIENTS_A_TURN == 0:
                await asyncio.sleep(0)
        self._tell_moved()
        await asyncio.sleep(0)

    def _takes(self, client: Client, batch: Selection, before: int) -> bool:
        """Write a batch to a live client; return False where its own task must see to it, or to the rest."""
        # One that has caught up a moment ago may have a part of the batch.
        return client.cursor == before and client.is_writable and client.deliver(batch)

    def _fall_behind(self, client: Client) -> None:
        client.progress_s = asyncio.get_running_loop().time()
        client.behind.set()

    def _tell_moved(self) -> None:
        self._moved.set()
        self._moved.clear()

    # -- clients ------------------------------------------------------------------------------------------

    def add(self, transport: Transport, remote: str, *, stream: str | None, after: int | None) -> Client:
        """Take a client in, which goes on after number `after` of `stream` if that is still possible."""
        self.connected += 1
        client = Client(self.connected, transport, remote, asyncio.get_running_loop().time())
        resumed = stream == self.stream and after is not None and self.log.reaches_back_to(after)
        client.cursor = after if resumed and after is not None else self.log.head
        client.lossless_upto = self.log.head
        client.wants_snapshot = not resumed
        self.resumed += resumed
        told = Welcome(
            stream=self.stream, seq=client.cursor, resumed=resumed, heartbeat_s=self.config.heartbeat_s
        )
        client.pending.append(text_frame(told))
        self.clients[client.number] = client
        return client

    def remove(self, client: Client, why: Departure) -> None:
        """Forget a client; only the first reason counts."""
        if client.departure is None:
            client.departure = why
            del self.clients[client.number]
            self.gone[why] += 1
            self._gone_delivered += client.delivered
            self._gone_conflated += client.conflated
            self._tell_moved()

    def drop(self, client: Client, why: Departure) -> None:
        """Forget a client and cut its connection: a farewell would wait behind what it does not take."""
        self.remove(client, why)
        client.transport.abort()

    def resync(self, client: Client) -> None:
        """Send a client a new snapshot as soon as it can take one."""
        client.wants_snapshot = True
        if client.live:
            self._fall_behind(client)

    def answer_ping(self, client: Client, payload: bytes) -> None:
        """Answer a client's ping, unless it does not even read what it was sent before."""
        if client.is_writable:
            client.write(frame(PONG, payload))

    async def catch_up_for_ever(self, client: Client, drained: Callable[[], Awaitable[None]]) -> None:
        """Catch a client up whenever it is behind, until it is gone.

        Parameters
        ----------
        client : Client
        drained : callable
            Returns when the transport is empty.
        """
        while client.departure is None:
            await client.behind.wait()
            await drained()
            if client.transport.is_closing():
                return
            if client.is_writable:  # else a ping came in between
                self._catch_up(client)
            await asyncio.sleep(0)

    def _catch_up(self, client: Client) -> None:
        """Write one batch to a client whose transport is empty, or call it live."""
        client.progress_s = asyncio.get_running_loop().time()
        if not client.pending and client.wants_snapshot:
            client.wants_snapshot = False
            client.pending.extend(self.log.snapshot())
            client.cursor = client.lossless_upto = self.log.head
            self.snapshots += 1
        if client.pending:
            client.write(client.pending.popleft())
        elif client.cursor < self._written:
            selection = self.log.select(client.cursor, lossless_upto=client.lossless_upto)
            if selection is None:
                self.drop(client, Departure.BEHIND)
            else:
                client.deliver(selection)
        else:
            client.behind.clear()
            self._tell_moved()

    async def settled(self) -> None:
        """Wait until every client has been written everything broadcast before this call, or is gone."""
        head = self.log.head
        while any(client.cursor < head or not client.live for client in self.clients.values()):
            await self._moved.wait()

    # -- the watch ----------------------------------------------------------------------------------------

    async def watch_for_ever(self) -> None:
        """Ping, and drop clients that have stalled, gone silent or send too much, until cancelled."""
        loop = asyncio.get_running_loop()
        pause_s = min(self.config.heartbeat_s, self.config.stall_s) / 4
        next_ping_s = loop.time() + self.config.heartbeat_s
        while True:
            await asyncio.sleep(pause_s)
            pings = loop.time() >= next_ping_s
            if pings:
                next_ping_s = loop.time() + self.config.heartbeat_s
            for turn, client in enumerate(tuple(self.clients.values()), 1):
                self._look_at(client, loop.time(), pings=pings)
                if turn % _CLIENTS_A_TURN == 0:
                    await asyncio.sleep(0)

    def _look_at(self, client: Client, now_s: float, *, pings: bool) -> None:
        if client.departure is not None:
            return
        if not client.live and now_s - client.progress_s > self.config.stall_s:
            self.drop(client, Departure.STALLED)
        elif not client.live and not self.log.reaches_back_to(client.cursor):
            self.drop(client, Departure.BEHIND)
        elif client.pinged_s is not None and now_s - client.pinged_s > self.config.heartbeat_s:
            self.drop(client, Departure.SILENT)
        elif pings:
            client.heard = 0
            if client.pinged_s is None and client.is_writable:
                client.pinged_s = now_s
                if not client.write(_PING) and client.live:
                    self._fall_behind(client)

    def close(self) -> None:
        """Tell live clients that the server goes away, and cut the others."""
        for client in tuple(self.clients.values()):
            if client.live and client.is_writable:
                self.remove(client, Departure.CLOSED)
                client.write(_GOING_AWAY)
                client.transport.close()
            else:
                self.drop(client, Departure.CLOSED)
        self._tell_moved()
