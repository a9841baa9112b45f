"""What a warm scan costs the processor and the loop, and how long a newcomer waits for the first result."""

import asyncio
import json
import platform
import statistics
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.pace import slowness
from vnquant import Workbench

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]


def report(**measured: object) -> None:
    print(json.dumps({"benchmark": "scan cost", "python": platform.python_version(), **measured}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


async def worst_stall_s(ended: asyncio.Event) -> float:
    """Return the longest time that the loop did not come back to a task that always wants to run."""
    loop = asyncio.get_running_loop()
    worst, last = 0.0, loop.time()
    while not ended.is_set():
        await asyncio.sleep(0)
        now = loop.time()
        worst, last = max(worst, now - last), now
    return worst


def first_scan(cache: Path) -> dict[str, float]:
    """Open, scan and close in a new process; return the seconds from before the import."""
    script = """
        import time
        began = time.perf_counter()
        import asyncio, json
        from vnquant import Workbench

        async def main():
            async with Workbench.open(progress=False) as bench:
                result = await bench.scan()
                assert len(result) == 102
                print(json.dumps({"first_result_s": time.perf_counter() - began}))

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    environment = {"VNQUANT_CACHE_DIR": str(cache), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def test_the_first_scan_ever_and_the_first_of_a_session(cache):
    ever = first_scan(cache)["first_result_s"]
    again = [first_scan(cache)["first_result_s"] for _ in range(3)]
    report(
        measure="import, open and first scan result, seconds",
        first_time_ever_with_training=round(ever, 2),
        target_first_time_ever=30,
        model_already_trained=[round(s, 2) for s in again],
        target_model_already_trained=3,
        trained_to_untrained=round(statistics.median(again) / ever, 3),
    )
    assert statistics.median(again) < ever


async def test_a_warm_scan_is_cheap_and_never_holds_the_loop_for_long(cache):
    async with Workbench.open(cache_dir=cache, progress=False) as bench:
        await bench.scan()
        cpu, stalls = [], []
        for _ in range(10):
            ended = asyncio.Event()
            watch = asyncio.get_running_loop().create_task(worst_stall_s(ended))
            await bench.scan()
            ended.set()
            stalls.append(await watch)
        for _ in range(10):
            began = time.process_time()
            await bench.scan()
            cpu.append((time.process_time() - began) / 102)
    report(
        measure="warm scan of 102 symbols, zero latency, exchange in the same process",
        cpu_ms_a_symbol_median=round(1000 * statistics.median(cpu), 2),
        target_cpu_ms_a_symbol=3,
        worst_stall_ms_median=round(1000 * statistics.median(stalls), 1),
        worst_stall_ms_max=round(1000 * max(stalls), 1),
        target_worst_stall_ms=20,
    )
    assert statistics.median(cpu) < 0.02 * slowness()


def test_importing_the_package_costs_little_more_than_numpy_and_aiohttp():
    def seconds(statement: str) -> float:
        code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        runs = (
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            for _ in range(7)
        )
        return statistics.median(float(run.stdout) for run in runs)

    base = seconds("import numpy, aiohttp")
    package = seconds("import vnquant")
    facade = seconds("from vnquant import Workbench")
    report(
        measure="import time relative to `import numpy, aiohttp`",
        import_vnquant=round(package / base, 2),
        target_import_vnquant=1.5,
        from_vnquant_import_workbench=round(facade / base, 2),
    )
    assert package < 3 * base
