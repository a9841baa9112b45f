"""Loop parts: the pieces of asyncio's selector loop that virtual time replaces or relies on.

Python 3.11 to 3.13 share these internals; they are listed here, in one place, so that a change shows.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import socket
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

__all__ = ("Handle", "JumpingSelector", "SelectorLoop", "TimerHandle", "WatchedTransport")

if TYPE_CHECKING:
    from vnquant.runtime.naps import Alarm, Nap

    class SelectorLoop(asyncio.SelectorEventLoop):
        """The standard loop with the private members that `virtual.py` uses."""

        _ready: deque[Handle | Nap | Alarm]
        _stopping: bool
        _debug: bool
        _timer_cancelled_count: int
        _clock_resolution: float
        _transports: MutableMapping[int, Any]

        def _run_once(self) -> None: ...
        def _process_events(self, event_list: Any) -> None: ...
        def _check_closed(self) -> None: ...
        def _check_thread(self) -> None: ...
        def _check_callback(self, callback: object, method: str) -> None: ...
        def _make_socket_transport(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Any: ...
        def _make_ssl_transport(self, rawsock: socket.socket, *args: Any, **kwargs: Any) -> Any: ...
        async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> Any: ...
        def _child_watcher_callback(self, pid: int, *args: Any) -> None: ...

    class Handle(asyncio.Handle):
        """The standard handle with what the loop looks at."""

        _cancelled: bool
        _context: contextvars.Context
        _callback: Callable[..., object]
        _args: tuple[Any, ...]

    class TimerHandle(asyncio.TimerHandle, Handle):
        """The standard timer with what the loop sets."""

        _scheduled: bool

else:
    SelectorLoop = asyncio.SelectorEventLoop
    Handle = asyncio.Handle
    TimerHandle = asyncio.TimerHandle


class JumpingSelector(selectors.DefaultSelector):
    """The platform's selector, which tells its loop what is registered; the loop polls and never waits."""

    def __init__(self) -> None:
        super().__init__()
        self.poll = super().select
        self.descriptors: list[int] = []  # the loop's wake-up socket is the first
        self.changed: Callable[[int], object] = bool

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Register with the platform's selector, and tell the loop."""
        key = super().register(fileobj, events, data)
        self.descriptors.append(key.fd)
        self.changed(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Unregister with the platform's selector, and tell the loop."""
        key = super().unregister(fileobj)
        self.descriptors.remove(key.fd)
        self.changed(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Modify with the platform's selector, and tell the loop."""
        key = super().modify(fileobj, events, data)
        self.changed(key.fd)
        return key


class WatchedTransport(_SelectorSocketTransport):  # type: ignore[misc]
    """asyncio's socket transport, which tells the loop's clock of each write."""

    def write(self, data: Any) -> None:
        """Write, and tell the loop that this connection spoke."""
        self._loop._outside.wrote(self._sock_fd)
        super().write(data)

    def writelines(self, list_of_data: Any) -> None:
        """Write, and tell the loop that this connection spoke."""
        self._loop._outside.wrote(self._sock_fd)
        super().writelines(list_of_data)
