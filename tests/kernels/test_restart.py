"""Restart: a kernel that ends while the orchestrator runs leaves no process and no lease behind."""

import time
from pathlib import Path

import psutil

from tests.kernels.harness import INSTALLED, Kernel

START = """
import asyncio
from kernel_side import *
bench = await open_bench({database!r})
orchestrator = await bench.orchestrator.start()
"""


def test_after_a_restart_the_same_ledger_opens_again(
    version: str, kernel_cache: Path, tmp_path: Path
) -> None:
    check(version, kernel_cache, tmp_path, kill=False)


def test_after_a_kill_the_same_ledger_opens_again(kernel_cache: Path, tmp_path: Path) -> None:
    check(INSTALLED, kernel_cache, tmp_path, kill=True)


def check(version: str, cache: Path, folder: Path, *, kill: bool) -> None:
    database = str(folder / "ledger.db")
    with Kernel(version, {"VNQUANT_CACHE_DIR": str(cache)}) as kernel:
        kernel.run(
            START.format(database=database)
            + "await bench.prepare()\npanel = bench.control_panel()\nawait asyncio.sleep(0.3)"
        )
        kernel.restart(kill=kill)
        assert kernel.left_behind == []
        kernel.run(START.format(database=database))
        assert kernel.value("str(orchestrator.state)") == "running"
        kernel.run("balanced = await books_balance(orchestrator)\nawait bench.close()")
        assert kernel.value("balanced") is True
        assert "Traceback" not in kernel.said()
        assert "never retrieved" not in kernel.said()


def test_a_restart_during_the_training_ends_it(tmp_path: Path) -> None:
    with Kernel(INSTALLED, {"VNQUANT_CACHE_DIR": str(tmp_path)}) as kernel:
        kernel.run(
            "import asyncio\n"
            "from vnquant import Workbench\n"
            "bench = await Workbench.open(progress=False)\n"
            "preparing = asyncio.create_task(bench.prepare(), name='preparing')"
        )
        end_s = time.monotonic() + 30.0
        while not psutil.Process(kernel.pid).children():
            assert time.monotonic() < end_s
            time.sleep(0.05)
        kernel.restart()
        assert kernel.left_behind == []
        assert kernel.value("1 + 1") == 2
