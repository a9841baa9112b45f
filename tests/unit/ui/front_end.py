"""A front end's part in the life of a view: what its views say to the kernel."""

from typing import Any

from vnquant.ui.view import View

__all__ = ("say",)


def say(view: View, kind: str, who: Any = "a") -> None:
    """Deliver what one view in a browser says: "hello", "here" or "bye"; on the calling thread."""
    view.presence._handle_custom_msg({"kind": kind, "view": who}, [])
