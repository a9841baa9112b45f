"""Message log: the last messages, encoded once, shared by all clients; a client's queue is a place in it.

Because a client that is behind costs one number and not a copy of what it misses, the memory of a thousand
stuck clients is that of one log. The log answers three questions: what comes next for somebody at this place
(`select`), what has whoever comes back missed (the same), and what should a newcomer know (`snapshot`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from vnquant.web.config import BroadcastConfig
from vnquant.web.protocol import Conflated, encode_snapshot, frame_body, text_frame

__all__ = ("Entry", "MessageLog", "Selection")


class Entry(NamedTuple):
    """One broadcast message."""

    seq: int
    key: str | None
    frame: bytes


class Selection(NamedTuple):
    """What to write next to a client."""

    data: bytes
    """Frames, one after the other."""
    last: int
    """The place of the client once it has them."""
    messages: int
    """How many messages they are."""
    given_up: int
    """Messages before `last` that a later one has overtaken."""


class MessageLog:
    """Messages by sequence number, from 1 on, without a hole.

    Parameters
    ----------
    config : BroadcastConfig
        Its bounds.

    Attributes
    ----------
    head : int
        The last number given; 0 before the first.
    bytes : int
        Size of all frames in the log.
    """

    def __init__(self, config: BroadcastConfig) -> None:
        self.head = 0
        self.bytes = 0
        self._config = config
        self._entries: deque[Entry] = deque()
        # Latest entry by key, the longest unchanged first. Not a dict, which finds its first item slowly once
        # many others before it have been taken out.
        self._latest: OrderedDict[str, Entry] = OrderedDict()
        self._latest_bytes = 0
        self._events: deque[Entry] = deque(maxlen=config.snapshot_events)
        self._snapshot: tuple[int, tuple[bytes, ...]] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest(self) -> int:
        """The number of the oldest message that is there, or the next one if there is none."""
        return self.head - len(self._entries) + 1

    def reaches_back_to(self, after: int) -> bool:
        """Return whether every message after number `after` is there."""
        return self.oldest - 1 <= after <= self.head

    def append(self, frame: bytes, key: str | None) -> Entry:
        """Take the message number `head + 1`, and let the oldest go where there are too many."""
        self.head += 1
        entry = Entry(self.head, key, frame)
        self._entries.append(entry)
        self.bytes += len(frame)
        while len(self._entries) > self._config.replay_messages or self.bytes > self._config.replay_bytes:
            self.bytes -= len(self._entries.popleft().frame)
        self._retain(entry)
        return entry

    def batch(self, after: int) -> Selection:
        """Return the messages after number `after`, at least one there, up to `batch_bytes` together."""
        return self._batch(after, self._after(after, self.head))

    def select(self, after: int, *, lossless_upto: int = 0) -> Selection | None:
        """Return what comes next for a client that is behind: it has everything up to number `after`.

        Parameters
        ----------
        after : int
            Before `head`.
        lossless_upto : int
            Messages up to here are not given up, however many they are.

        Returns
        -------
        Selection or None
            At least one message, of `batch_bytes` together unless the first alone is larger. None for a
            client that cannot be helped: the log no longer reaches back to it, or more messages than may
            wait for a client are left even though those overtaken are given up.
        """
        if not self.reaches_back_to(after):
            return None
        if after < lossless_upto:
            return self._batch(after, self._after(after, lossless_upto))
        if self.head - after <= self._config.queue_messages:
            return self._batch(after, self._after(after, self.head))
        kept = [entry for entry in self._after(after, self.head) if not self._is_overtaken(entry)]
        if len(kept) > self._config.queue_messages:
            return None
        return self._batch(after, kept)

    def snapshot(self) -> tuple[bytes, ...]:
        """Return the frames that tell the state as of `head`; encoded once for all who ask at that number."""
        if self._snapshot is None or self._snapshot[0] != self.head:
            self._snapshot = (self.head, self._encode_snapshot())
        return self._snapshot[1]

    def _after(self, after: int, upto: int) -> Iterable[Entry]:
        return islice(self._entries, max(0, after + 1 - self.oldest), max(0, upto + 1 - self.oldest))

    def _is_overtaken(self, entry: Entry) -> bool:
        # A key that was forgotten, because there are too many, has no latest: its messages are all kept.
        latest = None if entry.key is None else self._latest.get(entry.key)
        return latest is not None and entry.seq < latest.seq

    def _batch(self, after: int, entries: Iterable[Entry]) -> Selection:
        frames: list[bytes] = []
        size, last = 0, after
        for entry in entries:
            size += len(entry.frame)
            if frames and size > self._config.batch_bytes:
                break
            frames.append(entry.frame)
            last = entry.seq
        messages = len(frames)
        given_up = last - after - messages
        if given_up:
            frames.insert(0, text_frame(Conflated(after=after, upto=last, given_up=given_up)))
        return Selection(b"".join(frames), last, messages, given_up)

    def _retain(self, entry: Entry) -> None:
        if entry.key is None:
            self._events.append(entry)
            return
        previous = self._latest.get(entry.key)
        self._latest_bytes += len(entry.frame) - (0 if previous is None else len(previous.frame))
        self._latest[entry.key] = entry
        self._latest.move_to_end(entry.key)
        while len(self._latest) > 1 and (
            len(self._latest) > self._config.snapshot_keys or self._latest_bytes > self._config.snapshot_bytes
        ):
            self._latest_bytes -= len(self._latest.popitem(last=False)[1].frame)

    def _encode_snapshot(self) -> tuple[bytes, ...]:
        groups: list[list[bytes]] = [[]]
        size = 0
        for entry in sorted((*self._latest.values(), *self._events)):
            size += len(entry.frame)
            if groups[-1] and size > self._config.batch_bytes:
                groups.append([])
                size = len(entry.frame)
            groups[-1].append(frame_body(entry.frame))
        parts = len(groups)
        return tuple(
            encode_snapshot(self.head, group, part=number, parts=parts)
            for number, group in enumerate(groups, 1)
        )
