"""Opens a workbench, lets its orchestrator trade an hour on virtual time and closes it, again and again.

    python -m tests.benchmarks.leak_cycles CYCLES FOLDER

prints, as JSON, what the process held after each cycle: memory with everything collected that can be, objects
that the collector knows, open files, threads. It has a process of its own, so that nothing else counts.
"""

import asyncio
import ctypes
import gc
import json
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from sklearn.linear_model import Ridge

from vnquant import Workbench
from vnquant.runtime import run_virtual
from vnquant.simulation import SimulatedExchange, SimulatedMarket

START = "2025-06-02 09:10"


async def cycle(market: SimulatedMarket, folder: Path, database: Path) -> int:
    """Return how many scans there were."""
    async with (
        SimulatedExchange(at=START, market=market, port=None, speed=1.0) as exchange,
        Workbench.open(
            exchange,
            cache_dir=folder / "cache",
            database=database,
            predictor=Ridge(alpha=1000.0),
            progress=False,
        ) as bench,
    ):
        orchestrator = bench.orchestrator
        await orchestrator.start()
        await asyncio.sleep(3_600)
    statistics = orchestrator.bus.statistics()
    assert not statistics.subscriptions, statistics
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left
    return statistics.published


def held() -> dict[str, float]:
    """Return what this process holds now."""
    gc.collect()
    process = psutil.Process()
    told = {"rss_mib": process.memory_info().rss / 2**20}
    with suppress(OSError, AttributeError):
        # What the allocator keeps for the next request is held by nobody; where it is glibc's, hand it back.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    told["rss_trimmed_mib"] = process.memory_info().rss / 2**20
    return {
        **{name: round(value, 2) for name, value in told.items()},
        "objects": len(gc.get_objects()),
        "files": process.num_fds(),
        "threads": threading.active_count(),
    }


def main() -> None:
    cycles, folder = int(sys.argv[1]), Path(sys.argv[2])
    market = SimulatedMarket(7)
    database = folder / "ledger.db"
    held_after = []
    began = time.perf_counter()
    published = 0
    for _ in range(cycles):
        published = run_virtual(cycle(market, folder, database), start=START)
        for kind in ("", "-wal", "-shm"):
            Path(f"{database}{kind}").unlink(missing_ok=True)
        held_after.append(held())
    taken_s = time.perf_counter() - began
    print(json.dumps({"after": held_after, "events_a_cycle": published, "seconds": round(taken_s, 1)}))


if __name__ == "__main__":
    main()
