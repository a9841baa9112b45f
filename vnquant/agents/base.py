"""Agent: the base of every agent, the five of VN-Quant and a user's own.

A subclass gives a name, declares its parameters and writes `score(panel)` over whole arrays; `analyze` for
one stock at one instant is derived from it, so that live decisions and research cannot disagree::

    class GapAgent(Agent):
        name = "gap"
        days: int = parameter(20, 5, 60, unit="bars", help="days that a gap is compared with")

        def score(self, panel: BarPanel) -> Scores:
            gap = panel.open / shift(panel.close) - 1.0
            return Scores(np.tanh(gap / rolling_std(gap, self.days)), confidence=0.5)
"""

from __future__ import annotations

import asyncio
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from vnquant.agents.parameters import Parameter, ParameterValue, check_parameters, declared_on
from vnquant.agents.scores import BoolArray, Scores, ScoresAt
from vnquant.agents.signals import AgentSignal, StockData, row_time
from vnquant.errors import AgentError
from vnquant.market.actions import action_of
from vnquant.market.panel import BarPanel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Agent",)


class Agent(ABC):
    """An opinion about stocks, computed over a panel.

    Parameters
    ----------
    **parameters
        Values for declared parameters; the others take their defaults.

    Attributes
    ----------
    name : str
        Class attribute; the class's own name in lower case, without "Agent", where a subclass gives none.
    per_symbol : bool
        Class attribute. True promises that the score of a symbol depends on the bars of that symbol alone, so
        that `analyze` need not compute the rest of the market. False is always right.
    judges_latest : bool
        Class attribute, not inherited. True promises that `score` makes its evidence of what `Bars.now` gives
        or, where the agent compares stocks, of what `LatestBars` knows of a market's last row. A replay then
        asks it for the last row alone.

    Raises
    ------
    ParameterError
        If a value is out of its bounds, of the wrong type, or its name is not declared.

    Examples
    --------
    >>> from vnquant.agents import BullAgent, Scores, parameter
    >>> class ReversalAgent(Agent):
    ...     name = "reversal"
    ...     full_move: float = parameter(0.05, 0.01, 0.1, step=0.01, help="move that earns the whole score")
    ...     def score(self, panel: BarPanel) -> Scores:
    ...         move = np.diff(panel.close, axis=0, prepend=np.nan) / panel.close
    ...         return Scores(np.clip(-move / self.full_move, -1.0, 1.0), confidence=0.5)
    >>> ReversalAgent(full_move=0.03).with_parameters(full_move=0.04)
    ReversalAgent(full_move=0.04)
    """

    name: ClassVar[str] = ""
    per_symbol: ClassVar[bool] = False
    judges_latest: ClassVar[bool] = False
    _declared: ClassVar[Mapping[str, Parameter]] = MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__.removesuffix("Agent")).lower()
        # A subclass may look back where its base did not, so it has to say so itself.
        cls.judges_latest = vars(cls).get("judges_latest", False)
        cls._declared = MappingProxyType(declared_on(cls))

    def __init__(self, **parameters: Any) -> None:
        checked = check_parameters(self._declared, parameters, owner=type(self).__name__)
        self._parameters: Mapping[str, ParameterValue] = MappingProxyType(checked)
        self.check_together()

    @abstractmethod
    def score(self, panel: BarPanel) -> Scores:
        """Return score and confidence for every row and symbol of the panel.

        The value at row t may use rows <= t only. A NaN score says "no opinion".
        """

    def check_together(self) -> None:  # noqa: B027 - most agents have nothing to add
        """Raise ParameterError where parameters contradict each other; a subclass may override it."""

    @property
    def warmup_bars(self) -> int:
        """Bars after which a score no longer depends on where the panel begins; 0 where that is not known.

        Such an agent is shown only so many of the last bars by `analyze`.
        """
        return 0

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """The parameters in force, read-only."""
        return self._parameters

    @classmethod
    def declared(cls) -> tuple[Parameter, ...]:
        """Return the declarations of all parameters: bounds, steps, units, help."""
        return tuple(cls._declared.values())

    def with_parameters(self, **changes: Any) -> Self:
        """Return an agent of the same kind with some parameters changed."""
        return type(self)(**{**self.parameters, **changes})

    async def analyze(self, stock_data: StockData | BarPanel | pd.DataFrame) -> AgentSignal:
        """Return the signal of one stock at the last row of its data, computed off the loop.

        Raises
        ------
        AgentError
            If the scores do not fit the panel.
        """
        return await asyncio.to_thread(self.signal, StockData.of(stock_data))

    def signal(self, data: StockData) -> AgentSignal:
        """Return the signal of one stock at the last row; `analyze` without leaving the thread."""
        seen = self.needed(data)
        at = ScoresAt(self.scored(seen.panel), -1, seen.column)
        return self.signal_at(at, seen, parameters=dict(self.parameters))

    def scored(self, panel: BarPanel) -> Scores:
        """Return `score(panel)`, refused where it does not fit the panel."""
        scores = self.score(panel)
        if not isinstance(scores, Scores):
            raise AgentError(
                f"{self.name}.score returned {type(scores).__name__}; return Scores(score, confidence) "
                "with arrays of the panel's shape."
            )
        if scores.shape != panel.shape:
            raise AgentError(f"{self.name}.score has shape {scores.shape}, the panel is {panel.shape}.")
        return scores

    def signal_at(self, at: ScoresAt, data: StockData, *, parameters: dict[str, Any]) -> AgentSignal:
        """Return the signal that the scores at a point give for the stock at the last row of its data."""
        scores, row, column = at
        point = scores.point(row, column)
        silent = math.isnan(point.score)
        size = None if scores.position_fraction is None or silent else scores.position_fraction[row, column]
        return AgentSignal(
            agent=self.name,
            symbol=data.symbol,
            as_of=data.known_at,
            action=action_of(point.score),
            score=point.score,
            confidence=point.confidence,
            reasons=_silence(data) if silent else point.reasons,
            parameters=parameters,
            contributions=point.contributions,
            vetoed=scores.veto is not None and bool(scores.veto[row, column]),
            position_fraction=None if size is None else float(size),
        )

    def needed(self, data: StockData) -> StockData:
        """Return the part of the data that the score at its last row depends on."""
        if self.per_symbol:
            return data.alone()
        if self.warmup_bars > 0:
            recent = data.panel.tail(_rows_holding(data.panel.present, self.warmup_bars))
            return StockData(recent, data.symbol, data.known_at)
        return data

    def __repr__(self) -> str:
        changed = [
            f"{name}={value!r}"
            for name, value in self.parameters.items()
            if value != self._declared[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def _rows_holding(present: BoolArray, bars: int) -> int:
    """Return how many last rows hold `bars` bars, or all there are, of every symbol with a bar in the last.

    A symbol without one has no say in that row, so its older bars do not matter there.
    """
    if not len(present):
        return 0
    kept = present[:, present[-1]]
    age = np.cumsum(kept[::-1], axis=0)[::-1]
    wanted = (kept & (age <= bars)).any(axis=1)
    return len(present) - int(np.argmax(wanted)) if wanted.any() else 1


def _silence(data: StockData) -> tuple[str, ...]:
    """Say why there is no opinion: no bar at that time, or too short a history."""
    close = data.panel.close[:, data.column]
    rows = np.flatnonzero(np.isfinite(close))
    when = row_time(data.panel.timestamps[-1])
    if not len(rows):
        return (f"no bar of {data.symbol} up to {when:%Y-%m-%d}",)
    if rows[-1] != len(close) - 1:
        last = row_time(data.panel.timestamps[rows[-1]])
        return (
            f"no bar of {data.symbol} at {when:%Y-%m-%d %H:%M}; the last one is of {last:%Y-%m-%d %H:%M}",
        )
    return (f"nothing to judge by in {len(rows)} bars of {data.symbol}: too few, or all weights are 0",)
