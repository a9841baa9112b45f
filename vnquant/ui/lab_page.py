"""Lab page: how the parts of an agent's lab stand together in the notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets

from vnquant.agents import Agent
from vnquant.evaluation import GuardFinding
from vnquant.ui.lab_chart import LabChart
from vnquant.ui.lab_controls import LabControls
from vnquant.ui.lab_names import LabNames
from vnquant.ui.lab_table import badge_html, error_html, style_html, tries_html

__all__ = ("LabPage",)

_SESSIONS = (60, 120, 250, 500)
_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class LabPage:
    """The widgets of a lab: controls on the left, chart and statistics on the right, state on top.

    Parameters
    ----------
    agent : Agent
    name : str
        What the workbench calls it.
    on_turn, on_press
        As in `LabControls`.
    on_choose : callable
        Called with "symbol", "horizon" or "sessions" and the new value, from any thread.
    """

    def __init__(
        self,
        agent: Agent,
        name: str,
        *,
        on_turn: Callable[[str, Any], None],
        on_press: Callable[[str], None],
        on_choose: Callable[[str, Any], None],
    ) -> None:
        self.controls = LabControls(
            agent.declared(), agent.parameters, on_turn=on_turn, on_press=on_press, file=f"{name}.toml"
        )
        self.chart = LabChart()
        self._badge, self._tries, self._message, self._statistics = (ipywidgets.HTML() for _ in range(4))
        self._statistics.layout.overflow = "auto"
        self._choices = {
            "symbol": _list("chart of", [], "Whose candles and signals are drawn"),
            "sessions": _list("sessions", _SESSIONS, "How many of the last sessions are drawn"),
            "horizon": _list("ahead", [], "Sessions ahead of the returns that the score is measured by"),
        }
        self._is_offering = False
        for kind, choice in self._choices.items():
            choice.observe(lambda change, kind=kind: self._chosen(on_choose, kind, change["new"]), "value")
        about = f"<span class='vnq-lab-title'>Agent lab: {escape(name.replace('_', ' '))}</span>"
        head = ipywidgets.HBox(
            [
                ipywidgets.HTML(style_html() + about, layout={"margin": "0 16px 0 0"}),
                self._tries,
                self._badge,
            ],
            layout=_ROW,
        )
        right = ipywidgets.VBox(
            [ipywidgets.HBox([*self._choices.values()], layout=_ROW), self.chart.figure, self._statistics],
            layout={"flex": "1 1 520px", "min_width": "0"},
        )
        body = ipywidgets.HBox(
            [self.controls.box, right], layout={"flex_flow": "row wrap", "align_items": "flex-start"}
        )
        names = LabNames(count=self.controls.sliders)
        self.widget = ipywidgets.VBox([head, self._message, body, names], layout={"width": "100%"})
        self.widget.add_class("vnq-lab")

    @property
    def file(self) -> str:
        """The preset file that is named in the page."""
        return str(self.controls.file.value).strip()

    def offer(self, symbols: Sequence[str], horizons: Sequence[int], chosen: Mapping[str, Any]) -> None:
        """Fill the lists, and set all three to what was chosen."""
        offered = {"symbol": symbols, "horizon": horizons, "sessions": _SESSIONS}
        self._is_offering = True  # with its options a list moves to the first of them, which nobody chose
        try:
            for kind, box in self._choices.items():
                if tuple(box.options) != tuple(offered[kind]):
                    box.options = tuple(offered[kind])
                if box.value != chosen[kind]:
                    box.value = chosen[kind]
        finally:
            self._is_offering = False

    def show_statistics(self, html: str, trials: int) -> None:
        """Show the comparison and the count of tries."""
        self._statistics.value = html
        self._tries.value = tries_html(trials)

    def show_badge(self, finding: GuardFinding) -> None:
        """Show what the look-ahead guard says."""
        self._badge.value = badge_html(finding)

    def show_message(self, text: str, *, is_error: bool) -> None:
        """Show an error, or a note that something was done."""
        self._message.value = (
            error_html(text) if is_error else f"<div class='vnq-lab-note' role='status'>{escape(text)}</div>"
        )

    def _chosen(self, on_choose: Callable[[str, Any], None], kind: str, value: Any) -> None:
        if not self._is_offering:
            on_choose(kind, value)


def _list(label: str, options: Sequence[Any], tip: str) -> Any:
    return ipywidgets.Dropdown(
        options=options,
        description=label,
        tooltip=tip,
        style={"description_width": "auto"},
        layout={"width": "auto", "margin": "2px 12px 2px 0"},
    )
