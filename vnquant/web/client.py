"""Client: one connection as the fan-out sees it: its place in the log, and what was written to it."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from typing import Protocol

from vnquant.web.message_log import Selection
from vnquant.web.statistics import ClientStatistics

__all__ = ("Client", "Departure", "Transport")


class Departure(StrEnum):
    """Why a client is gone."""

    LEFT = "left"
    """It closed, or its connection broke."""
    BEHIND = "behind"
    """More waited for it than may."""
    STALLED = "stalled"
    """It took nothing for too long."""
    SILENT = "silent"
    """It did not answer a ping."""
    REFUSED = "refused"
    """What it sent was not of the protocol, too large or too much."""
    CLOSED = "closed"
    """The broadcaster closed."""


class Transport(Protocol):
    """What is needed of an `asyncio.Transport`."""

    def write(self, data: bytes) -> None:
        """Send, or keep what the kernel does not take."""

    def get_write_buffer_size(self) -> int:
        """Return the bytes kept."""

    def is_closing(self) -> bool:
        """Return whether nothing more can be written."""

    def close(self) -> None:
        """Close once what was kept is sent."""

    def abort(self) -> None:
        """Close at once."""


class Client:
    """A connection in one of two conditions.

    It is *live* when everything written to it was taken by the kernel: the fan-out writes each batch straight
    to its transport. When the kernel is full it falls *behind*: nothing more is written, so that nothing
    piles up, until its own task finds the transport empty and catches it up from the log.

    Parameters
    ----------
    number : int
        Unique in one fan-out.
    transport : Transport
    remote : str
        The peer's address.
    now_s : float
        Loop time.

    Attributes
    ----------
    cursor : int
        The number of the last message written to it.
    pending : deque of bytes
        Frames that go before what follows in the log: welcome and snapshot.
    lossless_upto : int
        Messages up to here are replayed one by one.
    behind : asyncio.Event
        Set while it is behind.
    departure : Departure or None
        Why it is gone; None while it is there.
    """

    __slots__ = (
        "behind", "conflated", "connected_s", "cursor", "delivered", "departure", "heard", "heard_s",
        "lossless_upto", "number", "pending", "pinged_s", "progress_s", "remote", "sent_bytes", "transport",
        "wants_snapshot",
    )  # fmt: skip

    def __init__(self, number: int, transport: Transport, remote: str, now_s: float) -> None:
        self.number = number
        self.transport = transport
        self.remote = remote
        self.cursor = 0
        self.pending: deque[bytes] = deque()
        self.lossless_upto = 0
        self.wants_snapshot = False
        self.behind = asyncio.Event()
        self.behind.set()
        self.departure: Departure | None = None
        self.delivered = 0
        self.conflated = 0
        self.sent_bytes = 0
        self.connected_s = now_s
        self.progress_s = now_s
        self.heard_s = now_s
        self.heard = 0
        self.pinged_s: float | None = None

    @property
    def live(self) -> bool:
        """Whether it has taken everything that was written to it."""
        return not self.behind.is_set()

    @property
    def is_writable(self) -> bool:
        """Whether its transport is open and empty."""
        return not self.transport.is_closing() and self.transport.get_write_buffer_size() == 0

    def write(self, data: bytes) -> bool:
        """Write frames, and return whether the kernel took all of them."""
        try:
            self.transport.write(data)
        except (OSError, RuntimeError):
            # Its reader notices, and removes it; the others are written to.
            self.transport.abort()
            return False
        self.sent_bytes += len(data)
        return self.transport.get_write_buffer_size() == 0

    def deliver(self, selection: Selection) -> bool:
        """Write messages of the log, and return whether the kernel took all of them."""
        self.cursor = selection.last
        self.delivered += selection.messages
        self.conflated += selection.given_up
        return self.write(selection.data)

    def hear(self, now_s: float) -> None:
        """Take note of a message, ping or pong of the client."""
        self.heard += 1
        self.heard_s = now_s
        self.pinged_s = None

    def statistics(self, head: int, now_s: float) -> ClientStatistics:
        """Return its counters, `head` being the last number given."""
        return ClientStatistics(
            client=self.number,
            remote=self.remote,
            live=self.live,
            messages_behind=head - self.cursor,
            delivered=self.delivered,
            conflated=self.conflated,
            sent_bytes=self.sent_bytes,
            buffered_bytes=self.transport.get_write_buffer_size(),
            connected_s=now_s - self.connected_s,
            stalled_s=0.0 if self.live else now_s - self.progress_s,
            quiet_s=now_s - self.heard_s,
        )
