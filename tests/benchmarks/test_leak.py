"""What is left in memory after many cycles of open, start, an hour of trading, close.

The issue asks how the last 50 of 200 cycles grow: told as the trend of the last 150 over 50 of them.
"""

import asyncio
import json
import os
import platform
import statistics
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3_600)]

FULL = os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full"
CYCLES = 200 if FULL else 6
JUDGED = 50 if FULL else 3  # cycles, over which the growth is told
# What the allocator cannot hand back goes up and down by 2 % from cycle to cycle: a trend needs more of them.
SEEN = 150 if FULL else 3
ROOT = Path(__file__).parents[2]


def trend(held: list[float]) -> float:
    """Return the growth a cycle, by least squares, as a share of the mean."""
    return statistics.linear_regression(range(len(held)), held).slope / statistics.mean(held)


async def test_cycles_of_an_hour_leave_nothing_in_memory(tmp_path, capsys):
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.benchmarks.leak_cycles", str(CYCLES), str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        out, _ = await child.communicate()
    except BaseException:
        child.kill()
        raise
    assert child.returncode == 0
    told = json.loads(out)
    judged = told["after"][-SEEN:]
    growth = {
        name: JUDGED * trend([one[name] for one in judged])
        for name in ("rss_mib", "rss_trimmed_mib", "objects")
    }
    with capsys.disabled():
        print(
            json.dumps(
                {
                    "benchmark": "cycles of open, start, an hour on virtual time, close",
                    "cycles": CYCLES,
                    "first": told["after"][0],
                    "before_the_judged": judged[0],
                    "last": judged[-1],
                    "judged": JUDGED,
                    "growth_pct": {name: round(100 * share, 3) for name, share in growth.items()},
                    "target_growth_pct": 1.0,
                    "events_a_cycle": told["events_a_cycle"],
                    "seconds": told["seconds"],
                    "python": platform.python_version(),
                }
            )
        )
    assert told["events_a_cycle"] > 50
    assert growth["objects"] <= 0.001
    assert growth["rss_trimmed_mib"] <= (0.01 if FULL else 0.1)  # the first cycles still fill caches
    assert judged[-1]["files"] <= judged[0]["files"]
    assert judged[-1]["threads"] == 1
