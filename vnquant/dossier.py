"""Dossier: the panel that agents see, bars with forecasts and news beside them, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from vnquant.agents import Agent, ChiefAgent, Opportunity
from vnquant.market import BarPanel, FloatArray
from vnquant.models import ForecastModel
from vnquant.news import Article, news_sentiment
from vnquant.scanners import MarketHistory

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ("chart_symbol", "dossier_panel", "opportunity_of")


def dossier_panel(
    history: MarketHistory,
    model: ForecastModel | None,
    articles: Sequence[Article] | None,
    *,
    rows: int,
    as_of: datetime,
) -> BarPanel:
    """Return the loaded bars of all symbols with what is known beside them.

    Fields: `expected_return` and `forecast_confidence`, out of sample, where there is a model; and
    `news_sentiment` where there is news.
    """
    panel = history.panel(rows=rows, as_of=as_of)
    fields: dict[str, FloatArray] = {}
    if model is not None:
        forecast = model.history(panel)
        fields |= {"expected_return": forecast.expected_return, "forecast_confidence": forecast.confidence}
    if articles:
        fields["news_sentiment"] = news_sentiment(articles, panel.symbols, panel.timestamps)
    return panel.with_fields(**fields)


def opportunity_of(
    symbol: str,
    history: MarketHistory,
    model: ForecastModel | None,
    articles: Sequence[Article] | None,
    *,
    as_of: datetime,
    coverage: str,
) -> Opportunity:
    """Return one symbol's case for a discussion."""
    panel = dossier_panel(history, model, articles, rows=history.config.history_sessions, as_of=as_of)
    last: datetime = panel.timestamps[-1].item()
    return Opportunity(
        symbol=symbol,
        panel=panel,
        as_of=as_of if last.date() == as_of.date() else None,
        headlines=tuple(a.title for a in articles or () if symbol in a.symbols),
        coverage=coverage,
    )


def chart_symbol(
    symbol: str,
    history: MarketHistory,
    model: ForecastModel | None,
    agents: Mapping[str, Agent],
    chief: ChiefAgent,
    *,
    sessions: int,
    fingerprint: str,
) -> go.Figure:
    """Draw a symbol's last sessions with the agents' scores, and the Chief's, below."""
    from vnquant.ui import price_chart

    rows = sessions + history.config.history_sessions
    panel = dossier_panel(history, model, None, rows=rows, as_of=history.clock.now())
    alone, column = panel.select(symbol), panel.index(symbol)
    # Agents that look at one stock at a time need not judge the other hundred for its chart.
    judged = {
        name: agent.scored(alone) if agent.per_symbol else agent.scored(panel).column(column)
        for name, agent in agents.items()
    }
    judged["chief"] = chief.combine_scores(judged)
    shown = alone.tail(sessions)
    about = history.universe[symbol]
    return price_chart(
        shown,
        symbol,
        exchange=about.exchange,
        scores={name: scores.score[-sessions:, 0] for name, scores in judged.items()},
        company=about.company,
        fingerprint=fingerprint,
    )
