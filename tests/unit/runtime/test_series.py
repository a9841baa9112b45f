import asyncio
import contextlib
import contextvars
import threading
from datetime import datetime, time, timedelta
from itertools import pairwise

import pytest

from vnquant.runtime import ICT, MarketClock, RestartPolicy, Schedule, Supervisor, install_clock, now

pytestmark = pytest.mark.virtual(start="2025-06-02 09:00")

START = datetime(2025, 6, 2, 9, 0, tzinfo=ICT)


class Enough(Exception):
    """Ends a schedule after some rounds."""


def since_start() -> float:
    return (now() - START).total_seconds()


async def run_rounds(schedule, count, work=None):
    """Return the seconds since the start at which the first rounds begin; `work` gets each round's number."""
    begun = []

    def begin(tick):
        assert tick.number == len(begun)
        begun.append(since_start())
        if len(begun) == count:
            raise Enough
        return None if work is None else work(tick.number)

    with contextlib.suppress(Enough):
        await schedule.run(begin)
    return begun


async def iterated_rounds(schedule, count, work=None):
    begun = []
    async for tick in schedule:
        begun.append(since_start())
        waits = None if work is None or len(begun) == count else work(tick.number)
        if waits is not None:
            await waits
        if len(begun) == count:
            break
    return begun


def mornings(when):
    """Return the session of `when` or the next one: 09:10-09:30, for three days."""
    for day in range(3):
        opens, closes = (
            datetime.combine(START.date() + timedelta(days=day), at, ICT) for at in (time(9, 10), time(9, 30))
        )
        if when < closes:
            return opens, closes
    return None


def sleeper(every: int, work_s: float):
    return lambda number: asyncio.sleep(work_s) if number % every == every - 1 else None


@pytest.mark.parametrize(
    ("options", "work"),
    [
        ({}, None),
        ({"immediate": False}, sleeper(3, 20.0)),
        ({"sessions": mornings}, None),
        ({"sessions": mornings}, sleeper(4, 150.0)),
        ({"on_overrun": "run_late"}, sleeper(5, 150.0)),
        ({}, sleeper(2, 60.0)),
        ({}, sleeper(1, 0.0)),
    ],
)
@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_rounds_come_when_an_iteration_has_them(options, work, speed):
    begun = []
    for way in (run_rounds, iterated_rounds):
        clock = MarketClock(START, speed=speed)
        install_clock(clock)
        begun.append(await way(Schedule(60, **options), 30, work))
    assert len(begun[0]) > 10
    assert begun[0] == pytest.approx(begun[1], abs=1e-3)


async def test_rounds_that_wait_for_nothing_do_not_wake_the_task():
    woken = 0

    class Counted:
        """Awaits as another does, and counts how often its task goes on."""

        def __init__(self, work):
            self._waiting = work.__await__()

        def __await__(self):
            nonlocal woken
            while True:
                try:
                    yield self._waiting.send(None)
                except StopIteration:
                    return
                woken += 1

    rounds = []
    schedule = Schedule(60)

    async def go_on():
        await Counted(schedule.run(lambda tick: rounds.append(tick.due)))

    task = asyncio.create_task(go_on())
    await asyncio.sleep(86_400)
    assert len(rounds) >= 1_440
    assert woken <= 1
    assert schedule.statistics().ticks == len(rounds)
    task.cancel()


async def test_a_round_has_the_context_of_the_task_that_runs_it():
    owner = contextvars.ContextVar("owner")
    seen = []

    def begin(tick):
        seen.append(owner.get())
        if len(seen) == 3:
            raise Enough

    async def with_owner():
        owner.set("health")
        await Schedule(60).run(begin)

    with pytest.raises(Enough):
        await asyncio.create_task(with_owner())
    assert seen == ["health"] * 3


async def test_what_a_round_has_to_wait_for_is_awaited_before_the_next_one():
    order = []

    def begin(tick):
        order.append(("begins", tick.number, tick.skipped))
        if tick.number == 4:
            raise Enough
        return at_work(tick.number) if tick.number == 2 else None

    async def at_work(number):
        await asyncio.sleep(150)
        order.append(("ends", number))

    with pytest.raises(Enough):
        await Schedule(60).run(begin)
    assert order == [
        ("begins", 0, 0),
        ("begins", 1, 0),
        ("begins", 2, 0),
        ("ends", 2),
        ("begins", 3, 2),
        ("begins", 4, 0),
    ]


async def test_a_cancelled_run_ends_at_once_and_leaves_no_timer():
    loop, clock = asyncio.get_running_loop(), MarketClock(START)
    install_clock(clock)
    rounds = []
    running = asyncio.create_task(Schedule(60).run(lambda tick: rounds.append(since_start())))
    await asyncio.sleep(200)
    running.cancel("no more")
    with pytest.raises(asyncio.CancelledError):
        await running
    assert rounds == [0, 60, 120, 180]
    assert not clock.nappers
    await asyncio.sleep(3_600)
    assert len(rounds) == 4
    assert loop._timer_cancelled_count == 0


async def test_a_run_cancelled_at_the_very_instant_of_a_round_begins_no_more():
    rounds = []

    # This timer is set first, so that it goes first.
    asyncio.get_running_loop().call_later(120, lambda: running.cancel())
    running = asyncio.create_task(Schedule(60).run(lambda tick: rounds.append(since_start())))
    await asyncio.wait([running])
    assert running.cancelled()
    assert rounds == [0, 60]


@pytest.mark.filterwarnings("error")
async def test_a_round_may_cancel_its_own_task():
    def begin(tick):
        if tick.number == 2:
            running.cancel()
            return asyncio.sleep(1)
        return None

    running = asyncio.create_task(Schedule(60).run(begin))
    await asyncio.wait([running])
    assert running.cancelled()
    assert since_start() == 120


async def test_a_round_that_cancels_its_own_task_and_fails_wakes_it_once():
    ended = []

    def begin(tick):
        if tick.number == 2:
            running.cancel()
            raise Enough

    async def run():
        with pytest.raises(Enough):
            await Schedule(60).run(begin)
        ended.append(since_start())
        await asyncio.sleep(5)  # a second wake would end this at once

    running = asyncio.create_task(run())
    await asyncio.wait([running])
    assert ended == [120]
    assert since_start() == 125


@pytest.mark.parametrize("moved", [timedelta(hours=1), timedelta(hours=-1)])
async def test_when_the_clock_is_set_the_next_round_comes_within_an_interval(moved):
    clock = MarketClock(START)
    install_clock(clock)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    rounds = []
    running = asyncio.create_task(Schedule(60).run(lambda tick: rounds.append(loop.time() - began_s)))
    await asyncio.sleep(150)
    clock.set(at=now() + moved)
    await asyncio.sleep(200)
    running.cancel()
    assert rounds == pytest.approx(
        [0, 60, 120, *([150, 180, 240, 300] if moved > timedelta() else [210, 270, 330])]
    )


async def test_a_round_may_set_the_clock_and_one_before_it_at_the_same_instant():
    clock = MarketClock(START)
    install_clock(clock)
    rounds = []

    def begin(tick):
        rounds.append(f"{now():%H:%M}")
        if tick.number == 2:
            clock.set(at=now() + timedelta(hours=2))
        if tick.number == 8:
            raise Enough

    async def set_in_time():
        await asyncio.sleep(5 * 60)
        clock.set(at=now() + timedelta(hours=2))

    setting = asyncio.create_task(set_in_time())
    await asyncio.sleep(0)
    with pytest.raises(Enough):
        await Schedule(60).run(begin)
    await setting
    assert rounds[:3] == ["09:00", "09:01", "09:02"]
    assert rounds[3] == "11:02"  # missed: it comes at once
    assert all(before <= after for before, after in pairwise(rounds))
    assert rounds[-1] >= "13:05"


async def test_a_clock_that_is_stopped_leaves_rounds_on_the_loops_time():
    clock = MarketClock(START)
    install_clock(clock)
    rounds = []
    running = asyncio.create_task(Schedule(60).run(lambda tick: rounds.append(now())))
    await asyncio.sleep(150)
    clock.set(speed=0.0)
    await asyncio.sleep(600)
    running.cancel()
    assert len(rounds) >= 12
    assert len(set(rounds[3:])) == 1


async def test_rounds_beat_the_heart_and_one_that_hangs_is_found_out():
    told, rounds = [], []

    def begin(tick):
        rounds.append(since_start())
        return asyncio.Event().wait() if len(rounds) == 100 else None

    supervisor = Supervisor(
        on_event=lambda event: told.append((since_start(), event.kind)),
        policy=RestartPolicy(max_failures=5, window_s=1_800.0, cooldown_s=300.0),
        seed=0,
    )
    supervisor.add("rounds", lambda: Schedule(60).run(begin), heartbeat_s=90.0)
    await supervisor.start()
    await asyncio.sleep(99 * 60 + 30)
    assert len(rounds) == 100
    assert {kind for _, kind in told} == {"started"}
    await asyncio.sleep(600)
    await supervisor.stop()
    assert "stalled" in {kind for _, kind in told}
    assert len(rounds) > 105


async def test_of_rounds_due_at_one_instant_those_of_lower_rank_begin_first():
    begun = []
    async with asyncio.TaskGroup() as group:
        for name, every_s, rank in (("news", 300.0, 3), ("model", 180.0, 2), ("positions", 60.0, 1)):

            def begin(tick, name=name, rank=rank):
                begun.append((tick.due, rank, name))
                if since_start() >= 1_800:
                    raise Enough

            group.create_task(_until_enough(Schedule(every_s, rank=rank).run(begin)))
    assert len({name for _, _, name in begun}) == 3
    assert begun[3:] == sorted(begun[3:])


async def _until_enough(running):
    with pytest.raises(Enough):
        await running


async def test_what_a_round_sets_in_motion_comes_before_the_next_round():
    loop, order = asyncio.get_running_loop(), []

    def begin(tick):
        order.append(f"round {tick.number}")
        if tick.number == 10:
            loop.call_soon(order.append, "soon")
        if tick.number == 20:
            loop.call_later(30, order.append, "between")
        if tick.number == 30:
            loop.call_later(60, order.append, "at the next")
        if tick.number == 40:
            raise Enough

    with pytest.raises(Enough):
        await Schedule(60).run(begin)
    for number, told in ((10, "soon"), (20, "between"), (30, "at the next")):
        at = order.index(f"round {number}")
        assert order[at : at + 3] == [f"round {number}", told, f"round {number + 1}"]
    assert len(order) == 44


async def test_rounds_without_end_let_another_thread_in():
    loop, heard = asyncio.get_running_loop(), []

    def begin(tick):
        if tick.number == 10_000:
            asking = threading.Thread(target=loop.call_soon_threadsafe, args=(heard.append, tick.number))
            asking.start()
            asking.join()
        if heard or tick.number == 20_000:
            raise Enough

    with pytest.raises(Enough):
        await Schedule(60).run(begin)
    assert heard


async def test_a_round_that_holds_the_clock_is_not_followed_at_once():
    loop = asyncio.get_running_loop()

    def begin(tick):
        if tick.number == 5:
            hold = loop.hold_clock("a thread")
            threading.Timer(0.05, lambda: loop.call_soon_threadsafe(released, hold)).start()
        if tick.number == 6:
            raise Enough

    def released(hold):
        at.append(since_start())
        hold.release()

    at: list[float] = []
    with pytest.raises(Enough):
        await Schedule(60).run(begin)
    assert at == [300.0]
    assert since_start() == 360.0
