"""Lab controls: a slider, box or list for each declared parameter, and the buttons beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets

from vnquant.agents import Parameter, ParameterValue

__all__ = ("LabControls",)

_WIDE = {"width": "100%"}
_LABEL = {"description_width": "172px"}


class LabControls:
    """The left side of a lab. It only tells what was turned or pressed, and stands where it is told.

    Parameters
    ----------
    parameters : sequence of Parameter
    values : mapping of str to value
        To begin with.
    on_turn : callable
        Called with a parameter's name and its new value, from any thread.
    on_press : callable
        Called with the name of a button: "undo", "reset", "defaults", "save", "apply".
    file : str
        Suggested for presets.
    """

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        values: Mapping[str, ParameterValue],
        *,
        on_turn: Callable[[str, Any], None],
        on_press: Callable[[str], None],
        file: str,
    ) -> None:
        self.turns = {one.name: _control(one, values[one.name]) for one in parameters}
        for name, control in self.turns.items():
            control.observe(lambda change, name=name: on_turn(name, change["new"]), "value")
        self.buttons = {
            name: ipywidgets.Button(
                description=label, tooltip=tip, icon=icon, layout={"width": "auto", "flex": "1 1 auto"}
            )
            for name, label, icon, tip in _BUTTONS
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: on_press(name))
        self.file = ipywidgets.Text(
            value=file, description="preset file", style=_LABEL, layout=_WIDE, continuous_update=False
        )
        self.box = ipywidgets.VBox(
            [
                *(self.turns.values() or [_text("This agent declares no parameters: nothing to turn.")]),
                ipywidgets.HBox([self.buttons[name] for name in ("undo", "reset", "defaults")]),
                self.file,
                ipywidgets.HBox([self.buttons[name] for name in ("save", "apply")]),
                _meanings(parameters),
            ],
            layout={"flex": "0 1 380px", "min_width": "320px", "padding": "0 12px 0 0"},
        )

    @property
    def sliders(self) -> int:
        """How many of the controls are sliders."""
        kinds = (ipywidgets.IntSlider, ipywidgets.FloatSlider)
        return sum(isinstance(control, kinds) for control in self.turns.values())

    def place(self, values: Mapping[str, ParameterValue]) -> None:
        """Move the controls to these values."""
        for name, control in self.turns.items():
            if control.value != values[name]:
                control.value = values[name]

    def enable(self, **which: bool) -> None:
        """Enable or disable buttons by name."""
        for name, enabled in which.items():
            self.buttons[name].disabled = not enabled


_BUTTONS = (
    ("undo", "Undo", "undo", "Go back to the setting before the last change"),
    ("reset", "Reset", "bookmark-o", "Go back to the saved setting, that of the column Saved"),
    ("defaults", "Defaults", "home", "Go to the defaults of all parameters"),
    ("save", "Save preset", "save", "Write the setting into the preset file, for Workbench.open(agents=...)"),
    ("apply", "Apply to orchestrator", "play", "Let this setting take part in all discussions from now on"),
)


def _control(one: Parameter, value: ParameterValue) -> Any:
    shared: dict[str, Any] = {
        "value": value,
        "description": _label(one),
        "tooltip": _meaning(one),
        "style": _LABEL,
        "layout": _WIDE,
    }
    if one.kind is bool:
        return ipywidgets.Checkbox(**(shared | {"indent": True}))
    if one.choices:
        return ipywidgets.Dropdown(options=one.choices, **shared)
    number = round if one.kind is int else float
    low, high, step = (number(x) for x in (one.low or 0, one.high or 0, one.step or 1))
    kind = ipywidgets.IntSlider if one.kind is int else ipywidgets.FloatSlider
    shared |= {"min": low, "max": high, "step": step, "readout_format": _readout(one)}
    return kind(**shared)


def _readout(one: Parameter) -> str:
    return "d" if one.kind is int else f".{_decimals(one)}f"


def _decimals(one: Parameter) -> int:
    """Return the decimals that tell two steps apart."""
    return next((n for n in range(6) if round(one.step or 1.0, n) == round(one.step or 1.0, 9)), 6)


def _label(one: Parameter) -> str:
    """Return the name with its unit, which a name often ends with itself."""
    name = one.name.replace("_", " ")
    for ending, starts in _ENDINGS.items():
        if one.unit.startswith(starts):
            name = name.removesuffix(f" {ending}")
    return name + _unit(one)


_ENDINGS = {"pct": "%", "bn": "bn", "mn": "mn"}


def _unit(one: Parameter) -> str:
    return f" ({one.unit})" if one.unit else ""


def _meaning(one: Parameter) -> str:
    bounds = f"{one.low:g} to {one.high:g}, " if one.low is not None and one.high is not None else ""
    return f"{one.help or one.name.replace('_', ' ')}; {bounds}default {one.default}"


def _meanings(parameters: tuple[Parameter, ...]) -> Any:
    """Return what the parameters mean, to be unfolded: a tooltip reaches neither keyboard nor reader."""
    rows = "".join(
        f"<dt>{escape(one.name)}{escape(_unit(one))}</dt><dd>{escape(_meaning(one))}</dd>"
        for one in parameters
    )
    listed = f"<details class='vnq-lab-help'><summary>What they mean</summary><dl>{rows}</dl></details>"
    return _text(listed if parameters else "")


def _text(html: str) -> Any:
    return ipywidgets.HTML(html, layout=_WIDE)
