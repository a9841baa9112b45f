"""Conflation: a bounded waiting line that, once full, keeps the latest item of each key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ("ConflatingBuffer",)

T = TypeVar("T")

# Items that may lie unsorted beyond `maxsize` while one piece of code runs without a turn of the loop.
_INBOX = 256


class ConflatingBuffer(Generic[T]):
    """A first-in, first-out buffer that makes room by giving up what a later item has overtaken.

    As long as it is not full it loses nothing, so a reader that keeps up sees every item. What it gives up
    first is an item whose key waits again further back; the order of what stays is never changed. Only when
    as many keys wait as there are places does the oldest item go.

    Appending is as cheap as to a deque. The sorting, O(1) an item, is done when somebody looks, or at the
    loop's next turn, behind the readers that the same events have woken: they must not pay for a slow one.

    Parameters
    ----------
    key : callable
        The key of an item.
    maxsize : int
    on_failure : callable
        Gets what `key` raises; the item is dropped.

    Attributes
    ----------
    inbox : deque
        What came and is not sorted in yet. Who appends to it without a call of `append` must call
        `look_after()` once it is longer than `unsorted`.
    unsorted : int
        How long the inbox may become before somebody has to look after it.
    """

    def __init__(
        self, key: Callable[[T], Hashable], *, maxsize: int, on_failure: Callable[[Exception], None]
    ) -> None:
        self.conflated = 0
        self.dropped = 0
        self._key = key
        self._maxsize = maxsize
        self._on_failure = on_failure
        self.inbox: deque[T] = deque()
        self.unsorted = maxsize
        self._sorting_is_due = False
        self._next = 0
        # OrderedDict, since a dict with deletions at its front is scanned from there again and again.
        self._waiting: OrderedDict[int, tuple[Hashable, T]] = OrderedDict()
        self._latest: dict[Hashable, int] = {}
        self._overtaken: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        if self.inbox:
            self._sort_in()
        return len(self._waiting)

    def append(self, item: T) -> None:
        """Put `item` at the back."""
        self.inbox.append(item)
        if len(self.inbox) > self.unsorted:
            self.look_after()

    def look_after(self) -> None:
        """See to it that a long inbox is sorted in: at the loop's next turn, or now where it is too long."""
        if self._sorting_is_due:
            self._sort_in()
        elif len(self.inbox) + len(self._waiting) > self._maxsize:
            self._sorting_is_due = True
            self.unsorted = self._maxsize + _INBOX
            asyncio.get_running_loop().call_soon(self._sort_in)
        else:
            self.unsorted = self._maxsize - len(self._waiting)

    def popleft(self) -> T:
        """Take the item at the front."""
        if self.inbox:
            self._sort_in()
        return self._pop()

    def __getitem__(self, index: int) -> T:
        """Return the front item, the only one that can be looked at."""
        if index != 0:
            raise IndexError("a conflating buffer shows its front only")
        if self.inbox:
            self._sort_in()
        return next(iter(self._waiting.values()))[1]

    def clear(self) -> None:
        """Forget everything that waits."""
        self.inbox.clear()
        self._waiting.clear()
        self._latest.clear()
        self._overtaken.clear()

    def _sort_in(self) -> None:
        """Take the inbox in, item by item."""
        self._sorting_is_due = False
        inbox = self.inbox
        while inbox:
            item = inbox.popleft()
            try:
                key = self._key(item)
                overtaken = self._latest.get(key)
            except Exception as exc:  # noqa: BLE001 - the owner of the key function is told
                self.dropped += 1
                self._on_failure(exc)
                continue
            number = self._next
            self._next = number + 1
            if overtaken is not None:
                self._overtaken[overtaken] = None
            self._latest[key] = number
            self._waiting[number] = (key, item)
            if len(self._waiting) > self._maxsize:
                self._give_up_one()
        self.unsorted = self._maxsize - len(self._waiting)

    def _give_up_one(self) -> None:
        if self._overtaken:
            number, _ = self._overtaken.popitem(last=False)
            del self._waiting[number]
            self.conflated += 1
        else:
            self._pop()
            self.dropped += 1

    def _pop(self) -> T:
        number, (key, item) = self._waiting.popitem(last=False)
        if self._latest[key] == number:
            del self._latest[key]
        else:
            del self._overtaken[number]
        return item
