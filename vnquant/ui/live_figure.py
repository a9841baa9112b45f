"""Live figure: a plotly widget that a page which is opened later finds as it is then."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import plotly.graph_objects as go
import traitlets

__all__ = ("LiveFigure",)

_SHOWN = frozenset({"_widget_data", "_widget_layout"})


class LiveFigure(go.FigureWidget):  # type: ignore[misc]  # plotly is not typed
    """A `FigureWidget` for a view.

    plotly sends updates as messages, and leaves the widget's state as it was when the figure was made or
    displayed: a page that is reloaded, or a notebook that is reopened, would draw that. Here the state is
    brought up to date when a front end asks for it. And plotly counts its views, which `View` does otherwise.

    plotly also takes what a page has filled in (`_js2py_traceDeltas`) for defaults, and drops its own values
    of the same name: after a notebook was reopened, a trace lost its days so. What a page fills in is not
    needed here, and would come on another thread; a zoom, which is another message, is still taken in.
    """

    _is_made = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_made = True  # its comm is opened before it has data
        self._view_count = None

    @traitlets.observe("_js2py_traceDeltas")
    def _handler_js2py_traceDeltas(self, change: Any) -> None:
        self._js2py_traceDeltas = None

    @traitlets.observe("_js2py_layoutDelta")
    def _handler_js2py_layoutDelta(self, change: Any) -> None:
        self._js2py_layoutDelta = None

    def get_state(
        self, key: str | Iterable[str] | None = None, drop_defaults: bool = False
    ) -> dict[str, Any]:
        """Return what a front end needs to draw the figure as it is now."""
        wanted = _SHOWN if key is None else {key} if isinstance(key, str) else set(key)
        if self._is_made and wanted & _SHOWN:
            # Without their notification, which would send the whole figure a second time.
            self._trait_values["_widget_data"] = deepcopy(self._data)
            self._trait_values["_widget_layout"] = deepcopy(self._layout_obj._props)
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        return state
