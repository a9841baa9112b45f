"""Schedule: when the next round of a repeated job begins, in market time, inside sessions or always."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, Self, TypeVar

from vnquant.errors import ParameterError, StateError
from vnquant.runtime.clock import MarketClock, installed_clock, now
from vnquant.runtime.heartbeat import beat
from vnquant.runtime.series import Round, Series
from vnquant.runtime.ticks import Grid, ScheduleStatistics, Tick

__all__ = ("Overrun", "Schedule", "ScheduleStatistics", "Sessions", "Tick")

T = TypeVar("T", datetime, float)

Overrun = Literal["skip", "run_late"]

# Takes an instant and returns opening and close of the session that it falls in, or of the next one; None
# after the last. The close is later than the instant.
Sessions = Callable[[datetime], tuple[datetime, datetime] | None]

# A timer may fire a clock resolution early; waiting less than this again might not move a virtual clock.
_SHORTEST_WAIT_S = 1e-5
# Without an installed clock, time is the wall clock's, which may be set and go on while the machine sleeps.
_WALL_LOOK_S = 30.0


class Schedule:
    """An async iterator with one `Tick` every `interval_s` market seconds.

    Rounds are planned on a fixed grid, so lateness never adds up, and there is one at a time, so they never
    pile up: a caller that is still at work when a round falls due comes to it afterwards or not at all. In
    sessions the grid begins anew with each opening. Waiting can be cancelled at any moment, and counts as a
    heartbeat. Under a clock that runs `speed` times as fast the rounds come so much faster; under a frozen
    clock they come every `interval_s` seconds of the loop if that moment is in a session. When the clock is
    set, the next round comes after one interval at the latest.

    Parameters
    ----------
    interval_s : float
        Market seconds from one round to the next.
    sessions : callable, optional
        See `Sessions`; None is around the clock.
    on_overrun : {"skip", "run_late"}
        What happens to rounds that fall due while the caller is still at work: they are left out and the
        grid stays, or one is run at once and the grid begins anew with it.
    immediate : bool
        Whether the first round comes at once, if in session, or after the first interval.
    rank : int
        On virtual time, of rounds that fall due at one instant those of lower rank begin first.

    Examples
    --------
    ::

        async for tick in Schedule(180, sessions=trading_hours):
            await scan()

        await Schedule(60).run(look)  # where there is mostly nothing to wait for
    """

    def __init__(
        self,
        interval_s: float,
        *,
        sessions: Sessions | None = None,
        on_overrun: Overrun = "skip",
        immediate: bool = True,
        rank: int = 0,
    ) -> None:
        if not 0 < interval_s < math.inf:
            raise ParameterError(
                f"interval_s must be positive, got {interval_s}.", name="interval_s", value=interval_s
            )
        if on_overrun not in ("skip", "run_late"):
            raise ParameterError(
                f"on_overrun must be 'skip' or 'run_late', got {on_overrun!r}.",
                name="on_overrun",
                value=on_overrun,
            )
        self._interval = timedelta(seconds=interval_s)
        self._interval_s = interval_s
        self._sessions = sessions
        self._on_overrun = on_overrun
        self._immediate = immediate
        self.rank = rank
        self._due: datetime | None = None
        self._closes: datetime | None = None
        self._grid: Grid | None = None
        self._frozen_due_s: float | None = None
        self._given = False
        self._skipped_before_next = 0
        self._ticks = 0
        self._skipped = 0
        self._late_s = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Tick:
        """Wait for the next round; end after the last session."""
        while True:
            clock, grid = installed_clock(), self._grid
            if grid is not None and (next_s := self._plan_on_grid()) is not None:
                beat(idle_s=next_s - grid.loop.time())
                if await grid.clock.sleep_until(grid.loop, next_s, rank=self.rank):
                    return self._begin_on_grid()
                continue
            if grid is not None and not self._given and not grid.holds():
                self._grid = None
                self._plan(min(grid.next_due, now() + self._interval))  # the clock was set meanwhile
            if clock is None or clock.speed > 0.0:
                self._frozen_due_s = None
                tick = await self._next_in_market_time(clock)
            else:
                tick = await self._next_on_frozen_clock(clock)
            if tick is not None:
                return tick

    async def run(self, work: Round) -> None:
        """Call `work` at each round, and await what it returns, until the last session is over.

        A round that has nothing to wait for returns None; on virtual time the task is not woken for it then.

        Parameters
        ----------
        work : callable
            Takes the `Tick`; returns an awaitable or None.
        """
        async for tick in self:
            waits = work(tick)
            if waits is not None:
                await waits
            while (series := self._series(work)) is not None:
                waits = await series
                if waits is not None:
                    await waits

    def _series(self, work: Round) -> Series | None:
        grid = self._grid
        if grid is None or grid.nap_loop is None or (first_s := self._plan_on_grid()) is None:
            return None
        return Series(grid.nap_loop, first_s, grid, self.rank, self._begin_on_grid, self._plan_on_grid, work)

    def _plan_on_grid(self) -> float | None:
        """Return the loop time of the grid's next round; None where that takes a closer look."""
        grid = self._grid
        if grid is None or not self._given or not grid.holds():
            return None
        next_s, due = grid.next_s(), grid.next_due
        if next_s < grid.loop.time() or (self._closes is not None and due >= self._closes):
            return None  # it was missed, or the session is over
        self._due, self._given = due, False
        return next_s

    def _begin_on_grid(self) -> Tick:
        assert self._grid is not None  # for the type checker: planned on it
        self._given, self._late_s = True, 0.0
        return self._tick(self._grid.advance())

    def statistics(self) -> ScheduleStatistics:
        """Return the counters as they are now."""
        return ScheduleStatistics(
            ticks=self._ticks, skipped=self._skipped, late_s=self._late_s, next_due=self._due
        )

    async def _next_in_market_time(self, clock: MarketClock | None) -> Tick | None:
        """Wait on the market's grid; None when the clock was set meanwhile."""
        if self._due is None:
            self._plan(now() if self._immediate and not self._ticks else now() + self._interval)
        elif self._given:
            self._plan_after(self._due)
        self._given = False
        assert self._due is not None  # for the type checker: planned above
        due = self._due
        speed = 1.0 if clock is None else clock.speed
        beat()
        while (left_s := (due - now()).total_seconds()) > 0.0:
            wait_s = max(left_s / speed, _SHORTEST_WAIT_S)
            beat(idle_s=wait_s)
            if clock is None:
                await asyncio.sleep(min(wait_s, _WALL_LOOK_S))
            elif not await clock.sleep(wait_s):
                self._plan(min(due, now() + self._interval))
                return None
        self._late_s = -left_s
        if clock is not None:
            due_s = asyncio.get_running_loop().time() + left_s / speed
            self._grid = Grid(clock, due_s, due, self._interval)
        self._given = True
        return self._tick(due)

    async def _next_on_frozen_clock(self, clock: MarketClock) -> Tick | None:
        """Wait on the loop's grid; None when the clock was set meanwhile."""
        at, loop = clock.now(), asyncio.get_running_loop()
        self._due, self._given = None, False
        opening = at if self._sessions is None else self._window(at)[0]
        if opening > at:
            beat(idle_s=math.inf)  # the market never opens unless somebody sets the clock
            await clock.sleep(None)
            return None
        now_s = loop.time()
        if self._frozen_due_s is None:
            due_s = now_s if self._immediate and not self._ticks else now_s + self._interval_s
        else:
            due_s = self._frozen_due_s + self._interval_s
            missed = math.ceil((now_s - due_s) / self._interval_s) if due_s < now_s else 0
            due_s = self._after_overrun(due_s + missed * self._interval_s, now_s, missed)
        while (left_s := due_s - loop.time()) > 0.0:
            beat(idle_s=left_s)
            if not await clock.sleep(max(left_s, _SHORTEST_WAIT_S)):
                return None
        self._late_s = 0.0
        self._frozen_due_s = due_s
        return self._tick(at)

    def _plan_after(self, done: datetime) -> None:
        """Plan the round after the one of `done`, which is over now."""
        due, present = done + self._interval, now()
        if due < present:
            within = self._closes is None or present < self._closes
            until = present if self._closes is None else min(present, self._closes)
            # Only what a session would have held was missed.
            missed = max(0, math.ceil((until - due) / self._interval))
            # The grid does not reach over a close: the next session, if it has begun, is joined at once.
            on_grid = due + missed * self._interval if within else present
            due = self._after_overrun(on_grid, present, missed)
        self._plan(due)

    def _after_overrun(self, on_grid: T, present: T, missed: int) -> T:
        """Count what is left out, and return when the next round is due."""
        if missed and self._on_overrun == "run_late":
            missed -= 1
            on_grid = present
        self._skipped_before_next = missed
        self._skipped += missed
        return on_grid

    def _plan(self, due: datetime) -> None:
        if self._sessions is not None:
            opens, self._closes = self._window(due)
            due = max(due, opens)
        self._due = due

    def _window(self, at: datetime) -> tuple[datetime, datetime]:
        assert self._sessions is not None  # for the type checker
        window = self._sessions(at)
        if window is None:
            raise StopAsyncIteration
        if window[1] <= at:
            raise StateError(
                f"`sessions` answered {at} with a session that closed before, at {window[1]}; it must return "
                "the one that is open then or the next one."
            )
        return window

    def _tick(self, due: datetime) -> Tick:
        tick = Tick(self._ticks, due, self._skipped_before_next)
        self._ticks += 1
        self._skipped_before_next = 0
        return tick
