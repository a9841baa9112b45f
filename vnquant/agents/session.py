"""Session: a running session as agents see it, all its instants at once.

An agent's score at an instant is that of the panel as it was seen then. Over a session's hundred instants
only the last row changes, so they are computed together, on the arrays of `vnquant.features.forks`. What
cannot be computed that way raises TypeError, and is computed one instant after the other.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.evidence import Bars
from vnquant.agents.scores import BoolArray, Scores, ScoresAt
from vnquant.errors import AgentError, InputError
from vnquant.features.forks import Forked, as_array, as_forked
from vnquant.market.bars import FloatArray
from vnquant.market.running import RunningSession

__all__ = ("SessionScores", "score_session")


class SessionBars(Bars):
    """The bars of a session at all its instants; scores are made of the last rows, shape (S, N)."""

    def __init__(self, running: RunningSession, fields: Mapping[str, FloatArray]) -> None:
        past = running.complete
        if not np.isfinite(past.close).all():
            raise InputError("the history has missing bars, so it cannot be forked")
        self._rows = past.shape[0]
        self._shape = running.close.shape
        self._fields = fields
        self.by_point = True
        self._share = np.sqrt(running.fraction)[:, None]
        self.panel = cast("Any", _SessionPanel(self, running.complete.symbols, fields))
        self._forks: list[Forked] = []
        pairs = (
            ("open", past.open, running.open),
            ("high", past.high, running.high),
            ("low", past.low, running.low),
            ("close", past.close, running.close),
            ("volume", past.volume, running.full_day_volume),
        )
        for name, history, last in pairs:
            self._forks.append(Forked.of(history, last))
            setattr(self, name, as_array(self._forks[-1]))
        self._kept = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """(S, N)."""
        return self._shape

    def release(self) -> None:
        """Forget the intermediate arrays."""
        for forked in self._forks:
            forked.release()

    def squeeze(self, x: FloatArray) -> FloatArray:
        """Return x as it is: nothing is missing."""
        return x

    def spread(self, x: FloatArray) -> FloatArray:
        """Return the last rows, shape (S, N)."""
        return self.final(x)

    def final(self, x: FloatArray) -> FloatArray:
        """Return the last rows, shape (S, N)."""
        forked = as_forked(x)
        return np.broadcast_to(x if forked is None else forked.last, self._shape)

    def now(self, x: FloatArray) -> FloatArray:
        """Return the last rows, shape (S, N), or (1, N) where they are all the same."""
        forked = as_forked(x)
        return x if forked is None else forked.last

    def spread_value(self, x: FloatArray | float) -> FloatArray | float:
        """Return the last rows, and a plain number as it is."""
        return x if isinstance(x, int | float) else self.final(x)

    def cells(self, x: FloatArray | float) -> FloatArray | float:
        """Return the last rows to look points up in, shape (S, N), or (1, N) where they are all the same."""
        return x if isinstance(x, int | float) else self.now(x)

    def spread_flag(self, x: BoolArray) -> BoolArray:
        """Return the last rows of a flag, shape (S, N)."""
        forked = as_forked(x)
        last: BoolArray = x if forked is None else cast("Any", forked.last)
        return np.broadcast_to(last, self._shape)

    def field(self, name: str) -> FloatArray:
        """Return an optional field, of which the last rows are known."""
        if name not in self._fields:
            raise TypeError(f"the field {name!r} is not known for all instants of a session at once")
        return as_array(Forked.ending(self._rows, self._fields[name]))

    @property
    def volume_trust(self) -> FloatArray | float:
        """Weight of evidence from volume: the root of the share of a day behind each instant."""
        return np.broadcast_to(self._share, self._shape)


class _SessionPanel:
    """What agents ask of a panel besides its bars."""

    def __init__(self, bars: SessionBars, symbols: tuple[str, ...], fields: Mapping[str, FloatArray]) -> None:
        self._bars = weakref.ref(bars)  # which knows this panel
        self.symbols = symbols
        self.fields = MappingProxyType(dict(fields))

    @property
    def session_bars(self) -> SessionBars | None:
        """The bars, as `bars_of` asks for them."""
        return self._bars()


def score_session(agent: Agent, bars: SessionBars) -> Scores:
    """Return the agent's scores at each instant, shape (S, N).

    Raises
    ------
    TypeError, InputError, AttributeError
        If the agent does something that forked arrays cannot; ask it instant by instant then.
    """
    scores = agent.score(bars.panel)
    if scores.shape != bars.shape:
        raise AgentError(f"{agent.name}.score has shape {scores.shape} on a session.")
    return scores


class SessionScores:
    """The scores over one session of agents that look at each stock alone, computed when first asked for.

    Parameters
    ----------
    running : RunningSession
        Of the stocks that may be discussed.
    fields : mapping of str to float64, shape (S, N)
        Knowledge beside the bars at each instant, such as `expected_return`.
    """

    def __init__(self, running: RunningSession, fields: Mapping[str, FloatArray]) -> None:
        self._running = running
        self._bars: SessionBars | None = None
        self._fields = fields
        self._columns = {symbol: column for column, symbol in enumerate(running.complete.symbols)}
        self._known: dict[Agent, Scores | None] = {}

    def of(self, agent: Agent, symbol: str, place: int) -> ScoresAt | None:
        """Return an agent's scores and where in them a stock stands at an instant.

        None where the agent has to be asked for that instant alone.
        """
        column = self._columns.get(symbol)
        if column is None or not agent.per_symbol:
            return None
        if agent not in self._known:
            try:
                if self._bars is None:
                    self._bars = SessionBars(self._running, self._fields)
                self._known[agent] = score_session(agent, self._bars)
            except (TypeError, InputError, AttributeError):
                self._known[agent] = None
            if self._bars is not None:
                self._bars.release()
        scores = self._known[agent]
        return None if scores is None else ScoresAt(scores, place, column)
