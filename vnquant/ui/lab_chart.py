"""Lab chart: candles of one symbol with an agent's score and its buy and sell marks, redrawn in place."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

import numpy as np

from vnquant.market import Action, BarPanel, Exchange, FloatArray, load_universe
from vnquant.ui.chart_data import TextArray, bar_labels, bar_states, signal_marks
from vnquant.ui.chart_traces import candle_trace
from vnquant.ui.charts import axis_style, layout_style
from vnquant.ui.live_figure import LiveFigure
from vnquant.ui.theme import COLOURS, TONES, ChartTheme, PriceState

__all__ = ("LabChart", "LabLines", "lab_lines", "most_traded")

_BUYS = (Action.BUY, Action.STRONG_BUY)
_SCORE = "#0072B2"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEGEND = (
    f"<span style='font-size:11px'><span style='color:{COLOURS[PriceState.UP]}'>▲</span> turns to buy   "
    f"<span style='color:{COLOURS[PriceState.DOWN]}'>▼</span> turns to sell   "
    f"<span style='color:{_SCORE}'>━</span> score now   ┈ score of the saved setting</span>"
)


class LabLines(NamedTuple):
    """What the chart draws of one setting, over the sessions of one symbol that are shown."""

    labels: TextArray
    score: FloatArray
    buys: TextArray
    """Days on which the advice turned to buy."""
    buy_prices: FloatArray
    sells: TextArray
    sell_prices: FloatArray


def lab_lines(panel: BarPanel, score: FloatArray, symbol: str, sessions: int) -> LabLines:
    """Return the lines and marks of a score of shape (T, N) on the panel's last sessions of one symbol."""
    series = panel.series(symbol)
    column = panel.index(symbol)
    seen = score[np.isfinite(panel.close[:, column]), column]
    first = max(0, len(series.close) - sessions)
    labels = bar_labels(series, panel.interval)
    # Marked on all sessions, then cut: a mark does not depend on how much is shown.
    marks = [mark for mark in signal_marks(seen) if mark.row >= first]
    buys = [mark.row for mark in marks if mark.action in _BUYS]
    sells = [mark.row for mark in marks if mark.action not in _BUYS]
    return LabLines(
        labels[first:],
        np.round(seen[first:], 3),
        labels[buys],
        series.low[buys],
        labels[sells],
        series.high[sells],
    )


def most_traded(panel: BarPanel) -> str:
    """Return the symbol of the largest value traded in the last month."""
    traded = np.nan_to_num(panel.value[-20:]).mean(axis=0)
    return panel.symbols[int(traded.argmax())]


class LabChart:
    """A figure widget whose traces are made once: a redraw only exchanges what they hold."""

    def __init__(self) -> None:
        tones = TONES[ChartTheme.AUTO]
        second = {"xaxis": "x2", "yaxis": "y2"}
        line = {"type": "scatter", "mode": "lines", "x": [], "y": [], **second}
        self.figure = LiveFigure(
            data=[
                *(candle_trace(state) | {"x": []} for state in PriceState),
                _marks("buy", "triangle-up", COLOURS[PriceState.UP]),
                _marks("sell", "triangle-down", COLOURS[PriceState.DOWN]),
                line | {"name": "score, saved", "line": {"color": tones.text, "width": 1, "dash": "dot"}},
                line | {"name": "score, now", "line": {"color": _SCORE, "width": 2}},
            ],
            layout=layout_style(tones)
            | {
                "height": 430,
                "margin": {"l": 64, "r": 16, "t": 56, "b": 30},
                "showlegend": False,
                "annotations": [
                    {"text": _LEGEND, "xref": "paper", "yref": "paper", "x": 0, "xanchor": "left"}
                    | {"y": 1, "yanchor": "bottom", "showarrow": False}
                ],
                "title": {"x": 0.01, "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8}},
                "xaxis": _days(tones, "y", seen=False),
                "xaxis2": _days(tones, "y2", seen=True) | {"matches": "x"},
                "yaxis": axis_style(tones)
                | {"domain": [0.36, 1.0], "tickformat": ",.0f", "title": {"text": "VND"}},
                "yaxis2": axis_style(tones)
                | {"domain": [0.0, 0.3], "range": [-1.05, 1.05], "title": {"text": "score"}, "zeroline": True}
                | {"zerolinecolor": tones.grid, "tickvals": [-1, 0, 1]},
            },
        )
        self.figure.layout.autosize = True
        *candles, self._buys, self._sells, self._saved, self._now = self.figure.data
        self._candles = dict(zip(PriceState, candles, strict=True))
        self._names: dict[str, str] = {}

    def show_symbol(self, panel: BarPanel, symbol: str, sessions: int) -> None:
        """Draw the candles of a symbol's last sessions."""
        series = panel.series(symbol)
        rows = slice(max(0, len(series.close) - sessions), None)
        self._names = {day: _written(day) for day in bar_labels(series, panel.interval)[rows].tolist()}
        labels = np.array(list(self._names.values()))
        universe = load_universe()
        about = universe.get(symbol)
        states = bar_states(series, Exchange.HOSE if about is None else about.exchange)[rows]
        with self.figure.batch_update():
            for state, trace in self._candles.items():
                chosen = states == state.value
                trace.x = labels[chosen]
                for name in ("open", "high", "low", "close"):
                    setattr(trace, name, getattr(series, name)[rows][chosen])
            shown = labels[np.linspace(0, len(labels) - 1, min(6, len(labels))).astype(int)]
            for axis in (self.figure.layout.xaxis, self.figure.layout.xaxis2):
                axis.categoryarray, axis.tickvals = labels, shown
            company = "" if about is None else about.company
            self.figure.layout.title.text = f"<b>{escape(symbol)}</b> {escape(company)}"

    def show_lines(self, now: LabLines, saved: LabLines | None) -> None:
        """Draw a setting's score and marks, and the saved setting's score behind it."""
        nothing = np.array([])
        before = (nothing, nothing) if saved is None else (saved.labels, saved.score)
        drawn: tuple[tuple[Any, Any, FloatArray], ...] = (
            (self._now, now.labels, now.score),
            (self._saved, *before),
            (self._buys, now.buys, now.buy_prices),
            (self._sells, now.sells, now.sell_prices),
        )
        with self.figure.batch_update():
            for trace, days, values in drawn:
                trace.x, trace.y = [self._names[day] for day in days.tolist()], values


def _written(day: str) -> str:
    """Return a day as "6 Dec 2024".

    Of days that look like ISO dates, plotly forgets at each exchange of a trace that their axis is one of
    categories; a date axis leaves holes for Tet.
    """
    date, _, time = day.partition(" ")
    year, month, number = date.split("-")
    return f"{int(number)} {_MONTHS[int(month) - 1]} {year} {time}".rstrip()


def _marks(advice: str, symbol: str, colour: str) -> dict[str, Any]:
    """Return the trace of marks off their bars: plotly moves a mark against its angle."""
    below = advice == "buy"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"turns to {advice}",
        "x": [],
        "y": [],
        "marker": {
            "symbol": symbol if below else "triangle-up",
            "size": 10,
            "color": colour,
            "angle": 0 if below else 180,
            "standoff": 10,
        },
        "hovertemplate": f"turns to {advice}<extra></extra>",
    }


def _days(tones: Any, anchor: str, *, seen: bool) -> dict[str, Any]:
    """Return an axis on which one session stands next to the other."""
    return axis_style(tones) | {
        "type": "category",
        "categoryorder": "array",
        "anchor": anchor,
        "rangeslider": {"visible": False},
        "showticklabels": seen,
    }
