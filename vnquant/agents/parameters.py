"""Agent parameters: declared once on the class, for validation, sliders and sweeps alike.

An agent says ``momentum_days: int = parameter(20, 5, 120, unit="bars", help="...")``. The declaration checks
what a constructor is given, tells a widget the bounds and step of its slider, and tells a sweep its grid.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vnquant.errors import ParameterError

__all__ = ("Parameter", "ParameterValue", "check_parameters", "declared_on", "parameter")

ParameterValue = int | float | bool | str


@dataclass(eq=False, slots=True)
class Parameter:
    """One declared parameter, and the descriptor that reads it from an agent.

    Attributes
    ----------
    name : str
        Set when the class is made.
    default : int, float, bool or str
        Its type is the parameter's type.
    low, high : float or None
        Bounds, both included; None for bool and choices.
    step : float or None
        Step of a slider and of a sweep's grid. It does not restrict what a constructor accepts.
    unit, help : str
    choices : tuple of str
        The values allowed, for a parameter that is a name.
    """

    default: ParameterValue
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    name: str = field(default="", init=False)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance._parameters[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        raise ParameterError(
            f"{type(instance).__name__}.{self.name} is fixed once the agent is made, so that a signal's "
            "parameters are those in force. Make a changed one: "
            f"agent.with_parameters({self.name}={value!r}).",
            name=self.name,
            value=value,
        )

    @property
    def kind(self) -> type:
        """The type of the values: bool, int, float or str."""
        return type(self.default)

    def grid(self) -> tuple[ParameterValue, ...]:
        """Return the values of a full sweep, from `low` to `high` by `step`."""
        if self.kind is bool:
            return (False, True)
        if self.choices:
            return self.choices
        if self.low is None or self.high is None or self.step is None:
            return (self.default,)
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        values = [self.low + self.step * i for i in range(count)]
        return tuple(int(v) for v in values) if self.kind is int else tuple(round(v, 10) for v in values)

    def check(self, value: Any, *, owner: str) -> ParameterValue:
        """Return `value` in the parameter's type, or raise ParameterError with the bounds."""
        if self.kind is bool:
            if isinstance(value, bool):
                return value
            raise self._refused(owner, value, "must be True or False")
        if self.choices:
            if isinstance(value, str) and value in self.choices:
                return value
            raise self._refused(owner, value, f"must be one of {', '.join(self.choices)}")
        try:
            # numpy scalars and whole floats from a slider are fine; bools and text are slips.
            number = math.nan if isinstance(value, bool | str) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        whole = "whole " if self.kind is int else ""
        if not math.isfinite(number) or (self.kind is int and number != int(number)):
            raise self._refused(owner, value, f"must be a {whole}number")
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise self._refused(owner, value, "is out of bounds")
        return int(number) if self.kind is int else number

    def _refused(self, owner: str, value: Any, why: str) -> ParameterError:
        name = self.name or "default"
        unit = f" {self.unit}" if self.unit else ""
        bounds = "" if self.low is None else f" Allowed: {self.low:g} to {self.high:g}{unit}."
        return ParameterError(
            f"{owner}({name}={value!r}): {name} {why}.{bounds} Default: {self.default}{unit}.",
            name=self.name,
            value=value,
        )


def parameter(
    default: ParameterValue,
    low: float | None = None,
    high: float | None = None,
    *,
    step: float | None = None,
    unit: str = "",
    help: str = "",
    choices: Iterable[str] = (),
) -> Any:
    """Declare a parameter of an agent; see `Parameter` for the meanings.

    The result is typed Any so that the class may annotate the field with the type it reads as. A number needs
    both bounds: an open-ended slider or sweep is a mistake. `step` defaults to 1 for whole numbers and to a
    fiftieth of the range for others.

    Raises
    ------
    ParameterError
        If the declaration itself makes no sense.

    Examples
    --------
    >>> from vnquant.agents import BullAgent
    >>> [p.name for p in BullAgent.declared()][:3]
    ['momentum_days', 'fast_days', 'slow_days']
    >>> BullAgent(momentum_days=3)
    Traceback (most recent call last):
    vnquant.errors.ParameterError: ...
    """
    allowed = tuple(choices)
    numeric = not isinstance(default, bool | str)
    if numeric and (low is None or high is None or not low < high):
        raise ParameterError(
            f"A numeric parameter needs bounds with low < high, got low={low!r}, high={high!r}: "
            "write parameter(20, 5, 120).",
            name="",
            value=default,
        )
    if isinstance(default, str) and not allowed:
        raise ParameterError("A text parameter needs choices=(...).", name="", value=default)
    if numeric and step is None and low is not None and high is not None:
        step = 1 if isinstance(default, int) else (high - low) / 50
    if step is not None and step <= 0:
        raise ParameterError(f"step must be positive, got {step}.", name="", value=default)
    declared = Parameter(default, low, high, step=step, unit=unit, help=help, choices=allowed)
    # Here and not in __set_name__, whose errors Python 3.11 wraps in a RuntimeError.
    declared.check(default, owner="parameter")
    return declared


def declared_on(owner: type) -> dict[str, Parameter]:
    """Return the parameters that a class declares or inherits, base classes first."""
    found: dict[str, Parameter] = {}
    for base in reversed(owner.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Parameter):
                found[name] = value
            elif name in found:
                # A subclass fixed an inherited parameter with a plain value: it is no parameter any more.
                del found[name]
    return found


def check_parameters(
    declared: Mapping[str, Parameter], given: Mapping[str, Any], *, owner: str
) -> dict[str, ParameterValue]:
    """Return the defaults with `given` on top, every value checked.

    Raises
    ------
    ParameterError
        For a value out of bounds, and for a name that is not declared, with the nearest one that is.
    """
    for name, value in given.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            known = ", ".join(declared) or "none"
            raise ParameterError(
                f"{owner} has no parameter {name!r}.{hint} Its parameters: {known}.", name=name, value=value
            )
    return {
        name: one.check(given[name], owner=owner) if name in given else one.default
        for name, one in declared.items()
    }
