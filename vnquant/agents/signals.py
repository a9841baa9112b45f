"""Signals: what goes into an agent's analysis (`StockData`) and what comes out of it (`AgentSignal`)."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from vnquant.errors import EmptySelectionError, InputError
from vnquant.market.actions import Action
from vnquant.market.panel import BarPanel
from vnquant.runtime.clock import ICT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("AgentSignal", "StockData", "row_time")

# The colours of Vietnamese boards (green up, red down, yellow unchanged), dark enough to read on white.
_COLOUR = {
    Action.STRONG_BUY: "#0a7d33",
    Action.BUY: "#0a7d33",
    Action.HOLD: "#8a6d00",
    Action.SELL: "#c62828",
    Action.STRONG_SELL: "#c62828",
}


@dataclass(frozen=True, eq=False, slots=True)
class StockData:
    """One stock to analyse, with the market around it.

    Attributes
    ----------
    panel : BarPanel
        Bars up to the moment of the analysis, which is the last row. The other symbols serve agents that
        compare, such as the Scout.
    symbol : str
        The stock, one of the panel's symbols.
    as_of : datetime or None
        When the data was known; the time of the last row where None.
    """

    panel: BarPanel
    symbol: str
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        self.panel.index(self.symbol)
        if not len(self.panel.timestamps):
            raise EmptySelectionError(f"No bars of {self.symbol} to analyse: the panel has no rows.")

    @classmethod
    def of(cls, stock_data: StockData | BarPanel | pd.DataFrame) -> StockData:
        """Read what a user hands over: a StockData, a panel of one symbol, or a long frame of one symbol.

        A frame has the columns of `BarPanel.from_frame`; `symbol` may be left out.

        Raises
        ------
        InputError
            If it is something else, or holds several symbols without saying which one is meant.
        """
        if isinstance(stock_data, cls):
            return stock_data
        if isinstance(stock_data, BarPanel):
            panel = stock_data
        elif hasattr(stock_data, "columns"):
            panel = _panel_of(stock_data)
        else:
            raise InputError(
                f"Cannot analyse a {type(stock_data).__name__}. Give StockData(panel, symbol), a BarPanel of "
                "one symbol, or a DataFrame with date, open, high, low, close, volume."
            )
        if len(panel.symbols) != 1:
            raise InputError(
                f"The data holds {len(panel.symbols)} symbols and does not say which one is meant: "
                "use StockData(panel, 'FPT'), or panel.select('FPT')."
            )
        return cls(panel, panel.symbols[0])

    @property
    def column(self) -> int:
        """Column of the stock in the panel."""
        return self.panel.index(self.symbol)

    @property
    def known_at(self) -> datetime:
        """`as_of`, or the time of the last row, aware, in ICT."""
        return self.as_of if self.as_of is not None else row_time(self.panel.timestamps[-1])

    def alone(self) -> StockData:
        """Return the stock without the market around it."""
        if len(self.panel.symbols) == 1:
            return self
        return StockData(self.panel.select(self.symbol), self.symbol, self.as_of)


class AgentSignal(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent, or the Chief for all of them, advises for a stock, and why.

    Attributes
    ----------
    agent, symbol : str
    as_of : datetime
        When the data behind it was known; aware, ICT.
    action : Action
    score : float
        From -1 to 1, NaN for no opinion; `points` is the same on the scale 0 to 100.
    confidence : float
        From 0 to 1.
    reasons : tuple of str
        Weightiest first.
    parameters : dict
        All parameters in force.
    contributions : dict of str to float
        What each part added to the score; they add up to it.
    components : tuple of AgentSignal
        The signals that a Chief combined.
    missing : tuple of str
        The agents that gave no signal, each with the reason: "scout: no answer within 5 s".
    vetoed : bool
        From the RiskDoctor: a buy is barred. From the Chief: the veto changed the score.
    position_fraction : float or None
        Largest share of equity that a position should take.
    coverage : str
        How complete the data behind the decision was, such as "97 of 102 fresh".
    """

    agent: str
    symbol: str
    as_of: datetime
    action: Action
    score: float
    confidence: float
    reasons: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    contributions: dict[str, float] = {}
    components: tuple[AgentSignal, ...] = ()
    missing: tuple[str, ...] = ()
    vetoed: bool = False
    position_fraction: float | None = None
    coverage: str = ""

    @property
    def has_opinion(self) -> bool:
        """Whether there is a score at all."""
        return math.isfinite(self.score)

    @property
    def points(self) -> float:
        """The score on the scale 0 to 100, where 50 is indifferent."""
        return 50.0 * (self.score + 1.0)

    def component(self, agent: str) -> AgentSignal | None:
        """Return one agent's signal, None where it gave none."""
        return next((signal for signal in self.components if signal.agent == agent), None)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a signal, the verdict's own first: agent, action, score, confidence, reason."""
        import pandas as pd

        rows = [
            (s.agent, str(s.action), s.score, s.confidence, s.vetoed, s.reasons[0] if s.reasons else "")
            for s in (self, *self.components)
        ]
        columns = ["agent", "action", "score", "confidence", "vetoed", "reason"]
        return pd.DataFrame(rows, columns=columns).set_index("agent")

    def __str__(self) -> str:
        head = (
            f"{self.symbol}  {self.as_of:%Y-%m-%d %H:%M}  {self.agent}: {self.action}"
            f"  {_points(self)} of 100, confidence {self.confidence:.2f}{', vetoed' if self.vetoed else ''}"
        )
        lines = [head, *(f"  {reason}" for reason in self.reasons)]
        for signal in self.components:
            why = signal.reasons[0] if signal.reasons else ""
            lines.append(
                f"  {signal.agent:<12} {_signed(signal.score):>6}  confidence {signal.confidence:.2f}"
                f"  {signal.action:<11}  {why}"
            )
        lines += [f"  missing      {one}" for one in self.missing]
        if self.coverage:
            lines.append(f"  coverage     {self.coverage}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return a table: the verdict on top, then a line for each signal behind it."""
        rows = "".join(_html_row(signal) for signal in (self.components or (self,)))
        head = "".join(
            f"<th style='text-align:left'>{h}</th>" for h in ("agent", "action", "score", "conf.", "why")
        )
        notes = [*(self.reasons if self.components else ()), *(f"missing: {one}" for one in self.missing)]
        if self.coverage:
            notes.append(f"coverage: {self.coverage}")
        listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
        veto = " (buy vetoed)" if self.vetoed else ""
        return (
            f"<div><p><b>{html.escape(self.symbol)}</b> {self.as_of:%Y-%m-%d %H:%M} "
            f"<b style='color:{_COLOUR[self.action]}'>{self.action}</b>{veto} {_points(self)} of 100, "
            f"confidence {self.confidence:.2f}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><ul>{listed}</ul></div>"
        )


def row_time(stamp: np.datetime64) -> datetime:
    """Return a panel's timestamp as an aware datetime in ICT."""
    naive: datetime = stamp.astype("datetime64[s]").item()
    return naive.replace(tzinfo=ICT)


def _panel_of(frame: Any) -> BarPanel:
    """Read a long frame whose symbol may go without saying."""
    return BarPanel.from_frame(frame if "symbol" in frame.columns else frame.assign(symbol="STOCK"))


def _html_row(signal: AgentSignal) -> str:
    why = "<br>".join(html.escape(reason) for reason in signal.reasons)
    return (
        f"<tr><td style='text-align:left'>{html.escape(signal.agent)}</td>"
        f"<td style='text-align:left;color:{_COLOUR[signal.action]}'>{signal.action}</td>"
        f"<td>{_signed(signal.score)}</td><td>{signal.confidence:.2f}</td>"
        f"<td style='text-align:left'>{why}</td></tr>"
    )


def _signed(score: float) -> str:
    return f"{score:+.2f}" if math.isfinite(score) else "none"


def _points(signal: AgentSignal) -> str:
    return f"{signal.points:.0f}" if signal.has_opinion else "no opinion,"
