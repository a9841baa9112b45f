"""Headless: runs an orchestrator without a notebook: over a span of market time, or until a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy.engine import URL

from vnquant.engine.orchestrator import AutonomousOrchestrator
from vnquant.errors import DateRangeError, StateError
from vnquant.runtime import now
from vnquant.trading import Ledger

__all__ = ("RunSummary", "ledger_end", "run_span", "run_until_signal")

# What is due at the end itself belongs to the next span; a timer at that instant might come before or after.
_SHORT_OF = timedelta(milliseconds=1)


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes
    ----------
    began_at, ended_at : datetime
        Market time of this run; after a resumption it began where the ledger ended.
    orders, fills : int
        In the whole ledger.
    equity_vnd : int
        At the end.
    ledger_digest, journal_digest : str
        Equal for equal runs, interrupted or not.
    """

    began_at: datetime
    ended_at: datetime
    orders: int
    fills: int
    equity_vnd: int
    ledger_digest: str
    journal_digest: str

    def to_json(self) -> str:
        """Return one line of JSON."""
        return msgspec.json.encode(self).decode()


async def ledger_end(database: str | Path | URL | None) -> datetime | None:
    """Return the market time of a ledger's last transaction, None where there is none yet."""
    async with await Ledger.open(database, holder="vnquant run, looking where to resume") as ledger:
        return (await ledger.recover()).ends_at


async def run_span(orchestrator: AutonomousOrchestrator, until: datetime) -> RunSummary:
    """Run from now, or from where the ledger ends if that is later, up to `until`, which is not included.

    On virtual time the way to the ledger's end costs nothing, and then the run goes on as if it had never
    been interrupted.

    Raises
    ------
    DateRangeError
        If `until` lies in the past.
    StateError
        If the orchestrator failed on the way; says why.
    """
    last = until - _SHORT_OF
    if last <= now():
        raise DateRangeError(f"The span ends at {until}, and it is {now()} already.")
    end = await ledger_end(orchestrator.database)
    await _sleep_till(min(last, end) if end is not None else now())
    began_at = now()
    await orchestrator.start()
    try:
        await _sleep_till(last)
        if orchestrator.status().error:
            raise StateError(f"The orchestrator failed: {orchestrator.status().error}")
        equity_vnd = await _equity(orchestrator)
    finally:
        await orchestrator.stop()
    return await _summary(orchestrator, began_at, equity_vnd)


async def run_until_signal(
    orchestrator: AutonomousOrchestrator, *, on_running: Callable[[], None] | None = None
) -> None:
    """Run until SIGINT or SIGTERM, then stop cleanly.

    Raises
    ------
    StateError
        If the orchestrator failed by itself; says why.
    """
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, asked.set)
    try:
        await orchestrator.start()
        if on_running is not None:
            on_running()
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(_stop_when(asked, orchestrator), name="run:signals")
            await orchestrator.wait_ended()
            stopping.cancel()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        await orchestrator.stop()
    if orchestrator.status().error:
        raise StateError(f"The orchestrator failed: {orchestrator.status().error}")


async def _stop_when(asked: asyncio.Event, orchestrator: AutonomousOrchestrator) -> None:
    await asked.wait()
    await orchestrator.stop()


async def _sleep_till(at: datetime) -> None:
    left_s = (at - now()).total_seconds()
    if left_s > 0:
        await asyncio.sleep(left_s)


async def _equity(orchestrator: AutonomousOrchestrator) -> int:
    trader = orchestrator.crew.trader
    positions = trader.record.portfolio.positions
    prices = {s: p.cost_vnd / p.quantity for s, p in positions.items()}
    if positions:
        board = await trader.board(tuple(positions))
        prices |= board.prices()
    return trader.record.portfolio.equity_vnd(prices)


async def _summary(orchestrator: AutonomousOrchestrator, began_at: datetime, equity_vnd: int) -> RunSummary:
    async with await Ledger.open(orchestrator.database, read_only=True) as ledger:
        return RunSummary(
            began_at=began_at,
            ended_at=now(),
            orders=len(await ledger.orders()),
            fills=len(await ledger.fills()),
            equity_vnd=equity_vnd,
            ledger_digest=await ledger.ledger_digest(),
            journal_digest=await ledger.journal_digest(),
        )
