"""Crew: the engine's components on one open ledger, wired together. Each works alone by its `run_once`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from vnquant.engine.config import EngineConfig
from vnquant.engine.entitlements import Entitlements
from vnquant.engine.events import EngineEvent
from vnquant.engine.health import HealthCheck, Troubles
from vnquant.engine.inbox import Inbox
from vnquant.engine.model_scan import ModelScan
from vnquant.engine.news_scan import NewsScan
from vnquant.engine.opportunity_desk import OpportunityDesk
from vnquant.engine.position_watch import PositionWatch
from vnquant.engine.record import Record
from vnquant.engine.research import Research
from vnquant.engine.trader import Trader
from vnquant.trading import Ledger

__all__ = ("Crew",)


@dataclass(frozen=True, kw_only=True, eq=False)
class Crew:
    """What one run of the orchestrator works with."""

    record: Record
    trader: Trader
    inbox: Inbox
    model: ModelScan
    news: NewsScan
    desk: OpportunityDesk
    watch: PositionWatch
    health: HealthCheck

    @classmethod
    async def gather(
        cls,
        research: Research,
        ledger: Ledger,
        *,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
        troubles: Troubles,
    ) -> Self:
        """Read the ledger, answer for its orders, and return the crew that goes on from there."""
        calendar = research.calendar
        record = await Record.open(ledger, cash_vnd=config.cash_vnd, calendar=calendar)
        trader = await Trader.begin(
            record, research.quotes, universe=research.universe, config=config, tell=tell
        )
        inbox = Inbox(record, config=config, tell=tell)
        entitlements = Entitlements(trader, research.actions, calendar=calendar, config=config, tell=tell)
        return cls(
            record=record,
            trader=trader,
            inbox=inbox,
            model=ModelScan(research, inbox, trader, config=config, tell=tell),
            news=NewsScan(research, inbox, seen=tuple(record.seen), config=config, tell=tell),
            desk=OpportunityDesk(research, inbox, trader, config=config, tell=tell),
            watch=PositionWatch(
                trader,
                inbox,
                entitlements,
                research,
                calendar=calendar,
                config=config,
                tell=tell,
            ),
            health=HealthCheck(ledger, inbox, lease_term_s=config.lease_term_s, troubles=troubles, tell=tell),
        )
