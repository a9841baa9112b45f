"""Bus: broadcasts typed events to every matching subscription. Work for one taker goes to a WorkQueue."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Generator, Hashable
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from vnquant.errors import BusFullError, ClosedError, InputError, ParameterError
from vnquant.runtime.bus_statistics import BusStatistics, WhenFull
from vnquant.runtime.subscription import Subscription
from vnquant.runtime.turns import Turns

__all__ = ("EventBus",)

E = TypeVar("E")

# A publisher that never has to wait would keep the loop from its readers for ever.
_CHECKPOINT_EVERY = 100


class _Route(NamedTuple):
    """The subscriptions that an event type may reach, and those of them that block."""

    subscriptions: tuple[Subscription[Any], ...]
    blocking: tuple[Subscription[Any], ...]


class _Closed:
    """The outcome of `close`, which needs no waiting, and can be awaited like that of any other close."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


class EventBus:
    """Publish and subscribe in one event loop.

    An event is published at one instant to all subscriptions, so any two of them see their common events in
    the same order. If one that blocks is full, the publisher waits in line before anything is delivered:
    an event has reached all its subscriptions or none, also when the publisher is cancelled.

    Parameters
    ----------
    maxsize : int
        Events that may wait: the default of each subscription, and the size of the backlog that
        `process_all_events` works on.

    Examples
    --------
    ::

        async with bus.subscribe(Quote, when_full="conflate", key=lambda q: q.symbol) as quotes:
            async for quote in quotes:
                ...

    >>> import asyncio
    >>> import msgspec
    >>> class Price(msgspec.Struct):
    ...     symbol: str
    ...     vnd: int
    >>> async def last_price() -> int:
    ...     bus = EventBus()
    ...     async with bus.subscribe(Price, when_full="conflate", maxsize=1) as prices:
    ...         for vnd in (100_000, 100_500, 101_000):
    ...             await bus.publish(Price("FPT", vnd))
    ...         return (await anext(prices)).vnd
    >>> await last_price()
    101000
    """

    def __init__(self, maxsize: int = 1000) -> None:
        if maxsize < 1:
            raise ParameterError(f"maxsize must be at least 1, got {maxsize}.", name="maxsize", value=maxsize)
        self.maxsize = maxsize
        self._subscriptions: list[Subscription[Any]] = []
        self._routes: dict[type, _Route] = {}
        self._turns = Turns()
        self._backlog: deque[Any] = deque()
        self._backlog_overwritten = 0
        self._processing = 0
        self._closed = False
        self._published = 0
        self._numbered = 0
        self._until_checkpoint = _CHECKPOINT_EVERY
        self._time: Callable[[], float] = float  # replaced by the running loop's with the first route
        self._ended = [0, 0, 0]

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def subscribe(
        self,
        topic: type[E] | tuple[type[E], ...],
        where: Callable[[E], bool] | None = None,
        *,
        maxsize: int | None = None,
        when_full: WhenFull = "block",
        key: Callable[[E], Hashable] | None = None,
        name: str | None = None,
    ) -> Subscription[E]:
        """Return a subscription, which begins with its `async with` block.

        Parameters
        ----------
        topic : type or tuple of types
            Event types; their subclasses are included, so `msgspec.Struct` means everything.
        where : callable, optional
            Takes an event and says whether it is wanted. If it raises, this subscription ends with its error.
        maxsize : int, optional
            Events that may wait here; the bus's by default.
        when_full : {"block", "drop_oldest", "drop_newest", "conflate"}
            What happens to an event that finds no place: its publisher waits; the oldest goes; it is itself
            dropped; or events go which a later one of their key has overtaken.
        key : callable, optional
            For "conflate": the event's key, by default its type.
        name : str, optional
            Shown in the statistics.
        """
        kinds = topic if isinstance(topic, tuple) else (topic,)
        if not kinds or not all(isinstance(kind, type) for kind in kinds):
            raise ParameterError(
                f"topic must be an event type or a tuple of them, got {topic!r}; conditions go to where=.",
                name="topic",
                value=topic,
            )
        self._numbered += 1
        return Subscription(
            self,
            kinds,
            where=where,
            maxsize=self.maxsize if maxsize is None else maxsize,
            when_full=when_full,
            key=key,
            name=name or f"{kinds[0].__name__}#{self._numbered}",
        )

    async def publish(self, event: msgspec.Struct) -> None:
        """Publish `event`, waiting first until every matching subscription that blocks has a place.

        Raises
        ------
        ClosedError
            If the bus is closed, before or while waiting.
        """
        route = self._routes.get(type(event)) or self._route_to(type(event))
        for subscription in route.blocking:
            if subscription.is_full():
                full = tuple(one for one in route.blocking if one.matches(event))
                if any(one.is_full() for one in full):
                    await self._turns.wait(full, lambda: self._deliver(event, route))
                    return
                break
        self._deliver(event, route)
        self._until_checkpoint -= 1
        if not self._until_checkpoint:
            self._until_checkpoint = _CHECKPOINT_EVERY
            await asyncio.sleep(0)

    def publish_nowait(self, event: msgspec.Struct) -> None:
        """Publish `event` at once.

        Raises
        ------
        BusFullError
            If a matching subscription that blocks is full. Nobody has got the event then.
        ClosedError
            If the bus is closed.
        """
        route = self._routes.get(type(event)) or self._route_to(type(event))
        for subscription in route.blocking:
            if subscription.is_full() and subscription.matches(event):
                raise BusFullError(subscription.name, subscription.maxsize)
        self._deliver(event, route)

    def announce(self, event: msgspec.Struct) -> None:
        """Publish `event` at once to everybody who has a place for it; nobody can hold it up.

        A matching subscription that blocks and is full misses it, and counts it among its dropped ones.

        Raises
        ------
        ClosedError
            If the bus is closed.
        """
        self._deliver(event, self._routes.get(type(event)) or self._route_to(type(event)))

    async def process_all_events(self, handler: Callable[[Any], object]) -> int:
        """Hand every event that was published since the last call to `handler`, and return how many.

        The bus keeps its last `maxsize` events for this, whoever else is subscribed. What the handler
        publishes is processed before the return; nothing is overwritten meanwhile. If the handler raises,
        the rest stays for the next call.

        Parameters
        ----------
        handler : callable
            Plain or async; takes one event.
        """
        handled = 0
        self._processing += 1
        try:
            while self._backlog:
                outcome = handler(self._backlog.popleft())
                if inspect.isawaitable(outcome):
                    await outcome
                handled += 1
                if handled % _CHECKPOINT_EVERY == 0:
                    await asyncio.sleep(0)  # a handler that always publishes can still be cancelled
        finally:
            self._processing -= 1
        return handled

    def close(self) -> _Closed:
        """Refuse further events; readers get what waits for them, then their iterations end.

        Takes effect at once; the result may be awaited. Publishers that wait get ClosedError.
        """
        self._closed = True
        self._routes.clear()
        for subscription in self._subscriptions:
            subscription.end()
        self._turns.refuse(_closed_error())
        return _Closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def statistics(self) -> BusStatistics:
        """Return the counters as they are now."""
        each = tuple(subscription.statistics() for subscription in self._subscriptions)
        delivered, dropped, conflated = self._ended
        return BusStatistics(
            published=self._published,
            delivered=delivered + sum(one.delivered for one in each),
            dropped=dropped + sum(one.dropped for one in each),
            conflated=conflated + sum(one.conflated for one in each),
            blocked_publishers=len(self._turns),
            backlog=len(self._backlog),
            backlog_overwritten=self._backlog_overwritten,
            subscriptions=each,
        )

    def _attach(self, subscription: Subscription[Any]) -> None:
        if self._closed:
            raise _closed_error()
        self._subscriptions.append(subscription)
        self._routes.clear()

    def _detach(self, subscription: Subscription[Any]) -> None:
        """Forget a subscription, and let those go on who waited for its reader."""
        if subscription not in self._subscriptions:
            return
        self._subscriptions.remove(subscription)
        self._routes.clear()
        ended = subscription.statistics()
        self._ended[0] += ended.delivered
        self._ended[1] += ended.dropped
        self._ended[2] += ended.conflated
        self._turns.release(subscription)

    def _route_to(self, kind: type) -> _Route:
        if self._closed:
            raise _closed_error()
        if not issubclass(kind, msgspec.Struct):
            raise InputError(
                f"An event must be a msgspec.Struct, got {kind.__name__}: its type is its topic. Declare "
                "`class MyEvent(msgspec.Struct, frozen=True)` and publish that."
            )
        self._time = asyncio.get_running_loop().time
        matching = [one for one in self._subscriptions if issubclass(kind, one.topic)]
        # Conflating ones last, so that their sorting comes after the readers that the event has woken.
        matching.sort(key=lambda one: one.when_full == "conflate")
        route = _Route(tuple(matching), tuple(one for one in matching if one.when_full == "block"))
        self._routes[kind] = route
        return route

    def _deliver(self, event: Any, route: _Route) -> None:
        self._published += 1
        if route.subscriptions:
            envelope = (self._time(), event)
            for subscription in route.subscriptions:
                subscription.offer(envelope)
        backlog = self._backlog
        backlog.append(event)
        if len(backlog) > self.maxsize and not self._processing:
            backlog.popleft()
            self._backlog_overwritten += 1


def _closed_error() -> ClosedError:
    return ClosedError("The bus is closed: it takes no more events and no subscriptions.")
