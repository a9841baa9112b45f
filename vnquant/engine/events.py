"""Events: what the engine tells on the bus. `SupervisionEvent`s of the runtime pass there as well."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from vnquant.agents import AgentSignal
from vnquant.engine.leads import Lead, Origin
from vnquant.market import CorporateAction
from vnquant.news import AlertLevel
from vnquant.runtime import Admission
from vnquant.trading import ExitSignal, Order, OrderEvent, PriceAdjustment

__all__ = (
    "ActionBooked",
    "EngineEvent",
    "ExitSignalled",
    "HealthReported",
    "LeadFound",
    "LeadSettled",
    "NewsFinished",
    "OrchestratorState",
    "OrderChanged",
    "OrderPlaced",
    "RoundFailed",
    "ScanFinished",
    "StateChanged",
    "VerdictReached",
)


class OrchestratorState(StrEnum):
    """Where an orchestrator stands."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One thing that happened, at a market time. Subscribe to it for everything that the engine tells."""

    at: datetime


class StateChanged(EngineEvent, frozen=True, kw_only=True, tag=True):
    """The orchestrator moved from one state to another."""

    before: OrchestratorState
    state: OrchestratorState
    reason: str = ""


class ScanFinished(EngineEvent, frozen=True, kw_only=True, tag=True):
    """A model scan is over."""

    predictions: int
    opportunities: int
    leads: int
    coverage: str
    elapsed_s: float


class NewsFinished(EngineEvent, frozen=True, kw_only=True, tag=True):
    """A news scan is over."""

    articles: int
    new: int
    leads: int
    levels: dict[AlertLevel, int]


class LeadFound(EngineEvent, frozen=True, kw_only=True, tag=True):
    """A scanner offered a lead, and what the queue made of it."""

    lead: Lead
    admission: Admission


class VerdictReached(EngineEvent, frozen=True, kw_only=True, tag=True):
    """The agents discussed a lead."""

    lead: Lead
    verdict: AgentSignal


class LeadSettled(EngineEvent, frozen=True, kw_only=True, tag=True):
    """What became of a lead: an order, or why there is none."""

    lead: Lead
    outcome: str
    client_order_id: str = ""


class OrderPlaced(EngineEvent, frozen=True, kw_only=True, tag=True):
    """An order is written down and goes to the broker."""

    order: Order


class OrderChanged(EngineEvent, frozen=True, kw_only=True, tag=True):
    """Something happened to an order; both are recorded."""

    order: Order
    event: OrderEvent


class ExitSignalled(EngineEvent, frozen=True, kw_only=True, tag=True):
    """A position should be sold; it may have to wait for settlement."""

    signal: ExitSignal


class ActionBooked(EngineEvent, frozen=True, kw_only=True, tag=True):
    """A position went ex, and what holders got is booked, or only the fall of the price."""

    action: CorporateAction | PriceAdjustment
    outcome: str


class RoundFailed(EngineEvent, frozen=True, kw_only=True, tag=True):
    """A round came to nothing because somebody outside did not answer; the next one tries again."""

    component: str
    error: str
    origin: Origin | None = None


class HealthReported(EngineEvent, frozen=True, kw_only=True, tag=True):
    """How the engine is."""

    loop_lag_s: float
    leads_waiting: int
    tasks: int
    troubled: tuple[str, ...]
    """What is wrong with components that do not run as they should."""
    lease_expires_at: datetime | None
