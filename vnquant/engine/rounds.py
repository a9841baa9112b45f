"""Rounds: what is due at one instant happens in one order, however the tasks are scheduled.

Positions before scans, scans before news, all of them before discussions: a lead is judged on the portfolio
that the exits have left. So a run that was killed inside an instant and resumed there does the rest of it in
the same order. Waiting is bounded: a scan that hangs delays a discussion by the patience and no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import IntEnum

import msgspec

__all__ = ("Cursor", "RoundOrder", "Stage")


class Stage(IntEnum):
    """The order of what happens at one instant."""

    START = 0
    POSITIONS = 1
    MODEL = 2
    NEWS = 3
    LEADS = 4


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where the ledger ends: the instant of the last transaction, and which stage wrote it."""

    at: datetime
    stage: int
    began_at: datetime
    """When the run began that wrote it: its first rounds came at once, off the grid."""


class RoundOrder:
    """Lets rounds begin only when those of earlier stages that run now are over.

    Parameters
    ----------
    patience_s : float
        Loop seconds after which a round no longer waits.
    """

    def __init__(self, patience_s: float = 2.0) -> None:
        self._patience_s = patience_s
        self._busy = dict.fromkeys(Stage, 0)
        self._waiting: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def turn(self, stage: Stage) -> AsyncIterator[None]:
        """Wait for this stage's turn, and hold later stages back until the end of the block."""
        self._busy[stage] += 1
        try:
            # What else is due at this instant has been woken by now, and says so in its first step.
            await asyncio.sleep(0)
            await self._earlier_ones(stage)
            yield
        finally:
            self._busy[stage] -= 1
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)

    async def _earlier_ones(self, stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience_s
        while any(self._busy[earlier] for earlier in Stage if earlier < stage):
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.add(waiter)
            try:
                async with asyncio.timeout_at(deadline_s):
                    await waiter
            except TimeoutError:
                return
            finally:
                self._waiting.discard(waiter)
