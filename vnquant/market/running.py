"""RunningSession: one session as it was seen at many instants, over the completed sessions before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vnquant.errors import AlignmentError
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.market.panel import OHLCV, BarPanel

__all__ = ("RunningSession",)


@dataclass(frozen=True, eq=False, kw_only=True)
class RunningSession:
    """The bars of N symbols at S instants of a session; each instant saw `complete` and one more row.

    Attributes
    ----------
    complete : BarPanel
        Daily bars of the sessions before, adjusted as of this one; T rows.
    session : datetime64[s]
        Its date.
    instants : datetime64[s], shape (S,)
        Ascending, ICT wall clock.
    open, high, low, close, volume : float64, shape (S, N)
        The session so far, NaN where a symbol has not matched yet.
    fraction : float64, shape (S,)
        Share of a usual day's volume behind each instant, 1 where the session is over.
    """

    complete: BarPanel
    session: np.datetime64
    instants: TimeArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    fraction: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.instants), len(self.complete.symbols))
        for name in OHLCV:
            if getattr(self, name).shape != shape:
                raise AlignmentError(f"{name} has shape {getattr(self, name).shape}, the session is {shape}")
        if self.fraction.shape != shape[:1]:
            raise AlignmentError(f"fraction has shape {self.fraction.shape}, there are {shape[0]} instants")

    @property
    def started(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Where a symbol has matched, shape (S, N)."""
        return np.isfinite(self.close)

    @property
    def full_day_volume(self) -> FloatArray:
        """Volume scaled to a whole day by the usual time-of-day curve, shape (S, N)."""
        return self.volume / self.fraction[:, None]

    def place(self, instant: np.datetime64) -> int:
        """Return the index of the last instant that is not after `instant`, -1 before the first."""
        return int(np.searchsorted(self.instants, instant, side="right")) - 1

    def at(self, instants: Any) -> RunningSession:
        """Return the session at some of its instants, by index."""
        chosen: dict[str, Any] = {name: getattr(self, name)[instants] for name in OHLCV}
        return replace(self, instants=self.instants[instants], fraction=self.fraction[instants], **chosen)

    def select(self, columns: Sequence[int]) -> RunningSession:
        """Return the session of some symbols, by column; at least one."""
        chosen: dict[str, Any] = {name: getattr(self, name)[:, columns] for name in OHLCV}
        symbols = [self.complete.symbols[column] for column in columns]
        return replace(self, complete=self.complete.select(symbols), **chosen)

    def is_matched(self, place: int) -> bool:
        """Return whether any symbol had matched at an instant."""
        return bool(np.isfinite(self.close[place]).any())

    def seen_session(self, place: int) -> np.datetime64:
        """Return the date of the last row that was seen at an instant: before any match, that of the last."""
        return self.session if self.is_matched(place) else self.complete.timestamps[-1]

    def panel(self, place: int) -> BarPanel:
        """Return the bars as they were seen at one instant: before any match, those of earlier sessions."""
        return self._panel(place, self.complete.symbols, slice(None))

    def panel_of(self, place: int, column: int) -> BarPanel:
        """Return the bars of one symbol: `panel(place)` of that column, without the others."""
        return self._panel(place, (self.complete.symbols[column],), slice(column, column + 1))

    def _panel(self, place: int, symbols: tuple[str, ...], columns: slice) -> BarPanel:
        complete = self.complete
        if not self.is_matched(place):
            return complete if symbols == complete.symbols else complete.select(symbols)
        bars: dict[str, Any] = {
            name: np.concatenate(
                [getattr(complete, name)[:, columns], getattr(self, name)[place][None, columns]]
            )
            for name in OHLCV
        }
        stamps = np.append(complete.timestamps, self.session)
        return BarPanel(symbols, stamps, **bars, session_fraction=float(self.fraction[place]))
