"""Engine: the orchestrator that scans, discusses, trades on paper and watches itself, unattended."""

from __future__ import annotations

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import (
    ActionBooked,
    EngineEvent,
    ExitSignalled,
    HealthReported,
    LeadFound,
    LeadSettled,
    NewsFinished,
    OrchestratorState,
    OrderChanged,
    OrderPlaced,
    RoundFailed,
    ScanFinished,
    StateChanged,
    VerdictReached,
)
from vnquant.engine.grid import MODEL_HOURS
from vnquant.engine.headless import RunSummary, ledger_end, run_span, run_until_signal
from vnquant.engine.leads import Lead, Origin
from vnquant.engine.orchestrator import AutonomousOrchestrator
from vnquant.engine.policy import Decision, ExecutionPolicy, decide, marketable_limit_vnd
from vnquant.engine.research import Research
from vnquant.engine.scanning import RoundReport
from vnquant.engine.status import OrchestratorStatus

__all__ = (
    "MODEL_HOURS",
    "ActionBooked",
    "AutonomousOrchestrator",
    "Decision",
    "EngineConfig",
    "EngineEvent",
    "ExecutionPolicy",
    "ExitSignalled",
    "HealthReported",
    "Lead",
    "LeadFound",
    "LeadSettled",
    "NewsFinished",
    "OrchestratorState",
    "OrchestratorStatus",
    "OrderChanged",
    "OrderPlaced",
    "Origin",
    "Research",
    "RoundFailed",
    "RoundReport",
    "RunSummary",
    "ScanFinished",
    "StateChanged",
    "VerdictReached",
    "decide",
    "ledger_end",
    "marketable_limit_vnd",
    "run_span",
    "run_until_signal",
)
