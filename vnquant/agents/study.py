"""Study: a panel that remembers what agents observed on it, while one parameter after another is turned.

A slider changes one parameter, and most of what an agent looks at does not depend on it. On a `StudyPanel` an
observation is made again only when a parameter that it read has another value; scores are the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from vnquant.agents.evidence import Bars, Evidence
from vnquant.market.panel import BarPanel

if TYPE_CHECKING:
    from vnquant.agents.base import Agent
    from vnquant.agents.parameters import ParameterValue

__all__ = ("SharedPanel", "StudyPanel", "bars_of", "gather")

# The setting in force and the one before: what undo and comparisons go back to.
_SETTINGS_KEPT = 2


@dataclass(eq=False, slots=True)
class _Memory:
    """What was worked out on one panel: its bars, and by observation the settings read and the evidence."""

    bars: Bars | None = None
    observed: dict[Any, list[tuple[dict[str, ParameterValue], Evidence]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class SharedPanel(BarPanel):
    """A panel that several agents are asked about once, at its last row; one thread at a time.

    They share derived arrays, such as its true ranges.
    """

    memory: _Memory = field(default_factory=_Memory, init=False)

    @classmethod
    def of(cls, panel: BarPanel) -> Self:
        """Return the panel with a fresh memory."""
        return cls(**{one.name: getattr(panel, one.name) for one in fields(BarPanel)})


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class StudyPanel(SharedPanel):
    """A panel on which an agent is asked again and again. One thread at a time; parts of it do not remember.

    Examples
    --------
    >>> from datetime import date
    >>> from vnquant.agents import BullAgent
    >>> from vnquant.simulation import SimulatedMarket
    >>> panel = StudyPanel.of(SimulatedMarket(seed=7).panel(date(2020, 12, 31)))
    >>> scores = [BullAgent(momentum_days=days).score(panel) for days in (10, 20, 30)]
    """


def bars_of(panel: BarPanel) -> Bars:
    """Return the panel's bars, those that it remembers where it does."""
    if not isinstance(panel, SharedPanel):
        session: Bars | None = getattr(panel, "session_bars", None)
        return Bars(panel) if session is None else session
    if panel.memory.bars is None:
        panel.memory.bars = Bars(panel, by_point=not isinstance(panel, StudyPanel))
    return panel.memory.bars


def gather(
    agent: Agent, bars: Bars, observations: Mapping[str, Callable[[Bars], Evidence]]
) -> dict[str, Evidence]:
    """Return what the agent observes, by name; on a `StudyPanel` only what its parameters have changed.

    Parameters
    ----------
    agent : Agent
    bars : Bars
        As `bars_of` gives them.
    observations : mapping of str to method
        Bound methods of the agent that depend on nothing but the bars and its parameters.
    """
    if not isinstance(bars.panel, StudyPanel):
        return {name: observe(bars) for name, observe in observations.items()}
    observed = bars.panel.memory.observed
    return {
        name: _remembered(agent, bars, observe.__func__, observed)  # type: ignore[attr-defined]
        for name, observe in observations.items()
    }


def _remembered(
    agent: Agent,
    bars: Bars,
    observe: Callable[[Agent, Bars], Evidence],
    observed: dict[Any, list[tuple[dict[str, ParameterValue], Evidence]]],
) -> Evidence:
    kept = observed.setdefault((type(agent), observe), [])
    for read, evidence in kept:
        if all(agent.parameters[name] == value for name, value in read.items()):
            return evidence
    # What it reads is noted rather than declared: a forgotten declaration would show stale evidence.
    noting, noted = copy.copy(agent), _Noted(agent.parameters)
    noting._parameters = noted
    evidence = observe(noting, bars)
    kept.insert(0, (noted.read, evidence))
    del kept[_SETTINGS_KEPT:]
    return evidence


class _Noted(Mapping[str, "ParameterValue"]):
    """Parameters that note which of them are read."""

    def __init__(self, parameters: Mapping[str, ParameterValue]) -> None:
        self._parameters = parameters
        self.read: dict[str, ParameterValue] = {}

    def __getitem__(self, name: str) -> ParameterValue:
        self.read[name] = value = self._parameters[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)
