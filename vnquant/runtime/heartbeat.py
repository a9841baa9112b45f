"""Heartbeat: how a component tells its supervisor that it lives, from any depth of its code."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable

from vnquant.runtime.naps import Alarm, NapLoop

__all__ = ("Heart", "beat", "current_component", "current_heart")

# A timer may fire a clock resolution early; without slack it would be set again and again for nothing.
_SLACK_S = 1e-3

_heart: contextvars.ContextVar[Heart | None] = contextvars.ContextVar("component_heart", default=None)


def beat(idle_s: float = 0.0) -> None:
    """Tell the supervisor that the running component lives; outside a component nothing happens.

    Parameters
    ----------
    idle_s : float
        Loop seconds for which the component will wait on purpose: its watchdog counts from their end. May be
        infinite.
    """
    heart = _heart.get()
    if heart is not None:
        heart.beat(idle_s)


def current_heart() -> Heart | None:
    """Return the heart of the running component, for who beats often."""
    return _heart.get()


def current_component() -> str | None:
    """Return the name of the component in whose code this runs, its child tasks included."""
    heart = _heart.get()
    return None if heart is None else heart.owner


class Heart:
    """The last beat of one component, and the watchdog's timer.

    Parameters
    ----------
    owner : str
        The component's name.
    timeout_s : float, optional
        Loop seconds without a beat after which `on_silence` is called; None for no watchdog.
    on_silence, on_first_beat : callable
    """

    __slots__ = (
        "_due_s",
        "_loop",
        "_on_first_beat",
        "_on_silence",
        "_rung",
        "_timer",
        "last_beat_s",
        "owner",
        "timeout_s",
    )

    def __init__(
        self,
        owner: str,
        *,
        timeout_s: float | None,
        on_silence: Callable[[], None],
        on_first_beat: Callable[[], None],
    ) -> None:
        self.owner = owner
        self.timeout_s = timeout_s
        self.last_beat_s: float | None = None
        self._on_silence = on_silence
        self._on_first_beat = on_first_beat
        self._loop = asyncio.get_running_loop()
        self._due_s = math.inf
        self._timer: asyncio.TimerHandle | Alarm | None = None
        self._rung: Alarm | None = None

    def start(self) -> None:
        """Become the heart of the running context, and start the watchdog."""
        _heart.set(self)
        if self.timeout_s is not None:
            self._due_s = self._loop.time() + self.timeout_s
            self._look_at(self._due_s)

    def stop(self) -> None:
        """Stop the watchdog for good: a child task that outlives the run may go on beating."""
        self.timeout_s = None
        self._cancel_timer()

    def beat(self, idle_s: float) -> None:
        """Note a beat, and that no other comes for some seconds."""
        self.rest_until(self._loop.time() + idle_s)

    def rest_until(self, until_s: float) -> None:
        """Note a beat, and that no other comes before a time of the loop.

        Mostly that sets numbers, which the timer looks at when it is due.
        """
        if self.last_beat_s is None:
            self._on_first_beat()
        self.last_beat_s = self._loop.time()
        if self.timeout_s is not None:
            due_s = until_s + self.timeout_s
            # A timer already set looks early enough, unless the component takes back a longer absence.
            sooner = due_s < self._due_s
            self._due_s = due_s
            if self._timer is None or (sooner and due_s < self._timer.when()):
                self._cancel_timer()
                self._look_at(due_s)

    def _look_at(self, when_s: float) -> None:
        if when_s == math.inf:
            return
        if isinstance(self._loop, NapLoop):
            alarm, self._rung = self._rung or Alarm(self._loop, self._look), None
            alarm.set(when_s)
            self._timer = alarm
        else:
            self._timer = self._loop.call_at(when_s, self._look)

    def _look(self) -> None:
        if isinstance(self._timer, Alarm):
            self._rung = self._timer
        self._timer = None
        if self._loop.time() + _SLACK_S < self._due_s:
            self._look_at(self._due_s)
        elif self.timeout_s is not None:
            self._due_s = self._loop.time() + self.timeout_s
            self._look_at(self._due_s)  # should the component not even react to its cancellation
            self._on_silence()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
