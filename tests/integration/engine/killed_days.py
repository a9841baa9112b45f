"""Runs a trading day on virtual time, kills it with SIGKILL again and again, and goes on each time.

    python -m tests.integration.engine.killed_days DATABASE_FOLDER_OR_SERVER KILLS SEED

Each trial begins with a ledger that has traded two days; its third day, when the first shares may be sold,
is killed at three random moments and then run to its end. Some of the moments are while the ledger opens, and
some just after an order was written down, when it may not have been sent. After each kill a fork looks for
anything half-written, lost or twice there; after the day the ledger must be that of a day that nobody
disturbed. Prints what it met, as JSON.

It has no threads, so that forking it is safe, and has imported everything before, so that a kill takes a
fraction of a second.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

# Imported here and not when first needed: a fork then begins with everything in place.
import alembic.command
import asyncpg
import psutil
import sqlalchemy.dialects.postgresql.asyncpg
import sqlalchemy.dialects.sqlite

import vnquant.runtime.restart
from tests.unit.engine.street import Street
from vnquant.engine import (
    AutonomousOrchestrator,
    EngineConfig,
    EngineEvent,
    ExecutionPolicy,
    OrderPlaced,
    run_span,
)
from vnquant.market import Action, load_universe
from vnquant.runtime import ICT, SupervisionEvent, run_virtual
from vnquant.trading import Fill, Ledger, Order, RiskLimits

LOADED = (
    alembic.command,
    psutil,
    sqlalchemy.dialects.postgresql.asyncpg,
    sqlalchemy.dialects.sqlite,
    vnquant.runtime.restart,
)

BEFORE = ("2025-06-02 08:30", datetime(2025, 6, 4, 8, 30, tzinfo=ICT))
DAY = ("2025-06-04 08:30", datetime(2025, 6, 4, 15, 30, tzinfo=ICT))
KILLS_A_TRIAL = 3
BEGUN, ORDERED, ENDED = b".", b"o", b"!"
TICKERS = load_universe().tickers[::4]
# Orders so large that the board fills them in parts, and as many as there are stocks.
CONFIG = EngineConfig(
    cash_vnd=60_000_000_000,
    policy=ExecutionPolicy(
        opens=(Action.STRONG_BUY, Action.BUY, Action.HOLD),
        closes=(Action.STRONG_SELL, Action.SELL),
        min_confidence=0.05,
    ),
    limits=RiskLimits(max_positions=26, max_position_fraction=0.05, max_sector_fraction=1.0),
    repeat_after_s=1_800.0,
    lease_term_s=86_400.0,
)


class Servers:
    """Where ledgers are made: files in a folder, or databases on a PostgreSQL server."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._plain = where.replace("+asyncpg", "")
        self.is_server = where.startswith("postgres")
        self._mark = f"killed_{os.getpid()}"

    def url(self, name: str) -> str:
        if self.is_server:
            return f"{self._where}/{self._mark}_{name}"
        return str(Path(self._where) / f"{name}.db")

    async def make(self, name: str, template: str | None = None) -> None:
        """Make a ledger that is empty, or a copy of another that nobody has open."""
        if not self.is_server:
            if template is not None:
                shutil.copy(self.url(template), self.url(name))
            return
        like = "" if template is None else f" TEMPLATE {self._mark}_{template}"
        # Of a process that was killed the server learns a moment later.
        for patience in range(50):
            try:
                return await self._tell(f"CREATE DATABASE {self._mark}_{name}{like}")
            except asyncpg.ObjectInUseError:
                await asyncio.sleep(0.02 * patience)
        raise TimeoutError(f"{template} is in use")

    async def drop(self, name: str) -> None:
        if self.is_server:
            await self._tell(f"DROP DATABASE {self._mark}_{name} WITH (FORCE)")
        else:
            for kind in ("", "-wal", "-shm"):
                Path(f"{self.url(name)}{kind}").unlink(missing_ok=True)  # noqa: ASYNC240 - a fork of its own

    async def _tell(self, statement: str) -> None:
        connection = await asyncpg.connect(f"{self._plain}/postgres", timeout=20)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class Telling(AutonomousOrchestrator):
    """Writes one byte to a pipe when it has begun, for each order that was written down, and when it ends."""

    def __init__(self, url: str, pipe: int | None) -> None:
        super().__init__(Street(TICKERS), database=url, config=CONFIG)
        self._pipe = pipe

    def _mark(self, mark: bytes) -> None:
        if self._pipe is not None:
            os.write(self._pipe, mark)

    async def start(self) -> "Telling":
        await super().start()
        self._mark(BEGUN)
        return self

    async def stop(self, grace: float = 5.0) -> None:
        self._mark(ENDED)
        await super().stop(grace)

    def _tell(self, event: EngineEvent | SupervisionEvent) -> None:
        if isinstance(event, OrderPlaced):
            self._mark(ORDERED)
        super()._tell(event)


def run_days(url: str, start: str, until: datetime, marks: int | None = None) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        orchestrator = Telling(url, marks)
        summary = await run_span(orchestrator, until)
        async with await Ledger.open(url, read_only=True) as ledger:
            return {
                "orders": summary.orders,
                "fills": summary.fills,
                "equity_vnd": summary.equity_vnd,
                "ledger_digest": summary.ledger_digest,
                "journal_digest": summary.journal_digest,
                "orders_told": [told(order) for order in await ledger.orders()],
                "fills_told": [told(fill) for fill in await ledger.fills()],
            }

    return run_virtual(main(), start=start)


def told(what: Order | Fill) -> str:
    """Return what never changes of an order, or a fill."""
    if isinstance(what, Fill):
        return f"{what.fill_id} {what.quantity} at {what.price_vnd} of {what.client_order_id}"
    return f"{what.client_order_id} {what.side} {what.quantity} {what.symbol} at {what.limit_price_vnd}"


async def examine(url: str) -> dict[str, Any]:
    """Look into a ledger whose writer was killed."""
    # Whether a fork of PostgreSQL still rolls back is for the writers to bear; a reader sees whole commits.
    async with await Ledger.open(url, read_only=True) as ledger:
        audit = await ledger.reconcile()
        past = await ledger.recover()
        orders, fills = await ledger.orders(), await ledger.fills()
    assert audit.fills == len(fills)
    return {
        "ends_at": "" if past.ends_at is None else f"{past.ends_at:%H:%M:%S}",
        "unanswered": len(past.unanswered),
        "open": len(past.open_orders),
        "partly_filled": sum(order.filled_quantity > 0 for order in past.open_orders),
        "orders_told": [told(order) for order in orders],
        "fills_told": [told(fill) for fill in fills],
    }


class Fork:
    """Work in a child process, its result as JSON through a pipe."""

    def __init__(self, work: Callable[[int], Any]) -> None:
        self._hear, say = os.pipe()
        self._marks, marks = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                result = json.dumps(work(marks)).encode()
                while result:
                    result = result[os.write(say, result) :]
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(say)
        os.close(marks)

    def wait_for(self, mark: bytes, times: int = 1) -> bool:
        """Return when a mark has come so often; False where the child has ended without."""
        while times:
            found = os.read(self._marks, 1)
            if not found:
                return False
            times -= found == mark
        return True

    def kill(self) -> bool:
        """Kill it; return whether it still ran."""
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self._hear)
        os.close(self._marks)
        if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
            sys.exit("a run failed before it was killed")
        return os.WIFSIGNALED(status)

    def result(self) -> Any:
        with os.fdopen(self._hear) as answer:
            text = answer.read()
        os.close(self._marks)
        if os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]):
            sys.exit("a fork failed; see above")
        return json.loads(text)


def in_a_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return Fork(lambda _: asyncio.run(work())).result()


class Killer:
    """Kills days, and counts what the kills met."""

    def __init__(self, servers: Servers, rng: random.Random) -> None:
        self._servers = servers
        self._rng = rng
        self.kills = 0
        self.trials = 0
        self.met: Counter[str] = Counter()
        self.hours: Counter[str] = Counter()
        self.instants: set[str] = set()
        in_a_loop(partial(servers.make, "base"))
        Fork(lambda _: run_days(servers.url("base"), *BEFORE)).result()
        self.whole, self.takes_s = self._undisturbed()

    def _undisturbed(self) -> tuple[dict[str, Any], float]:
        in_a_loop(partial(self._servers.make, "whole", "base"))
        fork = Fork(lambda marks: run_days(self._servers.url("whole"), *DAY, marks))
        fork.wait_for(BEGUN)
        began = time.monotonic()
        fork.wait_for(ENDED)
        takes_s = time.monotonic() - began
        return fork.result(), takes_s

    def trial(self, kills: int) -> None:
        """Kill one day so often, and compare its end with that of the undisturbed one."""
        name = f"day{self.trials}"
        url = self._servers.url(name)
        in_a_loop(partial(self._servers.make, name, "base"))
        lived_s = 0.0
        for _ in range(kills):
            fork = Fork(lambda marks: run_days(url, *DAY, marks))
            lived_s += self._live(fork, self.takes_s - lived_s)
            if not fork.kill():
                self.takes_s *= 0.8  # it was through already: the machine has less to do than at first
                break
            self.kills += 1
            self._look(in_a_loop(partial(examine, url)))
        ended = Fork(lambda _: run_days(url, *DAY)).result()
        for what in ("orders_told", "fills_told"):
            assert len(set(ended[what])) == len(ended[what]), f"{what}: something is there twice"
            missing = set(self.whole[what]) - set(ended[what])
            assert not missing, f"{what}: lost after {self.kills} kills: {missing}"
        others = {what: value for what, value in ended.items() if value != self.whole[what]}
        assert not others, f"{url} is another day after {self.kills} kills: {others}"
        in_a_loop(partial(self._servers.drop, name))
        self.trials += 1

    def _live(self, fork: Fork, left_s: float) -> float:
        """Wait for a random moment of a run that has so many seconds left; return how many it had."""
        chance = self._rng.random()
        if chance < 0.1:
            time.sleep(self._rng.uniform(0.0, 0.1))  # while it opens, as likely as not
            return 0.0
        fork.wait_for(BEGUN)
        began = time.monotonic()
        if chance < 0.35:
            fork.wait_for(ORDERED, self._rng.randint(1, self._rng.randint(1, 40)))
        else:
            time.sleep(self._rng.uniform(0.0, max(left_s, 0.1 * self.takes_s)))
        return time.monotonic() - began

    def _look(self, found: dict[str, Any]) -> None:
        for what in ("orders_told", "fills_told"):
            assert len(set(found[what])) == len(found[what]), f"{what}: something is there twice"
            strange = set(found[what]) - set(self.whole[what])
            assert not strange, f"{what}: the undisturbed day has no {strange}"
        self.met["unanswered intents"] += found["unanswered"] > 0
        self.met["open orders"] += found["open"] > 0
        self.met["partly filled orders"] += found["partly_filled"] > 0
        self.hours[found["ends_at"][:2]] += 1
        self.instants.add(found["ends_at"])


def main() -> None:
    where, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    servers, began = Servers(where), time.monotonic()
    killer = Killer(servers, random.Random(seed))
    while killer.kills < kills:
        killer.trial(min(KILLS_A_TRIAL, kills - killer.kills))
    for name in ("base", "whole"):
        in_a_loop(partial(servers.drop, name))
    print(
        json.dumps(
            {
                "kills": killer.kills,
                "days": killer.trials,
                "met": dict(killer.met),
                "ledger_ended_in_hour": dict(sorted(killer.hours.items())),
                "ledger_ended_at_instants": len(killer.instants),
                "orders": killer.whole["orders"],
                "fills": killer.whole["fills"],
                "undisturbed_day_s": round(killer.takes_s, 2),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
