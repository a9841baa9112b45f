"""Direct operation: the engine's research on a simulated exchange in this process, for replays of years.

The desk asks a source as a live one is asked: 102 requests a scan, parsed, aligned, judged. On a simulated
exchange without faults and latency the same values lie in memory, and only the last row of a session changes
from scan to scan. So a session is looked at once: its film gives the bars at each minute, and all forecasts
of its scans are computed in one batch, each from what was known at its own instant. Nothing suspends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import numpy as np

from vnquant.agents import Agent, Opportunity, discuss_at_once, discuss_opportunity
from vnquant.engine import MODEL_HOURS
from vnquant.market.calendar import to_ict
from vnquant.news import news_sentiment
from vnquant.scanners import Coverage, OpportunityFilter, ScanResult
from vnquant.simulation import DirectMarket, DirectQuotes

if TYPE_CHECKING:
    from vnquant.agents import AgentSignal, ChiefAgent
    from vnquant.desk import Desk
    from vnquant.engine import Lead, Research
    from vnquant.market import BarPanel, RunningSession, TradingCalendar, Universe
    from vnquant.models import ForecastModel, SessionForecast
    from vnquant.news import Article
    from vnquant.runtime import MarketClock
    from vnquant.sources import NewsFeed, QuoteSource

__all__ = ("DirectResearch",)

_FIRST_BAR = time(9, 16)  # as for a market history: every board has matched by then


class DirectResearch:
    """The engine's `Research` on a direct market; where it is not clear, the desk's way is gone.

    Parameters
    ----------
    desk : Desk
    direct : DirectMarket
    otherwise : Research
        Asked while the exchange has faults or latency.
    agents, chief
        As for `DeskResearch`.
    scan_every_s : float
        From one scan to the next: these instants are forecast together.
    """

    def __init__(
        self,
        desk: Desk,
        direct: DirectMarket,
        otherwise: Research,
        agents: Mapping[str, Agent],
        chief: Callable[[], ChiefAgent],
        *,
        scan_every_s: float,
    ) -> None:
        self._desk = desk
        self._direct = direct
        self._otherwise = otherwise
        self._agents = agents
        self._chief = chief
        self._minutes = _scan_minutes(scan_every_s)
        self._forecasts = _Forecasts(self._minutes)
        self._criteria = OpportunityFilter()
        self._feed: NewsFeed | None = None
        self._articles: list[Article] = []
        self._all_fresh = Coverage(requested=len(self.universe), fresh=self.universe.tickers)
        self.quotes: QuoteSource = DirectQuotes(direct, otherwise.quotes)

    @property
    def universe(self) -> Universe:
        """Symbols that are traded."""
        return self._otherwise.universe

    @property
    def calendar(self) -> TradingCalendar:
        """Sessions."""
        return self._otherwise.calendar

    @property
    def clock(self) -> MarketClock:
        """The market's time."""
        return self._otherwise.clock

    async def scan(self, *, held: Collection[str]) -> ScanResult:
        """Return the predictions of the whole market."""
        model = await self._model()
        if model is None:
            return await self._otherwise.scan(held=held)
        as_of = self.clock.now()
        running, place = self._direct.running(to_ict(as_of))
        forecast, at = self._forecasts.at(running, place, model)
        return ScanResult(
            forecast.at(at),
            as_of=as_of,
            coverage=self._coverage(forecast, at, as_of),
            elapsed_s=0.0,
            criteria=self._criteria,
            fingerprint=model.fingerprint,
        )

    async def news(self) -> list[Article]:
        """Return the latest headlines, judged; the very same list while nothing new is printed."""
        source = self._desk.world.news
        feed = None if source is None else await source.headlines()
        if feed is None or feed is not self._feed:
            self._articles = await self._otherwise.news()
            self._feed = feed
        return self._articles

    async def discuss(self, lead: Lead, *, timeout_s: float) -> AgentSignal:
        """Return the verdict on a lead, on the whole market as it is now."""
        model = await self._model()
        if model is None:
            return await self._otherwise.discuss(lead, timeout_s=timeout_s)
        as_of = self.clock.now()
        running, place = self._direct.running(to_ict(as_of))
        forecast, at = self._forecasts.at(running, place, model)
        coverage = lead.coverage or str(self._coverage(forecast, at, as_of))
        case = _case(lead.symbol, running.panel(place), await self.news(), as_of, coverage)
        column = forecast.symbols.index(lead.symbol)
        if not forecast.behind[at, column]:
            case = replace(
                case,
                expected_return=forecast.expected_return[at, column].item(),
                forecast_confidence=forecast.confidence[at, column].item(),
            )
        agents = tuple(self._agents.values())
        if any(type(agent).analyze is not Agent.analyze for agent in agents):
            return await discuss_opportunity(case, agents, self._chief(), timeout_s=timeout_s)
        return discuss_at_once(case, agents, self._chief())

    async def _model(self) -> ForecastModel | None:
        """Return the model where it can forecast sessions, None where scans have to go the other way."""
        if not self._direct.is_clear:
            return None
        if self._desk.model is None:
            await self._desk.ready()
        return self._desk.model

    def _coverage(self, forecast: SessionForecast, at: int, as_of: datetime) -> Coverage:
        """Return who has a bar of this session, from when on every board has matched."""
        behind = forecast.behind[at]
        if not behind.any() or to_ict(as_of).time() < _FIRST_BAR:
            return self._all_fresh
        late = [s for s, is_late in zip(forecast.symbols, behind.tolist(), strict=True) if is_late]
        fresh = tuple(s for s in forecast.symbols if s not in late)
        return Coverage(requested=len(forecast.symbols), fresh=fresh, stale=dict.fromkeys(late, 1))


class _Forecasts:
    """The forecasts of one session: those of its scans together, those of other minutes one by one."""

    def __init__(self, minutes: Sequence[int]) -> None:
        self._minutes = minutes
        self._key: tuple[Any, ...] = ()
        self._known: dict[int, tuple[SessionForecast, int]] = {}

    def at(self, running: RunningSession, place: int, model: ForecastModel) -> tuple[SessionForecast, int]:
        """Return the forecast that holds an instant of the session, and its place there."""
        key = (running.session, model.fingerprint)
        if key != self._key:
            self._key, self._known = key, {}
        if place not in self._known:
            opened = (running.instants - running.session).astype("timedelta64[m]").astype(int)
            planned = np.flatnonzero(np.isin(opened, self._minutes))
            places = planned if place in planned else np.array([place])
            forecast = model.predict_session(running.at(places))
            self._known |= {at: (forecast, k) for k, at in enumerate(places.tolist())}
        return self._known[place]


def _scan_minutes(every_s: float) -> tuple[int, ...]:
    """Return the minutes after midnight at which the market is scanned."""
    step = every_s / 60.0
    if step != int(step):
        return ()
    return tuple(
        minute
        for opens, closes in MODEL_HOURS.spans
        for minute in range(opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute, int(step))
    )


def _case(
    symbol: str, panel: BarPanel, articles: Sequence[Article], as_of: datetime, coverage: str
) -> Opportunity:
    """Return one symbol's case, with the news of the last row, which is all that a verdict looks at."""
    if articles:
        sentiment = np.full(panel.shape, np.nan)
        sentiment[-1:] = news_sentiment(articles, panel.symbols, panel.timestamps[-1:])
        panel = panel.with_fields(news_sentiment=sentiment)
    last: datetime = panel.timestamps[-1].item()
    return Opportunity(
        symbol=symbol,
        panel=panel,
        as_of=as_of if last.date() == to_ict(as_of).date() else None,
        headlines=tuple(a.title for a in articles if symbol in a.symbols),
        coverage=coverage,
    )
