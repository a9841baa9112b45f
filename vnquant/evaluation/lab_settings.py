"""Evaluation: the setting that a lab is at, the one it began from, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vnquant.agents import Agent, ParameterValue
from vnquant.errors import ParameterError

__all__ = ("SettingHistory",)

# A drag is many changes of one parameter in quick succession, and one step to go back.
_ONE_DRAG_S = 0.8
_STEPS_KEPT = 200


class SettingHistory:
    """The parameters as they are being turned, with undo, and the saved setting to compare with.

    Parameters
    ----------
    agent : Agent
        The setting to begin with, which counts as the saved one.

    Attributes
    ----------
    agent : Agent
        The newest setting that makes sense.
    saved : Agent
        The setting that was saved or applied last.
    problem : ParameterError or None
        Why `values` are no setting, such as a fast average that is slower than the slow one.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.saved = agent
        self.problem: ParameterError | None = None
        self._values: dict[str, ParameterValue] = dict(agent.parameters)
        self._before: list[dict[str, ParameterValue]] = []
        self._last_turn: tuple[str, float] | None = None

    @property
    def values(self) -> Mapping[str, ParameterValue]:
        """What the sliders stand at."""
        return self._values

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to go back."""
        return bool(self._before)

    @property
    def is_changed(self) -> bool:
        """Whether the setting differs from the saved one."""
        return dict(self.saved.parameters) != self._values

    def turn(self, name: str, value: Any, *, at: float) -> bool:
        """Turn one parameter at some time in seconds; return whether that changed anything.

        Raises
        ------
        ParameterError
            If the value by itself is refused. One that only contradicts another parameter is kept, and
            `problem` says so: the other may be turned next.
        """
        checked = self._checked(name, value)
        if self._values[name] == checked:
            return False
        goes_on = self._last_turn is not None and self._last_turn[0] == name
        if not (goes_on and self._last_turn is not None and at - self._last_turn[1] < _ONE_DRAG_S):
            self._remember()
        self._last_turn = name, at
        self._put({**self._values, name: checked})
        return True

    def set(self, changes: Mapping[str, Any]) -> bool:
        """Change several parameters in one step; return whether that changed anything."""
        checked = {name: self._checked(name, value) for name, value in changes.items()}
        return self._step({**self._values, **checked})

    def undo(self) -> bool:
        """Go one step back; return whether there was one."""
        if not self._before:
            return False
        self._last_turn = None
        self._put(self._before.pop())
        return True

    def reset(self) -> bool:
        """Go back to the saved setting, as a step that can be undone."""
        return self._step(dict(self.saved.parameters))

    def defaults(self) -> bool:
        """Go to the defaults of all parameters, as a step that can be undone."""
        return self._step({one.name: one.default for one in self.agent.declared()})

    def save(self, agent: Agent) -> None:
        """Make a setting the one to compare with."""
        self.saved = agent

    def _step(self, values: dict[str, ParameterValue]) -> bool:
        if values == self._values:
            return False
        self._remember()
        self._last_turn = None
        self._put(values)
        return True

    def _remember(self) -> None:
        self._before.append(self._values)
        del self._before[:-_STEPS_KEPT]

    def _put(self, values: dict[str, ParameterValue]) -> None:
        self._values = values
        try:
            self.agent = self.agent.with_parameters(**values)
            self.problem = None
        except ParameterError as exc:
            self.problem = exc

    def _checked(self, name: str, value: Any) -> ParameterValue:
        declared = {one.name: one for one in self.agent.declared()}
        if name not in declared:
            self.agent.with_parameters(**{name: value})  # refuses it, and says what was meant
            raise ParameterError(f"{name} cannot be turned.", name=name, value=value)
        # A float slider adds up its steps: 0.1 + 0.2 is meant as 0.3.
        meant = round(value, 10) if isinstance(value, float) else value
        return declared[name].check(meant, owner=type(self.agent).__name__)
