"""Timeouts: one awaited answer that may fail to come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vnquant.errors import SourceError

__all__ = ("fetch_with_timeout",)

logger = logging.getLogger(__name__)

T = TypeVar("T")


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
