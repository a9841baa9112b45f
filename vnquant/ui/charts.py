"""Charts: pure functions from arrays and signals to plotly figures, also fit for static HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from vnquant.agents import AgentSignal
from vnquant.market import BarPanel, Exchange, FloatArray
from vnquant.news import Article
from vnquant.trading import Fill
from vnquant.ui.chart_data import ChartData, Span, TextArray
from vnquant.ui.chart_traces import (
    candle_traces,
    level_traces,
    mark_traces,
    score_traces,
    volume_trace,
)
from vnquant.ui.theme import COLOURS, SIGNS, TONES, ChartTheme, PriceState, Tones

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ("axis_style", "discussion_chart", "layout_style", "legend_style", "price_chart", "time_axis")

# Where the parts of a chart stand, in shares of its height; above the scores is room for their legend.
_PARTS_WITH_SCORES = ((0.46, 1.0), (0.315, 0.435), (0.0, 0.245))
_PARTS_WITHOUT = ((0.23, 1.0), (0.0, 0.2))
_MARGIN = {"l": 64, "r": 20, "t": 104, "b": 72}
_BUTTONS_BELOW_PX = 36  # below the dates; above the plot they would lie under plotly's own


def price_chart(
    panel: BarPanel,
    symbol: str,
    *,
    exchange: Exchange = Exchange.HOSE,
    scores: Mapping[str, FloatArray] | None = None,
    levels: tuple[FloatArray, FloatArray] | None = None,
    fills: Sequence[Fill] = (),
    articles: Sequence[Article] = (),
    company: str = "",
    fingerprint: str = "",
    theme: ChartTheme | str = ChartTheme.AUTO,
) -> go.Figure:
    """Draw candles, volume, the agents' scores and what happened to one symbol.

    Sessions follow each other without gaps for weekends and holidays. Candles are coloured as Vietnamese
    boards do: against the previous close, with those at the ceiling or floor set apart. Buttons choose how
    much of the past is seen, and scale price and volume to it.

    Parameters
    ----------
    panel : BarPanel
    symbol : str
    exchange : Exchange
        Decides the band that sets ceiling and floor apart.
    scores : mapping of agent name to float64, shape (T,), optional
        Each agent's score of the symbol over the panel's rows, in [-1, 1]. Where the Chief's turns to buy or
        to sell, the bar is marked.
    levels : pair of float64, shape (T,), optional
        Support and resistance in VND as known at each row, NaN where there is none.
    fills : sequence of Fill
        Shares that were bought and sold; those of other symbols are left out.
    articles : sequence of Article
        Those that name the symbol are marked at the session that could first react to them.
    company, fingerprint : str
        Shown in the title and below the chart.
    theme : ChartTheme
    """
    from plotly import graph_objects as go

    data = ChartData.of(
        panel,
        symbol,
        exchange=exchange,
        scores=scores or {},
        levels=levels,
        signals_of="chief",
        fills=fills,
        articles=articles,
    )
    tones = TONES[ChartTheme(theme)]
    traces = [
        *level_traces(data),
        *candle_traces(data),
        *mark_traces(data),
        volume_trace(data),
        *score_traces(data),
    ]
    for trace in traces:
        trace.setdefault("legendgroup", trace["name"])
    return go.Figure(
        data=traces, layout=_price_layout(data, _title(panel, symbol, company), fingerprint, tones)
    )


def discussion_chart(
    verdict: AgentSignal, *, fingerprint: str = "", theme: ChartTheme | str = ChartTheme.AUTO
) -> go.Figure:
    """Draw a discussion as diverging bars: score to the left or right, confidence as strength of colour.

    Parameters
    ----------
    verdict : AgentSignal
        The Chief's, with the agents' signals as components.
    fingerprint : str
        Shown below the chart.
    theme : ChartTheme
    """
    from plotly import graph_objects as go

    tones = TONES[ChartTheme(theme)]
    signals = [verdict, *reversed(verdict.components)]
    states = [_direction(s) for s in signals]
    colours = [COLOURS[state] for state in states]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [s.agent.replace("_", " ") for s in signals],
        "x": [round(s.score, 4) if s.has_opinion else 0.0 for s in signals],
        "marker": {
            "color": colours,
            "opacity": [round(0.25 + 0.75 * s.confidence, 3) for s in signals],
            "line": {"color": colours, "width": 1.5},
        },
        "text": [
            f"{SIGNS[state]} {s.score:+.2f} · {s.confidence:.0%} sure · {s.action}"
            if s.has_opinion
            else "no opinion"
            for s, state in zip(signals, states, strict=True)
        ],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertext": ["<br>".join(escape(reason) for reason in s.reasons) for s in signals],
        "hoverinfo": "text",
    }
    absent = (
        f" · missing: {', '.join(m.partition(':')[0] for m in verdict.missing)}" if verdict.missing else ""
    )
    veto = " · VETO" if verdict.vetoed else ""
    title = f"<b>{escape(verdict.symbol)}</b>: {verdict.action}{veto}{escape(absent)}"
    layout = layout_style(tones) | {
        "hovermode": "closest",
        "margin": {"l": 100, "r": 20, "t": 50, "b": 60},
        "title": {"text": title, "x": 0.01},
        "height": 340,
        "showlegend": False,
        # The words stand outside the bars, so the axis is wider than the scores.
        "xaxis": axis_style(tones)
        | {
            "range": [-1.75, 1.75],
            "tickvals": [-1, -0.5, 0, 0.5, 1],
            "title": {"text": "score: bearish  ←  0  →  bullish"},
        },
        "yaxis": {"showgrid": False},
        "shapes": [
            {
                "type": "line",
                "x0": 0,
                "x1": 0,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"width": 1, "color": tones.text},
            }
        ],
        "annotations": _signature(fingerprint),
    }
    return go.Figure(data=[bars], layout=layout)


def layout_style(tones: Tones) -> dict[str, Any]:
    """Return what all charts have in common."""
    return {
        "paper_bgcolor": tones.ground,
        "plot_bgcolor": tones.ground,
        "font": {"color": tones.text, "size": 12},
        "hovermode": "x unified",
        # Without a ground of its own a hover box would be as transparent as the chart.
        "hoverlabel": {"bgcolor": "rgba(32,32,32,0.92)", "font": {"color": "#f2f2f2"}},
        "margin": _MARGIN,
    }


def legend_style() -> dict[str, Any]:
    """Return a legend in lines above the plot."""
    # Groups are set side by side, each as wide as it is; single entries all get the width of the widest.
    order = {"orientation": "h", "traceorder": "grouped", "tracegroupgap": 4}
    return order | {"y": 1.01, "x": 0, "yanchor": "bottom", "font": {"size": 11}}


def axis_style(tones: Tones) -> dict[str, Any]:
    """Return what all axes have in common."""
    return {"gridcolor": tones.grid, "zeroline": False}


def _title(panel: BarPanel, symbol: str, company: str) -> str:
    running = " · last bar is the running session" if panel.partial else ""
    return f"<b>{escape(symbol)}</b> {escape(company)}".strip() + running


def _price_layout(data: ChartData, title: str, fingerprint: str, tones: Tones) -> dict[str, Any]:
    parts: tuple[tuple[float, float], ...] = _PARTS_WITH_SCORES if data.scores else _PARTS_WITHOUT
    height = 700 if data.scores else 480
    layout = layout_style(tones) | {
        "title": {"text": title, "x": 0.01, "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}},
        "height": height,
        "legend": legend_style(),
        "bargap": 0.15,
        "annotations": _signature(fingerprint),
    }
    for row, domain in enumerate(parts, start=1):
        number = "" if row == 1 else str(row)
        layout[f"xaxis{number}"] = time_axis(data.labels, tones, row, is_last=row == len(parts))
        layout[f"yaxis{number}"] = axis_style(tones) | {"domain": domain, "anchor": f"x{number}"}
    layout["yaxis"] |= {"title": {"text": "VND"}, "tickformat": ",.0f"}
    layout["yaxis2"] |= {"title": {"text": "shares"}, "nticks": 4}
    if data.scores:
        layout["yaxis3"] |= {"title": {"text": "score"}, "range": [-1.05, 1.05]}
        layout["legend2"] = layout["legend"] | {"y": parts[-1][1]}
    if data.spans:
        plot_px = height - _MARGIN["t"] - _MARGIN["b"]
        layout["updatemenus"] = [_buttons(data, tones, y=-_BUTTONS_BELOW_PX / plot_px)]
        for name, value in _ranges(data, data.spans[data.first_span]).items():
            axis, _, _ = name.partition(".")
            layout[axis]["range"] = value
    return layout


def time_axis(labels: TextArray | list[str], tones: Tones, row: int, *, is_last: bool) -> dict[str, Any]:
    """Return a category axis: one session next to the other, where a date axis would leave holes for Tet."""
    axis = axis_style(tones) | {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": labels,
        "nticks": 9,
        "tickangle": 0,
        "ticklabelstandoff": 5,
        "rangeslider": {"visible": False},
        "anchor": "y" if row == 1 else f"y{row}",
        "showticklabels": is_last,
    }
    return axis if row == 1 else axis | {"matches": "x"}


def _buttons(data: ChartData, tones: Tones, *, y: float) -> dict[str, Any]:
    """Return the range buttons: plotly's own work on date axes only, so these set the ranges themselves."""
    return {
        "type": "buttons",
        "direction": "right",
        "active": data.first_span,
        "x": 0,
        "xanchor": "left",
        "y": y,
        "yanchor": "top",
        "pad": {"l": 0, "t": 0},
        "bgcolor": tones.button,
        "bordercolor": tones.grid,
        "font": {"color": tones.text, "size": 11},
        "buttons": [
            {"label": span.label, "method": "relayout", "args": [_ranges(data, span)]} for span in data.spans
        ],
    }


def _ranges(data: ChartData, span: Span) -> dict[str, list[float]]:
    """Return the axis ranges of a span; a category's place is its row."""
    return {
        "xaxis.range": [span.first - 0.5, len(data.labels) - 0.5],
        "yaxis.range": list(span.price_range),
        "yaxis2.range": list(span.volume_range),
    }


def _direction(signal: AgentSignal) -> PriceState:
    """Return the colour of a score: up, down, or the reference's where it leans nowhere."""
    if not signal.has_opinion or signal.score == 0.0:
        return PriceState.REFERENCE
    return PriceState.UP if signal.score > 0 else PriceState.DOWN


def _signature(fingerprint: str) -> list[dict[str, Any]]:
    if not fingerprint:
        return []
    place = {"xref": "paper", "yref": "paper", "x": 1, "y": 0, "xanchor": "right", "yshift": -52}
    return [place | {"text": f"fingerprint {fingerprint}", "showarrow": False, "font": {"size": 9}}]
