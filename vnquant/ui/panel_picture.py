"""Panel picture: everything that the control panel shows at one instant, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from vnquant.engine import AutonomousOrchestrator
from vnquant.errors import StateError
from vnquant.news import Article
from vnquant.runtime import ICT
from vnquant.sources import HttpClient, SourceStatistics
from vnquant.trading import Order
from vnquant.ui.panel_control import ClockReading, ControlReading, clock_reading, control_reading
from vnquant.ui.panel_feed import FeedFilter, FeedLine, matching
from vnquant.ui.panel_health import HealthReading, LoopLag, TaskReading, health_reading, tasks_of
from vnquant.ui.panel_money import (
    AccountReading,
    OrderReading,
    PositionReading,
    account_reading,
    orders_of,
    positions_of,
)
from vnquant.ui.panel_story import Case, Story

__all__ = ("CaseReading", "NewsReading", "PanelPicture", "take_picture")

_CASES = 40
_NEWS = 40


class CaseReading(msgspec.Struct, frozen=True, kw_only=True):
    """One opportunity, with the verdict on it."""

    at: datetime
    symbol: str
    direction: str
    origin: str
    level: str
    expected_return: float | None
    confidence: float | None
    action: str
    """Of the verdict; empty before."""
    points: float | None
    """Of the verdict, from 0 to 100."""
    outcome: str
    has_order: bool


class NewsReading(msgspec.Struct, frozen=True, kw_only=True):
    """One headline."""

    at: datetime | None
    level: str
    symbols: tuple[str, ...]
    title: str
    sentiment: str
    score: float
    copies: int = 1
    """How many feeds and addresses carry it."""


class PanelPicture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is shown."""

    control: ControlReading
    clock: ClockReading
    alert: str
    """The error that is shown; empty for none."""
    account: AccountReading | None
    """None before the first start."""
    positions: tuple[PositionReading, ...]
    orders: tuple[OrderReading, ...]
    opportunities: tuple[CaseReading, ...]
    """Newest first."""
    news: tuple[NewsReading, ...]
    """Newest first."""
    tasks: tuple[TaskReading, ...]
    health: HealthReading
    feed: tuple[FeedLine, ...]
    """Newest first."""
    feed_total: int
    """Lines before the filter."""
    filter: FeedFilter


def take_picture(
    orchestrator: AutonomousOrchestrator,
    story: Story,
    *,
    client: HttpClient | None,
    lag: LoopLag,
    wanted: FeedFilter,
    error: str,
    is_open: bool,
) -> PanelPicture:
    """Look at an orchestrator now.

    Parameters
    ----------
    orchestrator : AutonomousOrchestrator
    story : Story
        What it told.
    client : HttpClient or None
        Asks the sources.
    lag : LoopLag
    wanted : FeedFilter
    error : str
        What went wrong in the panel itself.
    is_open : bool
        Whether anything can be clicked.
    """
    status = orchestrator.status()
    clock = clock_reading(orchestrator.research.clock, orchestrator.research.calendar)
    sources: Mapping[str, SourceStatistics] = {} if client is None else client.statistics()
    account: AccountReading | None = None
    positions: tuple[PositionReading, ...] = ()
    current: tuple[Order, ...] = ()
    articles: tuple[Article, ...] = ()
    with suppress(StateError):  # before the first start there is no crew
        crew = orchestrator.crew
        portfolio = crew.record.portfolio
        positions = positions_of(portfolio, crew.trader.last_quotes, clock.at)
        account = account_reading(portfolio, positions)
        current = tuple(crew.record.orders.values())
        articles = crew.news.articles
    return PanelPicture(
        control=control_reading(status, is_open=is_open),
        clock=clock,
        alert=error or status.error,
        account=account,
        positions=positions,
        orders=orders_of(story.orders.values(), current),
        opportunities=tuple(_case(case) for case in _newest(story)),
        news=_news(articles),
        tasks=tasks_of(status.components),
        health=health_reading(status, lag=lag, sources=sources, bus=orchestrator.bus.statistics()),
        feed=tuple(matching(reversed(story.feed), wanted)),
        feed_total=len(story.feed),
        filter=wanted,
    )


def _newest(story: Story) -> list[Case]:
    return list(reversed(story.cases.values()))[:_CASES]


def _case(case: Case) -> CaseReading:
    lead, verdict = case.lead, case.verdict
    return CaseReading(
        at=lead.found_at,
        symbol=lead.symbol,
        direction=lead.direction.value,
        origin=lead.origin.value,
        level="" if lead.level is None else lead.level.value,
        expected_return=lead.expected_return,
        confidence=lead.confidence,
        action="" if verdict is None else verdict.action,
        points=None if verdict is None else verdict.points,
        outcome=case.outcome,
        has_order=bool(case.client_order_id),
    )


def _news(articles: Sequence[Article]) -> tuple[NewsReading, ...]:
    """Return the newest headlines, each title once: feeds carry the same one under several addresses."""
    copies: dict[str, list[Article]] = {}
    oldest = datetime.min.replace(tzinfo=ICT)
    for article in sorted(articles, key=lambda one: one.published_at or oldest, reverse=True):
        copies.setdefault(article.title, []).append(article)
    return tuple(_headline(same[0], len(same)) for same in list(copies.values())[:_NEWS])


def _headline(article: Article, copies: int) -> NewsReading:
    return NewsReading(
        at=article.published_at,
        level=article.level.value,
        symbols=article.symbols,
        title=article.title,
        sentiment=article.sentiment.label,
        score=article.sentiment.score,
        copies=copies,
    )
