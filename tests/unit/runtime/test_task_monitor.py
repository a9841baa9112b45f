import asyncio
import contextlib
import threading
import time

import pytest

from vnquant.errors import ParameterError, StateError
from vnquant.runtime import Supervisor, TaskMonitor
from vnquant.runtime.stalls import StallWatch


async def wait_for_ever(event):
    await event.wait()


@contextlib.asynccontextmanager
async def a_task_named(name, coroutine):
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(coroutine, name=name)
        await asyncio.sleep(0)
        yield task
        task.cancel()


def by_name(monitor):
    return {record.name: record for record in monitor.tasks()}


@pytest.mark.virtual
async def test_a_task_is_listed_with_its_age_and_the_line_where_it_waits():
    async with TaskMonitor() as monitor, a_task_named("reader", wait_for_ever(asyncio.Event())):
        await asyncio.sleep(90)
        record = by_name(monitor)["reader"]
        line = wait_for_ever.__code__.co_firstlineno + 1
        assert record.age_s == pytest.approx(90)
        assert record.waits_at == f"unit/runtime/test_task_monitor.py:{line} in wait_for_ever"
        assert record.awaits == "Event.wait"
        assert record.coroutine == "wait_for_ever"


@pytest.mark.virtual
async def test_the_owner_is_the_component_or_else_the_task_that_made_it():
    event = asyncio.Event()

    async def component():
        async with a_task_named("child", wait_for_ever(event)):
            await event.wait()

    me = asyncio.current_task().get_name()
    async with TaskMonitor() as monitor, Supervisor() as supervisor:
        supervisor.add("scanner", component)
        async with a_task_named("mine", wait_for_ever(event)):
            await asyncio.sleep(1)
            records = by_name(monitor)
    assert records["child"].owner == "scanner"
    assert records["mine"].owner == me
    assert records[me].owner == ""
    assert records[me].awaits == "itself: it runs"


@pytest.mark.virtual
async def test_a_monitor_that_was_not_started_lists_tasks_from_first_sight():
    monitor = TaskMonitor()
    async with a_task_named("reader", wait_for_ever(asyncio.Event())):
        await asyncio.sleep(5)
        assert by_name(monitor)["reader"].age_s == 0
        await asyncio.sleep(5)
        assert by_name(monitor)["reader"].age_s == pytest.approx(5)


@pytest.mark.virtual
async def test_the_monitor_leaves_the_loop_as_it_found_it():
    loop = asyncio.get_running_loop()
    made = []

    def factory(loop, coroutine, **options):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(factory)
    threads = threading.active_count()
    async with TaskMonitor() as monitor:
        async with a_task_named("reader", wait_for_ever(asyncio.Event())):
            assert len(made) == 1
            assert by_name(monitor)["reader"].owner
        with pytest.raises(StateError, match="running already"):
            monitor.start()
    monitor.stop()
    assert loop.get_task_factory() is factory
    assert threading.active_count() == threads


@pytest.mark.virtual
async def test_tables_show_each_task_and_escape_what_they_show():
    async with TaskMonitor() as monitor, a_task_named("<b>reader</b>", wait_for_ever(asyncio.Event())):
        frame, text, page = monitor.to_frame(), monitor.to_text(), monitor._repr_html_()
    assert list(frame.columns) == ["name", "owner", "age_s", "waits_at", "awaits", "coroutine"]
    assert "<b>reader</b>" in set(frame["name"])
    assert "<b>reader</b>" in text
    assert "&lt;b&gt;reader&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "no stall" in text


def hog(seconds):
    time.sleep(seconds)


async def blocking_task():
    hog(0.2)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            # In a thread: real time must pass for the watcher, on a virtual loop too.
            await asyncio.to_thread(time.sleep, 0.005)


@pytest.mark.parametrize("loop_time", ["real", pytest.param("virtual", marks=pytest.mark.virtual)])
async def test_a_stall_is_recorded_with_the_offending_stack_and_task(loop_time):
    async with TaskMonitor(stall_threshold_s=0.05) as monitor:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(blocking_task(), name="offender")
        await asyncio.sleep(0)
        await until(lambda: monitor.stalls)
    (stall,) = (stall for stall in monitor.stalls if stall.task == "offender")
    assert "in hog" in stall.place
    assert "in blocking_task" in stall.stack
    assert 0.1 < stall.duration_s < 5
    assert monitor.longest_stall_s >= stall.duration_s
    assert monitor.stall_count >= 1
    assert "'offender'" in monitor.to_text()


async def test_an_idle_loop_does_not_count_as_stalled():
    async with TaskMonitor(stall_threshold_s=0.4) as monitor:
        await asyncio.sleep(0.6)
    assert not [stall for stall in monitor.stalls if "select" in stall.stack.splitlines()[-1]]


async def test_stopping_the_watch_does_not_wait_for_its_threshold():
    watch = StallWatch(threshold_s=30)
    watch.start()
    began = time.perf_counter()
    watch.stop()
    watch.stop()
    assert time.perf_counter() - began < 1
    with pytest.raises(ParameterError, match="positive"):
        StallWatch(0)
