import asyncio

import pytest

from vnquant.runtime import within
from vnquant.runtime.waits import where_it_waits


async def rest(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@pytest.mark.virtual
async def test_work_that_is_done_in_time_gives_its_result():
    assert await within(60.0, rest(59.0)) == 59.0


@pytest.mark.virtual
async def test_work_that_takes_longer_is_ended_on_time():
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        await within(60.0, rest(61.0))
    assert loop.time() == 60.0


@pytest.mark.virtual
async def test_an_answer_from_memory_needs_no_timer():
    async def answer() -> int:
        return 7

    loop = asyncio.get_running_loop()
    timers = loop._timers_set
    assert await within(60.0, answer()) == 7
    assert loop._timers_set == timers


@pytest.mark.virtual
async def test_errors_come_through_before_and_after_a_wait():
    async def fail(seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        raise LookupError("gone")

    for seconds in (0.0, 5.0):
        with pytest.raises(LookupError, match="gone"):
            await within(60.0, fail(seconds))


@pytest.mark.virtual
async def test_cancellation_reaches_the_work_whose_tidying_up_may_wait():
    ended = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(3_600.0)
        finally:
            await asyncio.sleep(1.0)
            ended.append("tidied")

    working = asyncio.create_task(within(7_200.0, tidy()))
    await asyncio.sleep(10.0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert ended == ["tidied"]


@pytest.mark.virtual
async def test_work_may_catch_a_failure_of_what_it_awaits_and_go_on():
    async def stubborn() -> str:
        broken = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1.0, broken.set_exception, OSError("no route"))
        try:
            await broken
        except OSError:
            await asyncio.sleep(2.0)
        return "went on"

    assert await within(60.0, stubborn()) == "went on"


@pytest.mark.virtual
async def test_where_the_work_waits_is_told():
    working = asyncio.create_task(within(60.0, rest(59.0)), name="working")
    await asyncio.sleep(1.0)
    told = where_it_waits(working)
    await working
    assert told.function == "rest"
    assert told.awaits == "sleep"
