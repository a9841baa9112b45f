"""What a year of waiting costs on virtual time, against as many of the plain loop's shortest sleeps."""

import asyncio
import json
import platform
import time
from collections.abc import Callable

import pytest

from vnquant.runtime import run_virtual

pytestmark = pytest.mark.benchmark

YEAR_S = 365 * 86_400
BEATS = (27_500, 16_500, 82_500)  # scans, news, position checks of a year


async def _year(every_s: Callable[[int], float]) -> None:
    async def beat(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(every_s(count))

    async with asyncio.TaskGroup() as group:
        for count in BEATS:
            group.create_task(beat(count))


def _cpu_s(work: Callable[[], object], *, runs: int = 3) -> float:
    """Return the least CPU time of some runs, which other processes disturb less than wall time."""
    taken = []
    for _ in range(runs):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def test_a_year_of_empty_sleeps_costs_about_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    virtual_s = _cpu_s(lambda: run_virtual(_year(lambda count: YEAR_S / count)))
    plain_s = _cpu_s(lambda: asyncio.run(_year(lambda _: 1e-9)))
    yields_s = _cpu_s(lambda: asyncio.run(_year(lambda _: 0)))
    with capsys.disabled():
        print(
            json.dumps(
                {
                    "benchmark": "virtual_year",
                    "sleeps": sum(BEATS),
                    "virtual_cpu_s": round(virtual_s, 3),
                    "plain_shortest_sleep_cpu_s": round(plain_s, 3),
                    "plain_sleep_0_cpu_s": round(yields_s, 3),
                    "virtual_over_plain": round(virtual_s / plain_s, 2),
                    "python": platform.python_version(),
                    "machine": platform.machine(),
                }
            )
        )
    assert virtual_s <= 2.5 * plain_s
