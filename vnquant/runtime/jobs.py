"""Jobs: executor work of a virtual-time loop, whose results come back in the order of its submission.

Threads finish in an order that differs from run to run. The clock stands while they work, so handing the
results to the loop in order costs no virtual time and makes a run with `asyncio.to_thread` repeat exactly:
a result is handed over only when nothing else is ready, oldest job first, one at a time. The threads still
run side by side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from vnquant.runtime.clock import monotonic_s

__all__ = ("Jobs",)


class _Job:
    __slots__ = ("finished_at_s", "is_slow", "label", "outer", "worker")

    def __init__(self, worker: asyncio.Future[Any], outer: asyncio.Future[Any], label: str) -> None:
        self.worker = worker
        self.outer = outer
        self.label = label
        self.finished_at_s: float | None = None
        self.is_slow = False  # others no longer wait for it


class Jobs:
    """The executor jobs in flight on one loop.

    Parameters
    ----------
    patience_s : float
        Real seconds after which a finished job no longer waits for an older one that still works; from then
        on nothing waits for that one. Without it a long-lived thread that needs the loop to go on (a bridge
        to a blocking library) would hang both, and the training of a model would delay all else. Jobs that
        take so long come back in an order that may differ from run to run.
    """

    def __init__(self, patience_s: float = 1.0) -> None:
        self._patience_s = patience_s
        self._jobs: deque[_Job] = deque()

    @property
    def in_flight(self) -> deque[_Job]:
        """The jobs whose results are still to be handed over, oldest first; always the same object."""
        return self._jobs

    def add(self, worker: asyncio.Future[Any], outer: asyncio.Future[Any], label: str) -> None:
        """Take on a job: `worker` gets the thread's result at any time, `outer` is what the caller awaits."""
        job = _Job(worker, outer, label)
        self._jobs.append(job)
        worker.add_done_callback(lambda _: setattr(job, "finished_at_s", monotonic_s()))
        outer.add_done_callback(lambda _: self._given_up(job))

    def hand_over(self) -> bool:
        """Give the oldest job's result to its caller if it is there; return whether one was handed over."""
        overdue = self._overdue() is not None
        for job in self._jobs:
            if job.worker.done():
                return self._deliver(job)
            job.is_slow = job.is_slow or overdue
            if not job.is_slow:
                return False
        return False

    def hand_over_overdue(self) -> bool:
        """Give one result that has waited for longer than the patience, whatever else goes on."""
        job = self._overdue()
        return job is not None and self._deliver(job)

    def wait_s(self) -> float | None:
        """Return in how many real seconds a result becomes overdue; None where none has come."""
        finished = [job.finished_at_s for job in self._jobs if job.finished_at_s is not None]
        return None if not finished else max(0.0, min(finished) + self._patience_s - monotonic_s())

    def labels(self) -> tuple[str, ...]:
        """Return what the jobs in flight are, oldest first."""
        return tuple(job.label for job in self._jobs if not job.worker.done())

    def _deliver(self, job: _Job) -> bool:
        self._jobs.remove(job)
        _copy_result(job.worker, job.outer)
        return True

    def _overdue(self) -> _Job | None:
        limit_s = monotonic_s() - self._patience_s
        for job in self._jobs:
            if job.finished_at_s is not None and job.finished_at_s <= limit_s:
                return job
        return None

    def _given_up(self, job: _Job) -> None:
        """Forget a job whose caller was cancelled: nobody waits for it, so it no longer holds the clock."""
        if job.outer.cancelled() and job in self._jobs:
            self._jobs.remove(job)
            if not job.worker.cancel() and not job.worker.cancelled():
                job.worker.exception()  # lost with its caller, as on any loop, and not to be logged


def _copy_result(worker: asyncio.Future[Any], outer: asyncio.Future[Any]) -> None:
    if outer.done():
        return
    if worker.cancelled():
        outer.cancel()
    elif (error := worker.exception()) is not None:
        outer.set_exception(error)
    else:
        outer.set_result(worker.result())
