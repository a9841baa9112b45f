"""Presence: an invisible widget that tells whether somebody looks at the widget it stands beside.

`View` adds it; `audience` tells why the count that widgets have of their own will not do.
"""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets

__all__ = ("Presence",)


class Presence(anywidget.AnyWidget):
    """Its views send `{"kind": "hello" | "here" | "bye", "view": str}`."""

    _esm = traitlets.Unicode((files("vnquant.ui") / "static" / "presence.js").read_text("utf-8")).tag(
        sync=True
    )

    def __init__(self) -> None:
        super().__init__(
            layout={"display": "none"}
        )  # a style that the front end sets itself, ipywidgets clears
