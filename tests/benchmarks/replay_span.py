"""Run a span of the orchestrator on virtual time, and print as JSON what it took and where."""

import json
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from vnquant.runtime import run_virtual
from vnquant.unattended import read_span, run_virtual_span

# The first of these that stands on the stack, innermost first, has the time.
PARTS = {
    "vnquant/trading": "ledger, orders and portfolio",
    "vnquant/agents": "discussions",
    "vnquant/models": "forecasts",
    "vnquant/features": "forecasts",
    "vnquant/news": "news",
    "vnquant/simulation": "the simulated market",
    "vnquant/sources": "loading history",
    "vnquant/scanners": "scan results",
    "vnquant/direct_operation": "scan results",
    "vnquant/engine": "the engine's rounds",
    "vnquant/runtime": "the loop and its timers",
    "asyncio": "the loop and its timers",
}


def peak_mib() -> float:
    """Return the most memory that this program held; what `getrusage` says includes who started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main(first: str, last: str, database: str, cache: str, *, sampled: bool) -> None:
    begins, ends = read_span(first, last)
    where: Counter[str] = Counter()

    def sample(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            name = frame.f_code.co_filename
            part = next((told for part, told in PARTS.items() if part in name), None)
            if part is not None:
                where[part] += 1
                return
            frame = frame.f_back
        where["other"] += 1

    if sampled:
        signal.signal(signal.SIGPROF, sample)
        signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    span = run_virtual_span(ends, database=Path(database), cache_dir=cache, seed=7)
    summary = run_virtual(span, start=begins)
    took_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    total = max(where.total(), 1)
    report = {
        "cpu_s": used_s,
        "wall_s": took_s,
        "peak_mib": peak_mib(),
        "orders": summary.orders,
        "ledger_digest": summary.ledger_digest,
        "journal_digest": summary.journal_digest,
        "share_of_time": {part: round(count / total, 3) for part, count in where.most_common()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:5], sampled="--sampled" in sys.argv)
