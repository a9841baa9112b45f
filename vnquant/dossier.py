"""Dossier: the panel that agents see, bars with forecasts and news beside them, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from vnquant.agents import Agent, ChiefAgent, Opportunity, Scores, known_swings
from vnquant.market import BarPanel, FloatArray
from vnquant.models import ForecastModel
from vnquant.news import Article, news_sentiment
from vnquant.scanners import MarketHistory

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from vnquant.trading import Fill
    from vnquant.ui.theme import ChartTheme

__all__ = ("SymbolCharts", "dossier_panel", "opportunity_of")


def dossier_panel(
    history: MarketHistory,
    model: ForecastModel | None,
    articles: Sequence[Article] | None,
    *,
    rows: int | None,
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


class SymbolCharts:
    """Draws symbols; what their charts share is computed once for the same bars, model and agents.

    A chart is made where it is asked for, which in a notebook is the loop. Nine tenths of its numbers are
    the whole market's: the panel with its forecasts, and the scores of agents that compare symbols.

    Parameters
    ----------
    history : MarketHistory
    """

    def __init__(self, history: MarketHistory) -> None:
        self._history = history
        self._panel_key: tuple[object, ...] = ()
        self._panel: BarPanel | None = None
        self._scores: dict[str, tuple[Agent, BarPanel, Scores]] = {}

    def draw(
        self,
        symbol: str,
        model: ForecastModel | None,
        agents: Mapping[str, Agent],
        chief: ChiefAgent,
        *,
        sessions: int,
        articles: Sequence[Article] = (),
        fills: Sequence[Fill] = (),
        fingerprint: str = "",
        theme: ChartTheme | str = "auto",
    ) -> go.Figure:
        """Draw a symbol's last sessions with the agents' scores, and the Chief's, below.

        Support and resistance are the last swings, which are known some bars after they happened.
        """
        from vnquant.ui import price_chart

        panel = self._seen(model, articles, sessions)
        alone, column = panel.select(symbol), panel.index(symbol)
        # Agents that look at one stock at a time need not judge the other hundred for its chart.
        judged = {
            name: agent.scored(alone) if agent.per_symbol else self._scored(name, agent, panel).column(column)
            for name, agent in agents.items()
        }
        judged["chief"] = chief.combine_scores(judged)
        support, resistance = known_swings(alone)
        about = self._history.universe[symbol]
        return price_chart(
            alone.tail(sessions),
            symbol,
            exchange=about.exchange,
            scores={name: scores.score[-sessions:, 0] for name, scores in judged.items()},
            levels=(support[-sessions:, 0], resistance[-sessions:, 0]),
            fills=fills,
            articles=articles,
            company=about.company,
            fingerprint=fingerprint,
            theme=theme,
        )

    def warm(self, model: ForecastModel | None, agents: Mapping[str, Agent], *, sessions: int) -> None:
        """Compute what charts share, and import plotly: on a thread, so that the first chart is quick too."""
        import plotly.graph_objects

        panel = self._seen(model, (), sessions)
        for name, agent in agents.items():
            if not agent.per_symbol:
                self._scored(name, agent, panel)
        # Its first figure makes plotly import a module for each kind of trace.
        for name in ("Candlestick", "Scatter", "Bar"):
            plotly.graph_objects.Figure(getattr(plotly.graph_objects, name)())

    def _seen(self, model: ForecastModel | None, articles: Sequence[Article], sessions: int) -> BarPanel:
        """Return the market's panel with enough rows before those that are shown."""
        history, now = self._history, self._history.clock.now()
        rows = sessions + history.config.history_sessions
        urls = tuple(a.url for a in articles)
        key = (rows, now, urls, history.fingerprint(), "" if model is None else model.fingerprint)
        if self._panel is None or key != self._panel_key:
            panel = dossier_panel(history, model, articles, rows=rows, as_of=now)
            self._panel, self._panel_key = panel, key
        return self._panel

    def _scored(self, name: str, agent: Agent, panel: BarPanel) -> Scores:
        known = self._scores.get(name)
        if known is None or known[0] is not agent or known[1] is not panel:
            known = self._scores[name] = (agent, panel, agent.scored(panel))
        return known[2]
