"""Progress widget: tqdm's bar in a notebook with a cancel button beside it, gone when the work is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
from IPython import display
from tqdm.notebook import tqdm_notebook

__all__ = ("widget_bar",)

_VIEW = "application/vnd.jupyter.widget-view+json"


class _WidgetBar(tqdm_notebook):  # type: ignore[type-arg]
    """tqdm's widget, whose row also holds the button; its own container must keep its three parts."""

    monitor_interval = 0  # its own thread would outlive the work; the loop keeps the time here

    def show(self, cancel: Callable[[], object]) -> None:
        """Display the bar and its button in the present cell."""
        self.button = widgets.Button(
            description="Cancel",
            icon="stop",
            tooltip=f"Cancel: {self.desc}",
            layout=widgets.Layout(width="auto", height="auto"),
        )
        self.button.on_click(lambda _: self._pressed(cancel))
        self.row = widgets.HBox([self.container, self.button], layout=widgets.Layout(align_items="center"))
        # Only the widget view: its text twin would hold rate and time, which differ from run to run.
        view = {"model_id": self.row.model_id, "version_major": 2, "version_minor": 0}
        self.handle: Any = display.display({_VIEW: view}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def _pressed(self, cancel: Callable[[], object]) -> None:
        self.button.disabled = True
        self.button.description = "Cancelling"
        cancel()

    def close(self) -> None:
        """Take the row out of the cell, so that a saved notebook holds no widget without a model."""
        if self.disable:  # closed before, or never shown
            return
        super().close()
        self.row.close()
        for part in (*self.container.children, self.container, self.button):
            part.close()
        if self.handle is not None:
            self.handle.update({"text/plain": ""}, raw=True)


def widget_bar(cancel: Callable[[], object], **options: Any) -> _WidgetBar:
    """Return a bar that is shown in the present cell; `cancel` is called when its button is pressed."""
    bar = _WidgetBar(display=False, **options)
    if not bar.disable:
        bar.show(cancel)
    return bar
