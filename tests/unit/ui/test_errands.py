"""Errands: wishes from any thread are carried out on the loop, one a key, and what fails is told."""

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from vnquant.ui.errands import Errands

pytestmark = pytest.mark.virtual

_who = contextvars.ContextVar("who", default="nobody")


@pytest.fixture
def told() -> list[Exception]:
    return []


@pytest.fixture
async def errands(told: list[Exception]) -> AsyncIterator[Errands]:
    made = Errands(asyncio.get_running_loop(), name="panel", on_error=told.append)
    yield made
    await made.aclose()


async def test_a_call_from_another_thread_happens_on_the_loop(errands: Errands) -> None:
    threads: list[int] = []
    await asyncio.to_thread(errands.call, lambda: threads.append(threading.get_ident()))
    await asyncio.sleep(0)
    assert threads == [threading.get_ident()]


async def test_calls_of_one_thread_keep_their_order(errands: Errands) -> None:
    seen: list[tuple[str, int]] = []

    def ask(thread: str) -> None:
        for number in range(50):
            errands.call(seen.append, (thread, number))

    await asyncio.gather(*(asyncio.to_thread(ask, name) for name in "abc"))
    await asyncio.sleep(0)
    assert len(seen) == 150
    for name in "abc":
        assert [number for thread, number in seen if thread == name] == list(range(50))


async def test_a_coroutine_asked_for_by_a_thread_runs_on_the_loop_under_its_name(errands: Errands) -> None:
    names: list[str] = []

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())

    await asyncio.to_thread(errands.run, "start", work)
    await asyncio.sleep(1)
    assert names == ["panel:start"]
    assert errands.running == ()


async def test_a_double_click_does_it_once(errands: Errands) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        await asyncio.sleep(5)

    for _ in range(3):
        errands.run("start", work)
    await asyncio.sleep(1)
    errands.run("start", work)
    await asyncio.sleep(1)
    assert runs == [1]
    assert errands.running == ("start",)
    await asyncio.sleep(5)
    errands.run("start", work)
    await asyncio.sleep(1)
    assert runs == [1, 1]


async def test_different_keys_run_side_by_side(errands: Errands) -> None:
    for key in ("start", "cancel"):
        errands.run(key, lambda: asyncio.sleep(5))
    await asyncio.sleep(1)
    assert errands.running == ("start", "cancel")


async def test_what_is_wanted_anew_after_a_cancel_begins_when_the_old_one_has_ended(errands: Errands) -> None:
    story: list[str] = []

    def work(name: str) -> Any:
        async def run() -> None:
            story.append(f"{name} begins")
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)
                story.append(f"{name} has ended")

        return run

    errands.run("live", work("first"))
    await asyncio.sleep(1)
    errands.cancel("live")
    errands.run("live", work("second"))
    await asyncio.sleep(0.5)
    assert story == ["first begins"]
    await asyncio.sleep(1)
    assert story == ["first begins", "first has ended", "second begins"]
    assert errands.running == ("live",)


async def test_a_cancel_takes_back_what_was_wanted_anew(errands: Errands) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)

    errands.run("live", work)
    await asyncio.sleep(1)
    errands.cancel("live")
    errands.run("live", work)
    errands.cancel("live")
    await asyncio.sleep(5)
    assert runs == [1]
    assert errands.running == ()


async def test_a_second_cancel_does_not_break_into_the_tidying_up(errands: Errands) -> None:
    story: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            story.append("tidied up")

    errands.run("start", work)
    await asyncio.sleep(1)
    errands.cancel("start")
    await asyncio.sleep(0.5)
    errands.cancel("start")
    await asyncio.sleep(1)
    assert story == ["tidied up"]


async def test_a_cancel_of_what_does_not_run_does_nothing(errands: Errands, told: list[Exception]) -> None:
    errands.cancel("nothing")
    await asyncio.sleep(0)
    assert told == []


@pytest.mark.parametrize("how", ["call", "run"])
async def test_what_fails_is_told_and_the_next_wish_is_heard(
    errands: Errands, told: list[Exception], how: str
) -> None:
    async def fail_later() -> None:
        await asyncio.sleep(1)
        raise ValueError("no")

    def fail() -> None:
        raise ValueError("no")

    if how == "call":
        errands.call(fail)
    else:
        errands.run("start", fail_later)
    await asyncio.sleep(2)
    assert [str(error) for error in told] == ["no"]
    heard: list[int] = []
    errands.call(heard.append, 1)
    await asyncio.sleep(0)
    assert heard == [1]


@pytest.mark.parametrize("how", ["call", "run"])
async def test_an_error_while_telling_an_error_is_logged_and_ends_there(
    caplog: pytest.LogCaptureFixture, how: str
) -> None:
    loop = asyncio.get_running_loop()
    left_to_the_loop: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: left_to_the_loop.append(context))

    def tell(_: Exception) -> None:
        raise RuntimeError("the widget is gone")

    async def fail() -> None:
        raise ValueError("no")

    errands = Errands(loop, name="panel", on_error=tell)
    if how == "call":
        errands.call(lambda: [][0])
    else:
        errands.run("start", fail)
    await asyncio.sleep(1)
    gc.collect()
    await asyncio.sleep(0)
    assert left_to_the_loop == []
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert "panel could not show an error" in record.message
    assert record.exc_info is not None
    assert "the widget is gone" in str(record.exc_info[1])


async def test_work_that_meets_a_cancelled_future_ends_quietly(
    errands: Errands, told: list[Exception]
) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()

    async def work() -> None:
        await future

    errands.run("start", work)
    await asyncio.sleep(1)
    assert told == []
    assert errands.running == ()


async def test_a_close_from_another_thread_cancels_what_runs_and_takes_no_more_wishes(
    errands: Errands,
) -> None:
    heard: list[int] = []
    errands.run("start", lambda: asyncio.sleep(100))
    await asyncio.sleep(1)
    errands.call(heard.append, 1)  # asked for before the close, and due after it
    await asyncio.to_thread(errands.close)
    errands.close()
    errands.call(heard.append, 2)
    errands.run("cancel", lambda: asyncio.sleep(100))
    await asyncio.sleep(1)
    assert not errands.is_open
    assert errands.running == ()
    assert heard in ([], [1])  # the thread may be slower than a turn of the loop


async def test_aclose_waits_for_the_end_of_what_runs(errands: Errands) -> None:
    story: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)
            story.append("ended")

    errands.run("start", work)
    await asyncio.sleep(1)
    await errands.aclose()
    assert story == ["ended"]
    await errands.aclose()


async def test_an_errand_may_close_the_errands(errands: Errands) -> None:
    story: list[str] = []

    async def close_everything() -> None:
        await errands.aclose()
        story.append("closed")

    errands.run("other", lambda: asyncio.sleep(100))
    errands.run("close", close_everything)
    await asyncio.sleep(1)
    assert story == ["closed"]
    assert errands.running == ()


async def test_aclose_gives_up_on_what_ignores_its_cancellation(
    errands: Errands, caplog: pytest.LogCaptureFixture
) -> None:
    free = asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    errands.run("start", stubborn)
    await asyncio.sleep(1)
    began_s = asyncio.get_running_loop().time()
    await errands.aclose()
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(5.0)
    assert "panel:start ignores its cancellation" in caplog.text
    free.set()
    await asyncio.sleep(0)


async def test_after_the_end_of_its_loop_a_wish_does_nothing(told: list[Exception]) -> None:
    loop = asyncio.new_event_loop()
    errands = Errands(loop, name="panel", on_error=told.append)
    loop.close()
    errands.call(lambda: told.append(ValueError("called")))
    errands.run("start", lambda: asyncio.sleep(1))
    errands.cancel("start")
    errands.close()
    assert told == []


async def test_errands_run_in_the_context_of_their_making_not_in_that_of_a_click(
    told: list[Exception],
) -> None:
    seen: list[str] = []
    _who.set("the cell")
    errands = Errands(asyncio.get_running_loop(), name="panel", on_error=told.append)
    _who.set("a later cell")

    async def work() -> None:
        seen.append(_who.get())
        _who.set("the first errand")

    def click() -> None:
        _who.set("a click")
        errands.run("start", work)
        errands.call(lambda: seen.append(_who.get()))

    await asyncio.to_thread(click)
    await asyncio.sleep(1)
    click()
    await asyncio.sleep(1)
    assert seen == ["the cell"] * 4
    await errands.aclose()
