"""Outside: which sockets of a virtual-time loop reach beyond it, and for how long they hold its clock.

A socket whose other end is on the same loop never holds: its peer's timers are the loop's own. A connection
that this loop opened to somebody else holds from a write until the answer begins, and any socket holds
while its output is stuck in the kernel: that is a request in flight, and the peer lives in real time. Idle
connections of a pool, listening sockets, unsolicited pushes and files other than sockets do not hold.

What a loop cannot know is whether an answer has ended. So after each read or write the clock stands for
`settle_s` of real time: enough for the next segment of a peer nearby, not for one that pauses. Whoever
talks to such a peer wraps the exchange in `hold_clock()`. A peer that is silent for `patience_s` is given
up, with a warning, so that the timeouts in virtual time can do their work.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import struct
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vnquant.runtime.clock import monotonic_s

__all__ = ("Outside",)

logger = logging.getLogger(__name__)


class _Wire:
    """One connected socket: its two ends, and since when an answer is due on it."""

    __slots__ = ("asked_at_s", "ends", "opened_here", "same_process", "sock")

    def __init__(self, sock: socket.socket, *, opened_here: bool) -> None:
        self.sock = weakref.ref(sock)
        self.opened_here = opened_here
        self.ends = _ends(sock)
        self.same_process = _peer_is_this_process(sock)
        self.asked_at_s: float | None = None


class Outside:
    """The sockets of one loop, seen from its clock.

    Parameters
    ----------
    registered : Mapping
        The selector's map of file descriptors.
    wake_fd : int
        The descriptor by which other threads wake the loop, which is not outside.
    patience_s, settle_s : float
        Real seconds; see the module's docstring.

    Attributes
    ----------
    quiet : bool
        Nothing has happened on the sockets since they were last found not to hold the clock.
    """

    def __init__(
        self,
        registered: Mapping[Any, selectors.SelectorKey],
        wake_fd: int,
        *,
        patience_s: float,
        settle_s: float,
    ) -> None:
        self._registered = registered
        self._wake_fd = wake_fd
        self._patience_s = patience_s
        self._settle_s = settle_s
        self._wires: dict[int, _Wire] = {}
        # Descriptors whose output waits for room (or a connection), and the real time they were first seen.
        self._stuck: dict[int, float] = {}
        self._given_up: set[int] = set()
        self._traffic_at_s = 0.0
        self.quiet = True

    def connected(self, sock: socket.socket, *, opened_here: bool) -> None:
        """Take note of a socket that now has a peer."""
        known = self._wires.get(sock.fileno())
        if known is None or known.sock() is not sock or known.ends != _ends(sock):
            self._wires[sock.fileno()] = _Wire(sock, opened_here=opened_here)
        self.changed(sock.fileno())

    def changed(self, fd: int) -> None:
        """Take note that a descriptor was registered, unregistered, or waits for something else now."""
        self._given_up.discard(fd)
        self.quiet = False

    def wrote(self, fd: int) -> None:
        """Take note of output on a connection: where this loop opened it, an answer is due."""
        self.quiet = False
        self._traffic_at_s = monotonic_s()
        wire = self._wires.get(fd)
        if wire is not None and wire.opened_here:
            wire.asked_at_s = self._traffic_at_s

    def heard(self, ready: Iterable[tuple[selectors.SelectorKey, int]]) -> None:
        """Take note of what the selector found ready."""
        for key, mask in ready:
            if key.fd == self._wake_fd:
                continue
            wire = self._wires.get(key.fd)
            if wire is not None and mask & selectors.EVENT_READ:
                wire.asked_at_s = None
            self._stuck.pop(key.fd, None)
            self.changed(key.fd)
            self._traffic_at_s = monotonic_s()

    @contextmanager
    def asking(self, sock: socket.socket) -> Iterator[None]:
        """Hold the clock while a coroutine waits for input of `sock` (`loop.sock_recv`)."""
        self.connected(sock, opened_here=True)
        wire = self._wires[sock.fileno()]
        wire.asked_at_s = monotonic_s()
        try:
            yield
        finally:
            wire.asked_at_s = None

    def hold_s(self) -> float:
        """Return for how many real seconds at most the sockets hold the clock; 0 when they do not."""
        if self.quiet:
            return 0.0
        now_s = monotonic_s()
        hold_s = max(0.0, self._traffic_at_s + self._settle_s - now_s)
        inside = self._inside()
        for fd, since_s in self._in_flight(inside, now_s).items():
            remaining_s = since_s + self._patience_s - now_s
            if remaining_s > 0:
                hold_s = max(hold_s, remaining_s)
            else:
                self._give_up(fd)
        self.quiet = hold_s == 0.0
        return hold_s

    def reaches_out(self) -> bool:
        """Return whether anything outside can wake the loop: a listening socket, a foreign peer, a pipe."""
        inside = self._inside()
        return any(key.fd not in inside and key.fd != self._wake_fd for key in self._registered.values())

    def _in_flight(self, inside: set[int], now_s: float) -> dict[int, float]:
        """Return the descriptors that wait for the outside, and since when."""
        excluded = inside | self._given_up
        self._stuck = {
            key.fd: self._stuck.get(key.fd, now_s)
            for key in self._registered.values()
            if key.events & selectors.EVENT_WRITE and key.fd not in excluded
        }
        asked = {
            fd: wire.asked_at_s
            for fd, wire in self._wires.items()
            if wire.asked_at_s is not None and fd not in excluded
        }
        return {**self._stuck, **asked}

    def _give_up(self, fd: int) -> None:
        wire = self._wires.get(fd)
        peer = "a connection" if wire is None or wire.ends is None else f"the connection to {wire.ends[1]}"
        logger.warning(
            "%s has been silent for %.3g s; the virtual clock no longer waits for it", peer, self._patience_s
        )
        if wire is not None:
            wire.asked_at_s = None
        self._given_up.add(fd)

    def _inside(self) -> set[int]:
        """Return the descriptors of connections that have both ends on this loop, and drop closed ones."""
        open_wires: dict[int, _Wire] = {}
        for fd, wire in self._wires.items():
            sock = wire.sock()
            if sock is not None and sock.fileno() == fd:
                open_wires[fd] = wire
        self._wires = open_wires
        ends = {wire.ends for wire in open_wires.values() if wire.ends is not None}
        return {
            fd
            for fd, wire in open_wires.items()
            if wire.same_process or (wire.ends is not None and wire.ends[::-1] in ends)
        }


def _ends(sock: socket.socket) -> tuple[str, str] | None:
    """Return the socket's own and its peer's address, or None where they have no names to compare."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        return _spell(sock.getsockname()), _spell(sock.getpeername())
    except OSError:
        return None


def _spell(address: tuple[str, int]) -> str:
    return f"{address[0].removeprefix('::ffff:')} port {address[1]}"


def _peer_is_this_process(sock: socket.socket) -> bool:
    """Return whether the peer of a unix socket was made by this process; such sockets have no names."""
    credentials = getattr(socket, "SO_PEERCRED", None)
    if credentials is None or sock.family != getattr(socket, "AF_UNIX", None):
        return False
    try:
        pid: int = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, credentials, 12))[0]
    except OSError:
        return False
    return pid == os.getpid()
