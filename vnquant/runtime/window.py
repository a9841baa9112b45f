"""Sliding window: run a coroutine for many items, so many at a time, results as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

__all__ = ("Outcome", "sliding_window")

K = TypeVar("K")
T = TypeVar("T")


class Outcome(Generic[K, T]):
    """What became of one item: its value, or the exception that its coroutine raised."""

    __slots__ = ("error", "item", "value")

    def __init__(self, item: K, value: T | None, error: Exception | None) -> None:
        self.item = item
        self.value = value
        self.error = error

    def __repr__(self) -> str:
        told = f"error={self.error!r}" if self.error is not None else f"value={self.value!r}"
        return f"Outcome({self.item!r}, {told})"


@asynccontextmanager
async def sliding_window(
    work: Callable[[K], Awaitable[T]], items: Iterable[K], *, width: int, name: str = "window"
) -> AsyncIterator[AsyncIterator[Outcome[K, T]]]:
    """Run `work` over `items` with `width` workers, and yield an iterator of outcomes in order of completion.

    Each worker takes the next item the moment it is free, so a slow item delays nobody but itself: the time
    is that of greedy list scheduling. Items are taken from the iterable only when a worker is free, and at
    most `width` finished outcomes wait for the reader, so memory is bounded however many items there are.
    An exception of `work` becomes an outcome. Leaving the block, by any way, cancels what still runs and
    waits for it.

    Parameters
    ----------
    work : callable
        Takes an item and returns an awaitable.
    items : iterable
    width : int
        Items in flight at once, at least 1.
    name : str
        Prefix of the workers' task names.

    Examples
    --------
    ::

        async with sliding_window(fetch, symbols, width=20) as outcomes:
            async for outcome in outcomes:
                ...
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    source = iter(items)
    finished: asyncio.Queue[Outcome[K, T] | None] = asyncio.Queue(maxsize=width)

    async def worker() -> None:
        for item in source:
            try:
                outcome: Outcome[K, T] = Outcome(item, await work(item), None)
            except Exception as exc:  # noqa: BLE001 - the caller decides what an item's failure means
                outcome = Outcome(item, None, exc)
            await finished.put(outcome)

    async def run_workers() -> None:
        async with asyncio.TaskGroup() as workers:
            for number in range(width):
                workers.create_task(worker(), name=f"{name}:{number}")
        await finished.put(None)

    async def read() -> AsyncIterator[Outcome[K, T]]:
        while (outcome := await finished.get()) is not None:
            yield outcome

    failure: Exception | None = None
    async with asyncio.TaskGroup() as owner:
        pool = owner.create_task(run_workers(), name=f"{name}:pool")
        try:
            yield read()
        except Exception as exc:  # noqa: BLE001 - the group would wrap the caller's own exception
            failure = exc
        finally:
            pool.cancel()
    if failure is not None:
        raise failure
