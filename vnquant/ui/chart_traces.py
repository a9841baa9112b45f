"""Chart traces: plotly traces as plain dictionaries.

A figure is validated once, when it is made of them: adding traces one by one to a figure, and updating its
axes, took three quarters of the time that a chart needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

import numpy as np

from vnquant.market import Action, FloatArray
from vnquant.trading import Side
from vnquant.ui.chart_data import ChartData, FillMark, NewsMark, SignalMark
from vnquant.ui.theme import ACTION_COLOURS, AGENT_COLOURS, COLOURS, LABELS, SIGNS, PriceState

__all__ = (
    "Trace",
    "candle_trace",
    "candle_traces",
    "level_traces",
    "mark_traces",
    "score_traces",
    "volume_trace",
)

Trace = dict[str, Any]

_NEWS_PER_HOVER = 4
_TITLE_LENGTH = 90
_NEUTRAL = 0.05
_STATE_ORDER = np.array(sorted(state.value for state in PriceState))
_STATE_SCALE = [
    ((row + edge) / len(_STATE_ORDER), COLOURS[PriceState(state)])
    for row, state in enumerate(_STATE_ORDER)
    for edge in (0, 1)
]


class _Place(NamedTuple):
    """Where a mark stands: so many pixels from its bar's low or high, whatever the range shown.

    Plotly moves a mark against its angle: at 0 downwards, at 180 up and upside down.
    """

    angle: int
    standoff: int


_ABOVE, _BELOW, _FAR_BELOW = _Place(180, 9), _Place(0, 9), _Place(0, 22)


def candle_traces(data: ChartData) -> Iterator[Trace]:
    """Yield one candlestick trace for each price state that occurs."""
    series = data.series
    for state in PriceState:
        chosen = data.states == state.value
        if chosen.any():
            columns = {
                name: _whole(getattr(series, name)[chosen]) for name in ("open", "high", "low", "close")
            }
            yield candle_trace(state) | {"x": data.labels[chosen], **columns}


def candle_trace(state: PriceState) -> Trace:
    """Return how candles of a state look, still without bars: hollow if rising, filled if falling."""
    colour = COLOURS[state]
    line = {"color": colour, "width": 1}
    return {
        "type": "candlestick",
        "name": f"{SIGNS[state]} {LABELS[state]}",
        "legendgroup": state.value,
        "increasing": {"line": line, "fillcolor": "rgba(0,0,0,0)"},
        "decreasing": {"line": line, "fillcolor": colour},
    }


def volume_trace(data: ChartData) -> Trace:
    """Return the volume in the colours of the candles, on the second pair of axes."""
    return {
        "type": "bar",
        "name": "volume",
        "x": data.labels,
        "y": _whole(data.series.volume),
        # Numbers on a scale of five steps: plotly looks at each of the colours of a list.
        "marker": {
            "color": np.searchsorted(_STATE_ORDER, data.states).astype(np.int8),
            "cmin": -0.5,
            "cmax": len(_STATE_ORDER) - 0.5,
            "colorscale": _STATE_SCALE,
            "line": {"width": 0},
        },
        "opacity": 0.6,
        "showlegend": False,
        "xaxis": "x2",
        "yaxis": "y2",
    }


def score_traces(data: ChartData) -> Iterator[Trace]:
    """Yield the agents' scores, on the third pair of axes."""
    for name, score in data.scores.items():
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": name.replace("_", " "),
            "x": data.labels,
            "y": np.round(score, 3),
            "line": {"color": AGENT_COLOURS.get(name), "width": 2.5 if name == "chief" else 1.2},
            "legend": "legend2",
            "xaxis": "x3",
            "yaxis": "y3",
        }


def level_traces(data: ChartData) -> Iterator[Trace]:
    """Yield support and resistance as steps: each holds from the bar at which it became known."""
    for name, level, colour in (
        ("resistance", data.resistance, COLOURS[PriceState.DOWN]),
        ("support", data.support, COLOURS[PriceState.UP]),
    ):
        if level is not None and np.isfinite(level).any():
            yield {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": data.labels,
                "y": np.round(level),
                "line": {"color": colour, "width": 1, "dash": "dot", "shape": "hv"},
                "opacity": 0.8,
                "hovertemplate": "%{y:,.0f}",
            }


def mark_traces(data: ChartData) -> Iterator[Trace]:
    """Yield the Chief's turns to buy and to sell, our own fills, and the news."""
    buys = [m for m in data.signals if m.action in (Action.BUY, Action.STRONG_BUY)]
    sells = [m for m in data.signals if m.action in (Action.SELL, Action.STRONG_SELL)]
    if buys:
        yield from _moved(data, _signal_trace(data, buys, data.series.low, "chief turns to buy"), _BELOW)
    if sells:
        yield from _moved(data, _signal_trace(data, sells, data.series.high, "chief turns to sell"), _ABOVE)
    for side in Side:
        if fills := [m for m in data.fills if m.fill.side is side]:
            yield _fill_trace(data, fills, side)
    if data.news:
        yield from _moved(data, _news_trace(data, data.news), _FAR_BELOW)


def _moved(data: ChartData, trace: Trace, place: _Place) -> Iterator[Trace]:
    """Yield a trace of marks off their bars, and its entry in the legend, where nothing may be moved."""
    group = {"legendgroup": trace["name"]}
    marker = trace["marker"] | {"standoff": place.standoff, "angle": place.angle}
    yield trace | group | {"marker": marker, "showlegend": False}
    one = {key: value[0] if isinstance(value, list) else value for key, value in trace["marker"].items()}
    one |= {"line": {"width": 2}, "angle": place.angle}
    nowhere = {"x": data.labels[-1:], "y": [None], "hovertext": None, "hoverinfo": "skip"}
    yield trace | group | nowhere | {"marker": one}


def _signal_trace(data: ChartData, marks: list[SignalMark], price: FloatArray, name: str) -> Trace:
    rows = [mark.row for mark in marks]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": data.labels[rows],
        "y": price[rows],
        "marker": {
            "symbol": "triangle-up-open",  # upside down above a bar
            "size": 9,
            "color": [ACTION_COLOURS[mark.action] for mark in marks],
            "line": {"width": 2},
        },
        "hovertext": [f"chief: {mark.action}" for mark in marks],
        "hoverinfo": "text",
    }


def _fill_trace(data: ChartData, marks: list[FillMark], side: Side) -> Trace:
    bought = side is Side.BUY
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": f"{'bought' if bought else 'sold'} ({side[0]})",
        "x": data.labels[[mark.row for mark in marks]],
        "y": np.array([mark.fill.price_vnd for mark in marks], dtype=np.int32),
        "text": [side[0] for _ in marks],
        "textposition": "middle left" if bought else "middle right",
        "marker": {
            "symbol": "triangle-right" if bought else "triangle-left",
            "size": 11,
            "color": COLOURS[PriceState.UP if bought else PriceState.DOWN],
            "line": {"width": 1, "color": "#797979"},
        },
        "hovertext": [_told(mark) for mark in marks],
        "hoverinfo": "text",
    }


def _told(mark: FillMark) -> str:
    fill = mark.fill
    costs = fill.fee_vnd + fill.tax_vnd
    return (
        f"{fill.side} {fill.quantity:,} at {fill.price_vnd:,} VND, {fill.filled_at:%Y-%m-%d %H:%M}, "
        f"fee and tax {costs:,} VND"
    )


def _news_trace(data: ChartData, marks: tuple[NewsMark, ...]) -> Trace:
    rows = [mark.row for mark in marks]
    moods = [_MOODS[_mood(mark)] for mark in marks]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "news: + good, − bad, ○ neither",
        "x": data.labels[rows],
        "y": data.series.low[rows],
        "marker": {
            "symbol": [symbol for symbol, _ in moods],
            "size": 9,
            "color": [colour for _, colour in moods],
            "line": {"width": 2.5, "color": [colour for _, colour in moods]},
        },
        "hovertext": [_headlines(mark) for mark in marks],
        "hoverinfo": "text",
    }


_MOODS: dict[int, tuple[str, str]] = {
    1: ("cross-thin", COLOURS[PriceState.UP]),
    0: ("circle-open", COLOURS[PriceState.REFERENCE]),
    -1: ("line-ew", COLOURS[PriceState.DOWN]),
}


def _mood(mark: NewsMark) -> int:
    """Return 1 for good news, -1 for bad, 0 for neither."""
    return 0 if abs(mark.score) < _NEUTRAL else 1 if mark.score > 0 else -1


def _headlines(mark: NewsMark) -> str:
    """Return the newest headlines with sentiment and level; they come from outside, so they are escaped."""
    lines = [
        f"{a.sentiment.score:+.2f} {a.level}: {escape(_short(a.title))}"
        for a in mark.articles[:_NEWS_PER_HOVER]
    ]
    more = len(mark.articles) - _NEWS_PER_HOVER
    return "<br>".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 1] + "…"


def _whole(values: FloatArray) -> np.ndarray[Any, Any]:
    """Return whole numbers, as VND and shares nearly always are, in half the bytes."""
    if np.all(np.abs(values) < np.iinfo(np.int32).max) and np.array_equal(values, np.rint(values)):
        return values.astype(np.int32)
    return values
