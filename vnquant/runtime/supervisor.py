"""Supervisor: owns the long-lived tasks: starts them in order, restarts what fails, stops all in time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Self

from vnquant.errors import ParameterError, StateError
from vnquant.runtime.component import Component
from vnquant.runtime.restart import RestartPolicy
from vnquant.runtime.supervision import ComponentStatus, SupervisionEvent
from vnquant.runtime.waits import where_it_waits

__all__ = ("Supervisor",)

# What is left after the deadline was cancelled at once and gets this long to unwind.
_LAST_GRACE_S = 1.0


class Supervisor:
    """Named components in one TaskGroup.

    Parameters
    ----------
    on_event : callable, optional
        Gets each `SupervisionEvent`, synchronously; publish it on a bus, for instance.
    policy : RestartPolicy
        For components that bring none.
    seed : int
        Of the jitter; each component draws from its own stream, whatever the others do.
    name : str
        Of the root task.

    Examples
    --------
    ::

        async with Supervisor(on_event=bus.publish_nowait) as supervisor:
            supervisor.add("prices", follow_prices, heartbeat_s=30)
            supervisor.add("scanner", scan_for_ever, after=("prices",))
            ...
    """

    def __init__(
        self,
        *,
        on_event: Callable[[SupervisionEvent], None] | None = None,
        policy: RestartPolicy | None = None,
        seed: int = 0,
        name: str = "supervisor",
    ) -> None:
        self.name = name
        self._on_event = on_event
        self._policy = policy or RestartPolicy()
        self._seed = seed
        self._components: dict[str, Component] = {}
        self._root: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._closing = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether it was started and has not stopped."""
        return self._root is not None and not self._root.done()

    def add(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        *,
        after: Iterable[str] = (),
        policy: RestartPolicy | None = None,
        heartbeat_s: float | None = None,
    ) -> None:
        """Add a component; it starts with the supervisor, or at once if that is running.

        Parameters
        ----------
        name : str
            Also the name of its task.
        run : callable
            Without arguments, returns an awaitable; called anew for each start. Returning ends the component.
        after : iterable of str
            Components added before, which must be up first, and are stopped only after this one. A component
            is up once it has started or, if it has a heartbeat, has beaten.
        policy : RestartPolicy, optional
        heartbeat_s : float, optional
            Loop seconds without `runtime.beat()` after which it is restarted. A `Schedule` beats by itself.
        """
        present = self._components.get(name)
        if present is not None and (present.alive or not self.running):
            raise ParameterError(f"There is a component {name!r} already.", name="name", value=name)
        if heartbeat_s is not None and not heartbeat_s > 0:
            raise ParameterError(
                f"heartbeat_s must be positive, got {heartbeat_s}.", name="heartbeat_s", value=heartbeat_s
            )
        if self._closing.is_set():
            raise StateError(f"Component {name!r} came too late: the supervisor is stopping.")
        component = Component(
            name,
            run,
            after=tuple(self._component(other) for other in after),
            policy=policy or self._policy,
            heartbeat_s=heartbeat_s,
            rng=random.Random(f"{self._seed}:{name}"),
            report=self._tell,
        )
        self._components[name] = component
        if self._group is not None:
            self._start(component, self._group)

    async def start(self) -> None:
        """Start every component; returns when their tasks exist, which outlive the caller.

        A start that is cancelled stops them again.
        """
        if self.running:
            raise StateError("The supervisor is running already.")
        if self._root is not None:
            raise StateError("The supervisor has been stopped; make a new one.")
        begun = asyncio.Event()
        self._root = asyncio.get_running_loop().create_task(self._own(begun), name=self.name)
        try:
            await begun.wait()
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def stop(self, deadline_s: float = 5.0) -> None:
        """Cancel every component, dependents before what they depend on; idempotent.

        Parameters
        ----------
        deadline_s : float
            Loop seconds after which order no longer counts: all that is left is cancelled at once, and what
            is still tidying up is cancelled again.

        Raises
        ------
        StateError
            If components ignore their cancellation. They are named, with the line where they stand.
        """
        if self._root is None or self._root.done():
            return
        if asyncio.current_task() in {component.task for component in self._components.values()}:
            raise StateError("A component cannot stop its own supervisor: it would wait for its own end.")
        self._closing.set()
        try:
            async with asyncio.timeout(deadline_s):
                await self._stop_in_order()
        except TimeoutError:
            for component in self._alive():
                component.stop(again=True)
        done, _ = await asyncio.wait({self._root}, timeout=_LAST_GRACE_S)
        if not done:
            left = [str(where_it_waits(one.task)) for one in self._alive() if one.task is not None]
            raise StateError(
                f"{len(left)} component(s) ignore their cancellation, {deadline_s + _LAST_GRACE_S:g} s after "
                f"the stop: {'; '.join(left)}. Look for an `except` that swallows CancelledError there."
            )
        if not self._root.cancelled():
            self._root.result()

    def restart(self, name: str) -> None:
        """Cancel the component's present run and start it again, also when it was given up."""
        component = self._component(name)
        if not component.alive:
            raise StateError(
                f"Component {name!r} is {component.state}, so it cannot be restarted; add it again."
            )
        component.restart()

    def status(self) -> dict[str, ComponentStatus]:
        """Return each component as it is now, in order of addition."""
        return {name: component.status() for name, component in self._components.items()}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _own(self, begun: asyncio.Event) -> None:
        """Hold the group open until the stop: the root task."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._closing.is_set():
                    return  # stopped before it took its first step
                self._group = group
                for component in self._components.values():
                    self._start(component, group)
                begun.set()
                await self._closing.wait()
        finally:
            self._group = None
            self._closing.set()

    def _start(self, component: Component, group: asyncio.TaskGroup) -> None:
        component.task = group.create_task(component.supervise(), name=component.name)

    async def _stop_in_order(self) -> None:
        while alive := self._alive():
            needed = {dependency for component in alive for dependency in component.after}
            leaves = [component for component in alive if component not in needed]
            for component in leaves:
                component.stop()
            tasks = {component.task for component in leaves if component.task is not None}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    def _alive(self) -> list[Component]:
        return [component for component in self._components.values() if component.alive]

    def _component(self, name: str) -> Component:
        try:
            return self._components[name]
        except KeyError:
            known = ", ".join(map(repr, self._components)) or "none"
            raise ParameterError(
                f"There is no component {name!r}; there is {known}.", name="name", value=name
            ) from None

    def _tell(self, event: SupervisionEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)
