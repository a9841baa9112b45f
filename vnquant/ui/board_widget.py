"""Board widget: the price board in the browser. Its traits are labels, choices, and the end of a board."""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets

from vnquant.ui.board_columns import COLUMN_KEYS
from vnquant.ui.board_text import LANGUAGES

__all__ = ("BoardWidget",)

_STATIC = files("vnquant.ui") / "static"


class BoardWidget(anywidget.AnyWidget):
    """The front end; its traits are what a person has chosen, and survive a reload."""

    _esm = traitlets.Unicode((_STATIC / "price_board.js").read_text("utf-8")).tag(sync=True)
    _css = traitlets.Unicode((_STATIC / "price_board.css").read_text("utf-8")).tag(sync=True)

    words = traitlets.Dict().tag(sync=True)
    symbols: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    layout_fields = traitlets.Dict().tag(sync=True)
    language = traitlets.Enum(LANGUAGES, default_value="en").tag(sync=True)
    look = traitlets.Enum(("auto", "dark"), default_value="auto").tag(sync=True)
    sort_by = traitlets.Enum(("", *COLUMN_KEYS), default_value="").tag(sync=True)
    descending = traitlets.Bool(True).tag(sync=True)
    exchange = traitlets.Unicode("").tag(sync=True)
    sector = traitlets.Unicode("").tag(sync=True)
    typed = traitlets.Unicode("").tag(sync=True)
    # The last frame of a board that has ended: nobody is there any more to answer a view's hello.
    last_frame = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        return f"PriceBoard({len(self.symbols)} symbols)"
