"""The synchronous facade, and what happens when the interpreter ends: each in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.timeout(480)


def run(script: str, tmp_path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_a_script_without_a_loop_uses_the_synchronous_facade(tmp_path):
    told = run(
        """
        from vnquant import Workbench
        with Workbench.open(cache_dir="cache", progress=False).sync() as bench:
            board = bench.quotes(["FPT", "VCB"])
            panel = bench.bars(["FPT"], "2025-05-26", "2025-05-30")
            print(sorted(board.quotes), panel.shape, bench.symbols[:1])
        try:
            bench.quotes()
        except Exception as exc:
            print(type(exc).__name__)
        """,
        tmp_path,
    )
    assert told.splitlines() == ["['FPT', 'VCB'] (5, 1) ('ACB',)", "ClosedError"]


def test_a_synchronous_call_inside_a_running_loop_re_enters_it(tmp_path):
    told = run(
        """
        import asyncio
        from vnquant import Workbench

        async def main():
            async with Workbench.open(cache_dir="cache", progress=False) as bench:
                def callback():
                    return sorted(bench.sync.quotes(["FPT"]).quotes)
                print(callback())

        asyncio.run(main())
        """,
        tmp_path,
    )
    assert told.splitlines() == ["['FPT']"]


def test_importing_the_package_does_not_patch_asyncio(tmp_path):
    told = run(
        """
        import asyncio, sys
        from vnquant import Workbench

        async def main():
            async with Workbench.open(cache_dir="cache", progress=False) as bench:
                bench.sync
            print("nest_asyncio" in sys.modules)

        asyncio.run(main())
        """,
        tmp_path,
    )
    assert told.splitlines() == ["False"]


def test_an_interpreter_that_ends_closes_the_workbench(tmp_path):
    told = run(
        """
        import asyncio, atexit
        from vnquant import Workbench

        class Told(Workbench):
            async def close(self):
                await super().close()
                print("open at exit:", self.is_open, "tasks left:", len(asyncio.all_tasks()) - 1)

        async def opened():
            return await Told.open(cache_dir="cache", progress=False)

        loop = asyncio.new_event_loop()
        atexit.register(loop.close)  # runs last, as a kernel's loop goes last
        bench = loop.run_until_complete(opened())
        """,
        tmp_path,
    )
    assert told.splitlines() == ["open at exit: False tasks left: 0"]
