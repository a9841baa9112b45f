"""One kernel an ipykernel for the whole folder, with a workbench and its buttons inside."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kernels.harness import Kernel

VERSIONS = ("6.31.0", "7.3.0", "7.4.0")

BENCH = """
import asyncio, gc
from kernel_side import *
bench = await open_bench("ledger.db")
await bench.prepare()
orchestrator = bench.orchestrator
await orchestrator.start()
await orchestrator.stop()
clicks = Clicks(orchestrator)
panel = bench.control_panel()
"""
STOPPED = """
bench.exchange.faults = Faults()
await orchestrator.stop()
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # ipykernel 6 has no subshells: there is nothing to test, and nothing is skipped.
    without = [item for item in items if "6.31.0" in item.name and "subshell" in item.name]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(480))


@dataclass
class Bench:
    """A kernel with `bench`, `orchestrator`, `clicks` and `panel` in it; the orchestrator is stopped."""

    kernel: Kernel
    widgets: dict[str, str]
    subshell: str | None


@pytest.fixture(scope="session")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel-cache")


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def running_kernel(version: str, kernel_cache: Path) -> Iterator[Bench]:
    with Kernel(version, {"VNQUANT_CACHE_DIR": str(kernel_cache)}) as kernel:
        kernel.run(BENCH, timeout_s=300.0)  # trains a model, while two other kernels may do so too
        widgets = kernel.value(
            "clicks.ids() | {'panel': panel.widget.comm.comm_id, 'panel views': panel.presence.comm.comm_id}"
        )
        yield Bench(kernel, widgets, kernel.new_subshell() if kernel.has_subshells else None)
        kernel.run(
            "await clicks.aclose()\nawait bench.close()\ndel bench, orchestrator, clicks, panel\ngc.collect()"
        )
        assert kernel.value("task_names()") == []
        assert "never retrieved" not in kernel.said()
        assert "Traceback" not in kernel.said()


@pytest.fixture
def bench(running_kernel: Bench) -> Iterator[Bench]:
    running_kernel.kernel.forget()
    yield running_kernel
    running_kernel.kernel.run(STOPPED)
