"""Direct operation: the engine's research on a simulated exchange in this process, for replays of years.

The desk asks a source as a live one is asked: 102 requests a scan, parsed, aligned, judged. On a simulated
exchange without faults and latency the same values lie in memory, and only the last row of a session changes
from scan to scan. So a session is looked at once: its film gives the bars at each minute, and all forecasts
of its scans are computed in one batch, each from what was known at its own instant. Nothing suspends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vnquant.agents import Agent, Hearing, Moment, Opportunity, SessionScores, discuss_opportunity
from vnquant.engine import MODEL_HOURS
from vnquant.errors import InputError
from vnquant.market.calendar import CLOSING_TIME, to_ict
from vnquant.news import article_from, news_sentiment, repeated
from vnquant.scanners import FIRST_BAR, Coverage, OpportunityFilter, ScanResult
from vnquant.simulation import DirectMarket, DirectNews, DirectQuotes
from vnquant.simulation.direct import item_of

if TYPE_CHECKING:
    from vnquant.agents import AgentSignal, ChiefAgent
    from vnquant.desk import Desk
    from vnquant.engine import Lead, Research
    from vnquant.market import BarPanel, FloatArray, RunningSession, TradingCalendar, Universe
    from vnquant.models import ForecastHistory, ForecastModel, SessionForecast
    from vnquant.news import Article
    from vnquant.runtime import MarketClock
    from vnquant.simulation.headlines import Headline
    from vnquant.sources import ActionSource, QuoteBoard, QuoteSource

__all__ = ("DirectResearch",)

IndexArray = np.ndarray[Any, np.dtype[np.intp]]

# Days whose stories are kept judged: the feeds list those of the last two weeks.
_DAYS_TOLD = 32

logger = logging.getLogger(__name__)


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
    every_s : sequence of float
        From one round to the next, of the scanners: what happens at these instants is forecast together.
    """

    def __init__(
        self,
        desk: Desk,
        direct: DirectMarket,
        otherwise: Research,
        agents: Mapping[str, Agent],
        chief: Callable[[], ChiefAgent],
        *,
        every_s: Sequence[float],
    ) -> None:
        self._desk = desk
        self._direct = direct
        self._otherwise = otherwise
        self._agents = agents
        self._chief = chief
        self._criteria = OpportunityFilter()
        self._forecasts = _Forecasts(_planned_minutes(every_s), self._criteria)
        source = desk.world.news
        self._stories = source.stories(self._judge) if isinstance(source, DirectNews) else None
        self._told: dict[date, dict[int, Article]] = {}
        self._seen: tuple[tuple[int, int, int], Sequence[Article], Moment] | None = None
        self._past: tuple[BarPanel, ForecastHistory] | None = None
        self._heard: tuple[Sequence[Article], np.datetime64, FloatArray] | None = None
        self._hearing = Hearing()
        self._all_fresh = Coverage(requested=len(self.universe), fresh=self.universe.tickers)
        self.quotes: QuoteSource = DirectQuotes(direct, otherwise.quotes)
        self.actions: ActionSource | None = otherwise.actions

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
        as_of = self.clock.now()
        look = await self._look(as_of, stale=True)
        if look is None:
            return await self._otherwise.scan(held=held)
        forecast, at = look.forecast, look.at
        return ScanResult(
            forecast.at(at),
            as_of=as_of,
            coverage=self._coverage(forecast, at, as_of),
            elapsed_s=0.0,
            criteria=self._criteria,
            fingerprint=look.model.fingerprint,
        )

    async def news(self) -> list[Article]:
        """Return the latest headlines, judged; the very same list while nothing new is printed."""
        articles = self.news_at_hand()
        return await self._otherwise.news() if articles is None else articles

    def quotes_at_hand(self, symbols: Sequence[str]) -> QuoteBoard | None:
        """Return the board of some symbols; None where the exchange has to be asked."""
        return self._direct.quotes_now(symbols)

    def news_at_hand(self) -> list[Article] | None:
        """Return the latest headlines, judged; None where the feeds have to be asked."""
        return None if self._stories is None else self._stories.latest()

    def _judge(self, story: Headline, url: str, source: str) -> Article:
        """Return a story judged, as it stands in one of the feeds."""
        day = story.published_at.date()
        told = self._told.get(day)
        if told is None:
            # All of its day at once: one by one, each would find cold caches. None is seen before its time.
            stories = self._direct.market.headlines_of(day)
            told = self._told[day] = {
                one.number: article_from(item_of(one, url, source), self.universe) for one in stories
            }
            while len(self._told) > _DAYS_TOLD:
                del self._told[next(iter(self._told))]
        return repeated(told[story.number], url=url, source=source)

    async def discuss(self, lead: Lead, *, timeout_s: float) -> AgentSignal:
        """Return the verdict on a lead, on the whole market as it is now."""
        as_of = self.clock.now()
        look = await self._look(as_of)
        if look is None:
            return await self._otherwise.discuss(lead, timeout_s=timeout_s)
        forecast, at = look.forecast, look.at
        moment = self._moment_of(look, await self.news())
        seen_at = as_of if moment.day == to_ict(as_of).date() else None
        coverage = lead.coverage or str(self._coverage(forecast, at, as_of))
        agents = tuple(self._agents.values())
        if any(type(agent).analyze is not Agent.analyze for agent in agents):
            case = Opportunity(symbol=lead.symbol, panel=moment.panel, as_of=seen_at, coverage=coverage)
            return await discuss_opportunity(case, agents, self._chief(), timeout_s=timeout_s)
        scores = self._forecasts.scores(look.running, forecast)
        return self._hearing.discuss(
            lead.symbol,
            moment,
            agents,
            self._chief(),
            as_of=seen_at,
            coverage=coverage,
            scored=lambda agent: None if scores is None else scores.of(agent, lead.symbol, at),
        )

    def _moment_of(self, look: _Look, articles: Sequence[Article]) -> Moment:
        """Return the bars as they are seen, with forecasts and news of the last row beside them."""
        running, place, forecast, at = look.running, look.place, look.forecast, look.at
        # Sessions and lists of articles are the same only where they are the very same.
        key = (id(running), place, id(articles))
        if self._seen is None or self._seen[0] != key:
            today = forecast.today
            ahead, sure = today.expected_return[at], today.confidence[at]
            fields = {"expected_return": ahead, "forecast_confidence": sure}
            past: Mapping[str, FloatArray] = {}
            if any(not type(agent).__module__.startswith("vnquant.") for agent in self._agents.values()):
                # Our own agents look at the last row of forecasts alone; of others nobody knows.
                past = dict(zip(fields, self._past_forecasts(running.complete), strict=True))
            if articles:
                session = running.seen_session(place)
                fields["news_sentiment"] = self._sentiment(articles, running.complete.symbols, session)
            self._seen = (key, articles, Moment(running, place, fields, past))
        return self._seen[2]

    def _past_forecasts(self, complete: BarPanel) -> ForecastHistory:
        """Return the forecasts of the completed sessions."""
        if self._past is None or self._past[0] is not complete:
            assert self._desk.model is not None  # for the type checker: discussions come after the model
            self._past = (complete, self._desk.model.history(complete))
        return self._past[1]

    def _sentiment(
        self, articles: Sequence[Article], symbols: Sequence[str], session: np.datetime64
    ) -> FloatArray:
        """Return the news of the last row; the same while nothing new is printed."""
        if self._heard is None or self._heard[0] is not articles or self._heard[1] != session:
            self._heard = (articles, session, news_sentiment(articles, symbols, np.array([session]))[-1])
        return self._heard[2]

    async def _look(self, as_of: datetime, *, stale: bool = False) -> _Look | None:
        """Return what is seen from inside, None where the other way has to be gone.

        That is so with faults or latency, and where a session cannot be forecast at once, as with a history
        that has gaps.

        Parameters
        ----------
        as_of : datetime
        stale : bool
            Whether forecasts on bars of the session before are wanted as well.
        """
        if not self._direct.is_clear:
            return None
        if self._desk.model is None:
            await self._desk.ready()
        model = self._desk.model
        if model is None:
            return None
        running, place = self._direct.running(to_ict(as_of))
        try:
            forecast, at = self._forecasts.at(running, place, model)
            if stale:
                forecast.settle(at)
        except (TypeError, InputError) as exc:
            logger.debug("the session of %s is looked at over the wire: %s", running.session, exc)
            return None
        return _Look(model, running, place, forecast, at)

    def _coverage(self, forecast: SessionForecast, at: int, as_of: datetime) -> Coverage:
        """Return who has a bar of this session, from when on every board has matched."""
        if not forecast.some_behind[at] or to_ict(as_of).time() < FIRST_BAR:
            return self._all_fresh
        behind = forecast.behind[at].tolist()
        late = [s for s, is_late in zip(forecast.symbols, behind, strict=True) if is_late]
        fresh = tuple(s for s in forecast.symbols if s not in late)
        return Coverage(requested=len(forecast.symbols), fresh=fresh, stale=dict.fromkeys(late, 1))


class _Look(NamedTuple):
    """One instant: its session, its place there, and the forecast that holds it at `at`."""

    model: ForecastModel
    running: RunningSession
    place: int
    forecast: SessionForecast
    at: int


class _Forecasts:
    """The forecasts of one session: those of its scans together, those of other minutes one by one."""

    def __init__(self, minutes: Sequence[int], criteria: OpportunityFilter) -> None:
        self._minutes = minutes
        self._criteria = (criteria.min_expected_return, criteria.min_confidence)
        self._key: tuple[Any, ...] = ()
        self._known: dict[int, tuple[SessionForecast, int]] = {}
        self._places: dict[SessionForecast, IndexArray] = {}
        self._scores: dict[SessionForecast, SessionScores | None] = {}

    def at(self, running: RunningSession, place: int, model: ForecastModel) -> tuple[SessionForecast, int]:
        """Return the forecast that holds an instant of the session, and its place there."""
        key = (running.session, model.fingerprint)
        if key != self._key:
            self._key, self._known, self._places, self._scores = key, {}, {}, {}
        if place not in self._known:
            opened = (running.instants - running.session).astype("timedelta64[m]").astype(int)
            planned = np.flatnonzero(np.isin(opened, self._minutes))
            places = planned if place in planned else np.array([place])
            beside = next((known for known, _ in self._known.values()), None)
            forecast = model.predict_session(running.at(places), beside=beside)
            self._known |= {at: (forecast, k) for k, at in enumerate(places.tolist())}
            self._places[forecast] = places
        return self._known[place]

    def scores(self, running: RunningSession, forecast: SessionForecast) -> SessionScores | None:
        """Return what agents think at the instants of a forecast, None where no stock is found by a scan."""
        if forecast not in self._scores:
            # Those that a scan finds today. Others, such as news names, are judged alone.
            found = np.flatnonzero(forecast.passing(*self._criteria).any(axis=0)).tolist()
            ahead, sure = (x[:, found] for x in (forecast.today.expected_return, forecast.today.confidence))
            fields = {"expected_return": ahead, "forecast_confidence": sure}
            seen = running.at(self._places[forecast]).select(found) if found else None
            self._scores[forecast] = None if seen is None else SessionScores(seen, fields)
        return self._scores[forecast]


def _planned_minutes(every_s: Sequence[float]) -> tuple[int, ...]:
    """Return the minutes after midnight at which scanners come round, and the close."""
    planned = {CLOSING_TIME.hour * 60 + CLOSING_TIME.minute}
    for step in (seconds / 60.0 for seconds in every_s):
        if step == int(step):
            for opens, closes in MODEL_HOURS.spans:
                planned.update(
                    range(opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute, int(step))
                )
    return tuple(sorted(planned))
