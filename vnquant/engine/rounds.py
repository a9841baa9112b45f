"""Rounds: what is due at one instant happens in one order, however the tasks are scheduled.

Positions before scans, scans before news, all of them before discussions: a lead is judged on the portfolio
that the exits have left. So a run that was killed inside an instant and resumed there does the rest of it in
the same order. Waiting is bounded: a scan that hangs delays a discussion by the patience and no longer.
"""

from __future__ import annotations

import asyncio
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
        self._busy = [0] * len(Stage)
        self._waiting: set[asyncio.Future[None]] = set()

    def turn(self, stage: Stage) -> Turn:
        """Wait, in `async with`, for this stage's turn, and hold later stages back until the block ends."""
        return Turn(self, stage)

    def is_clear(self, stage: Stage) -> bool:
        """Return whether no round of an earlier stage runs."""
        return not any(self._busy[:stage])

    def _begin(self, stage: Stage) -> None:
        self._busy[stage] += 1

    def _end(self, stage: Stage) -> None:
        self._busy[stage] -= 1
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _earlier_ones(self, stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience_s
        while not self.is_clear(stage):
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.add(waiter)
            try:
                async with asyncio.timeout_at(deadline_s):
                    await waiter
            except TimeoutError:
                return
            finally:
                self._waiting.discard(waiter)


class Turn:
    """One round's place in the order."""

    __slots__ = ("_order", "_stage")

    def __init__(self, order: RoundOrder, stage: Stage) -> None:
        self._order = order
        self._stage = stage

    async def __aenter__(self) -> None:
        self._order._begin(self._stage)
        try:
            # What else is due at this instant has been woken by now, and says so in its first step.
            await asyncio.sleep(0)
            if not self._order.is_clear(self._stage):
                await self._order._earlier_ones(self._stage)
        except BaseException:
            self._order._end(self._stage)
            raise

    async def __aexit__(self, *exc: object) -> None:
        self._order._end(self._stage)
