"""Broadcast: the broadcaster, which tells every connected client what happens, and its life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import weakref
from enum import Enum
from types import TracebackType
from typing import Any, Self

from vnquant.errors import BroadcastError, ClosedError, StateError
from vnquant.runtime.clock import now
from vnquant.web.config import BroadcastConfig
from vnquant.web.fanout import Fanout
from vnquant.web.protocol import encode_delta
from vnquant.web.security import new_token
from vnquant.web.server import LiveServer
from vnquant.web.statistics import BroadcastStatistics

__all__ = ("Broadcaster", "broadcast_to_clients")

logger = logging.getLogger(__name__)

# For the writer to write what was broadcast just before the end.
_LAST_WORDS_S = 0.05


class _State(Enum):
    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"


class Broadcaster:
    """Broadcasts messages to WebSocket clients, and serves a live page that shows them.

    ::

        async with Broadcaster() as broadcaster:
            print(broadcaster.page_url)  # open it in a browser
            await broadcaster.broadcast_to_clients({"price": 25_000}, topic="price", key="FPT")

    Parameters
    ----------
    config : BroadcastConfig, optional
    token : str, optional
        What clients must show; random where None.
    """

    def __init__(self, config: BroadcastConfig | None = None, *, token: str | None = None) -> None:
        self.config = BroadcastConfig() if config is None else config
        self.token = new_token() if token is None else token
        self._fanout = Fanout(self.config, secrets.token_urlsafe(9))
        self._server = LiveServer(self._fanout, self.config, self.token)
        self._state = _State.NEW
        self._root: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and become a broadcaster of the running loop; does nothing where it is open already.

        Raises
        ------
        BroadcastError
            If the address cannot be listened on.
        ClosedError
            If it was closed.
        """
        if self._state is _State.OPEN:
            return
        if self._state is _State.CLOSED:
            raise ClosedError("The broadcaster is closed; make a new one.")
        self._state = _State.OPEN
        loop = asyncio.get_running_loop()
        try:
            await self._server.start()
        except BaseException:
            await self.close()
            raise
        if self._state is not _State.OPEN:  # closed meanwhile
            await self._server.close()
            self._check_open()
        self._root = loop.create_task(self._run(), name="web:broadcaster")
        _open_on.setdefault(loop, weakref.WeakSet()).add(self)

    async def close(self) -> None:
        """Tell the clients, close every connection and end every task; closing twice is fine."""
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        _open_on.get(asyncio.get_running_loop(), weakref.WeakSet()).discard(self)
        root = self._root
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    while root is not None and not root.done() and self._fanout.backlog:
                        await self._fanout.moved()
        finally:
            if root is not None:
                root.cancel()
            await self._server.close()
        if root is not None:
            await asyncio.gather(root, return_exceptions=True)  # its error was logged when it came

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self) -> None:
        """Own the writer and the watch. They end by cancellation; an error is the next publisher's."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._fanout.write_for_ever(), name="web:writer")
                group.create_task(self._fanout.watch_for_ever(), name="web:watch")
        except Exception:
            logger.exception("broadcasting has ended")
            raise
        finally:
            self._fanout.close()  # wakes publishers, who find the state changed

    # -- what it knows ------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether clients can connect."""
        return self._state is _State.OPEN and self._root is not None and not self._root.done()

    @property
    def url(self) -> str:
        """Base address, such as "http://127.0.0.1:8080"."""
        self._check_open()
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self._server.port}"

    @property
    def page_url(self) -> str:
        """The live page, with the token in the fragment: whoever has it may see what is broadcast."""
        return f"{self.url}/#token={self.token}"

    @property
    def socket_url(self) -> str:
        """The WebSocket's address; connect with the header `Authorization: Bearer` and the token."""
        return f"{self.url.replace('http', 'ws', 1)}/ws"

    def statistics(self) -> BroadcastStatistics:
        """Return what has been counted so far, with a record of each client."""
        fanout, now_s = self._fanout, asyncio.get_running_loop().time()
        clients = tuple(client.statistics(fanout.log.head, now_s) for client in fanout.clients.values())
        return BroadcastStatistics(
            published=fanout.log.head,
            delivered=fanout.delivered,
            conflated=fanout.conflated,
            connected=fanout.connected,
            resumed=fanout.resumed,
            snapshots=fanout.snapshots,
            gone=dict(fanout.gone),
            refused=dict(self._server.refused),
            backlog=fanout.backlog,
            log_messages=len(fanout.log),
            log_bytes=fanout.log.bytes,
            buffered_bytes=sum(client.buffered_bytes for client in clients),
            clients=clients,
        )

    # -- broadcasting -------------------------------------------------------------------------------------

    async def broadcast_to_clients(
        self, message: Any, *, topic: str | None = None, key: str | None = None
    ) -> int:
        """Send a message to every client, without waiting for any of them.

        It may wait for this broadcaster's own writer, so that a publisher in a loop lets others work.

        Parameters
        ----------
        message : msgspec.Struct, dict or anything else with a JSON form
            Encoded once.
        topic : str, optional
            What it is; by default the name of its type, or "message".
        key : str, optional
            Messages of one key overtake each other: a client that is behind gets the latest only, and the
            snapshot for newcomers holds the latest of each. Without a key nothing overtakes it, as it must
            be for fills and alerts.

        Returns
        -------
        int
            Its sequence number.

        Raises
        ------
        ParameterError
            If it has no JSON form or is too large; nobody gets it.
        StateError, ClosedError
            If the broadcaster is not open.
        BroadcastError
            If broadcasting has ended by an error.
        """
        self._check_open()
        while not self._fanout.has_room:
            await self._fanout.moved()
            self._check_open()
        framed = encode_delta(
            message,
            seq=self._fanout.log.head + 1,
            topic=topic,
            key=key,
            at=now(),
            max_bytes=self.config.max_message_bytes,
        )
        return self._fanout.append(framed, key)

    async def settle(self, timeout_s: float) -> bool:
        """Return whether every client was written all that has been broadcast within `timeout_s`.

        Without clients it does at once. Seconds are of the running loop's time.
        """
        self._check_open()
        try:
            async with asyncio.timeout(timeout_s):
                await self._fanout.settled()
        except TimeoutError:
            return False
        return True

    def _check_open(self) -> None:
        if self._state is _State.CLOSED:
            raise ClosedError("The broadcaster is closed; make a new one.")
        if self._root is None:
            raise StateError("The broadcaster is not open yet; enter `async with` or await `start()` first.")
        if self._root.done():
            told = "Broadcasting has ended by an error, its cause; close this broadcaster and make a new one."
            cause = None if self._root.cancelled() else self._root.exception()
            raise BroadcastError(told) from cause

    def __repr__(self) -> str:
        if not self.is_open:
            return f"Broadcaster({self._state.value})"
        return f"Broadcaster({self.url}, {len(self._fanout.clients)} clients, token hidden)"


# By loop and not by context: a notebook's cells, callbacks and components started before run in contexts of
# their own, but all on the kernel's loop.
_open_on: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakSet[Broadcaster]]
_open_on = weakref.WeakKeyDictionary()


async def broadcast_to_clients(
    message: Any,
    *,
    topic: str | None = None,
    key: str | None = None,
    broadcaster: Broadcaster | None = None,
) -> int:
    """Send a message through the broadcaster that is open on the running loop.

    Parameters
    ----------
    message, topic, key
        As `Broadcaster.broadcast_to_clients` takes them.
    broadcaster : Broadcaster, optional
        Needed only where several are open.

    Returns
    -------
    int
        Its sequence number.

    Raises
    ------
    StateError
        If no broadcaster is open on this loop, or several are and none is named.
    """
    if broadcaster is None:
        here = tuple(_open_on.get(asyncio.get_running_loop(), ()))
        if not here:
            raise StateError(
                "No broadcaster is open on this loop, so there is nobody to send to. "
                "Open one with `async with Broadcaster():`."
            )
        if len(here) > 1:
            raise StateError(
                f"{len(here)} broadcasters are open on this loop ({', '.join(map(repr, here))}); "
                "say which one: broadcast_to_clients(message, broadcaster=...)."
            )
        broadcaster = here[0]
    return await broadcaster.broadcast_to_clients(message, topic=topic, key=key)
