"""Supervision: what a supervisor says of its components: states, status and events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ("ComponentState", "ComponentStatus", "Severity", "SupervisionEvent", "SupervisionKind")


class ComponentState(StrEnum):
    """Where a component stands."""

    NEW = "new"
    """Its supervisor has not started."""
    WAITING = "waiting"
    """A component that it depends on is not up."""
    RUNNING = "running"
    BACKOFF = "backoff"
    """It failed and will be restarted after a pause."""
    BROKEN = "broken"
    """It failed too often: its breaker is open."""
    FINISHED = "finished"
    """Its coroutine returned."""
    STOPPED = "stopped"


class Severity(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class SupervisionKind(StrEnum):
    """What happened to a component."""

    STARTED = "started"
    FAILED = "failed"
    STALLED = "stalled"
    """It stopped beating and is being restarted."""
    STUCK = "stuck"
    """It does not react to its cancellation."""
    BROKEN = "broken"
    """The breaker opened."""
    FINISHED = "finished"
    STOPPED = "stopped"


class SupervisionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a component."""

    component: str
    kind: SupervisionKind
    severity: Severity
    message: str
    at: datetime
    """Market time."""
    restarts: int
    error: str = ""


class ComponentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One component at one instant."""

    name: str
    state: ComponentState
    restarts: int
    """Starts after the first."""
    last_error: str | None
    """Type and message of the last failure."""
    last_beat: datetime | None
    """Market time of the last beat; None before the first."""
    beat_age_s: float | None
    """Loop seconds since then."""
    after: tuple[str, ...]
    """Components that it depends on."""
    age_s: float | None = None
    """Loop seconds since its present run began; None while it does not run."""
