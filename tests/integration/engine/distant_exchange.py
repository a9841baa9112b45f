"""An exchange in a process of its own, as a live endpoint is, and a workbench that trades on it over HTTP."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sklearn.linear_model import Ridge

from vnquant import Workbench
from vnquant.engine import EngineConfig
from vnquant.runtime import MarketClock
from vnquant.settings import settings
from vnquant.sources import BarCache, Endpoints
from vnquant.world import World, _networked, read_instant


@dataclass(frozen=True)
class DistantExchange:
    """Where it listens, and a clock that goes with its own."""

    url: str
    clock: MarketClock

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def distant_exchange(at: str, *, speed: float, seed: int = 7) -> AsyncIterator[DistantExchange]:
    """Run `vnquant exchange` until the end of the block."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "vnquant", "exchange", "--port", "0", "--at", at),
        *("--speed", str(speed), "--seed", str(seed)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        async with asyncio.timeout(60):
            await child.stdout.readline()
            clock = MarketClock(read_instant(at), speed=speed)
            listening = (await child.stdout.readline()).decode()
        yield DistantExchange(listening.split()[2].rstrip(";"), clock)
    finally:
        child.kill()
        await child.communicate()


@asynccontextmanager
async def distant_bench(
    exchange: DistantExchange,
    cache_dir: Path,
    database: Path | str,
    *,
    predictor: Ridge | None = None,
    engine: EngineConfig | None = None,
) -> AsyncIterator[Workbench]:
    """Open a workbench on a distant exchange; a predictor that trains quickly unless another is given."""
    chosen = settings().overridden(cache_dir=cache_dir, progress=False)
    async with AsyncExitStack() as stack:
        world: World = _networked(
            "exchange in another process",
            Endpoints.local(exchange.url),
            exchange.clock,
            chosen,
            BarCache(None, "distant"),
            stack,
        )
        world.local = True
        world.stack = stack.pop_all()
        bench = Workbench(
            world,
            settings=chosen,
            seed=7,
            predictor=predictor or Ridge(alpha=1000.0),
            database=database,
            engine=engine,
        )
    async with bench:
        yield bench
