"""Presence: an invisible widget that tells whether somebody looks at the widget it stands beside.

For widgets whose front end is not ours, such as plotly's; `audience` tells why their own count will not do.
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
