"""Unattended: an orchestrator without a notebook: over a span of virtual time, or live until a signal.

The way to a ledger's end. A resumed span begins where it began the first time, loads history and model as
they were then, and lets virtual time pass, at no cost, to where the ledger ends: it goes on with the very
model and bars of the run that was interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnquant.errors import ClosedError, DateRangeError
from vnquant.runtime import ICT

if TYPE_CHECKING:
    from vnquant.engine import AutonomousOrchestrator, RunSummary
    from vnquant.web import Broadcaster

__all__ = ("read_span", "run_live", "run_virtual_span", "tell_clients")

# On virtual time a process that dies is found out by its id, so the lease needs no renewal every few minutes.
_VIRTUAL_LEASE_S = 7 * 86_400.0


def read_span(first: str, last: str) -> tuple[datetime, datetime]:
    """Return the instants between which a span runs: bare dates are whole days, the last one included.

    Raises
    ------
    DateRangeError
        If one of them cannot be read, or the span runs backwards.
    """
    start, end = _instant(first, later=False), _instant(last, later=True)
    if end <= start:
        raise DateRangeError(f"The span runs backwards: from {start} to {end}.")
    return start, end


async def run_virtual_span(until: datetime, *, database: str | Path | None, **options: Any) -> RunSummary:
    """Run the simulated market's span from now to `until` on the running virtual-time loop.

    Parameters
    ----------
    until : datetime
        Not included.
    database : str or Path or None
        The ledger; one that ends inside the span is resumed.
    **options
        Of `Workbench.open`, such as `seed`.
    """
    from vnquant.engine import EngineConfig, run_span
    from vnquant.workbench import Workbench

    options = {"engine": EngineConfig(lease_term_s=_VIRTUAL_LEASE_S), "progress": False, **options}
    async with Workbench.open(database=database, **options) as bench:
        await bench.prepare(charts=False)
        return await run_span(bench.orchestrator, until)


async def run_live(*, port: int, on_running: Callable[[str], None], **options: Any) -> None:
    """Run until SIGINT or SIGTERM, with a live page on loopback whose address `on_running` gets.

    Parameters
    ----------
    port : int
        0 picks a free one.
    on_running : callable
    **options
        Of `Workbench.open`.
    """
    from vnquant.engine import run_until_signal
    from vnquant.web import BroadcastConfig, Broadcaster
    from vnquant.workbench import Workbench

    async with (
        Workbench.open(progress=False, **options) as bench,
        Broadcaster(BroadcastConfig(port=port)) as broadcaster,
        asyncio.TaskGroup() as group,
    ):
        telling = group.create_task(tell_clients(bench.orchestrator, broadcaster), name="web:events")
        try:
            await run_until_signal(bench.orchestrator, on_running=lambda: on_running(broadcaster.page_url))
        finally:
            telling.cancel()


async def tell_clients(orchestrator: AutonomousOrchestrator, broadcaster: Broadcaster) -> None:
    """Broadcast what the orchestrator tells, until one of the two is closed.

    Health and scans overtake their like at a slow client; orders, verdicts and alerts reach it all.
    """
    from vnquant.engine import EngineEvent, HealthReported, NewsFinished, ScanFinished
    from vnquant.runtime import SupervisionEvent

    overtaken = (HealthReported, NewsFinished, ScanFinished)
    topics = (EngineEvent, SupervisionEvent)
    bus = orchestrator.bus
    async with bus.subscribe(topics, maxsize=10_000, when_full="drop_oldest", name="web") as events:
        async for event in events:
            name = type(event).__name__
            try:
                await broadcaster.broadcast_to_clients(
                    event, topic=name, key=name if isinstance(event, overtaken) else None
                )
            except ClosedError:
                return


def _instant(text: str, *, later: bool) -> datetime:
    try:
        if len(text.strip()) <= len("2025-06-02"):
            day = date.fromisoformat(text.strip()) + timedelta(days=int(later))
            return datetime.combine(day, time(), tzinfo=ICT)
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise DateRangeError(f"{text!r} is no date or time; write 2025-06-02 or '2025-06-02 10:00'.") from exc
    return moment.replace(tzinfo=ICT) if moment.tzinfo is None else moment.astimezone(ICT)
