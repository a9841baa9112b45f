import asyncio
import logging
import os
import signal
import threading
from datetime import UTC, date, datetime, timedelta
from operator import mul

import pytest

from vnquant.errors import DateRangeError, DeadlockError, StateError
from vnquant.runtime import ICT, MarketClock, VirtualTimeLoop, install_clock, now, run_virtual
from vnquant.runtime.clock import monotonic_s

DAY_S = 86_400
YEAR_S = 365 * DAY_S


async def _elapsed(wait) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await wait
    return loop.time() - began


def test_a_sleep_of_many_days_takes_no_time_and_its_exact_length():
    began = monotonic_s()
    assert run_virtual(_elapsed(asyncio.sleep(1000 * DAY_S))) == 1000 * DAY_S
    assert monotonic_s() - began < 1


def test_now_is_the_virtual_market_time():
    async def main() -> list[datetime]:
        seen = [now()]
        await asyncio.sleep(180)
        seen.append(now())
        await asyncio.sleep(3 * DAY_S)
        return [*seen, now()]

    start = datetime(2025, 6, 2, 9, 0, tzinfo=ICT)
    expected = [start, start + timedelta(seconds=180), start + timedelta(days=3, seconds=180)]
    assert run_virtual(main(), start="2025-06-02 09:00") == expected


@pytest.mark.parametrize(
    "start",
    ["2025-06-02 00:00", datetime(2025, 6, 2), date(2025, 6, 2), datetime(2025, 6, 1, 17, tzinfo=UTC)],
)
def test_the_start_may_be_text_date_or_datetime(start):
    async def main() -> datetime:
        return now()

    assert run_virtual(main(), start=start) == datetime(2025, 6, 2, tzinfo=ICT)


def test_an_unreadable_start_is_refused_and_the_coroutine_closed():
    with pytest.raises(DateRangeError, match="2025-06-02 09:00"):
        run_virtual(asyncio.sleep(1), start="yesterday")


def test_timeouts_fire_at_their_virtual_moment():
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7200):
                await asyncio.sleep(7201)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 7200


def test_a_late_timeout_does_not_disturb_what_ends_in_time():
    async def main() -> float:
        async with asyncio.timeout(30):
            await asyncio.sleep(29.9)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 29.9


def test_queue_task_group_and_call_later_work_together():
    async def main() -> list[tuple[float, str]]:
        loop, queue, seen = asyncio.get_running_loop(), asyncio.Queue(maxsize=1), []

        async def produce() -> None:
            for name in "abc":
                await asyncio.sleep(60)
                await queue.put(name)

        async def consume() -> None:
            for _ in range(3):
                name = await queue.get()
                seen.append((loop.time(), name))
                await asyncio.sleep(100)

        loop.call_later(90, lambda: seen.append((loop.time(), "later")))
        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(consume())
        return seen

    assert run_virtual(main()) == [(60, "a"), (90, "later"), (160, "b"), (260, "c")]


def test_equal_times_wake_in_the_order_of_scheduling():
    async def main() -> list[int]:
        woken: list[int] = []

        async def sleeper(number: int) -> None:
            await asyncio.sleep(10)
            woken.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(sleeper(number))
        return woken

    assert run_virtual(main()) == list(range(200))


def test_ten_thousand_short_sleeps_wake_in_order_of_their_time():
    async def main() -> list[float]:
        loop, woken = asyncio.get_running_loop(), []

        async def sleeper(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append(loop.time())

        async with asyncio.TaskGroup() as group:
            for number in range(10_000):
                group.create_task(sleeper(0.1 * ((number * 7919) % 10_000)))
        return woken

    woken = run_virtual(main())
    assert woken == sorted(woken)
    assert woken[-1] == pytest.approx(999.9)


async def _busy_day() -> list[str]:
    """Tasks that share times, queues, a lock and threads, and write down what happens."""
    story: list[str] = []
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=3)
    lock = asyncio.Lock()

    async def produce(name: int) -> None:
        for item in range(20):
            await asyncio.sleep(0.1 * (1 + (item * name) % 5))
            await queue.put(100 * name + item)

    async def consume(name: int) -> None:
        while True:
            item = await queue.get()
            async with lock:
                await asyncio.sleep(0.1)
                doubled = await asyncio.to_thread(mul, 2, item)
                story.append(f"{now():%H:%M:%S.%f} {name} {item} {doubled}")
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume(name)) for name in range(3)]
        async with asyncio.TaskGroup() as producers:
            for name in range(1, 6):
                producers.create_task(produce(name))
        await queue.join()
        for consumer in consumers:
            consumer.cancel()
    return story


def test_two_runs_tell_the_same_story():
    first, second = run_virtual(_busy_day()), run_virtual(_busy_day())
    assert len(first) == 100
    assert first == second


def test_a_simulated_year_of_three_components_ends_on_time():
    ticks = [0, 0, 0]

    async def beat(which: int, count: int, every_s: float) -> None:
        for _ in range(count):
            ticks[which] += 1
            await asyncio.sleep(every_s)

    async def year() -> datetime:
        async with asyncio.TaskGroup() as group:
            group.create_task(beat(0, 2_750, YEAR_S / 2_750))
            group.create_task(beat(1, 1_650, YEAR_S / 1_650))
            group.create_task(beat(2, 8_250, YEAR_S / 8_250))
        return now()

    end = run_virtual(year(), start="2024-01-01 00:00")
    assert ticks == [2_750, 1_650, 8_250]
    assert abs((end - datetime(2024, 12, 31, tzinfo=ICT)).total_seconds()) < 1e-3


@pytest.mark.parametrize("years", [1, 10, 99])
def test_odd_sleeps_go_on_past_the_resolution_of_the_float(years):
    """A jumping clock with asyncio's own resolution hangs at 2**24 s."""

    async def main() -> int:
        loop, count = asyncio.get_running_loop(), 0
        await asyncio.sleep(years * YEAR_S - 1000.3)
        while loop.time() < years * YEAR_S:
            await asyncio.sleep(1.1)
            async with asyncio.timeout(0.7):
                await asyncio.sleep(0.1)
            count += 1
        return count

    assert run_virtual(main()) == 834


def test_a_century_is_the_horizon_and_the_error_names_the_heartbeat_and_the_waiting_task():
    async def heartbeat() -> None:
        while True:  # noqa: ASYNC110 - a heartbeat
            await asyncio.sleep(YEAR_S)

    async def main() -> None:
        beat = asyncio.create_task(heartbeat(), name="heartbeat")
        await asyncio.Event().wait()
        await beat

    with pytest.raises(DeadlockError, match="horizon") as caught:
        run_virtual(main())
    assert any("heartbeat" in line for line in caught.value.tasks)
    assert any("Event.wait" in line for line in caught.value.tasks)


def test_a_deadlock_names_the_waiting_tasks_and_where_each_waits():
    async def hungry() -> None:
        await asyncio.Queue().get()

    async def helper() -> None:
        await asyncio.get_running_loop().create_future()

    async def deep() -> None:
        await helper()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hungry(), name="consumer:bars")
            waits = group.create_task(deep(), name="deep one")
            await asyncio.sleep(5)
            await waits

    with pytest.raises(DeadlockError) as caught:
        run_virtual(main())
    told = {line.split("'")[1]: line for line in caught.value.tasks}
    assert "Queue.get" in told["consumer:bars"]
    assert f"{__file__}:" in told["consumer:bars"]
    assert "helper" in told["deep one"]
    assert len(told) == 3
    assert any("task 'deep one'" in line for line in told.values())
    assert "virtual time 5 s" in str(caught.value)
    assert "hold_clock" in str(caught.value)


def test_after_a_deadlock_every_task_is_cancelled():
    ended: list[str] = []

    async def forever(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def main() -> None:
        others = [asyncio.create_task(forever(name), name=name) for name in "ab"]
        await forever("main")
        await asyncio.gather(*others)

    with pytest.raises(DeadlockError):
        run_virtual(main())
    assert sorted(ended) == ["a", "b", "main"]


def test_leftover_tasks_are_cancelled_and_may_tidy_up_in_virtual_time():
    tidied: list[float] = []

    async def background() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(30)
            tidied.append(asyncio.get_running_loop().time())

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(background(), name="background")
        await asyncio.sleep(100)
        return task

    task = run_virtual(main())
    assert task.cancelled()
    assert tidied == [130]


def test_cancellation_reaches_a_sleeper_at_once():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(asyncio.sleep(DAY_S), name="sleeper")
        await asyncio.sleep(10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return loop.time()

    assert run_virtual(main()) == 10


def test_cancelled_timers_do_not_pull_time_forward():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(5 + n, pytest.fail) for n in range(500)]
        loop.call_later(1, lambda: [timer.cancel() for timer in timers])
        await asyncio.sleep(10_000)
        return loop.time()

    assert run_virtual(main()) == 10_000


def test_the_coroutines_own_exception_comes_out():
    async def main() -> None:
        await asyncio.sleep(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_virtual(main())


def test_any_awaitable_may_be_run():
    class Later:
        def __await__(self):
            yield from asyncio.sleep(5).__await__()
            return now()

    assert run_virtual(Later(), start="2025-06-02 09:00") == datetime(2025, 6, 2, 9, 0, 5, tzinfo=ICT)


async def test_inside_a_running_loop_it_says_what_to_do():
    with pytest.raises(StateError, match="await") as caught:
        run_virtual(asyncio.sleep(1))
    assert "to_thread" in str(caught.value)


async def test_it_runs_in_a_thread_beside_a_running_loop():
    install_clock(MarketClock.frozen(datetime(2030, 1, 1)))

    async def main() -> datetime:
        await asyncio.sleep(YEAR_S)
        return now()

    seen = await asyncio.to_thread(lambda: run_virtual(main(), start="2024-01-01 00:00"))
    assert seen == datetime(2024, 12, 31, tzinfo=ICT)
    assert now() == datetime(2030, 1, 1, tzinfo=ICT)


def test_two_virtual_loops_in_two_threads_do_not_share_time():
    async def nested() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(5)
        inner = await asyncio.to_thread(lambda: run_virtual(_elapsed(asyncio.sleep(100))))
        return loop.time(), inner

    assert run_virtual(nested()) == (5, 100)


def test_a_loop_that_never_sleeps_is_told_of(caplog, monkeypatch):
    monkeypatch.setattr("vnquant.runtime.virtual_loop._TURNS_A_WARNING", 500)

    async def main() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING):
        run_virtual(main())
    assert "something never sleeps" in caplog.text
    assert "test_virtual_time.py" in caplog.text


def test_debug_mode_works():
    assert run_virtual(_elapsed(asyncio.sleep(3600)), debug=True) == 3600


def test_a_handler_of_a_signal_is_called_although_the_loop_never_waits():
    async def main() -> float:
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            while not heard.is_set():  # noqa: ASYNC110 - keeps the loop from ever waiting
                await asyncio.sleep(1)
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)
        return loop.time()

    assert run_virtual(main(), horizon_s=1e6) < 1_000


def test_a_handled_signal_is_something_to_wait_for():
    async def main() -> float:
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        try:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            await heard.wait()
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)
        return loop.time()

    assert run_virtual(main()) == 0


def test_the_loop_is_a_standard_loop_otherwise():
    loop = VirtualTimeLoop()
    try:
        assert loop.time() == 0
        assert loop.run_until_complete(_elapsed(asyncio.sleep(1))) == 1
        assert loop.run_until_complete(_elapsed(asyncio.sleep(1))) == 1
        assert loop.time() == 2
    finally:
        loop.close()
