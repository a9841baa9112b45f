"""A transport without a socket, whose kernel takes as much as a test says."""

import asyncio

import pytest

from vnquant.web.protocol import frame_body


class FakeTransport:
    """Counts as paused while it keeps anything, as aiohttp's does with a limit of zero."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room = room
        self.taken = bytearray()
        self.kept = bytearray()
        self.peak_kept = 0
        self.writes = 0
        self.closing: str | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.kept += data
        self.take(0)

    def take(self, room: float) -> None:
        """Let the peer read, so that the kernel has `room` more bytes."""
        self.room += room
        size = int(min(self.room, len(self.kept)))
        self.taken += self.kept[:size]
        del self.kept[:size]
        self.room -= size
        self.peak_kept = max(self.peak_kept, len(self.kept))
        (self._empty.clear if self.kept else self._empty.set)()

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    def is_closing(self) -> bool:
        return self.closing is not None

    def close(self) -> None:
        self.closing = self.closing or "closed"

    def abort(self) -> None:
        self.closing = "aborted"
        self._empty.set()

    async def drained(self) -> None:
        await self._empty.wait()

    def frames(self) -> list[tuple[int, bytes]]:
        """Return first byte and payload of every complete frame taken."""
        found, data = [], bytes(self.taken)
        while len(data) >= 2:
            header, size = 2, data[1]
            if size in (126, 127):
                header = 4 if size == 126 else 10
                size = int.from_bytes(data[2:header], "big")
            if len(data) < header + size:
                break
            found.append((data[0], frame_body(data[: header + size])))
            data = data[header + size :]
        return found


@pytest.fixture
def make_transport():
    return FakeTransport
