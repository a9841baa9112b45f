"""Opportunity desk: discusses a lead; the verdict becomes an order or a reason why not, and both are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from vnquant.agents import AgentSignal
from vnquant.engine.config import EngineConfig
from vnquant.engine.events import EngineEvent, LeadSettled, VerdictReached
from vnquant.engine.grid import next_opening, takes_orders
from vnquant.engine.inbox import Inbox
from vnquant.engine.leads import Lead
from vnquant.engine.policy import Decision, decide
from vnquant.engine.research import Research
from vnquant.engine.rounds import Stage
from vnquant.engine.trader import Trader
from vnquant.errors import SourceError, VnQuantError
from vnquant.market import Quote
from vnquant.runtime import now, within
from vnquant.trading import Batch, JournalEntry, RiskView

__all__ = ("OpportunityDesk",)


class OpportunityDesk:
    """Decides on leads, one after the other: each decision sees the portfolio that the last one left."""

    def __init__(
        self,
        research: Research,
        inbox: Inbox,
        trader: Trader,
        *,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self._research = research
        self._inbox = inbox
        self._trader = trader
        self._config = config
        self._tell = tell

    async def execute(self, lead: Lead) -> Decision:
        """Discuss a lead and do what follows; the lead is settled then."""
        at = now()
        try:
            discussion = self._research.discuss(lead, timeout_s=self._config.agent_timeout_s)
            verdict = await within(self._config.case_timeout_s, discussion)
        except (VnQuantError, TimeoutError) as exc:
            why = f"no discussion: {type(exc).__name__}: {exc}"
            return await self._settle(lead, at, Decision(outcome=why), {"lead": lead})
        self._tell(VerdictReached(at=at, lead=lead, verdict=verdict))
        return await self._act(lead, verdict, at)

    async def _act(self, lead: Lead, verdict: AgentSignal, at: datetime) -> Decision:
        """Turn a verdict into an order, if the market takes one; else keep the lead till it does."""
        trader, config = self._trader, self._config
        seen: dict[str, Any] = {"lead": lead, "verdict": verdict}
        exchange = trader.universe.exchanges((lead.symbol,))[0]
        acts = verdict.action in config.policy.opens or (
            verdict.action in config.policy.closes and lead.symbol in trader.record.portfolio.positions
        )
        if acts and not takes_orders(at, exchange):
            return await self._defer(lead, verdict, at, seen)
        try:
            board = await trader.board(tuple(dict.fromkeys((lead.symbol, *trader.held))))
        except SourceError as exc:
            return await self._settle(lead, at, Decision(outcome=f"no order: {exc}"), seen)
        quote, view = board.quotes.get(lead.symbol), trader.view(board, at)
        decision = decide(
            verdict,
            quote,
            view,
            cause=lead.lead_id,
            policy=config.policy,
            limits=config.limits,
            costs=config.paper.costs,
            universe=trader.universe,
        )
        return await self._settle(lead, at, decision, seen | _basis(quote, view, decision))

    async def _settle(self, lead: Lead, at: datetime, decision: Decision, seen: dict[str, Any]) -> Decision:
        """Write the decision down, and send its order."""
        order = decision.order
        order_id = "" if order is None else order.client_order_id
        batch = Batch()
        self._trader.record.drop_lead(batch, lead)
        self._inbox.add_discards(batch)
        batch.journal(_entry(lead, at, decision.outcome, seen, order_id))
        await self._trader.place(() if order is None else (order,), batch, Stage.LEADS)
        self._tell(LeadSettled(at=at, lead=lead, outcome=decision.outcome, client_order_id=order_id))
        return decision

    async def _defer(self, lead: Lead, verdict: AgentSignal, at: datetime, seen: dict[str, Any]) -> Decision:
        """Keep the lead till the market is open; it is discussed anew then, on what is known then."""
        opens = next_opening(at, self._research.calendar)
        outcome = f"{verdict.action}, and the market is shut: taken up again on {opens:%Y-%m-%d %H:%M}"
        batch = Batch()
        self._trader.record.add_lead(batch, lead.deferred(opens, opens + timedelta(minutes=15)))
        self._inbox.add_discards(batch)
        batch.journal(_entry(lead, at, outcome, seen, ""))
        await self._trader.place((), batch, Stage.LEADS)
        self._tell(LeadSettled(at=at, lead=lead, outcome=outcome))
        return Decision(outcome=outcome)


def _basis(quote: Quote | None, view: RiskView, decision: Decision) -> dict[str, Any]:
    return {"quote": quote, "portfolio": view, "limits": decision.limits}


def _entry(lead: Lead, at: datetime, outcome: str, seen: dict[str, Any], order_id: str) -> JournalEntry:
    return JournalEntry(
        at=at,
        kind="verdict",
        symbol=lead.symbol,
        outcome=outcome,
        cause=lead.lead_id,
        client_order_id=order_id,
        seen=seen,
        entry_id=f"verdict:{lead.lead_id}:{at:%Y%m%d-%H%M%S}",
    )
