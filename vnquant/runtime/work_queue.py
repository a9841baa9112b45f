"""Work queue: hands each item to exactly one worker, most urgent first, without repeats. A bus broadcasts."""

from __future__ import annotations

import asyncio
import logging
import math
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from vnquant.errors import ClosedError, InputError, ParameterError
from vnquant.runtime.clock import now
from vnquant.runtime.work_statistics import Admission, Discard, WorkQueueStatistics

__all__ = ("WorkQueue",)

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _Entry(Generic[T]):
    """One waiting item; ordered by urgency, and among equals the one that came first is the more urgent."""

    __slots__ = ("accepted_at", "expires_at", "item", "key", "rank")

    def __init__(
        self,
        item: T,
        *,
        rank: tuple[tuple[float, ...], int],
        key: Hashable,
        accepted_at: datetime,
        expires_at: datetime | None,
    ) -> None:
        self.item = item
        self.rank = rank
        self.key = key
        self.accepted_at = accepted_at
        self.expires_at = expires_at

    def is_expired(self, at: datetime) -> bool:
        """Return whether the item is worthless at `at`."""
        return self.expires_at is not None and self.expires_at <= at


class WorkQueue(Generic[T]):
    """A bounded priority queue with expiry and a filter for repeats, in market time.

    Parameters
    ----------
    priority : callable
        Numbers of an item, compared one after the other, greater is more urgent: the level of an alert, then
        the expected return. Equals are served in order of arrival.
    key : callable, optional
        What makes two items the same, such as symbol and direction. A key is refused for `repeat_after` from
        its acceptance on, unless its item was discarded before a worker had it.
    expires_at : callable, optional
        Market time from which an item is worthless, or None.
    repeat_after : timedelta
        The window of the filter.
    maxsize : int
        Items that may wait; beyond it the least urgent is given up.
    on_discard : callable, optional
        Gets each accepted item that will never reach a worker, and why.

    Examples
    --------
    ::

        queue = WorkQueue(priority=lambda o: (o.level, o.expected_return), key=lambda o: (o.symbol, o.side))
        queue.put(opportunity)
        async with queue.take() as opportunity:
            await discuss(opportunity)
    """

    def __init__(
        self,
        *,
        priority: Callable[[T], tuple[float, ...]],
        key: Callable[[T], Hashable] | None = None,
        expires_at: Callable[[T], datetime | None] | None = None,
        repeat_after: timedelta = timedelta(hours=1),
        maxsize: int = 1000,
        on_discard: Callable[[T, Discard], None] | None = None,
    ) -> None:
        if maxsize < 1:
            raise ParameterError(f"maxsize must be at least 1, got {maxsize}.", name="maxsize", value=maxsize)
        self._priority = priority
        self._key = key
        self._expires_at = expires_at
        self._repeat_after = repeat_after
        self._maxsize = maxsize
        self._on_discard = on_discard
        # Ascending. A sorted list, since both ends are needed; insertion moves at most `maxsize` pointers.
        self._entries: list[_Entry[T]] = []
        self._seen: dict[Hashable, datetime] = {}
        self._idle: deque[asyncio.Future[None]] = deque()
        self._joining: set[asyncio.Future[None]] = set()
        self._number = 0
        self._in_hand = 0
        self._handed_out = 0
        self._discarded = dict.fromkeys(Discard, 0)
        self._admitted = dict.fromkeys(Admission, 0)
        self._closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, item: T) -> Admission:
        """Offer an item, and return what became of it. Never waits.

        Raises
        ------
        ClosedError
        InputError
            If a number of its priority is NaN, which has no order.
        """
        if self._closed:
            raise ClosedError("The work queue is closed: it takes no more items.")
        admission = self._admit(item, now())
        self._admitted[admission] += 1
        return admission

    @asynccontextmanager
    async def take(self) -> AsyncIterator[T]:
        """Wait for the most urgent item, this worker's alone; leaving the block says that it is dealt with.

        Raises
        ------
        ClosedError
            If the queue is closed and nothing waits any more.
        """
        entry = await self._next()
        self._in_hand += 1
        self._handed_out += 1
        try:
            yield entry.item
        finally:
            self._in_hand -= 1
            self._look_for_the_end()

    async def join(self) -> None:
        """Wait until no item waits and every worker is done with its own. Expired items go when one looks."""
        self._discard_expired(now())
        if not self._entries and not self._in_hand:
            return
        end = asyncio.get_running_loop().create_future()
        self._joining.add(end)
        try:
            await end
        finally:
            self._joining.discard(end)

    def close(self) -> None:
        """Take no more items. Workers get what waits, then ClosedError."""
        self._closed = True
        for worker in self._idle:
            if not worker.done():
                worker.set_result(None)

    def recent(self) -> dict[Hashable, datetime]:
        """Return the keys that are refused now, with the market time of their acceptance."""
        at = now()
        return {key: seen_at for key, seen_at in self._seen.items() if abs(at - seen_at) < self._repeat_after}

    def restore(self, recent: Mapping[Hashable, datetime]) -> None:
        """Take over keys from `recent()` of a queue before, so that a restart repeats nothing."""
        merged = self._seen | {
            key: max(at, self._seen[key]) if key in self._seen else at for key, at in recent.items()
        }
        self._seen = dict(sorted(merged.items(), key=lambda pair: pair[1]))

    def statistics(self) -> WorkQueueStatistics:
        """Return the counters as they are now."""
        self._discard_expired(now())
        return WorkQueueStatistics(
            depth=len(self._entries),
            in_hand=self._in_hand,
            accepted=self._admitted[Admission.ACCEPTED],
            handed_out=self._handed_out,
            expired=self._discarded[Discard.EXPIRED],
            displaced=self._discarded[Discard.DISPLACED],
            refused_duplicate=self._admitted[Admission.DUPLICATE],
            refused_expired=self._admitted[Admission.EXPIRED],
            refused_full=self._admitted[Admission.FULL],
            idle_workers=sum(not worker.done() for worker in self._idle),
        )

    def _admit(self, item: T, at: datetime) -> Admission:
        priority = tuple(self._priority(item))
        if any(map(math.isnan, priority)):
            raise InputError(f"The priority {priority} of {item!r:.200} is not a number, so it has no order.")
        expires_at = None if self._expires_at is None else self._expires_at(item)
        if expires_at is not None and expires_at <= at:
            return Admission.EXPIRED
        key = None if self._key is None else self._key(item)
        if self._key is not None and self._is_repeat(key, at):
            return Admission.DUPLICATE
        if len(self._entries) >= self._maxsize:
            self._discard_expired(at)
        if len(self._entries) >= self._maxsize:
            if priority <= self._entries[0].rank[0]:
                return Admission.FULL
            self._discard(self._entries.pop(0), Discard.DISPLACED)
        if self._key is not None:
            self._seen[key] = at
        self._number += 1
        rank = (priority, -self._number)
        entry = _Entry(item, rank=rank, key=key, accepted_at=at, expires_at=expires_at)
        insort(self._entries, entry, key=_rank)
        self._wake_one()
        return Admission.ACCEPTED

    async def _next(self) -> _Entry[T]:
        while True:
            while self._entries:
                entry = self._entries.pop()
                if not entry.is_expired(now()):
                    return entry
                self._discard(entry, Discard.EXPIRED)
                self._look_for_the_end()
            if self._closed:
                raise ClosedError("The work queue is closed, and nothing waits in it any more.")
            turn = asyncio.get_running_loop().create_future()
            self._idle.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_one()  # this worker was called and cannot come
                raise
            finally:
                if turn in self._idle:
                    self._idle.remove(turn)

    def _wake_one(self) -> None:
        while self._idle and self._entries:
            turn = self._idle.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _is_repeat(self, key: Hashable, at: datetime) -> bool:
        self._forget_old(at)
        seen_at = self._seen.get(key)
        return seen_at is not None and abs(at - seen_at) < self._repeat_after

    def _forget_old(self, at: datetime) -> None:
        # Front first: in order of acceptance, save where the clock was set. The distance, since a clock that
        # was set back must not refuse a key for longer than the window.
        while self._seen and abs(at - next(iter(self._seen.values()))) >= self._repeat_after:
            del self._seen[next(iter(self._seen))]

    def _discard_expired(self, at: datetime) -> None:
        if self._expires_at is None:
            return
        expired = [entry for entry in self._entries if entry.is_expired(at)]
        if expired:
            self._entries = [entry for entry in self._entries if not entry.is_expired(at)]
            for entry in expired:
                self._discard(entry, Discard.EXPIRED)
            self._look_for_the_end()

    def _discard(self, entry: _Entry[T], reason: Discard) -> None:
        self._discarded[reason] += 1
        # Its key may have been accepted again since, if it waited for longer than the window.
        if self._key is not None and self._seen.get(entry.key) == entry.accepted_at:
            del self._seen[entry.key]
        if self._on_discard is not None:
            try:
                self._on_discard(entry.item, reason)
            except Exception:
                # Whoever puts or takes now has nothing to do with this item.
                logger.exception("the callback for discarded items failed on %.200r", entry.item)

    def _look_for_the_end(self) -> None:
        if self._joining and not self._entries and not self._in_hand:
            for end in self._joining:
                if not end.done():
                    end.set_result(None)


def _rank(entry: _Entry[T]) -> tuple[tuple[float, ...], int]:
    return entry.rank
