"""Conflation: a waiting line that, once full, keeps the latest item of each key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ("ConflatingBuffer",)

T = TypeVar("T")


class ConflatingBuffer(Generic[T]):
    """A first-in, first-out buffer that can make room by giving up what a later item has overtaken.

    As long as it is not full it loses nothing, so a reader that keeps up sees every item. What it gives up
    first is an item whose key waits again further back; the order of what stays is never changed. Only when
    as many keys wait as there are places does the oldest item go. All operations are O(1).

    Parameters
    ----------
    key : callable
        The key of an item.
    """

    __slots__ = ("_key", "_latest", "_next", "_overtaken", "_waiting")

    def __init__(self, key: Callable[[T], Hashable]) -> None:
        self._key = key
        self._next = 0
        # OrderedDict, since a dict with deletions at its front is scanned from there again and again.
        self._waiting: OrderedDict[int, tuple[Hashable, T]] = OrderedDict()
        self._latest: dict[Hashable, int] = {}
        self._overtaken: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, item: T) -> None:
        """Put `item` at the back."""
        key = self._key(item)
        number = self._next
        self._next = number + 1
        overtaken = self._latest.get(key)
        if overtaken is not None:
            self._overtaken[overtaken] = None
        self._latest[key] = number
        self._waiting[number] = (key, item)

    def popleft(self) -> T:
        """Take the item at the front."""
        number, (key, item) = self._waiting.popitem(last=False)
        if self._latest[key] == number:
            del self._latest[key]
        else:
            del self._overtaken[number]
        return item

    def __getitem__(self, index: int) -> T:
        """Return the front item, the only one that can be looked at."""
        if index != 0:
            raise IndexError("a conflating buffer shows its front only")
        return next(iter(self._waiting.values()))[1]

    def make_room(self, incoming: T) -> bool:
        """Give up one waiting item for `incoming`; return True if a later one of its key stands for it."""
        if self._overtaken:
            number, _ = self._overtaken.popitem(last=False)
            del self._waiting[number]
            return True
        number_or_none = self._latest.pop(self._key(incoming), None)
        if number_or_none is not None:
            del self._waiting[number_or_none]
            return True
        self.popleft()
        return False

    def clear(self) -> None:
        """Forget everything that waits."""
        self._waiting.clear()
        self._latest.clear()
        self._overtaken.clear()
