"""Task monitor: which tasks there are, whose, how old, where each waits, and what stalls the loop."""

from __future__ import annotations

import asyncio
import html
import weakref
from collections.abc import Callable, Coroutine, Generator
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from vnquant.errors import StateError
from vnquant.runtime.heartbeat import current_component
from vnquant.runtime.stalls import Stall, StallWatch
from vnquant.runtime.waits import where_it_waits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("TaskMonitor", "TaskRecord")

T = TypeVar("T")

_COLUMNS = ("name", "owner", "age_s", "waits_at", "awaits", "coroutine")


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One pending task at one instant."""

    name: str
    owner: str
    """The component in which it was made, else the task; empty for tasks older than the monitor."""
    age_s: float
    """Loop seconds since it was made, or since the monitor first saw it."""
    waits_at: str
    """The innermost line of its own code, as file:line in function."""
    awaits: str
    """What it awaits there."""
    coroutine: str


class TaskMonitor:
    """Tasks of one loop, from `start` to `stop` or as an async context manager.

    While it runs, each new task's birth and owner are noted by a task factory (about 1 us a task) and a
    watcher thread looks for stalls. Without being started it still lists the tasks, without owners.

    Parameters
    ----------
    stall_threshold_s : float
        Real seconds without a turn of the loop that count as a stall.
    """

    def __init__(self, *, stall_threshold_s: float = 0.1) -> None:
        self._watch = StallWatch(stall_threshold_s)
        self._born: weakref.WeakKeyDictionary[asyncio.Task[Any], tuple[float, str]] = (
            weakref.WeakKeyDictionary()
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._factory: Callable[..., Any] | None = None
        self._factory_before: Callable[..., Any] | None = None

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """The latest stalls of the loop, oldest first."""
        return self._watch.stalls

    @property
    def stall_count(self) -> int:
        """Stalls since the start."""
        return self._watch.count

    @property
    def longest_stall_s(self) -> float:
        """Real seconds of the longest stall."""
        return self._watch.longest_s

    def start(self) -> None:
        """Begin to watch the running loop."""
        if self._loop is not None:
            raise StateError("The task monitor is running already.")
        self._loop = loop = asyncio.get_running_loop()
        for task in asyncio.all_tasks(loop):
            self._born.setdefault(task, (loop.time(), ""))
        self._factory_before = loop.get_task_factory()
        self._factory = self._make_task
        loop.set_task_factory(self._factory)
        self._watch.start()

    def stop(self) -> None:
        """End the watching; idempotent. What was noted can still be read."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        self._watch.stop()
        # If somebody put another factory over ours, it stays, and ours goes on noting for nothing.
        if loop.get_task_factory() is self._factory:
            loop.set_task_factory(self._factory_before)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def tasks(self) -> tuple[TaskRecord, ...]:
        """Return the pending tasks of the running loop, oldest first."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        records = []
        for task in asyncio.all_tasks(loop):
            born_s, owner = self._born.setdefault(task, (now_s, ""))
            records.append(_record(task, age_s=now_s - born_s, owner=owner))
        return tuple(sorted(records, key=lambda record: (-record.age_s, record.name)))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a pending task, oldest first."""
        import pandas as pd

        return pd.DataFrame(
            [[getattr(record, column) for column in _COLUMNS] for record in self.tasks()],
            columns=list(_COLUMNS),
        )

    def to_text(self) -> str:
        """Return the pending tasks and the latest stall as aligned text."""
        rows = [_COLUMNS, *(_cells(record) for record in self.tasks())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([*(line.rstrip() for line in lines), self._stalls_in_words()])

    def to_html(self) -> str:
        """Return the same as an HTML table."""
        head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(record)) + "</tr>"
            for record in self.tasks()
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{html.escape(self._stalls_in_words())}</p>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()

    def _stalls_in_words(self) -> str:
        if not self.stalls:
            return f"no stall of {self._watch.threshold_s:g} s or more"
        last = self.stalls[-1]
        return (
            f"{self.stall_count} stall(s), longest {self.longest_stall_s:.3f} s; the last took "
            f"{last.duration_s:.3f} s in task {last.task!r} at {last.place}"
        )

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
        **options: Any,
    ) -> asyncio.Future[T]:
        before = self._factory_before
        task: asyncio.Task[T]
        if before is None:
            task = asyncio.Task(coroutine, loop=loop, **options)
        else:
            task = before(loop, coroutine, **options)
        maker = asyncio.current_task(loop)
        owner = current_component() or ("" if maker is None else maker.get_name())
        self._born[task] = (loop.time(), owner)
        return task


def _record(task: asyncio.Task[Any], *, age_s: float, owner: str) -> TaskRecord:
    waits = where_it_waits(task)
    # The last parts of a path identify the file; the whole of it would fill the table.
    file = "/".join(PurePath(waits.file).parts[-3:])
    return TaskRecord(
        name=waits.name,
        owner=owner,
        age_s=age_s,
        waits_at=f"{file}:{waits.line} in {waits.function}" if waits.file else "",
        awaits="itself: it runs" if task is asyncio.current_task() else waits.awaits,
        coroutine=waits.coroutine,
    )


def _cells(record: TaskRecord) -> tuple[str, ...]:
    return (
        record.name,
        record.owner,
        f"{record.age_s:.1f}",
        record.waits_at,
        record.awaits,
        record.coroutine,
    )
