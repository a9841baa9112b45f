"""The pytest plugin, on itself: tests that sleep for hours, and tests that leave tasks behind."""

import asyncio
from datetime import datetime, timedelta

import pytest

from vnquant.runtime import ICT, VirtualTimeLoop, now
from vnquant.runtime.testing import assert_no_task_is_left


@pytest.fixture
async def opened_at():
    """The market time at which an async fixture, on the test's own loop, was set up after an hour's sleep."""
    await asyncio.sleep(3600)
    yield now()
    await asyncio.sleep(3600)


@pytest.mark.virtual
async def test_a_marked_test_sleeps_for_hours_in_no_time():
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    began = now()
    await asyncio.sleep(86_400)
    assert now() - began == timedelta(days=1)


@pytest.mark.virtual(start="2024-02-08 10:00")
async def test_the_marker_says_when_the_market_time_begins():
    assert now() == datetime(2024, 2, 8, 10, 0, tzinfo=ICT)


@pytest.mark.virtual(start="2024-02-08 10:00")
async def test_async_fixtures_share_the_loop_and_its_time(opened_at):
    assert now() == opened_at == datetime(2024, 2, 8, 11, 0, tzinfo=ICT)


async def test_asking_for_the_loop_is_enough(virtual_loop):
    assert asyncio.get_running_loop() is virtual_loop
    await asyncio.sleep(1e6)
    assert virtual_loop.time() == 1e6


@pytest.mark.virtual
class TestMarkedClass:
    async def test_the_marker_covers_a_class(self):
        assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)


@pytest.mark.virtual
@pytest.mark.parametrize("hours", [1, 2])
async def test_the_marker_goes_with_parameters(hours):
    loop = asyncio.get_running_loop()
    await asyncio.sleep(hours * 3600)
    assert loop.time() == hours * 3600


async def test_others_keep_a_loop_in_real_time():
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)


def test_a_plain_test_is_given_no_loop():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@pytest.mark.virtual
async def test_a_pending_task_is_named_and_cancelled():
    task = asyncio.create_task(asyncio.sleep(3600), name="forgotten")
    with pytest.raises(AssertionError, match="'forgotten'"):
        await assert_no_task_is_left()
    assert task.cancelled()


async def test_a_task_that_was_just_cancelled_is_no_leak():
    asyncio.create_task(asyncio.sleep(3600), name="cancelled").cancel()
    await assert_no_task_is_left()


_LEAKY = """
import asyncio
import pytest

@pytest.fixture
async def server():
    task = asyncio.create_task(asyncio.sleep(3600), name="server")
    yield
    task.cancel()

async def test_tidy(server):
    await asyncio.sleep(0)

@pytest.mark.virtual
async def test_tidy_virtual(server):
    await asyncio.sleep(60)

async def test_leaky():
    globals()["kept"] = asyncio.create_task(asyncio.sleep(3600), name="left behind")

@pytest.mark.virtual
async def test_deadlock():
    await asyncio.Event().wait()
"""


def test_a_test_that_leaves_a_task_fails_and_one_whose_fixture_tidies_up_passes(pytester):
    pytester.makepyfile(_LEAKY)
    pytester.makeini(
        "[pytest]\nasyncio_mode=auto\nasyncio_default_fixture_loop_scope=function\n"
        "addopts=--strict-markers\nfilterwarnings=error"
    )
    result = pytester.runpytest_inprocess("-p", "vnquant.runtime.testing", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        ["*Tasks left pending (1)*", "*'left behind'*", "*DeadlockError*Nothing is left*"]
    )
