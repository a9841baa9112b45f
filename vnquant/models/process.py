"""Models: runs a training job in a process of its own, which a cancellation ends at once.

A process and not a thread, since a fit holds on to the interpreter for long stretches and cannot be stopped.
A plain subprocess and not `multiprocessing`, whose spawn imports the caller's `__main__`: a script without
a guard would start itself anew. A thread waits for it, so that a loop whose time is virtual holds its clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from vnquant.errors import ModelError

__all__ = ("train_in_process",)

# After a kill the waiting thread only reads the end of a pipe.
_KILL_WAIT_S = 1.0


async def train_in_process(
    job: bytes, *, progress: Callable[[float, str], None] | None = None, timeout_s: float = 900.0
) -> bytes:
    """Fit a packed job and return the model's bytes.

    Parameters
    ----------
    job : bytes
        From `job.pack_job`.
    progress : callable, optional
        Called on the loop with the share done (0..1) and what is being done.
    timeout_s : float

    Raises
    ------
    ModelError
        If the fit fails, the process dies, or the time is over.
    CancelledError
        On cancellation, with the process killed.
    """
    loop = asyncio.get_running_loop()
    run = _TrainingRun(job, _on_loop(loop, progress))
    waiting = loop.run_in_executor(None, run.to_the_end)
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(waiting)
    except TimeoutError as exc:
        await _end(run, waiting)
        raise ModelError(
            f"Training did not end within {timeout_s:.0f} s and was stopped. Give it fewer symbols or "
            "sessions, or a longer timeout_s."
        ) from exc
    except asyncio.CancelledError:
        await _end(run, waiting)
        raise


async def _end(run: _TrainingRun, waiting: asyncio.Future[bytes]) -> None:
    run.kill()
    await asyncio.wait({waiting}, timeout=_KILL_WAIT_S)
    if waiting.done() and not waiting.cancelled():
        waiting.exception()  # the failure that the kill caused is not news


def _on_loop(
    loop: asyncio.AbstractEventLoop, progress: Callable[[float, str], None] | None
) -> Callable[[float, str], None]:
    def tell(done: float, stage: str) -> None:
        if progress is not None and not loop.is_closed():
            loop.call_soon_threadsafe(progress, done, stage)

    return tell


class _TrainingRun:
    """One process from start to end, driven by a thread; `kill` may come from another thread at any time."""

    def __init__(self, job: bytes, tell: Callable[[float, str], None]) -> None:
        self._job = job
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()

    def kill(self) -> None:
        """End the process now, or keep it from starting."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def to_the_end(self) -> bytes:
        """Start, listen and collect; blocks, so it runs in a thread."""
        with tempfile.TemporaryDirectory(prefix="vnquant-train-") as folder:
            job, result = Path(folder, "job"), Path(folder, "result")
            job.write_bytes(self._job)
            with Path(folder, "errors").open("wb+") as errors:
                self._start(job, result, errors.fileno())
                failure = self._listen()
                if failure is None and result.exists():
                    return result.read_bytes()
                errors.seek(0)
                last = deque(errors.read().decode(errors="replace").splitlines(), maxlen=3)
        raise ModelError(
            failure or f"The training process ended without a result: {' | '.join(last) or 'killed'}."
        )

    def _start(self, job: Path, result: Path, errors: int) -> None:
        environment = {
            # On busy cores, OpenMP threads that spin while they wait make two threads four times slower than
            # one (37 s against 9 s measured); passive ones cost nothing.
            "OMP_WAIT_POLICY": "PASSIVE",
            **os.environ,
            # What can be imported here must be importable there: a user's predictor may be in a module.
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        with self._lock:
            if self._killed:
                raise ModelError("Training was cancelled before it started.")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vnquant.models.worker", str(job), str(result)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )

    def _listen(self) -> str | None:
        """Pass progress on until the process ends; return what went wrong, if anything."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        failure = None
        with process:
            for line in process.stdout:
                try:
                    kind, *told = json.loads(line)
                except ValueError:
                    continue  # a predictor that prints
                if kind == "progress":
                    self._tell(float(told[0]), str(told[1]))
                elif kind == "error":
                    name, message = told
                    failure = message if name == "ModelError" else f"Training failed with {name}: {message}"
        return failure
