"""Panel health: the tasks and what they suffer from, the loop, the sources and what waits in queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

import msgspec

from vnquant.engine import OrchestratorStatus
from vnquant.runtime import BusStatistics, ComponentStatus
from vnquant.sources import SourceStatistics

__all__ = (
    "HealthReading",
    "LoopLag",
    "QueueReading",
    "SourceReading",
    "TaskReading",
    "health_reading",
    "tasks_of",
)


class TaskReading(msgspec.Struct, frozen=True, kw_only=True):
    """One component of the orchestrator."""

    name: str
    state: str
    age_s: int | None
    """Loop seconds since its present run began; None while it does not run."""
    restarts: int
    last_error: str


class SourceReading(msgspec.Struct, frozen=True, kw_only=True):
    """One data source, as the HTTP client sees it."""

    name: str
    breaker: str
    p50_ms: int | None
    p95_ms: int | None
    requests: int
    failures: int


class QueueReading(msgspec.Struct, frozen=True, kw_only=True):
    """One line in which something waits."""

    name: str
    depth: int
    note: str = ""


class HealthReading(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine is."""

    loop_lag_ms: float | None
    """How late the loop came back to the panel, the worst of the last minute; None before the first time."""
    tasks_on_loop: int | None
    lease_expires_at: datetime | None
    troubled: tuple[str, ...]
    sources: tuple[SourceReading, ...]
    queues: tuple[QueueReading, ...]


class LoopLag:
    """The loop's lag over the last minute, from how late sleeps end."""

    def __init__(self, looks: int = 240) -> None:
        self._late_s: deque[float] = deque(maxlen=looks)

    def note(self, late_s: float) -> None:
        """Note how much later than planned a sleep ended."""
        self._late_s.append(max(late_s, 0.0))

    @property
    def worst_ms(self) -> float | None:
        """The worst of them."""
        return round(max(self._late_s) * 1000, 1) if self._late_s else None


def tasks_of(components: Mapping[str, ComponentStatus]) -> tuple[TaskReading, ...]:
    """Return the components, in the order in which they were started."""
    return tuple(
        TaskReading(
            name=one.name,
            state=one.state.value,
            age_s=None if one.age_s is None else int(one.age_s),
            restarts=one.restarts,
            last_error=one.last_error or "",
        )
        for one in components.values()
    )


def health_reading(
    status: OrchestratorStatus,
    *,
    lag: LoopLag,
    sources: Mapping[str, SourceStatistics],
    bus: BusStatistics,
) -> HealthReading:
    """Return how the engine is now."""
    report = status.health if status.tasks else None
    return HealthReading(
        loop_lag_ms=lag.worst_ms,
        tasks_on_loop=None if report is None else report.tasks,
        lease_expires_at=None if report is None else report.lease_expires_at,
        troubled=() if report is None else report.troubled,
        sources=tuple(_source(name, one) for name, one in sources.items()),
        queues=(*_leads(status), *_readers(bus)),
    )


def _source(name: str, one: SourceStatistics) -> SourceReading:
    return SourceReading(
        name=name,
        breaker=one.breaker.value.replace("_", " "),
        p50_ms=_milliseconds(one.p50_s),
        p95_ms=_milliseconds(one.p95_s),
        requests=one.requests,
        failures=sum(one.failures.values()),
    )


def _leads(status: OrchestratorStatus) -> tuple[QueueReading, ...]:
    if (leads := status.leads) is None:
        return ()
    note = f"{leads.in_hand} in discussion, {leads.handed_out} handed out"
    if lost := leads.expired + leads.displaced + leads.refused_full:
        note += f", {lost} lost"
    return (QueueReading(name="leads", depth=leads.depth, note=note),)


def _readers(bus: BusStatistics) -> tuple[QueueReading, ...]:
    return tuple(
        QueueReading(
            name=one.name,
            depth=one.depth,
            note=f"most {one.peak_depth}, {one.dropped} dropped of {one.maxsize}",
        )
        for one in bus.subscriptions
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
