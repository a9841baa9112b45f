"""Waits: where a suspended task stands and what it waits for; for deadlock errors, leak checks, tables."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from vnquant.runtime.naps import Nap
from vnquant.runtime.timeouts import resumed, within

__all__ = ("TaskWait", "describe_waits", "where_it_waits")

_ASYNCIO = os.path.dirname(asyncio.__file__)
_RESUMED = resumed.__code__
_WAITING = frozenset({_RESUMED, within.__code__, Nap.__await__.__code__})


@dataclass(frozen=True, slots=True)
class TaskWait:
    """One task, the line of its own code where it stands, and what it awaits there.

    `file` is empty and `line` 0 where the task has no Python frame (done, or a foreign awaitable).
    """

    name: str
    coroutine: str
    file: str
    line: int
    function: str
    awaits: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line} in {self.function}" if self.file else self.coroutine
        return f"{self.name!r} ({self.coroutine}) at {place}, awaiting {self.awaits}"


def where_it_waits(task: asyncio.Task[Any]) -> TaskWait:
    """Return where `task` is suspended: the innermost line outside asyncio itself, and what it awaits."""
    frames = list(_frames(task.get_coro()))
    own = [
        frame
        for frame in frames
        if not frame.f_code.co_filename.startswith(_ASYNCIO) and frame.f_code not in _WAITING
    ]
    at = own[-1] if own else frames[-1] if frames else None
    return TaskWait(
        name=task.get_name(),
        coroutine=getattr(task.get_coro(), "__qualname__", type(task.get_coro()).__qualname__),
        file="" if at is None else at.f_code.co_filename,
        line=0 if at is None else at.f_lineno,
        function="" if at is None else at.f_code.co_qualname,
        awaits=_awaited(task, frames),
    )


def describe_waits(tasks: Iterable[asyncio.Task[Any]]) -> tuple[str, ...]:
    """Return one line for each task, ordered by the task's name."""
    return tuple(sorted(str(where_it_waits(task)) for task in tasks))


def _frames(coroutine: Any) -> Iterable[FrameType]:
    """Yield the suspended frames from the coroutine inwards; `Task.get_stack` gives only the outermost."""
    while coroutine is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(coroutine, f"{kind}_frame", None)
            if isinstance(frame, FrameType):
                yield frame
                awaited = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)
                # A wait with a timeout goes on with its coroutine by hand (`timeouts.py`).
                coroutine = frame.f_locals.get("work") if frame.f_code is _RESUMED else awaited
                break
        else:
            return


def _awaited(task: asyncio.Task[Any], frames: list[FrameType]) -> str:
    # Where asyncio is patched to its Python classes (nest_asyncio), a future has a frame of its own.
    named = [frame for frame in frames if frame.f_code.co_name != "__await__"]
    if named and named[-1].f_code.co_filename.startswith(_ASYNCIO):
        return named[-1].f_code.co_qualname  # Queue.get, Event.wait, sleep
    waiter = getattr(task, "_fut_waiter", None)
    if isinstance(waiter, asyncio.Task):
        return f"task {waiter.get_name()!r}"
    if waiter is None:
        return "its next turn"
    pending = [
        child.get_name()
        for child in getattr(waiter, "_children", ())
        if isinstance(child, asyncio.Task) and not child.done()
    ]
    return f"tasks {', '.join(map(repr, pending))}" if pending else f"a {type(waiter).__name__}"
