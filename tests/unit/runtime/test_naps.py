import asyncio
from datetime import datetime

import pytest

from vnquant.runtime import MarketClock, install_clock, now, run_virtual
from vnquant.runtime.naps import Alarm
from vnquant.runtime.waits import where_it_waits

MORNING = datetime(2025, 6, 2, 9, 0)


async def nap(clock: MarketClock, seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    return await clock.sleep_until(loop, loop.time() + seconds)


def on_virtual_time(main):
    async def with_clock():
        clock = MarketClock(MORNING)
        install_clock(clock)
        return await main(clock)

    return run_virtual(with_clock())


def test_a_nap_ends_at_its_time_and_takes_one_turn_of_the_loop():
    async def main(clock):
        loop = asyncio.get_running_loop()
        turns = loop._turns
        assert await nap(clock, 3_600.0)
        assert loop.time() == 3_600.0
        return loop._turns - turns

    assert on_virtual_time(main) == 1


def test_naps_and_sleeps_of_one_instant_end_in_the_order_of_their_beginning_each():
    async def main(clock):
        ended = []

        async def rest(name, waiting):
            await waiting
            ended.append(name)

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(rest(f"nap {number}", nap(clock, 60.0)))
                group.create_task(rest(f"sleep {number}", asyncio.sleep(60.0)))
        return ended

    ended = on_virtual_time(main)
    assert [name for name in ended if name.startswith("nap")] == [f"nap {n}" for n in range(4)]
    assert [name for name in ended if name.startswith("sleep")] == [f"sleep {n}" for n in range(4)]


def test_a_nap_is_cancelled_at_once_and_its_timer_is_gone():
    async def main(clock):
        loop = asyncio.get_running_loop()
        napping = asyncio.create_task(nap(clock, 86_400.0))
        await asyncio.sleep(1.0)
        napping.cancel("no more")
        with pytest.raises(asyncio.CancelledError):
            await napping
        assert napping.cancelled()
        assert not clock._sleepers
        await asyncio.sleep(86_400.0)
        assert loop._timer_cancelled_count == 0

    on_virtual_time(main)


def test_a_nap_cancelled_at_the_very_instant_of_its_end_is_cancelled_and_ends_once():
    async def main(clock):
        napping: list[asyncio.Task[bool]] = []

        async def cancel_in_time():
            await nap(clock, 60.0)
            napping[0].cancel()

        cancelling = asyncio.create_task(cancel_in_time())
        await asyncio.sleep(0)
        napping.append(asyncio.create_task(nap(clock, 60.0)))
        await asyncio.wait([cancelling, napping[0]])
        return napping[0].cancelled(), cancelling.done()

    assert on_virtual_time(main) == (True, True)


def test_a_task_cancelled_before_it_naps_does_not_nap():
    async def main(clock):
        napping = asyncio.create_task(nap(clock, 60.0))
        napping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await napping
        return asyncio.get_running_loop().time()

    assert on_virtual_time(main) == 0.0


def test_setting_the_clock_ends_all_naps_before_their_time():
    async def main(clock):
        naps = [asyncio.create_task(nap(clock, 3_600.0)) for _ in range(3)]
        await asyncio.sleep(60.0)
        clock.set(at=datetime(2025, 6, 3, 9, 0))
        assert await asyncio.gather(*naps) == [False] * 3
        assert now().day == 3
        assert asyncio.get_running_loop().time() == 60.0

    on_virtual_time(main)


def test_a_nap_that_was_ended_early_is_not_ended_again():
    async def main(clock):
        napping = asyncio.create_task(nap(clock, 3_600.0))
        await asyncio.sleep(60.0)
        clock.set(speed=2.0)
        clock.set(speed=3.0)
        napping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await napping

    on_virtual_time(main)


def test_asyncio_can_wait_for_a_nap_with_a_timeout():
    async def main(clock):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await nap(clock, 60.0)
        return asyncio.get_running_loop().time()

    assert on_virtual_time(main) == 30.0


def test_where_a_napping_task_waits_is_told():
    async def main(clock):
        napping = asyncio.create_task(nap(clock, 60.0), name="napping")
        await asyncio.sleep(1.0)
        told = where_it_waits(napping)
        await napping
        return told

    told = on_virtual_time(main)
    assert told.name == "napping"
    assert told.function == "nap"
    assert told.awaits == "a Nap"


def test_an_alarm_rings_at_its_time_and_may_be_set_again():
    async def main(clock):
        loop, rung = asyncio.get_running_loop(), []
        alarm = Alarm(loop, lambda: rung.append(loop.time()))
        alarm.set(10.0)
        await asyncio.sleep(20.0)
        alarm.set(30.0)
        assert alarm.when() == 30.0
        await asyncio.sleep(20.0)
        alarm.set(50.0)
        alarm.cancel()
        alarm.cancel()
        await asyncio.sleep(86_400.0)
        assert loop._timer_cancelled_count == 0
        return rung

    assert on_virtual_time(main) == [10.0, 30.0]
