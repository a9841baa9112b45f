"""Orchestrator: the whole operation in the background: it wires components, and decides nothing itself.

One root task owns everything: the ledger, the crew, and a supervisor with five components. `start` returns
when they run; they outlive the cell that started them, and end with `stop`, or when the ledger is lost.

While paused there are no scans and no discussions, and leads keep; positions are still watched and exits
still sold, since they lower the risk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy.engine import URL

from vnquant.engine.config import EngineConfig
from vnquant.engine.crew import Crew
from vnquant.engine.events import EngineEvent, OrchestratorState, StateChanged
from vnquant.engine.grid import ALWAYS, MODEL_HOURS, POSITION_HOURS
from vnquant.engine.health import Troubles
from vnquant.engine.leads import Lead
from vnquant.engine.policy import Decision
from vnquant.engine.repeating import Repeater
from vnquant.engine.research import Research
from vnquant.engine.rounds import RoundOrder, Stage
from vnquant.engine.running import Component, crew_on, supervised
from vnquant.engine.scanning import RoundReport, scan_everything
from vnquant.engine.status import OrchestratorStatus, status_of
from vnquant.errors import ClosedError, LeaseLostError, StateError
from vnquant.runtime import (
    EventBus,
    SupervisionEvent,
    Supervisor,
    VirtualTimeLoop,
    beat,
    install_clock,
    now,
)
from vnquant.trading import Fills

__all__ = ("AutonomousOrchestrator",)

logger = logging.getLogger(__name__)

_State = OrchestratorState
E = TypeVar("E", bound=EngineEvent | SupervisionEvent)

_GRACE_S = 5.0


class AutonomousOrchestrator:
    """Scans, discusses, trades on paper and watches itself, until it is stopped.

    Parameters
    ----------
    research : Research
        Data, model and agents; the workbench's desk.
    bus : EventBus, optional
        Gets every `EngineEvent` and `SupervisionEvent`. A subscriber that blocks and is full misses events,
        and counts them as dropped; the engine waits for nobody, and the others miss nothing.
    database : str or Path or URL or None
        The ledger; None is the user's own.
    config : EngineConfig, optional
    seed : int
        Of the pauses before restarts.

    Examples
    --------
    ::

        orchestrator = AutonomousOrchestrator(research, database="ledger.db")
        await orchestrator.start()
        orchestrator.status()
        orchestrator.pause()
        orchestrator.resume()
        await orchestrator.stop()
    """

    def __init__(
        self,
        research: Research,
        *,
        bus: EventBus | None = None,
        database: str | Path | URL | None = None,
        config: EngineConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.research = research
        self.bus = EventBus() if bus is None else bus
        self.config = EngineConfig() if config is None else config
        self.database = database
        self._seed = seed
        self._state = _State.NEW
        self._error = ""
        self._change: StateChanged | None = None
        self._troubles = Troubles()
        self._crew: Crew | None = None
        self._supervisor: Supervisor | None = None
        self._rounds = Repeater(
            RoundOrder(self.config.turn_patience_s),
            calendar=research.calendar,
            clock=lambda: research.clock,
            tell=self._tell,
        )
        self._root: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._ending = asyncio.Event()

    # -- lifetime -----------------------------------------------------------------------------------------

    @property
    def state(self) -> OrchestratorState:
        """One of new, running, paused, stopping, stopped, failed."""
        return self._state

    @property
    def crew(self) -> Crew:
        """The components of the present or last run, each of which can be used alone.

        Raises
        ------
        StateError
            Before the first start.
        """
        if self._crew is None:
            raise StateError("The orchestrator has not been started yet: `await orchestrator.start()`.")
        return self._crew

    @property
    def fills(self) -> Fills:
        """The latest fills in the ledger, oldest first; none before the first start."""
        return Fills() if self._crew is None else Fills(self._crew.record.fills)

    async def start(self) -> Self:
        """Open the ledger, go on where it ends, and run in the background; harmless while it runs or starts.

        What is still coming to its end, after a stop or a start that was cancelled, is waited for first.

        The market's clock becomes the running loop's, which has one at a time: orchestrators of different
        markets want two loops. A start that is cancelled leaves nothing behind, and can be repeated. In real
        time full garbage collections leave out what was there before, until the stop: see
        `vnquant.runtime.short_collections`.

        Raises
        ------
        LeaseHeldError
            If another orchestrator works on this ledger.
        LedgerError
            If the ledger cannot be used.
        StateError
            If it is stopped before it has started, or what is to end does not.
        """
        while self._root is not None and not self._root.done():
            if self._ending.is_set():
                await self._wait_for(self._root, grace=_GRACE_S)
            else:
                if self._begun is not None and not self._begun.done():
                    await _until(self._begun)
                return self
        self._ending.clear()
        self._rounds.going.set()
        self._error = ""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualTimeLoop):  # there the loop's time is the market's already
            install_clock(self.research.clock)
        begun: asyncio.Future[None] = loop.create_future()
        self._begun = begun
        root = self._root = loop.create_task(self._own(begun), name="orchestrator")
        root.add_done_callback(self._root_ended)
        try:
            await _until(begun)
        except asyncio.CancelledError:
            self._end(root)
            raise
        return self

    def pause(self) -> None:
        """Begin no more scans and discussions; positions are still watched. What runs comes to its end."""
        if self._state is _State.RUNNING:
            self._rounds.going.clear()
            self._move(_State.PAUSED)
        elif self._state is not _State.PAUSED:
            raise StateError(f"The orchestrator is {self._state}, so there is nothing to pause.")

    def resume(self) -> None:
        """Go on after a pause."""
        if self._state is _State.PAUSED:
            self._move(_State.RUNNING)
            self._rounds.going.set()
        elif self._state is not _State.RUNNING:
            raise StateError(f"The orchestrator is {self._state}; `await orchestrator.start()` it.")

    async def stop(self, grace: float = _GRACE_S) -> None:
        """Cancel everything at once, record what the broker knows, and close the ledger. Idempotent.

        Cancelled itself, it goes on in the background; call it again to wait for the end.

        Parameters
        ----------
        grace : float
            Loop seconds that components have to unwind.

        Raises
        ------
        StateError
            If something ignores its cancellation.
        """
        root = self._root
        if root is None or root.done():
            if self._state is _State.NEW:
                self._move(_State.STOPPED)
            return
        if self._state is not _State.STOPPING:
            self._move(_State.STOPPING)
        self._end(root)
        await self._wait_for(root, grace=grace)

    async def wait_ended(self) -> None:
        """Wait until it is stopped, or fails."""
        if self._root is not None:
            await asyncio.wait({self._root})

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def status(self) -> OrchestratorStatus:
        """Return how it is now."""
        root = self._root
        return status_of(
            self._state,
            components={} if self._supervisor is None else self._supervisor.status(),
            is_live=root is not None and not root.done(),
            error=self._error,
            crew=self._crew,
            change=self._change,
        )

    async def next(
        self, kind: type[E], *, where: Callable[[E], bool] | None = None, timeout_s: float = 60.0
    ) -> E:
        """Wait for the next event of a kind that it tells, and return it.

        Parameters
        ----------
        kind : type
            Such as `ScanFinished`; `EngineEvent` is any.
        where : callable, optional
            Says which of them is meant.
        timeout_s : float
            Loop seconds to wait.

        Raises
        ------
        TimeoutError
            If none comes in time.
        """
        async with self.bus.subscribe(kind, where, when_full="drop_newest", maxsize=1) as events:
            try:
                async with asyncio.timeout(timeout_s):
                    return await anext(events)
            except TimeoutError:
                told = f"No {kind.__name__} within {timeout_s:g} s; the orchestrator is {self._state}."
                raise TimeoutError(told) from None

    async def run_all_scanners(self) -> RoundReport:
        """Run one round of the model and news scanners at the same time, now, whatever the hour.

        Raises
        ------
        StateError
            If it does not run.
        """
        if self._state not in (_State.RUNNING, _State.PAUSED):
            raise StateError(f"The orchestrator is {self._state}: `await orchestrator.start()` first.")
        return await scan_everything(self.crew)

    # -- components ---------------------------------------------------------------------------------------

    async def _run_model_scanner(self) -> None:
        """Scan the market every 180 s while it trades."""
        every_s = self.config.model_every_s
        await self._rounds.repeat("model_scanner", Stage.MODEL, MODEL_HOURS, every_s, self.crew.model)

    async def _run_news_scanner(self) -> None:
        """Read the feeds every 300 s around the clock."""
        every_s = self.config.news_every_s
        await self._rounds.repeat("news_scanner", Stage.NEWS, ALWAYS, every_s, self.crew.news)

    async def _process_opportunities(self) -> None:
        """Discuss leads as they come, the most urgent first."""
        inbox = self.crew.inbox
        while True:
            beat(idle_s=float("inf"))
            await inbox.wait()
            await self._rounds.going.wait()
            beat()
            async with self._rounds.order.turn(Stage.LEADS):
                if inbox.is_empty or not self._rounds.going.is_set():
                    continue  # a pause may have come while this waited its turn
                async with inbox.take() as lead:
                    await self._execute_opportunity(lead)

    async def _execute_opportunity(self, lead: Lead) -> Decision:
        """Ask the discussion, turn the verdict into an order by the policy, and journal why or why not."""
        return await self.crew.desk.execute(lead)

    async def _monitor_positions(self) -> None:
        """Look at positions and orders every 60 s from before the open until after the close."""
        every_s, watch = self.config.positions_every_s, self.crew.watch
        await self._rounds.repeat("positions", Stage.POSITIONS, POSITION_HOURS, every_s, watch, pauses=False)

    async def _monitor_system_health(self) -> None:
        """Look at the engine itself every 60 s."""
        await self._rounds.schedule(ALWAYS, self.config.health_every_s).run(self.crew.health.run_round)

    # -- inside -------------------------------------------------------------------------------------------

    async def _own(self, begun: asyncio.Future[None]) -> None:
        """Run from the opening of the ledger to its close: the root task."""
        try:
            async with crew_on(
                self.database, self.research, config=self.config, tell=self._tell, troubles=self._troubles
            ) as crew:
                self._crew = crew
                self._rounds.plan(crew.record)
                async with supervised(
                    self._roster(), seed=self._seed, tell=self._tell_of_component, lost=self._lost
                ) as self._supervisor:
                    self._move(_State.RUNNING)
                    begun.set_result(None)
                    await self._ending.wait()
        except asyncio.CancelledError:
            self._move(_State.STOPPED, "the start was cancelled")
            if not begun.done():
                begun.cancel()
            raise
        except BaseException as exc:
            self._error = self._error or f"{type(exc).__name__}: {exc}"
            self._move(_State.FAILED, self._error)
            if begun.done():
                logger.exception("the orchestrator failed")
                if not isinstance(exc, Exception):
                    raise
            else:
                begun.set_exception(exc)
        else:
            self._move(_State.FAILED if self._error else _State.STOPPED, self._error)

    def _end(self, root: asyncio.Task[None]) -> None:
        """Tell a root task to end, once: a second cancellation would cut its tidying up short."""
        if not self._ending.is_set():
            self._ending.set()
            if self._begun is not None and not self._begun.done():
                root.cancel()  # it is starting: what it waits for is no longer wanted

    async def _wait_for(self, root: asyncio.Task[None], *, grace: float) -> None:
        """Wait for a root task that has been told to end."""
        limit_s = grace + 5.0
        done, _ = await asyncio.wait({root}, timeout=limit_s)
        if not done:
            raise StateError(f"The orchestrator has not stopped within {limit_s:g} s: {root.get_stack()}")

    def _root_ended(self, root: asyncio.Task[None]) -> None:
        """Release who waits for a start that was stopped before the root task took its first step."""
        if self._begun is not None:
            self._begun.cancel()
        if self._state is _State.STOPPING:
            self._move(_State.STOPPED)

    def _lost(self, error: LeaseLostError) -> None:
        """End: another orchestrator has the ledger."""
        self._error = str(error)
        self._ending.set()

    def _roster(self) -> dict[str, tuple[Component, float]]:
        """Return the components with the seconds after which each counts as hanging."""
        config = self.config
        return {
            "positions": (self._monitor_positions, 120.0),
            "model_scanner": (self._run_model_scanner, config.scan_timeout_s + 60.0),
            "news_scanner": (self._run_news_scanner, config.news_timeout_s + 60.0),
            "opportunities": (self._process_opportunities, config.case_timeout_s + 60.0),
            "health": (self._monitor_system_health, 120.0),
        }

    def _move(self, state: OrchestratorState, reason: str = "") -> None:
        if state is self._state:
            return
        before, self._state = self._state, state
        self._change = StateChanged(at=now(), before=before, state=state, reason=reason)
        self._tell(self._change)

    def _tell_of_component(self, event: SupervisionEvent) -> None:
        self._troubles.note(event)
        self._tell(event)

    def _tell(self, event: EngineEvent | SupervisionEvent) -> None:
        """Publish an event; the engine waits for no reader."""
        try:  # noqa: SIM105 - `suppress` would make an object for each event of a year
            self.bus.announce(event)
        except ClosedError:
            pass  # who closes the bus wants to hear no more


async def _until(begun: asyncio.Future[None]) -> None:
    """Wait for the end of a start, which goes on where who waits for it is cancelled."""
    try:
        await asyncio.shield(begun)
    except asyncio.CancelledError:
        cell = asyncio.current_task()
        if begun.cancelled() and cell is not None and not cell.cancelling():
            # Nobody interrupted who waits here, so this must not look like an interrupt.
            raise StateError(
                "The orchestrator was stopped while it was starting. Nothing runs; start it again with "
                "`await orchestrator.start()`."
            ) from None
        raise
