"""Charts: pure functions from arrays and signals to plotly figures, also fit for static HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vnquant.agents import AgentSignal
from vnquant.market import BarPanel, BarSeries, Exchange, FloatArray, price_limits_array
from vnquant.ui.theme import COLOURS, LABELS, SIGNS, PriceState, price_states

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ("discussion_chart", "price_chart")

# The five voices keep one colour each in every chart (Okabe and Ito 2008, safe for colour-blind readers).
AGENT_COLOURS = {
    "bull": "#009E73",
    "bear": "#D55E00",
    "analyst": "#0072B2",
    "scout": "#E69F00",
    "risk_doctor": "#CC79A7",
    "chief": "#777777",
}
_LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": "#808080", "size": 12},
    "hovermode": "x unified",
    "margin": {"l": 60, "r": 20, "t": 110, "b": 60},
}
_GRID = {"gridcolor": "rgba(128,128,128,0.2)", "zeroline": False}


def price_chart(
    panel: BarPanel,
    symbol: str,
    *,
    exchange: Exchange = Exchange.HOSE,
    scores: Mapping[str, FloatArray] | None = None,
    company: str = "",
    fingerprint: str = "",
) -> go.Figure:
    """Draw candles, volume and the agents' scores of one symbol.

    Sessions follow each other without gaps for weekends and holidays. Candles are coloured as Vietnamese
    boards do: against the previous close, with those at the ceiling or floor set apart.

    Parameters
    ----------
    panel : BarPanel
    symbol : str
    exchange : Exchange
        Decides the band that sets ceiling and floor apart.
    scores : mapping of agent name to float64, shape (T,), optional
        Each agent's score of the symbol over the panel's rows, in [-1, 1].
    company, fingerprint : str
        Shown in the title and below the chart.
    """
    from plotly import graph_objects as go
    from plotly.subplots import make_subplots

    series = panel.series(symbol)
    labels = _labels(series, panel.interval)
    states = _states(series, exchange)
    rows = 3 if scores else 2
    figure = make_subplots(
        rows=rows,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.03,
        row_heights=[0.58, 0.14, 0.28] if scores else [0.8, 0.2],
    )
    for state in PriceState:
        chosen = states == state.value
        if not chosen.any():
            continue
        name, colour = f"{SIGNS[state]} {LABELS[state]}", COLOURS[state]
        line = {"color": colour, "width": 1}
        figure.add_trace(
            go.Candlestick(
                x=labels[chosen],
                open=series.open[chosen],
                high=series.high[chosen],
                low=series.low[chosen],
                close=series.close[chosen],
                name=name,
                legendgroup=state.value,
                increasing={"line": line, "fillcolor": "rgba(0,0,0,0)"},
                decreasing={"line": line, "fillcolor": colour},
            ),
            row=1,
            col=1,
        )
    figure.add_trace(
        go.Bar(
            x=labels,
            y=series.volume,
            name="volume",
            marker={"color": [COLOURS[PriceState(s)] for s in states], "line": {"width": 0}},
            opacity=0.6,
            showlegend=False,
        ),
        row=2,
        col=1,
    )
    kept = np.isfinite(panel.close[:, panel.index(symbol)])
    for name, score in (scores or {}).items():
        figure.add_trace(
            go.Scatter(
                x=labels,
                y=np.round(score[kept], 3),
                name=name.replace("_", " "),
                mode="lines",
                line={"color": AGENT_COLOURS.get(name), "width": 2.5 if name == "chief" else 1.2},
            ),
            row=3,
            col=1,
        )
    title = f"<b>{symbol}</b> {company}".strip()
    if panel.partial:
        title += " · last bar is the running session"
    figure.update_layout(
        **_LAYOUT,
        title={"text": title, "x": 0.01, "y": 0.98, "yanchor": "top"},
        height=660 if scores else 460,
        legend={"orientation": "h", "y": 1.01, "x": 0, "yanchor": "bottom"},
        bargap=0.15,
    )
    # A category axis puts one session next to the other; a date axis would leave holes for Tet.
    shown = labels[np.linspace(0, len(labels) - 1, min(8, len(labels))).astype(int)]
    figure.update_xaxes(
        type="category",
        categoryorder="array",
        categoryarray=labels,
        tickvals=shown,
        rangeslider_visible=False,
        **_GRID,
    )
    figure.update_yaxes(**_GRID)
    figure.update_yaxes(title_text="VND", tickformat=",.0f", row=1, col=1)
    figure.update_yaxes(title_text="shares", row=2, col=1)
    if scores:
        figure.update_yaxes(title_text="score", range=[-1.05, 1.05], row=3, col=1)
    _sign(figure, fingerprint)
    return figure


def discussion_chart(verdict: AgentSignal, *, fingerprint: str = "") -> go.Figure:
    """Draw a discussion as diverging bars: score to the left or right, confidence as strength of colour.

    Parameters
    ----------
    verdict : AgentSignal
        The Chief's, with the agents' signals as components.
    """
    from plotly import graph_objects as go

    signals = [verdict, *reversed(verdict.components)]
    names = [s.agent.replace("_", " ") for s in signals]
    states = [_direction(s) for s in signals]
    colours = [COLOURS[state] for state in states]
    figure = go.Figure(
        go.Bar(
            y=names,
            x=[round(s.score, 4) if s.has_opinion else 0.0 for s in signals],
            orientation="h",
            marker={
                "color": colours,
                "opacity": [0.25 + 0.75 * s.confidence for s in signals],
                "line": {"color": colours, "width": 1.5},
            },
            text=[
                f"{SIGNS[state]} {s.score:+.2f} · {s.confidence:.0%} sure · {s.action}"
                if s.has_opinion
                else "no opinion"
                for s, state in zip(signals, states, strict=True)
            ],
            textposition="auto",
            hovertext=["<br>".join(s.reasons) for s in signals],
            hoverinfo="text",
        )
    )
    absent = (
        f" · missing: {', '.join(m.partition(':')[0] for m in verdict.missing)}" if verdict.missing else ""
    )
    veto = " · VETO" if verdict.vetoed else ""
    figure.update_layout(
        **(_LAYOUT | {"hovermode": "closest", "margin": {"l": 100, "r": 20, "t": 50, "b": 60}}),
        title={"text": f"<b>{verdict.symbol}</b>: {verdict.action}{veto}{absent}", "x": 0.01},
        height=340,
        showlegend=False,
    )
    figure.update_xaxes(range=[-1, 1], title_text="score: bearish  ←  0  →  bullish", **_GRID)
    figure.add_vline(x=0, line_width=1, line_color="#808080")
    _sign(figure, fingerprint)
    return figure


def _direction(signal: AgentSignal) -> PriceState:
    """Return the colour of a score: up, down, or the reference's where it leans nowhere."""
    if not signal.has_opinion or signal.score == 0.0:
        return PriceState.REFERENCE
    return PriceState.UP if signal.score > 0 else PriceState.DOWN


def _labels(series: BarSeries, interval: str) -> np.ndarray[Any, np.dtype[np.str_]]:
    unit = "D" if interval in ("1D", "1W", "1M") else "m"
    return np.char.replace(series.timestamps.astype(f"datetime64[{unit}]").astype(str), "T", " ")


def _states(series: BarSeries, exchange: Exchange) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    """Colour each bar against the previous close; feeds adjust prices, so the band is recomputed from it."""
    reference = np.concatenate([series.open[:1], series.close[:-1]])
    ceiling, floor = price_limits_array(reference, exchange)
    return price_states(series.close, reference, ceiling, floor)


def _sign(figure: go.Figure, fingerprint: str) -> None:
    if fingerprint:
        figure.add_annotation(
            text=f"fingerprint {fingerprint}",
            xref="paper",
            yref="paper",
            x=1,
            y=0,
            yshift=-45,
            showarrow=False,
            font={"size": 9},
            xanchor="right",
        )
