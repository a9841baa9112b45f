"""Testing: a pytest plugin that runs async tests on virtual time and fails those that leave tasks behind.

Load it in the top `conftest.py` with `pytest_plugins = ("vnquant.runtime.testing",)`. It needs the hook of
pytest-asyncio that chooses a test's loop (version 1.4 or later); async fixtures share that loop.

- `@pytest.mark.virtual` or `@pytest.mark.virtual(start="2025-06-02 10:00")` on an async test, class or
  module: it runs on a `VirtualTimeLoop`, and `vnquant.runtime.now()` begins at `start`.
- The fixture `virtual_loop` does the same to the test that asks for it, and gives it the loop.
- Each async test fails when tasks are left at its end, after its fixtures have been torn down.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio

from vnquant.runtime.clock import MarketClock, install_clock
from vnquant.runtime.virtual import VirtualTimeLoop, read_start
from vnquant.runtime.waits import describe_waits

__all__ = ("assert_no_task_is_left",)

_DEFAULT_START = "2025-06-02 09:00"
_TURNS_TO_END = 10  # of the loop, for tasks that were cancelled a moment ago


async def assert_no_task_is_left(*, ignore: frozenset[asyncio.Task[object]] = frozenset()) -> None:
    """Fail when a task other than the current one is still pending on the running loop, and cancel it.

    Parameters
    ----------
    ignore : frozenset
        Tasks that may go on.
    """
    for _ in range(_TURNS_TO_END):
        left = asyncio.all_tasks() - {asyncio.current_task()} - ignore
        if not left:
            return
        await asyncio.sleep(0)
    told = "\n".join(describe_waits(left))
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    raise AssertionError(f"Tasks left pending ({len(left)}):\n{told}")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "virtual(start='2025-06-02 09:00'): run this async test on virtual time, from this market time",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loop of a test, of which its async fixtures are part."""
    if _is_virtual(item):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


@pytest.fixture
async def virtual_loop() -> VirtualTimeLoop:
    """Return the virtual-time loop on which the test runs, by virtue of asking for this fixture."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop


@pytest.fixture(autouse=True)
def _watched_loop(request: pytest.FixtureRequest) -> None:
    """Start the market clock and the leak check for async tests; others must not be given a loop."""
    if pytest_asyncio.is_async_test(request.node):
        request.getfixturevalue("no_task_left")


@pytest.fixture
async def no_task_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail the test when it leaves tasks; used by every async test of itself."""
    before = frozenset(asyncio.all_tasks())
    if isinstance(asyncio.get_running_loop(), VirtualTimeLoop):
        marker = request.node.get_closest_marker("virtual")
        start = _DEFAULT_START if marker is None else marker.kwargs.get("start", _DEFAULT_START)
        install_clock(MarketClock(read_start(start)))
    yield
    if not getattr(asyncio.get_running_loop(), "has_deadlocked", False):  # the error has named its tasks
        await assert_no_task_is_left(ignore=before)


def _is_virtual(item: pytest.Item) -> bool:
    return item.get_closest_marker("virtual") is not None or "virtual_loop" in getattr(
        item, "fixturenames", ()
    )
