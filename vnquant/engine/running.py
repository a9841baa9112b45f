"""Running: what a run holds open: its crew on the ledger, and its components in a supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from sqlalchemy.engine import URL

from vnquant.engine.config import EngineConfig
from vnquant.engine.crew import Crew
from vnquant.engine.events import EngineEvent
from vnquant.engine.health import Troubles
from vnquant.engine.research import Research
from vnquant.errors import LeaseLostError, LedgerError
from vnquant.runtime import (
    RestartPolicy,
    SupervisionEvent,
    Supervisor,
    VirtualTimeLoop,
    rare_collections,
    short_collections,
)
from vnquant.trading import Ledger

__all__ = ("Component", "crew_on", "supervised")

logger = logging.getLogger(__name__)

Component = Callable[[], Awaitable[None]]

# Five rounds of the slowest scanner fit the window. A broken component comes back by itself: an unattended
# night must not end with one bad hour.
_POLICY = RestartPolicy(max_failures=5, window_s=1_800.0, cooldown_s=300.0)


@asynccontextmanager
async def crew_on(
    database: str | Path | URL | None,
    research: Research,
    *,
    config: EngineConfig,
    tell: Callable[[EngineEvent], None],
    troubles: Troubles,
) -> AsyncIterator[Crew]:
    """Open a ledger and gather the crew; at the end record what the broker has done, and close.

    Raises
    ------
    LeaseHeldError
        If another orchestrator works on this ledger.
    LedgerError
        If the ledger cannot be used.
    """
    async with await Ledger.open(database, term_s=config.lease_term_s) as ledger:
        crew = await Crew.gather(research, ledger, config=config, tell=tell, troubles=troubles)
        try:
            yield crew
        finally:
            await _finish(crew)


@asynccontextmanager
async def supervised(
    components: Mapping[str, tuple[Component, float]],
    *,
    seed: int,
    tell: Callable[[SupervisionEvent], None],
    lost: Callable[[LeaseLostError], None],
) -> AsyncIterator[Supervisor]:
    """Run components until the end of the block.

    Parameters
    ----------
    components : mapping of str to (Component, float)
        With the loop seconds without a heartbeat after which each is restarted.
    seed : int
        Of the pauses before restarts.
    tell : callable
    lost : callable
        Called when the ledger turns out to be somebody else's: no restart helps then.
    """
    supervisor = Supervisor(on_event=tell, policy=_POLICY, seed=seed, name="orchestrator:supervisor")
    for name, (run, heartbeat_s) in components.items():
        supervisor.add(name, _guarded(run, lost), heartbeat_s=heartbeat_s)
    # On virtual time nobody waits for the loop.
    is_virtual = isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    with short_collections(), rare_collections() if is_virtual else nullcontext():
        await supervisor.start()
        try:
            yield supervisor
        finally:
            await supervisor.stop()


def _guarded(run: Component, lost: Callable[[LeaseLostError], None]) -> Component:
    async def guarded() -> None:
        try:
            await run()
        except LeaseLostError as exc:
            lost(exc)

    return guarded


async def _finish(crew: Crew) -> None:
    """Record what the broker has done with orders whose answer was not taken in."""
    try:
        await crew.trader.answer(only_known=True)
        await crew.record.settle_debts()
    except LedgerError as exc:
        logger.warning("the last events are not in the ledger; the next start asks the broker: %s", exc)
