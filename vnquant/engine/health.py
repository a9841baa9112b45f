"""Health: one look at the engine itself: how late the loop is, what waits, who is in trouble, the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from vnquant.engine.events import EngineEvent, HealthReported
from vnquant.engine.inbox import Inbox
from vnquant.runtime import SupervisionEvent, SupervisionKind, Tick, now
from vnquant.trading import Ledger

__all__ = ("HealthCheck", "Troubles")

_TROUBLE = frozenset(
    {SupervisionKind.FAILED, SupervisionKind.STALLED, SupervisionKind.STUCK, SupervisionKind.BROKEN}
)


_LOOKS_A_COUNT = 30


class Troubles:
    """Which components are in trouble, from what their supervisor told: cheaper than asking each of them."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._now: tuple[str, ...] = ()

    def note(self, event: SupervisionEvent) -> None:
        """Take note of an event."""
        if event.kind in _TROUBLE:
            self._told[event.component] = event.message
        else:
            self._told.pop(event.component, None)
        self._now = tuple(self._told.values())

    def now(self) -> tuple[str, ...]:
        """Return the messages of those in trouble now."""
        return self._now


class HealthCheck:
    """Keeps the lease alive where nothing else is written, and tells what is wrong."""

    def __init__(
        self,
        ledger: Ledger,
        inbox: Inbox,
        *,
        lease_term_s: float,
        troubles: Troubles,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._term = timedelta(seconds=lease_term_s)
        self._renewed(now())
        self._troubles = troubles
        self._tell = tell
        self.last: HealthReported | None = None
        self._looks = 0
        self._tasks = 0

    async def run_once(self, *, due: datetime | None = None) -> HealthReported:
        """Look once.

        Parameters
        ----------
        due : datetime, optional
            When this look was planned: how much later it comes is the loop's lag.

        Raises
        ------
        LeaseLostError
            If another orchestrator has taken the ledger over.
        """
        at = now()
        return await self._renew(at, due) if at >= self._renew_at else self._look(at, due)

    def run_round(self, tick: Tick) -> Awaitable[HealthReported] | None:
        """Look once, and return what is to be awaited where the lease has to be renewed first."""
        at = now()
        if at >= self._renew_at:
            return self._renew(at, tick.due)
        self._look(at, tick.due)
        return None

    async def _renew(self, at: datetime, due: datetime | None) -> HealthReported:
        await self._ledger.renew()
        self._renewed(at)
        return self._look(at, due)

    def _renewed(self, at: datetime) -> None:
        self._renew_at = at + self._term / 3
        self._expires_at = at + self._term

    def _look(self, at: datetime, due: datetime | None) -> HealthReported:
        # asyncio makes a list of all tasks to be counted, and leaks grow slowly.
        if self._looks % _LOOKS_A_COUNT == 0:
            self._tasks = len(asyncio.all_tasks())
        self._looks += 1
        self.last = HealthReported(
            at=at,
            loop_lag_s=0.0 if due is None or due >= at else (at - due).total_seconds(),
            leads_waiting=len(self._inbox),
            tasks=self._tasks,
            troubled=self._troubles.now(),
            lease_expires_at=self._expires_at,
        )
        self._tell(self.last)
        return self.last
