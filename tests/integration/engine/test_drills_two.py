"""Failure drill: two orchestrators on one ledger: the second is refused, and succeeds the first that dies."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.engine.street import Street
from vnquant.engine import AutonomousOrchestrator, OrchestratorState
from vnquant.errors import LeaseHeldError
from vnquant.runtime import ICT, MarketClock
from vnquant.trading import Ledger

ROOT = Path(__file__).parents[3]
FIRST = """
import asyncio, sys
from vnquant.engine import AutonomousOrchestrator
from tests.integration.engine.test_drills_two import StandingStreet

async def main():
    street = StandingStreet()
    street.score = lambda lead, at: 1.0
    async with AutonomousOrchestrator(street, database=sys.argv[1]) as orchestrator:
        while not orchestrator.fills:
            await asyncio.sleep(0.01)
        print("trading", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


class StandingStreet(Street):
    """A street at 10:00."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = MarketClock.frozen(datetime(2025, 6, 2, 10, tzinfo=ICT))

    @property
    def clock(self) -> MarketClock:
        return self._clock


@pytest.mark.slow
@pytest.mark.timeout(480)
async def test_the_second_is_refused_by_name_and_takes_over_when_the_first_is_killed(database):
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FIRST, database, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    second = AutonomousOrchestrator(StandingStreet(), database=database)
    before = asyncio.all_tasks()
    try:
        assert first.stdout is not None
        async with asyncio.timeout(30):
            assert await first.stdout.readline() == b"trading\n"
        with pytest.raises(LeaseHeldError, match=rf"in use by .*process {first.pid} on .*Stop that one"):
            await second.start()
        assert second.state is OrchestratorState.FAILED
        assert asyncio.all_tasks() == before
        first.kill()
        await first.wait()
        async with second:
            assert second.state is OrchestratorState.RUNNING
            assert second.fills  # those of the first
            await asyncio.sleep(0.2)
    finally:
        if first.returncode is None:
            first.kill()
        await first.communicate()
    async with await Ledger.open(database) as ledger:
        audit = await ledger.reconcile()
        orders = await ledger.orders()
    assert audit.fills >= len(second.fills) >= 1
    assert len({order.client_order_id for order in orders}) == len(orders)
