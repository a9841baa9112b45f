"""Repeating: runs a component's rounds on the grid, in turn with the others, and tells of those that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from vnquant.engine.events import EngineEvent, RoundFailed
from vnquant.engine.grid import Hours, on_grid
from vnquant.engine.record import Record
from vnquant.engine.rounds import RoundOrder, Stage
from vnquant.errors import LedgerError, StateError, VnQuantError
from vnquant.market import TradingCalendar
from vnquant.runtime import MarketClock, Schedule, Tick, now

__all__ = ("Glancing", "Repeater", "Work")

logger = logging.getLogger(__name__)

_INSTANT = timedelta(microseconds=1)


class Work(Protocol):
    """What a component does each round."""

    async def run_once(self) -> object:
        """Do one round."""
        ...


@runtime_checkable
class Glancing(Protocol):
    """An ability of work that mostly finds nothing to do."""

    def glance(self) -> bool:
        """Look without waiting, and return whether that was the round."""
        ...


class Repeater:
    """The rounds of one run.

    Parameters
    ----------
    order : RoundOrder
    calendar, clock
    tell : callable

    Attributes
    ----------
    going : asyncio.Event
        Clear while the orchestrator is paused.
    """

    def __init__(
        self,
        order: RoundOrder,
        *,
        calendar: TradingCalendar,
        clock: Callable[[], MarketClock],
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self.order = order
        self.going = asyncio.Event()
        self._calendar = calendar
        self._clock = clock
        self._tell = tell
        self._at_once: set[Stage] = set()
        self._not_before: dict[Stage, datetime] = {}

    def plan(self, record: Record) -> None:
        """Find out where the ledger ends: which rounds come at once, and from when on the grid counts.

        A run that begins, or begins anew after a while, looks at everything at once. One that goes on at the
        very instant at which the ledger ends does what is left of that instant, and no more. On a frozen
        clock the schedules begin at once by themselves.
        """
        cursor = record.cursor
        self._at_once, self._not_before = set(), {}
        if cursor is None or self._is_frozen():
            return
        left = {stage for stage in Stage if stage > cursor.stage}
        # In real time the first commit comes some milliseconds after the beginning.
        begins = not record.resumes or cursor.at == record.began_at
        self._at_once = left if begins else set()
        self._not_before = {
            stage: cursor.at if stage in left and not begins else cursor.at + _INSTANT for stage in Stage
        }

    async def repeat(
        self, name: str, stage: Stage, hours: Hours, every_s: float, work: Work, *, pauses: bool = True
    ) -> None:
        """Run rounds for ever.

        Parameters
        ----------
        name : str
            Of the component, for what is told.
        stage, hours, every_s
            In which order at one instant, on which grid.
        work : Work
            One that is `Glancing` is awaited only where a glance was not enough.
        pauses : bool
            Whether rounds are left out while the orchestrator is paused.
        """
        glancing = work if isinstance(work, Glancing) else None

        async def work_in_turn() -> None:
            async with self.order.turn(stage):
                if not pauses or self.going.is_set():  # a pause may have come while this waited its turn
                    await self._attempt(name, work)

        def begin(_: Tick | None = None) -> Awaitable[object] | None:
            if pauses and not self.going.is_set():
                return None
            if glancing is not None and self.order.is_clear(stage) and _is_enough(glancing):
                return None
            return work_in_turn()

        if stage in self._at_once:
            self._at_once.discard(stage)
            if hours.contain(now(), self._calendar) and (waits := begin()) is not None:
                await waits
        # Where those of an earlier stage begin first, those of a later one seldom have to wait for them.
        rounds = self.schedule(hours, every_s, not_before=self._not_before.get(stage), rank=stage)
        await rounds.run(begin)

    def schedule(
        self, hours: Hours, every_s: float, *, not_before: datetime | None = None, rank: int = 0
    ) -> Schedule:
        """Return the schedule of a grid."""
        sessions = on_grid(hours, every_s, self._calendar, is_frozen=self._is_frozen, not_before=not_before)
        return Schedule(every_s, sessions=sessions, rank=rank)

    async def _attempt(self, name: str, work: Work) -> None:
        """Run one round; that somebody outside does not answer is told, and the next one tries again."""
        try:
            await work.run_once()
        except (VnQuantError, TimeoutError) as exc:
            if isinstance(exc, LedgerError | StateError):
                raise
            told = f"{type(exc).__name__}: {exc}"
            logger.warning("a round of %s came to nothing: %s", name, told)
            self._tell(RoundFailed(at=now(), component=name, error=told))

    def _is_frozen(self) -> bool:
        return self._clock().speed == 0.0


def _is_enough(glancing: Glancing) -> bool:
    """Return whether a glance was the round; one that fails is not, and the round itself tells why."""
    try:
        return glancing.glance()
    except VnQuantError:
        return False
