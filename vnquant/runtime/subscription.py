"""Subscription: one reader's bounded waiting line on the bus, and what it does when full."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, get_args

from vnquant.errors import ClosedError, ParameterError, StateError
from vnquant.runtime.bus_statistics import SubscriptionStatistics, WhenFull
from vnquant.runtime.conflation import ConflatingBuffer

if TYPE_CHECKING:
    from vnquant.runtime.bus import EventBus
    from vnquant.runtime.turns import PendingPublication

__all__ = ("Envelope", "Subscription")

E = TypeVar("E")

# An event with the loop time at which it was published.
Envelope = tuple[float, E]


class Subscription(Generic[E]):
    """The events of a topic, in order of publication; made by `EventBus.subscribe`.

    An async context manager and an async iterator, for one reader. Inside the block every matching event
    is kept for the reader, up to `maxsize`; leaving the block ends the subscription and frees publishers
    that waited for it.
    """

    def __init__(
        self,
        bus: EventBus,
        topic: tuple[type[E], ...],
        *,
        where: Callable[[E], bool] | None,
        maxsize: int,
        when_full: WhenFull,
        key: Callable[[E], Hashable] | None,
        name: str,
    ) -> None:
        if maxsize < 1:
            raise ParameterError(f"maxsize must be at least 1, got {maxsize}.", name="maxsize", value=maxsize)
        if when_full not in get_args(WhenFull):
            raise ParameterError(
                f"when_full={when_full!r} is none of {', '.join(map(repr, get_args(WhenFull)))}.",
                name="when_full",
                value=when_full,
            )
        if key is not None and when_full != "conflate":
            raise ParameterError(
                f"key= has no meaning with when_full={when_full!r}; use when_full='conflate'.",
                name="key",
                value=key,
            )
        self.name = name
        self.topic = topic
        self.where = where
        self.maxsize = maxsize
        self.when_full = when_full
        self.blocked: deque[PendingPublication] = deque()
        self.buffer: deque[Envelope[E]] | ConflatingBuffer[Envelope[E]]
        self._conflating: ConflatingBuffer[Envelope[E]] | None = None
        if when_full == "conflate":
            of_event: Callable[[Any], Hashable] = type if key is None else key
            self.buffer = self._conflating = ConflatingBuffer(
                lambda envelope: of_event(envelope[1]), maxsize=maxsize, on_failure=self._fail
            )
        else:
            self.buffer = deque()
        self._bus = bus
        self._reader: asyncio.Future[None] | None = None
        self._entered = False
        self._open = False
        self._failure: Exception | None = None
        self._time: Callable[[], float] = float  # replaced by the loop's on entry
        self._peak_depth = 0
        self._delivered = 0
        self._dropped = 0
        self._last_lag_s = 0.0
        self._max_lag_s = 0.0

    async def __aenter__(self) -> Self:
        if self._entered:
            raise StateError(f"Subscription {self.name!r} was entered before; subscribe again.")
        self._time = asyncio.get_running_loop().time
        self._bus._attach(self)
        self._entered = self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._bus._detach(self)
        self.buffer.clear()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        """Return the next event; end when the bus is closed and nothing waits any more."""
        buffer = self.buffer
        while not (depth := len(buffer)):
            if not self._open:
                self._end_of_iteration()
            await self._wait()
        if depth > self._peak_depth:
            self._peak_depth = depth
        published_at, event = buffer.popleft()
        self._delivered += 1
        self._last_lag_s = lag_s = self._time() - published_at
        if lag_s > self._max_lag_s:
            self._max_lag_s = lag_s
        if self.blocked:
            self._bus._turns.admit(self)
        return event

    def offer(self, envelope: Envelope[E]) -> None:
        """Take in one event of the topic.

        If this subscription blocks, the bus has seen to it that there is a place, unless the event was only
        announced: then it is dropped where it finds none, or where publishers wait in line before it.
        """
        if not self._open:
            return
        if self.where is not None and not self.matches(envelope[1]):
            return
        conflating = self._conflating
        if conflating is not None:
            # Makes room by itself. Not by its `append`: readers that keep up would pay for the call.
            inbox = conflating.inbox
            inbox.append(envelope)
            if len(inbox) > conflating.unsorted:
                conflating.look_after()
        else:
            buffer = self.buffer
            if len(buffer) >= self.maxsize:
                self._peak_depth = self.maxsize
                self._dropped += 1
                if self.when_full in ("drop_newest", "block"):
                    return
                buffer.popleft()
            buffer.append(envelope)
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)

    def matches(self, event: E) -> bool:
        """Return whether the predicate takes the event; a predicate that raises ends this subscription."""
        if self.where is None:
            return True
        try:
            return bool(self.where(event))
        except Exception as exc:  # noqa: BLE001 - raised again in the subscriber's own iteration
            self._fail(exc)
            return False

    def is_full(self) -> bool:
        """Return whether a publisher would have to wait here."""
        return self._open and (len(self.buffer) >= self.maxsize or bool(self.blocked))

    def end(self) -> None:
        """Take no more events; the reader gets what waits, then the iteration ends."""
        self._open = False
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def statistics(self) -> SubscriptionStatistics:
        """Return the counters as they are now."""
        depth, conflating = len(self.buffer), self._conflating
        return SubscriptionStatistics(
            name=self.name,
            topic=" | ".join(kind.__name__ for kind in self.topic),
            when_full=self.when_full,
            maxsize=self.maxsize,
            depth=depth,
            peak_depth=max(self._peak_depth, depth),
            delivered=self._delivered,
            dropped=self._dropped + (conflating.dropped if conflating is not None else 0),
            conflated=conflating.conflated if conflating is not None else 0,
            blocked_publishers=len(self.blocked),
            lag_s=self._time() - self.buffer[0][0] if depth else 0.0,
            last_lag_s=self._last_lag_s,
            max_lag_s=self._max_lag_s,
        )

    def __repr__(self) -> str:
        return f"<Subscription {self.name!r} {len(self.buffer)}/{self.maxsize} {self.when_full}>"

    async def _wait(self) -> None:
        if self._reader is not None:
            raise StateError(
                f"Subscription {self.name!r} has a reader already: every subscription serves one. Subscribe "
                "once for each reader, or share work out with a WorkQueue."
            )
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _end_of_iteration(self) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._entered or not self._bus.is_closed:
            raise ClosedError(
                f"Subscription {self.name!r} is not open: iterate inside its `async with` block."
            )
        raise StopAsyncIteration

    def _fail(self, failure: Exception) -> None:
        """End this subscription, whose own code failed; its reader gets the failure, and nobody else."""
        self._failure = self._failure or failure
        self.end()
        # Later: this may be the delivery of an event, which freed publishers must not overtake.
        asyncio.get_running_loop().call_soon(self._bus._detach, self)
