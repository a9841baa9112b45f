"""Component: one supervised coroutine in one task: runs it, restarts it, gives it up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

from vnquant.errors import StateError
from vnquant.runtime.clock import installed_clock, now
from vnquant.runtime.heartbeat import Heart
from vnquant.runtime.restart import RestartPolicy, RestartState
from vnquant.runtime.supervision import (
    ComponentState,
    ComponentStatus,
    Severity,
    SupervisionEvent,
    SupervisionKind,
)
from vnquant.runtime.waits import where_it_waits

__all__ = ("Component",)

logger = logging.getLogger(__name__)

_LOG_LEVEL = {
    Severity.INFO: logging.DEBUG,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.CRITICAL,
}


class Component:
    """A named coroutine function under a restart policy. Made and driven by a `Supervisor`."""

    def __init__(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        *,
        after: tuple[Component, ...],
        policy: RestartPolicy,
        heartbeat_s: float | None,
        rng: random.Random,
        report: Callable[[SupervisionEvent], None],
    ) -> None:
        self.name = name
        self.after = after
        self.state = ComponentState.NEW
        self.task: asyncio.Task[None] | None = None
        self._run = run
        self._policy = policy
        self._restart = RestartState(policy, rng)
        self._heartbeat_s = heartbeat_s
        self._report = report
        self._heart: Heart | None = None
        self._up = asyncio.Event()
        self._asked: Literal["stalled", "restart"] | None = None
        self._told_stuck = False
        self._stopping = False
        self._wanted_again = asyncio.Event()
        self._starts = 0
        self._began_s = 0.0
        self._last_error: str | None = None

    @property
    def alive(self) -> bool:
        """Whether its task is not over."""
        return self.task is not None and not self.task.done()

    async def supervise(self) -> None:
        """Run until the coroutine returns or the task is cancelled."""
        try:
            while True:
                self.state = ComponentState.WAITING
                for dependency in self.after:
                    await dependency._up.wait()
                failure = await self._run_once()
                if failure is None:
                    self.state = ComponentState.FINISHED
                    self._tell(SupervisionKind.FINISHED, Severity.INFO, "returned")
                    return
                if failure is not _RESTART:
                    await self._recover(failure)
        except asyncio.CancelledError:
            self.state = ComponentState.STOPPED
            self._up.clear()
            self._tell(SupervisionKind.STOPPED, Severity.INFO, "was stopped")
            raise

    def stop(self, *, again: bool = False) -> None:
        """Cancel the task: once, so that its tidying up is not broken into, unless asked to do so again."""
        if self.task is not None and (again or not self._stopping):
            self._stopping = True
            self.task.cancel()

    def restart(self) -> None:
        """Cancel the present run and start again, also with an open breaker; failures are forgotten."""
        self._restart.forget()
        if self.state is ComponentState.RUNNING and self.task is not None:
            self._asked = self._asked or "restart"
            self.task.cancel()
        else:
            self._wanted_again.set()

    def status(self) -> ComponentStatus:
        """Return the component as it is now."""
        now_s = asyncio.get_running_loop().time()
        last_beat_s = None if self._heart is None else self._heart.last_beat_s
        age_s = None if last_beat_s is None else now_s - last_beat_s
        is_running = self.state is ComponentState.RUNNING and self.alive
        return ComponentStatus(
            name=self.name,
            # A task cancelled before its first step never gets to say so itself.
            state=ComponentState.STOPPED if self.task and self.task.cancelled() else self.state,
            restarts=max(0, self._starts - 1),
            last_error=self._last_error,
            last_beat=None if age_s is None else _market_time_ago(age_s),
            beat_age_s=age_s,
            after=tuple(dependency.name for dependency in self.after),
            age_s=now_s - self._began_s if is_running else None,
        )

    async def _run_once(self) -> Exception | None:
        """Run the coroutine once; return its failure, or None if it returned."""
        self.state = ComponentState.RUNNING
        self._starts += 1
        self._began_s = asyncio.get_running_loop().time()
        self._asked, self._told_stuck = None, False
        self._wanted_again.clear()
        previous = None if self._heart is None else self._heart.last_beat_s
        self._heart = heart = Heart(
            self.name, timeout_s=self._heartbeat_s, on_silence=self._silent, on_first_beat=self._up.set
        )
        heart.start()
        if self._heartbeat_s is None:
            self._up.set()
        self._tell(SupervisionKind.STARTED, Severity.INFO, "started")
        try:
            await self._run()
        except asyncio.CancelledError:
            return self._cancelled()
        except Exception as exc:  # noqa: BLE001 - the supervision border: the policy decides
            return self._cancelled() if self._asked else exc
        finally:
            heart.stop()
            if heart.last_beat_s is None:
                heart.last_beat_s = previous
        return self._cancelled() if self._asked else None

    def _cancelled(self) -> Exception:
        """Say why the run was cancelled: by its watchdog, for a restart, by itself; or let a stop go on."""
        task = asyncio.current_task()
        assert task is not None  # for the type checker: a coroutine runs in a task
        remaining = task.uncancel() if self._asked else task.cancelling()
        if remaining:
            raise asyncio.CancelledError
        if self._asked == "stalled":
            return StateError(f"no heartbeat for {self._heartbeat_s:g} s, so it was cancelled")
        if self._asked == "restart":
            return _RESTART
        return StateError("it was cancelled from within, by nobody who may stop it")

    async def _recover(self, failure: Exception) -> None:
        """Wait as the policy says, or until a restart is asked for."""
        self._up.clear()
        self._last_error = f"{type(failure).__name__}: {failure}"
        delay_s = self._restart.failed(asyncio.get_running_loop().time())
        if delay_s is not None:
            self.state = ComponentState.BACKOFF
            message = f"failed and is restarted in {delay_s:.3g} s"
            self._tell(SupervisionKind.FAILED, Severity.WARNING, message, failure)
        else:
            self.state = ComponentState.BROKEN
            delay_s = self._policy.cooldown_s
            until = "until it is restarted by hand" if delay_s is None else f"for {delay_s:g} s"
            message = (
                f"failed {self._policy.max_failures} times within {self._policy.window_s:g} s "
                f"and is given up {until}"
            )
            self._tell(SupervisionKind.BROKEN, Severity.CRITICAL, message, failure)
        try:
            async with asyncio.timeout(delay_s):
                await self._wanted_again.wait()
        except TimeoutError:
            pass

    def _silent(self) -> None:
        """Cancel a run that has stopped beating; if that was done before and changed nothing, say so once."""
        if self.task is None:
            return
        waits = where_it_waits(self.task)
        place = f"{waits.function}, line {waits.line}, awaiting {waits.awaits}"
        if self._asked is None:
            self._asked = "stalled"
            message = f"has not beaten for {self._heartbeat_s:g} s, at {place}; it is restarted"
            self._tell(SupervisionKind.STALLED, Severity.WARNING, message)
            self.task.cancel()
        elif not self._told_stuck:
            self._told_stuck = True
            message = f"does not end although cancelled, at {place}; no second one is started beside it"
            self._tell(SupervisionKind.STUCK, Severity.CRITICAL, message)

    def _tell(
        self, kind: SupervisionKind, severity: Severity, message: str, failure: Exception | None = None
    ) -> None:
        logger.log(_LOG_LEVEL[severity], "component %s %s", self.name, message, exc_info=failure)
        event = SupervisionEvent(
            component=self.name,
            kind=kind,
            severity=severity,
            message=f"{self.name} {message}" + (f": {self._last_error}" if failure is not None else ""),
            at=now(),
            restarts=max(0, self._starts - 1),
            error=(self._last_error or "") if failure is not None else "",
        )
        try:
            self._report(event)
        except Exception:
            logger.exception("the callback for supervision events failed on %s", event)


# Not a failure: told apart by identity.
_RESTART = StateError("restart asked for")


def _market_time_ago(age_s: float) -> datetime:
    clock = installed_clock()
    return now() - timedelta(seconds=age_s * (1.0 if clock is None else clock.speed))
