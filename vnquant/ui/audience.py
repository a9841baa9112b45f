"""Audience: which views look at a widget, by what they say themselves.

ipywidgets counts views too, but a notebook that is closed takes its connection down first: the count never
reaches the kernel, stays too high for ever, and an error stands in the browser's console. Here each view says
hello, says now and then that it is still there, and bye where it can; one that falls silent is gone.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

__all__ = ("Audience", "read_message")

# Views speak every 20 s, but browsers slow the timers of a hidden tab down to one a minute.
_SILENT_S = 90.0


class Audience:
    """The views of one widget.

    Parameters
    ----------
    loop : AbstractEventLoop
        Its time counts.
    silent_s : float
        A view that has said nothing for so long is gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, silent_s: float = _SILENT_S) -> None:
        self._loop = loop
        self._silent_s = silent_s
        self._heard_s: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the views that look."""
        latest = self._loop.time() - self._silent_s
        for view in [view for view, heard_s in self._heard_s.items() if heard_s <= latest]:
            del self._heard_s[view]
        return len(self._heard_s)

    def silent_in_s(self) -> float:
        """Return in how many seconds all will have fallen silent if none says anything more."""
        last_s = max(self._heard_s.values(), default=-math.inf)
        return max(0.0, last_s + self._silent_s - self._loop.time())

    def hear(self, kind: str, view: str) -> None:
        """Note that a view has said "hello", "here" or "bye"."""
        if kind == "bye":
            self._heard_s.pop(view, None)
        else:
            self._heard_s[view] = self._loop.time()


def read_message(content: Any) -> tuple[str, str] | None:
    """Return what a view says and its name, None where a message says something else."""
    if isinstance(content, dict) and content.get("kind") in ("hello", "here", "bye"):
        return str(content["kind"]), str(content.get("view"))
    return None
