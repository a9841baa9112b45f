"""Panel widget: the control panel in the browser. It draws what it is sent, and sends what is clicked."""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets

from vnquant.ui.panel_sections import SECTIONS
from vnquant.ui.theme import COLOURS, PriceState

__all__ = ("PanelWidget",)

_STATIC = files("vnquant.ui") / "static"
_COLOURS = "".join(
    f"--vnq-{one}:{COLOURS[one]};" for one in (PriceState.UP, PriceState.DOWN, PriceState.REFERENCE)
)


class PanelWidget(anywidget.AnyWidget):
    """One trait a part of the panel, so that only what has changed is sent.

    The browser sends `{"do": "start" | "pause" | "resume" | "cancel" | "dismiss"}` for a button, and
    `{"do": "filter", "group": str, "words": str}` for the filter of the event feed.
    """

    _esm = traitlets.Unicode((_STATIC / "control_panel.js").read_text("utf-8")).tag(sync=True)
    _css = traitlets.Unicode(
        f".vnq-panel{{{_COLOURS}}}\n" + (_STATIC / "control_panel.css").read_text("utf-8")
    ).tag(sync=True)

    control = traitlets.Dict().tag(sync=True)
    """state, since, why, enabled (names of buttons)"""
    clock = traitlets.Dict().tag(sync=True)
    """day, time, pace, phase"""
    account = traitlets.Unicode().tag(sync=True)
    alert = traitlets.Unicode().tag(sync=True)
    filter = traitlets.Dict().tag(sync=True)
    titles = traitlets.Dict({name: section.title for name, section in SECTIONS.items()}).tag(sync=True)

    # Per section: {"note": text beside its title, "html": its content}.
    positions = traitlets.Dict().tag(sync=True)
    orders = traitlets.Dict().tag(sync=True)
    opportunities = traitlets.Dict().tag(sync=True)
    news = traitlets.Dict().tag(sync=True)
    tasks = traitlets.Dict().tag(sync=True)
    health = traitlets.Dict().tag(sync=True)
    feed = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        """Return the same text every time: it stands in saved notebooks."""
        return "ControlPanel()"
