"""Timeouts: an awaited answer that may fail to come."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

from vnquant.errors import SourceError

__all__ = ("fetch_with_timeout", "resumed", "within")

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def within(timeout_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Return `await work`, or raise TimeoutError when that takes longer.

    As `asyncio.timeout`, whose timer is set only once the work has to wait: an answer from memory needs none,
    and a replay gets a quarter of a million of them a year.

    Parameters
    ----------
    timeout_s : float
        Seconds of the running loop's time.
    work : coroutine
        Not awaited yet.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    try:
        async with asyncio.timeout(timeout_s):
            return await resumed(work, awaited)
    finally:
        work.close()


@types.coroutine
def resumed(work: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that waits already, for `awaited`; `waits.py` finds it by the name `work`."""
    while True:
        try:
            sent = yield awaited
        except BaseException as exc:  # noqa: BLE001 - it is the coroutine's business, cancellation included
            resume: Callable[[], Any] = partial(work.throw, exc)
        else:
            resume = partial(work.send, sent)
        try:
            awaited = resume()
        except StopIteration as done:
            result: T = done.value
            return result


async def fetch_with_timeout(
    fetch: Callable[[str], Awaitable[T]], symbol: str, timeout: float = 5.0
) -> T | None:
    """Return `await fetch(symbol)`, or None with a logged warning when it is late or fails.

    For exploration, where one missing symbol should not end a cell. Scanners use the typed errors.

    Parameters
    ----------
    fetch : callable
        Takes the symbol and returns an awaitable.
    symbol : str
    timeout : float
        Seconds of the running loop's time.
    """
    try:
        async with asyncio.timeout(timeout):
            return await fetch(symbol)
    except TimeoutError:
        logger.warning("%s: no answer within %.3g s", symbol, timeout)
    except SourceError as exc:
        logger.warning("%s: %s: %s", symbol, type(exc).__name__, exc)
    return None
