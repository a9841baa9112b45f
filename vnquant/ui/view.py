"""View: the life of a widget: fresh while somebody looks at it, silent when its last view is gone."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import ipywidgets

from vnquant.ui.audience import Audience, read_message
from vnquant.ui.comms import answer_comms_while_awaiting
from vnquant.ui.errands import Errands
from vnquant.ui.presence import Presence

__all__ = ("View",)

_LIVE = "live"

# A cell that blocks the loop keeps waiting what views say, and it is heard just after the timers.
_MOMENT_S = 1.0


class View(ABC):
    """What all widgets of a workbench have in common.

    A subclass builds `widget` (an ipywidgets or anywidget object) and calls `_begin(widget)` last. It never
    decides anything in a callback of the front end: those only hand a wish to `errands`.

    It is fresh from its creation. When a front end has shown it and its last view says bye, or all of them
    have fallen silent, it rests; the next view that says hello wakes it. So show the view itself or its
    `shell`: the bare `widget` has nothing that speaks.

    Parameters
    ----------
    loop : AbstractEventLoop
        The workbench's.
    name : str
        Tasks are named after it.

    Attributes
    ----------
    errands : Errands
    widget : DOMWidget
        What there is to see.
    presence : DOMWidget
        Whose views tell that somebody looks.
    shell : DOMWidget
        What the notebook shows, and what to put into a box of one's own: the widget and its presence.
    """

    widget: Any
    presence: Any
    shell: Any

    def __init__(self, loop: asyncio.AbstractEventLoop, *, name: str) -> None:
        self._loop = loop
        self._name = name
        self._audience = Audience(loop)
        self._seen = asyncio.Event()
        self.errands = Errands(loop, name=name, on_error=self._show_error)

    @abstractmethod
    def snapshot(self) -> Mapping[str, Any]:
        """Return what the widget shows, as plain data."""

    @abstractmethod
    async def _live(self) -> None:
        """Keep the widget fresh until cancelled: the subscriptions live in here, and end with it."""

    @abstractmethod
    def _show_error(self, error: Exception) -> None:
        """Show an error in the widget; on the loop."""

    def _greet(self) -> None:
        """Do what a view needs that has just appeared; on the loop."""
        return

    @property
    def is_live(self) -> bool:
        """Whether it is being kept fresh."""
        return _LIVE in self.errands.running

    def close(self) -> None:
        """Take the widget down; from any thread."""
        self.errands.close()
        for part in (self.shell, self.presence, self.widget):
            part.close()

    async def aclose(self) -> None:
        """Take the widget down, and wait until nothing of it runs; on the loop. What it shows stays."""
        await self.errands.aclose()

    def _begin(self, widget: Any, *, speaks: bool = False) -> None:
        """Take the widget that was built, and keep it fresh from now on.

        Parameters
        ----------
        widget : DOMWidget
        speaks : bool
            Whether its own views say hello, here and bye; else an invisible one beside it does.
        """
        answer_comms_while_awaiting()
        self.widget = self.presence = self.shell = widget
        if not speaks:
            self.presence = Presence()
            layout = {"width": "100%", "overflow": "visible"}  # a box would scroll on its own
            self.shell = ipywidgets.VBox([widget, self.presence], layout=layout)
        widget._view_count = None  # plotly's counts; the audience does it here
        self.presence.on_msg(self._spoken)
        self.errands.run(_LIVE, self._live_while_watched)

    def _spoken(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Take what a view says, on whatever thread it comes."""
        if said := read_message(content):
            self.errands.call(self._hear, *said)

    def _hear(self, kind: str, view: str) -> None:
        was_alone = not self._audience
        self._audience.hear(kind, view)
        if self._audience:
            self._seen.set()
            if kind == "hello" or was_alone:
                self.errands.run(_LIVE, self._live_while_watched)
        elif self._seen.is_set():
            self.errands.cancel(_LIVE)
        if kind == "hello":
            self._greet()

    async def _live_while_watched(self) -> None:
        watching = self._loop.create_task(self._watch(), name=f"{self._name}:watching")
        try:
            await self._live()
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _watch(self) -> None:
        """End the life when all who looked have fallen silent."""
        await self._seen.wait()
        while True:
            await asyncio.sleep(self._audience.silent_in_s() + _MOMENT_S)
            if not self._audience:
                self.errands.cancel(_LIVE)
                return

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget to show, with our own text: a widget's names its values, or an address."""
        shown = self.shell._repr_mimebundle_(**options)
        if shown is None:
            return None  # plain text, by `repr`
        data, metadata = shown if isinstance(shown, tuple) else (shown, {})
        return {**data, "text/plain": repr(self)}, metadata
