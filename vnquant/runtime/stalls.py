"""Stalls: catches code that keeps the loop from turning, in the act, from a watcher thread.

A stalled loop cannot tell on itself. The watcher asks it at intervals for a sign of life through
`call_soon_threadsafe`; when none comes in time, it takes the loop thread's stack, which ends in the offender.
It counts real seconds, on a virtual-time loop too, and moves no virtual clock, since it sets no timer there.
What holds the interpreter lock throughout (a C extension) is noticed, with the stack of the moment after.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections import deque
from datetime import datetime

import msgspec

from vnquant.errors import ParameterError, StateError
from vnquant.runtime.clock import monotonic_s, now

__all__ = ("Stall", "StallWatch")


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """One time that the loop did not turn."""

    at: datetime
    """Market time of its end."""
    duration_s: float
    """Real seconds from the question to the answer."""
    task: str
    """Name of the task that ran; empty for a callback."""
    stack: str
    """The loop thread's stack while it stalled, the offender last."""

    @property
    def place(self) -> str:
        """The innermost line of the stack."""
        lines = [line.strip() for line in self.stack.splitlines() if line.lstrip().startswith("File ")]
        return lines[-1] if lines else ""


class StallWatch:
    """Watches the loop that `start` was called on, until `stop`.

    Parameters
    ----------
    threshold_s : float
        Real seconds without a turn that count as a stall.
    keep : int
        Latest stalls kept; all are counted.
    """

    def __init__(self, threshold_s: float = 0.1, *, keep: int = 100) -> None:
        if not threshold_s > 0:
            raise ParameterError(
                f"threshold_s must be positive, got {threshold_s}.", name="threshold_s", value=threshold_s
            )
        self.threshold_s = threshold_s
        self.count = 0
        self.longest_s = 0.0
        self._stalls: deque[Stall] = deque(maxlen=keep)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._turned = threading.Event()

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """The latest stalls, oldest first."""
        return tuple(self._stalls)

    def start(self) -> None:
        """Start the watcher thread for the running loop."""
        if self._thread is not None:
            raise StateError("The watch is running already.")
        loop = asyncio.get_running_loop()
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._watch, args=(loop, threading.get_ident()), name="stall-watch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the watcher thread; idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._turned.set()  # it may wait for an answer that this thread cannot give now
            thread.join(timeout=1.0)

    def _watch(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
        turned = self._turned
        answer_at: list[datetime] = []

        def answer() -> None:
            answer_at[:] = [now()]
            turned.set()

        while not self._stopping.is_set():
            turned.clear()
            answer_at.clear()
            asked_s = monotonic_s()
            try:
                loop.call_soon_threadsafe(answer)
            except RuntimeError:
                return  # the loop is closed
            if not turned.wait(self.threshold_s):
                task, stack = _look(loop, loop_thread)
                turned.wait()
                if answer_at:  # else it was `stop` that ended the wait
                    stalled_s = monotonic_s() - asked_s
                    self._note(Stall(at=answer_at[0], duration_s=stalled_s, task=task, stack=stack))
            self._stopping.wait(self.threshold_s / 2)

    def _note(self, stall: Stall) -> None:
        self.count += 1
        self.longest_s = max(self.longest_s, stall.duration_s)
        self._stalls.append(stall)


def _look(loop: asyncio.AbstractEventLoop, loop_thread: int) -> tuple[str, str]:
    """Return the running task's name and the loop thread's stack."""
    frame = sys._current_frames().get(loop_thread)
    task = asyncio.current_task(loop)
    stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
    return "" if task is None else task.get_name(), stack
