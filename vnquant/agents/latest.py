"""Latest: the last row of a panel judged by itself, bit for bit as it is judged in the panel.

In a replay the agents that compare stocks are asked at many instants of a session, and only the last row is
new each time. `LatestBars` gives of that row what `Bars` gives of a whole panel; what looks back on the rows
before is worked out once a session. Agents that look at one stock alone are given its `LastBars`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.evidence import Bars, log_of
from vnquant.agents.scores import Scores
from vnquant.errors import AgentError, InputError
from vnquant.features.indicators import ratio, sma
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("LastBars", "LatestBars", "score_latest")


class LatestBars:
    """The last row of a panel, shape (1, N), as far as `Bars` can be asked for a row alone.

    It is no `Bars`: whatever needs the rows before the last is missing here, rather than wrong.

    Parameters
    ----------
    past : Bars
        The completed rows before the last one, without gaps.
    close, volume : float64, shape (1, N)
        Of the last row, the volume that of a whole day.
    fields : mapping of str to float64, shape (N,)
    session_fraction : float
        As that of a panel.
    """

    def __init__(
        self,
        past: Bars,
        close: FloatArray,
        volume: FloatArray,
        fields: Mapping[str, FloatArray],
        *,
        session_fraction: float,
    ) -> None:
        self.by_point = True
        self.fields = fields
        self.shape = close.shape
        # The root of an array's element, as of a panel's: its last bit may be another than that of `math`.
        self.volume_trust = float(np.sqrt(session_fraction)) if session_fraction < 1.0 else 1.0
        self._past = past
        self._close = close
        self._missing = ~np.isfinite(close)
        self._complete = not self._missing.any()
        self.log_volume = log_of(volume)

    @property
    def panel(self) -> LatestBars:
        """What agents ask of a panel besides its bars: its fields."""
        return self

    @property
    def session_bars(self) -> LatestBars:
        """The bars, as `bars_of` asks a panel for them."""
        return self

    @property
    def moves(self) -> FloatArray:
        """One-bar returns."""
        return self.returns(1)

    def returns(self, days: int) -> FloatArray:
        """Return the return over `days` bars, NaN where there are not so many."""
        before = self._past.close[-days:][:1]
        if len(self._past.close) < days:
            before = np.full(self.shape, np.nan)
        return ratio(self._close, before) - 1.0

    def over_average(self, days: int) -> FloatArray:
        """Return how far the close stands above the mean of the last `days` closes."""
        # The mean runs on from the first row, so that it is rounded as that of a panel is.
        return ratio(self._close, sma(np.concatenate([self._past.close, self._close]), days)[-1:]) - 1.0

    def before(self, key: Hashable, make: Callable[[Bars], FloatArray]) -> FloatArray:
        """Return what `make` gives of the bars before the last; worked out once a session."""
        past = self._past
        return past.keep(("before", key), lambda: make(past)[-1:])

    def field(self, name: str) -> FloatArray:
        """Return an optional field, NaN where it is not carried."""
        found = self.fields.get(name)
        return np.full(self.shape, np.nan) if found is None else found[None]

    def history(self, name: str) -> FloatArray:
        """Return an optional field to look back on, which can be done only where there is none."""
        if name in self.fields:
            raise InputError(f"{name!r} is known for the last row alone; look back on it in a whole panel.")
        return self.field(name)

    def squeeze(self, x: FloatArray) -> FloatArray:
        """Return x as it is: the rows before have no gaps."""
        return x

    def spread(self, x: FloatArray) -> FloatArray:
        """Return x, NaN where a symbol has no bar."""
        return x if self._complete else np.where(self._missing, np.nan, x)

    def final(self, x: FloatArray) -> FloatArray:
        """Return the row of x that scores are made of: its only one."""
        return x

    def spread_value(self, x: FloatArray | float) -> FloatArray | float:
        """Return `spread(x)`, and a plain number as it is."""
        return self.spread(x) if isinstance(x, np.ndarray) else x

    def cells(self, x: FloatArray | float) -> FloatArray | float:
        """Return `spread_value(x)`, to look single symbols up in."""
        return self.spread_value(x)


class LastBars(Bars):
    """The bars of a panel without gaps; scores are made of the last row, shape (1, N).

    Windows look back on all rows; what no window looks back on any more is computed of the last row alone.

    Raises
    ------
    InputError
        If the panel has gaps.
    """

    def __init__(self, panel: BarPanel) -> None:
        super().__init__(panel, by_point=True)
        if not self._complete:
            raise InputError("a panel with gaps has no last row that stands for itself")

    @property
    def session_bars(self) -> LastBars:
        """The bars, as `bars_of` asks a panel for them."""
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, N)."""
        return (1, self.close.shape[1])

    def now(self, x: FloatArray) -> FloatArray:
        """Return the last row of x."""
        return x[-1:]

    def final(self, x: FloatArray) -> FloatArray:
        """Return the last row of x."""
        return x[-1:]

    def cells(self, x: FloatArray | float) -> FloatArray | float:
        """Return the last row of x, to look single symbols up in."""
        return x[-1:] if isinstance(x, np.ndarray) else x

    @property
    def volume_trust(self) -> FloatArray | float:
        """As of `Bars`, in the last row."""
        trust = super().volume_trust
        return trust[-1:] if isinstance(trust, np.ndarray) else trust


def score_latest(agent: Agent, bars: LatestBars | LastBars) -> Scores:
    """Return the scores of the last row, shape (1, N), of an agent that `judges_latest`."""
    scores = agent.score(cast("Any", bars))
    if scores.shape != bars.shape:
        raise AgentError(f"{agent.name}.score has shape {scores.shape} on a row of {bars.shape[1]} symbols.")
    return scores
