import asyncio
from datetime import datetime, time, timedelta

import pytest

from vnquant.errors import ParameterError, StateError
from vnquant.runtime import ICT, MarketClock, Schedule, Supervisor, install_clock, now

pytestmark = pytest.mark.virtual(start="2025-06-02 09:00")

START = datetime(2025, 6, 2, 9, 0, tzinfo=ICT)


def trading_hours(when):
    """Return the session of `when` or the next one: 09:15-11:30 and 13:00-14:45 each day, for a week."""
    for day in range(7):
        for opens, closes in ((time(9, 15), time(11, 30)), (time(13, 0), time(14, 45))):
            date = START.date() + timedelta(days=day)
            window = datetime.combine(date, opens, ICT), datetime.combine(date, closes, ICT)
            if when < window[1]:
                return window
    return None


async def rounds(schedule, count, work_s=0.0):
    """Return the seconds since the start at which the first rounds begin, each taking `work_s`."""
    begun = []
    async for _ in schedule:
        begun.append((now() - START).total_seconds())
        if len(begun) == count:
            return begun
        await asyncio.sleep(work_s)
    return begun


async def test_rounds_come_every_interval_and_the_first_at_once():
    assert await rounds(Schedule(180), 4) == [0, 180, 360, 540]


async def test_the_first_round_can_wait_for_an_interval():
    assert await rounds(Schedule(180, immediate=False), 3) == [180, 360, 540]


async def test_work_that_takes_time_causes_no_drift():
    assert (await rounds(Schedule(60), 1000, work_s=59.9))[-1] == 999 * 60
    assert (await rounds(Schedule(0.1), 20_000))[-1] == pytest.approx(999 * 60 + 1999.9, abs=1e-6)


async def test_rounds_that_fall_due_during_work_are_skipped_and_counted():
    schedule = Schedule(60)
    ticks, begun = [], []
    async for tick in schedule:
        ticks.append(tick)
        begun.append((now() - START).total_seconds())
        if len(ticks) == 4:
            break
        await asyncio.sleep(200 if len(ticks) == 2 else 0)
    assert begun == [0, 60, 300, 360]
    assert [tick.skipped for tick in ticks] == [0, 0, 3, 0]
    assert schedule.statistics().skipped == 3
    assert schedule.statistics().ticks == 4
    assert ticks[2].due == START + timedelta(seconds=300)


async def test_work_that_ends_just_when_the_next_round_is_due_skips_nothing():
    assert await rounds(Schedule(60), 3, work_s=60) == [0, 60, 120]


async def test_a_late_round_can_be_run_once_and_the_grid_begins_anew():
    schedule = Schedule(60, on_overrun="run_late")
    assert await rounds(schedule, 3, work_s=200) == [0, 200, 400]
    assert schedule.statistics().skipped == 4


async def test_rounds_stay_inside_the_sessions_and_begin_anew_with_each():
    begun = []
    async for _ in Schedule(1800, sessions=trading_hours):
        if now() >= START + timedelta(days=2):
            break
        begun.append(f"{now():%d %H:%M}")
    day = ["09:15", "09:45", "10:15", "10:45", "11:15", "13:00", "13:30", "14:00", "14:30"]
    assert begun == [f"02 {at}" for at in day] + [f"03 {at}" for at in day]


async def test_a_start_during_a_session_is_a_round_at_once():
    await asyncio.sleep(3607)
    assert await rounds(Schedule(180, sessions=trading_hours), 2) == [3607, 3787]


async def test_rounds_missed_outside_a_session_are_not_counted_as_skipped():
    schedule = Schedule(1800, sessions=trading_hours)
    ticks = []
    async for tick in schedule:
        ticks.append(tick)
        if len(ticks) == 6:
            break
        # The round of 11:15 runs into the afternoon.
        await asyncio.sleep(3600 * 2 if f"{now():%H:%M}" == "11:15" else 0)
    assert [f"{tick.due:%H:%M}" for tick in ticks][-2:] == ["11:15", "13:15"]
    assert schedule.statistics().skipped == 0


async def test_the_schedule_ends_after_the_last_session():
    schedule = Schedule(3600, sessions=trading_hours)
    assert len(await rounds(schedule, None)) == 7 * 5
    assert await rounds(schedule, None) == []


async def test_waiting_can_be_cancelled_in_any_phase():
    for delay_s in (0.5, 800, 950, 3600, 8100, 20_000):
        waiting = asyncio.ensure_future(rounds(Schedule(180, sessions=trading_hours), None, work_s=10))
        await asyncio.sleep(delay_s)
        before = now()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        assert now() == before


async def test_a_round_that_was_cancelled_while_waiting_is_not_lost():
    schedule = Schedule(180)
    await anext(schedule)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await anext(schedule)
    assert (await anext(schedule)).due == START + timedelta(seconds=180)
    assert now() == START + timedelta(seconds=180)


async def test_a_clock_sixty_times_as_fast_brings_rounds_sixty_times_as_often():
    install_clock(MarketClock(START, speed=60))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await rounds(Schedule(180), 3) == pytest.approx([0, 180, 360])
    assert loop.time() - began == pytest.approx(6, abs=1e-3)


async def test_on_a_frozen_clock_rounds_come_in_loop_seconds_in_session_only():
    loop = asyncio.get_running_loop()
    clock = MarketClock.frozen(START)
    install_clock(clock)
    begun = []

    async def follow(schedule):
        async for tick in schedule:
            assert tick.number == len(begun)
            begun.append(loop.time())

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow(Schedule(180, sessions=trading_hours)))
        await asyncio.sleep(3600)
        assert begun == []
        clock.set(at=START + timedelta(hours=1))
        await asyncio.sleep(400)
        assert begun == pytest.approx([3600, 3780, 3960])
        clock.set(speed=1)
        await asyncio.sleep(361)
        assert begun[3:] == pytest.approx([4180, 4360])
        following.cancel()


async def test_a_clock_set_forward_or_back_keeps_nobody_waiting_for_longer_than_an_interval():
    loop = asyncio.get_running_loop()
    clock = MarketClock(START)
    install_clock(clock)
    schedule = Schedule(600)
    await anext(schedule)
    asyncio.get_running_loop().call_later(100, lambda: clock.set(at=START - timedelta(days=1)))
    await anext(schedule)
    assert loop.time() == pytest.approx(700)
    asyncio.get_running_loop().call_later(100, lambda: clock.set(at=START + timedelta(days=1)))
    await anext(schedule)
    assert loop.time() == pytest.approx(800)


async def test_a_clock_set_during_work_is_noticed_at_the_next_round():
    clock = MarketClock(START)
    install_clock(clock)
    schedule = Schedule(60)
    for _ in range(3):
        await anext(schedule)
    clock.set(at=START + timedelta(days=1))
    tick = await anext(schedule)
    assert now() == START + timedelta(days=1)
    assert tick.skipped > 1000
    clock.set(speed=60)
    began = asyncio.get_running_loop().time()
    await anext(schedule)
    assert asyncio.get_running_loop().time() - began == pytest.approx(1)


async def test_waiting_for_the_next_session_is_no_silence_for_the_watchdog():
    events = []

    async def scanner():
        async for _ in Schedule(180, sessions=trading_hours):
            await asyncio.sleep(1)

    async with Supervisor(on_event=events.append) as supervisor:
        supervisor.add("scanner", scanner, heartbeat_s=30)
        await asyncio.sleep(3 * 86_400)
        assert supervisor.status()["scanner"].restarts == 0
    assert [event.kind.value for event in events] == ["started", "stopped"]


async def test_work_that_hangs_in_a_round_is_caught_by_the_watchdog():
    async def scanner():
        async for tick in Schedule(180):
            if tick.number == 2:
                await asyncio.Event().wait()

    async with Supervisor() as supervisor:
        supervisor.add("scanner", scanner, heartbeat_s=30)
        await asyncio.sleep(395)
        assert supervisor.status()["scanner"].last_error == (
            "StateError: no heartbeat for 30 s, so it was cancelled"
        )


async def test_unusable_schedules_are_refused():
    with pytest.raises(ParameterError, match="positive"):
        Schedule(0)
    with pytest.raises(ParameterError, match="'run_late'"):
        Schedule(60, on_overrun="pile_up")
    with pytest.raises(StateError, match="closed before"):
        await anext(Schedule(60, sessions=lambda when: (when, when)))


async def test_of_rounds_due_at_one_instant_those_of_lower_rank_begin_first():
    begun = []

    async def rounds(name: str, every_s: float, rank: int) -> None:
        async for tick in Schedule(every_s, rank=rank):
            begun.append((tick.due, rank, name))
            if tick.due >= began + timedelta(hours=1):
                break

    began = now()
    async with asyncio.TaskGroup() as group:
        for name, every_s, rank in (("news", 300.0, 3), ("model", 180.0, 2), ("positions", 60.0, 1)):
            group.create_task(rounds(name, every_s, rank))
    later = [one for one in begun if one[0] > began]
    assert later == sorted(later)
    assert {name for due, _, name in later if due == began + timedelta(minutes=15)} == {
        "news",
        "model",
        "positions",
    }
