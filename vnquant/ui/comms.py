"""Comms: a kernel answers widget messages while a cell awaits, not only when it has ended.

ipykernel takes one message at a time from the main shell, so a click waits for the end of a cell that awaits:
on 6.x always, on 7.0 to 7.3 where the front end does not send it to a subshell (JupyterLab before 4.4, VS
Code). 7.4 lets it through (ipython/ipykernel#1565), but without the word "idle" on which a front end sends a
slider's next position, so that a slider sticks for good. Here each widget message that comes while a cell is
at work is answered at once, in order, with that word. Newer versions are left alone.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ("answer_comms_while_awaiting",)

_COMMS = frozenset({"comm_open", "comm_msg", "comm_close"})

_FIRST_LEFT_ALONE = (7, 5)

_answering: weakref.WeakSet[Any] = weakref.WeakSet()


def answer_comms_while_awaiting() -> None:
    """Let the kernel that this runs in answer widget messages while a cell awaits; once is enough.

    Outside a kernel, and on a version that is not known, nothing happens.
    """
    if "ipykernel" not in sys.modules or threading.current_thread() is not threading.main_thread():
        return
    from IPython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    version: tuple[int, ...] = sys.modules["ipykernel"].version_info
    if kernel is None or kernel in _answering or not (6,) <= version[:2] < _FIRST_LEFT_ALONE:
        return
    _answering.add(kernel)
    if hasattr(kernel, "msg_queue"):
        _before_the_queue(kernel)
    elif getattr(kernel, "shell_channel_thread", None) is not None:
        _before_the_lock(kernel)


def _before_the_queue(kernel: Any) -> None:
    """Take widget messages out of the way to the queue of ipykernel 6, while something else stands in it."""
    ahead = {"cells": 1, "comms": 0}  # the cell that runs now, and what was queued behind it before

    async def count_down(kind: str) -> None:
        ahead[kind] -= 1

    async def dispatch(frames: list[Any], kind: str) -> None:
        try:
            await kernel.dispatch_shell(frames)
        finally:
            ahead[kind] -= 1

    def received(frames: list[Any]) -> None:
        kind = "comms" if _is_comm(kernel, frames) else "cells"
        # One that came before may still stand in the queue: then this one lines up, to keep the order.
        if kind == "comms" and ahead["cells"] and not ahead["comms"]:
            _answer(kernel, frames)
        else:
            ahead[kind] += 1
            kernel.schedule_dispatch(dispatch, frames, kind)

    kernel.schedule_dispatch(count_down, "cells")
    kernel.shell_stream.on_recv(received, copy=False)


def _before_the_lock(kernel: Any) -> None:
    """Take widget messages out of the way to the main shell of ipykernel 7, while a cell has its lock."""
    stream = kernel.shell_channel_thread.manager._shell_channel_to_main.to_stream
    go_the_usual_way: Callable[[list[Any]], Any] = stream._recv_callback

    def received(frames: list[Any]) -> Any:
        if kernel._main_asyncio_lock.locked() and _is_comm(kernel, frames):
            return _answer(kernel, frames)
        return go_the_usual_way(frames)

    stream.on_recv(received, copy=False)


def _is_comm(kernel: Any, frames: list[Any]) -> bool:
    try:
        _, parts = kernel.session.feed_identities(frames, copy=False)
        header = kernel.session.deserialize(parts, content=False, copy=False)["header"]
    except (ValueError, TypeError, KeyError):
        return False  # the kernel says what is wrong with it
    return header.get("msg_type") in _COMMS


def _answer(kernel: Any, frames: list[Any]) -> None:
    """Do with a widget message what the kernel does, and leave it to the cell at work as it was."""
    # In ipykernel 7 the cell's context tells whose output it is; here is the context of the kernel's start.
    context: contextvars.Context = getattr(kernel, "_shell_context", None) or contextvars.copy_context()
    context.copy().run(_answer_in_context, kernel, frames)


def _answer_in_context(kernel: Any, frames: list[Any]) -> None:
    identities, parts = kernel.session.feed_identities(frames, copy=False)
    message = kernel.session.deserialize(parts, content=True, copy=False)
    cell, cell_identities = kernel.get_parent("shell"), kernel._parent_ident["shell"]
    kernel.set_parent(identities, message, channel="shell")
    kernel._publish_status("busy", "shell")
    try:
        kernel.shell_handlers[message["header"]["msg_type"]](kernel.shell_stream, identities, message)
    except Exception:
        kernel.log.exception("Exception in message handler:")
    finally:
        kernel._publish_status("idle", "shell")
        kernel.set_parent(cell_identities, cell, channel="shell")
        kernel._publish_status("busy", "shell")  # the cell goes on, and a front end shows the last word
