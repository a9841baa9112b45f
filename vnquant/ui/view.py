"""View: the life of a widget: fresh while somebody looks at it, silent when its last view is gone."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from vnquant.ui.comms import answer_comms_while_awaiting
from vnquant.ui.errands import Errands

__all__ = ("View",)

_LIVE = "live"


class View(ABC):
    """What all widgets of a workbench have in common.

    A subclass builds `widget` (an ipywidgets or anywidget object) and calls `_begin(widget)` last. It never
    decides anything in a callback of the front end: those only hand a wish to `errands`.

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
        What the notebook shows.
    """

    widget: Any

    def __init__(self, loop: asyncio.AbstractEventLoop, *, name: str) -> None:
        self._loop = loop
        self._was_seen = False
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

    @property
    def is_live(self) -> bool:
        """Whether it is being kept fresh."""
        return _LIVE in self.errands.running

    def close(self) -> None:
        """Take the widget down; from any thread."""
        self.errands.close()
        self.widget.close()

    async def aclose(self) -> None:
        """Take the widget down, and wait until nothing of it runs; on the loop. What it shows stays."""
        await self.errands.aclose()

    def _begin(self, widget: Any) -> None:
        """Take the widget that was built, and keep it fresh from now on."""
        answer_comms_while_awaiting()
        self.widget = widget
        widget._view_count = 0  # from now on the front end reports its views
        widget.observe(self._views_changed, "_view_count")
        self.errands.run(_LIVE, self._live)

    def _views_changed(self, change: Mapping[str, Any]) -> None:
        if change["new"]:
            self._was_seen = True
            self.errands.run(_LIVE, self._live)
        elif self._was_seen:
            self.errands.cancel(_LIVE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget to show, with our own text: a widget's names its values, or an address."""
        shown = self.widget._repr_mimebundle_(**options)
        if shown is None:
            return None  # plain text, by `repr`
        data, metadata = shown if isinstance(shown, tuple) else (shown, {})
        return {**data, "text/plain": repr(self)}, metadata
