"""Moment: one instant of a running session as agents are shown it; each view is made when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType

import numpy as np

from vnquant.agents.evidence import Bars
from vnquant.agents.latest import LatestBars
from vnquant.agents.signals import StockData, row_time
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel
from vnquant.market.running import RunningSession

__all__ = ("Moment", "SeenStock")

_NOTHING: Mapping[str, FloatArray] = MappingProxyType({})


class Moment:
    """The market at one instant of a session.

    Before any match the last row is that of the session before.

    Parameters
    ----------
    running : RunningSession
    place : int
        Of the instant in it.
    fields : mapping of str to float64, shape (N,)
        Knowledge beside the bars at that instant, such as `expected_return`; NaN where there is none.
    past : mapping of str to float64, shape (T, N)
        The same in the completed sessions, for agents that look back on it.

    Attributes
    ----------
    is_matched : bool
        Whether any symbol has matched.
    session : datetime64[s]
        Date of the last row.
    """

    def __init__(
        self,
        running: RunningSession,
        place: int,
        fields: Mapping[str, FloatArray],
        past: Mapping[str, FloatArray] = _NOTHING,
    ) -> None:
        self._running = running
        self._place = place
        self._fields = fields
        self._past = past
        self.is_matched = running.is_matched(place)
        self.session = running.seen_session(place)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those of the market."""
        return self._running.complete.symbols

    @property
    def day(self) -> date:
        """Date of the last row."""
        return row_time(self.session).date()

    @property
    def complete(self) -> BarPanel:
        """The sessions that are over."""
        return self._running.complete

    def column(self, symbol: str) -> int:
        """Return the column of a symbol, or raise UnknownSymbolError with suggestions."""
        return self._running.complete.index(symbol)

    @cached_property
    def panel(self) -> BarPanel:
        """The bars of the whole market with the fields beside them."""
        panel = self._running.panel(self._place)
        return panel.with_fields(**self._columns(panel.shape[0], slice(None)))

    def alone(self, symbol: str) -> BarPanel:
        """Return the bars of one symbol with the fields beside them: `panel.select(symbol)` for less."""
        column = self.column(symbol)
        panel = self._running.panel_of(self._place, column)
        return panel.with_fields(**self._columns(panel.shape[0], slice(column, column + 1)))

    def latest(self, past: Bars) -> LatestBars:
        """Return the last row by itself, over the bars of completed rows before it."""
        running, place = self._running, self._place
        if self.is_matched:
            close, volume = running.close[place][None], running.volume[place][None]
            fraction = float(running.fraction[place])
        else:
            close, volume = running.complete.close[-1:], running.complete.volume[-1:]
            fraction = running.complete.session_fraction
        whole_day = volume / fraction if fraction < 1.0 else volume
        return LatestBars(past, close, whole_day, self._fields, session_fraction=fraction)

    def _columns(self, rows: int, which: slice) -> dict[str, FloatArray]:
        """Return the fields of some symbols over all rows."""
        columns: dict[str, FloatArray] = {}
        for name in dict.fromkeys((*self._fields, *self._past)):
            past, last = self._past.get(name), self._fields.get(name)
            columns[name] = np.full((rows, len(self.symbols[which])), np.nan)
            if past is not None:
                columns[name][: len(past)] = past[:, which]
            if last is not None:
                known = np.isfinite(last[which])
                columns[name][-1, known] = last[which][known]
        return columns


class SeenStock(StockData):
    """A stock at a moment; its bars are put together only when somebody looks at them."""

    __slots__ = ("_alone", "_moment")
    _alone: BarPanel | None
    _moment: Moment

    def __init__(self, moment: Moment, symbol: str, as_of: datetime | None = None) -> None:
        moment.column(symbol)  # raises where it is unknown
        object.__setattr__(self, "_moment", moment)
        object.__setattr__(self, "_alone", None)
        object.__setattr__(self, "symbol", symbol)
        object.__setattr__(self, "as_of", row_time(moment.session) if as_of is None else as_of)

    @property
    def panel(self) -> BarPanel:
        """The stock without the market around it."""
        if self._alone is None:
            object.__setattr__(self, "_alone", self._moment.alone(self.symbol))
        assert self._alone is not None  # for the type checker
        return self._alone
