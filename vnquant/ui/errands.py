"""Errands: what a widget wants done on the workbench's loop, asked for from whatever thread a click came on.

ipykernel 7.0 to 7.3 deliver widget messages on a subshell's thread, where touching anything of the loop is
unsafe and wakes nobody. So a widget callback does one thing: it hands its wish to `Errands`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ("Errands",)

logger = logging.getLogger(__name__)

_Work = Callable[[], Coroutine[Any, Any, object]]

_PATIENCE_S = 5.0  # with a coroutine that ignores its cancellation


class Errands:
    """Runs calls and coroutines of one widget on one loop, owns the tasks, and reports what fails.

    All of it runs in the context in which the errands were made, not in that of a click. So what a task
    prints or displays appears in the cell that shows the widget, where in the context of a click it would
    appear in none; and its messages to the front end do not name the subshell of a click, to which
    ipykernel 7.4 would send all further clicks, also when it is long gone.

    Parameters
    ----------
    loop : AbstractEventLoop
        The workbench's, captured where the widget is made.
    name : str
        Tasks are named after it.
    on_error : callable
        Gets each exception on the loop, to be shown in the widget; nothing is lost in a log.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, name: str, on_error: Callable[[Exception], None]
    ) -> None:
        self._loop = loop
        self._name = name
        self._on_error = on_error
        self._context = contextvars.copy_context()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, _Work] = {}
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether it still takes wishes."""
        return self._is_open

    @property
    def running(self) -> tuple[str, ...]:
        """Keys of the coroutines that run."""
        return tuple(self._tasks)

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Call a function on the loop soon; from any thread. After the close it does nothing."""
        if self._is_open:
            self._soon(self._call, function, args)

    def run(self, key: str, work: _Work) -> None:
        """Run a coroutine on the loop; from any thread.

        Parameters
        ----------
        key : str
            One coroutine a key at a time: a second click while the first is at work changes nothing. After
            a `cancel` it is wanted anew, and begins when the cancelled one has ended.
        work : callable
            Makes the coroutine, on the loop.
        """
        self.call(self._begin, key, work)

    def cancel(self, key: str) -> None:
        """Cancel a running coroutine; from any thread."""
        self.call(self._cancel, key)

    def close(self) -> None:
        """Take no more wishes and cancel what runs; from any thread. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._soon(self._end)

    async def aclose(self) -> None:
        """Close, and wait until the last coroutine has ended; on the loop. May be called by one of them."""
        self._is_open = False
        tasks = [task for task in self._tasks.values() if task is not asyncio.current_task()]
        self._end()
        if not tasks:
            return
        _, stubborn = await asyncio.wait(tasks, timeout=_PATIENCE_S)
        for task in stubborn:
            logger.warning("%s ignores its cancellation: %r", task.get_name(), task.get_stack())

    def _soon(self, function: Callable[..., object], *args: object) -> None:
        # A copy, since a context cannot be entered twice, and nest-asyncio runs one call inside another.
        try:
            self._loop.call_soon_threadsafe(function, *args, context=self._context.copy())
        except RuntimeError:
            if not self._loop.is_closed():  # a widget may outlive its loop, and is then a picture
                raise

    def _call(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        if not self._is_open:
            return
        try:
            function(*args)
        except Exception as exc:  # noqa: BLE001 - whatever a wish raises is shown where it was wished
            self._failed(exc)

    def _begin(self, key: str, work: _Work) -> None:
        present = self._tasks.get(key)
        if present is None:
            task = self._loop.create_task(self._carry_out(work), name=f"{self._name}:{key}")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._ended(key))
        elif present.cancelling() or present.done():
            self._again[key] = work

    def _ended(self, key: str) -> None:
        del self._tasks[key]
        work = self._again.pop(key, None)
        if work is not None and self._is_open:
            self._begin(key, work)

    def _cancel(self, key: str) -> None:
        self._again.pop(key, None)
        task = self._tasks.get(key)
        if task is not None and not task.cancelling():  # its tidying up is not broken into
            task.cancel()

    def _end(self) -> None:
        self._again.clear()
        for task in list(self._tasks.values()):
            if task is not asyncio.current_task():
                task.cancel()

    async def _carry_out(self, work: _Work) -> None:
        try:
            await work()
        except Exception as exc:  # noqa: BLE001 - whatever a wish raises is shown where it was wished
            self._failed(exc)

    def _failed(self, error: Exception) -> None:
        logger.debug("%s: %r", self._name, error, exc_info=error)
        try:
            self._on_error(error)
        except Exception:
            logger.exception("%s could not show an error: %r", self._name, error)
