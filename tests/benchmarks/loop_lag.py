"""How late a loop is: samples on a fixed grid, here and, to compare, on an idle loop in another process.

    python -m tests.benchmarks.loop_lag SECONDS

prints the lags of an idle loop as JSON.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np

GRID_S = 0.005


async def sample_lags(seconds: float) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return by how many milliseconds each point of a grid was missed.

    The grid is fixed, so a stall of 100 ms counts 20 times, with 100, 95, 90, ... ms: whoever might have come
    meanwhile would have waited so long. Sleeping anew after each sample would count it once.
    """
    loop = asyncio.get_running_loop()
    lags: list[float] = []
    due_s = loop.time() + GRID_S
    end_s = loop.time() + seconds
    while due_s < end_s:
        await asyncio.sleep(due_s - loop.time())
        now_s = loop.time()
        while due_s <= now_s:
            lags.append(1e3 * (now_s - due_s))
            due_s += GRID_S
    return np.array(lags)


def quantiles(lags: "np.ndarray[Any, np.dtype[np.float64]]") -> dict[str, float]:
    """Return the figures of a report, in milliseconds."""
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: round(float(np.quantile(lags, share)), 2) for name, share in shares.items()}


async def idle_lags(seconds: float) -> dict[str, float]:
    """Return the lags of an idle loop in another process, which runs while the caller measures its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.loop_lag", str(seconds), stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await child.communicate()
    except BaseException:
        child.kill()
        raise
    told: dict[str, float] = json.loads(out)
    return told


if __name__ == "__main__":
    print(json.dumps(quantiles(asyncio.run(sample_lags(float(sys.argv[1]))))))
