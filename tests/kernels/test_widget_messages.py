"""Widget messages: answered at once and in order while a cell awaits, which stays what it was."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernels.conftest import Bench
from tests.kernels.harness import Kernel, parent_of

SLIDER = """
slider = ipywidgets.IntSlider()
seen = []
slider.observe(lambda change: seen.append(change["new"]), "value")
loop = asyncio.get_running_loop()
async def reached(value):
    there = asyncio.Event()
    def look(change):
        if change["new"] == value:
            loop.call_soon_threadsafe(there.set)
    slider.observe(look, "value")
    if slider.value != value:
        await there.wait()
"""


@pytest.fixture(params=["main shell", "subshell"])
def subshell(bench: Bench, request: pytest.FixtureRequest) -> str | None:
    if request.param == "main shell":
        return None
    if bench.subshell is None:
        pytest.skip(f"ipykernel {bench.kernel.version} has no subshells; front ends use the main shell")
    return bench.subshell


@pytest.fixture
def slider(bench: Bench) -> Iterator[str]:
    bench.kernel.run(SLIDER)
    yield str(bench.kernel.value("slider.comm.comm_id"))
    bench.kernel.run("slider.close()")


def move(kernel: Kernel, slider: str, position: int, subshell: str | None) -> None:
    data = {"method": "update", "state": {"value": position}, "buffer_paths": []}
    kernel.ask(slider, data, subshell=subshell)


def test_a_drag_arrives_in_order_while_a_cell_awaits(bench: Bench, slider: str, subshell: str | None) -> None:
    kernel = bench.kernel
    cell = kernel.begun("await reached(30)\nprint('there')")
    for position in range(1, 31):
        move(kernel, slider, position, subshell)
    result = kernel.result(cell)
    assert result.status == "ok"
    assert result.text == "on\nthere\n"  # in the cell, whatever messages came meanwhile
    assert kernel.value("seen") == list(range(1, 31))


def test_a_front_end_sees_that_the_cell_goes_on_after_a_message(
    bench: Bench, slider: str, subshell: str | None
) -> None:
    kernel = bench.kernel
    cell = kernel.begun("await reached(2)")
    move(kernel, slider, 1, subshell)
    if subshell is None or not kernel.version.startswith("7.3"):  # a subshell of 7.3 leaves the main shell be
        words = [m for m in kernel.messages if m["msg_type"] == "status"]
        goes_on = kernel.until(lambda m: m["msg_type"] == "status" and m not in words)
        assert (parent_of(goes_on), goes_on["content"]["execution_state"]) == (cell, "busy")
    move(kernel, slider, 2, subshell)
    assert kernel.result(cell).status == "ok"


def test_cells_still_run_one_after_the_other(bench: Bench, slider: str, subshell: str | None) -> None:
    kernel = bench.kernel
    first = kernel.begun("await reached(1)\nstory = ['first']")
    second = kernel.submit("story.append('second')")
    move(kernel, slider, 1, subshell)
    assert kernel.result(first).status == "ok"
    assert kernel.result(second).status == "ok"
    assert kernel.value("story") == ["first", "second"]


def test_an_interrupt_works_as_before_after_a_message(
    bench: Bench, slider: str, subshell: str | None
) -> None:
    kernel = bench.kernel
    awaiting = kernel.begun("await reached(99)")
    move(kernel, slider, 1, subshell)
    kernel.until(
        lambda m: parent_of(m) not in ("", awaiting) and m["content"].get("execution_state") == "idle"
    )
    kernel.interrupt()
    assert kernel.result(awaiting).ename == "CancelledError"
    blocking = kernel.begun("import time\nfor _ in range(1_000): time.sleep(0.01)")
    kernel.interrupt()
    assert kernel.result(blocking).ename == "KeyboardInterrupt"


def test_what_an_errand_prints_appears_in_the_cell_that_made_the_view(
    bench: Bench, subshell: str | None
) -> None:
    kernel = bench.kernel
    made = kernel.run("printing = Clicks(orchestrator)").message_id
    kernel.run("printing.buttons['start'].on_click(lambda _: printing.errands.call(print, 'clicked'))")
    kernel.run("printing.buttons['start'].on_click(lambda _: printing.errands.cancel('start'))")
    kernel.click(kernel.value("printing.ids()")["start"], subshell=subshell)
    printed = kernel.until(lambda m: m["msg_type"] == "stream" and "clicked" in m["content"]["text"])
    assert parent_of(printed) == made
    kernel.run("await printing.aclose()\nprinting.close()")


@pytest.mark.parametrize("awaits", [False, True], ids=["no cell runs", "a cell awaits"])
def test_a_view_rests_when_its_last_front_end_view_has_said_bye_and_wakes_with_the_next(
    bench: Bench, subshell: str | None, awaits: bool
) -> None:
    kernel = bench.kernel
    kernel.run(
        "watched = Clicks(orchestrator)\n"
        "async def becomes(live):\n"
        "    while watched.is_live is not live: await asyncio.sleep(0.01)"
    )
    readers = "len(orchestrator.bus.statistics().subscriptions)"
    before = kernel.value(readers)
    views = kernel.value("watched.ids()")["views"]

    def comes_to(live: bool, *said: tuple[str, str]) -> None:
        waiting = kernel.begun(f"async with asyncio.timeout(10): await becomes({live})") if awaits else None
        for kind, view in said:
            kernel.say(views, kind, view, subshell=subshell)
        if waiting is None:
            time.sleep(0.3)  # a cell would wake the loop, and this is about a loop that no cell wakes
            assert kernel.value_once("watched.is_live", live) is live
        else:
            assert kernel.result(waiting).status == "ok"

    kernel.run("await becomes(True)")
    comes_to(False, ("hello", "a"), ("hello", "b"), ("bye", "a"), ("bye", "b"))
    assert kernel.value(readers) == before - 1
    assert not [name for name in kernel.value("task_names()") if name == "watched"]
    comes_to(True, ("hello", "c"))
    assert kernel.value(readers) == before
    kernel.run("await watched.aclose()\nwatched.close()")
    assert kernel.value(readers) == before - 1


def test_clicks_arrive_after_the_subshell_of_earlier_ones_has_gone(bench: Bench) -> None:
    """A page that is loaded anew has new subshells, while the widgets in the kernel are the old ones."""
    if bench.subshell is None:
        pytest.skip(f"ipykernel {bench.kernel.version} has no subshells")
    kernel = bench.kernel
    kernel.run(
        "counting = Clicks(orchestrator)\n"
        "button, clicked = counting.buttons['pause'], []\n"
        "def count():\n"
        "    clicked.append(1)\n"
        "    button.tooltip = f'clicked {len(clicked)} times'\n"
        "button._click_handlers.callbacks.clear()\n"
        "button.on_click(lambda _: counting.errands.call(count))"
    )
    button = kernel.value("button.comm.comm_id")

    def is_counted(times: int) -> Any:
        tooltip = f"clicked {times} times"
        return lambda m: m["content"].get("data", {}).get("state", {}).get("tooltip") == tooltip

    old = kernel.new_subshell()
    kernel.click(button, subshell=old)
    kernel.until(is_counted(1))
    kernel.delete_subshell(old)
    kernel.click(button, subshell=kernel.new_subshell())
    kernel.until(is_counted(2))
    kernel.run("await counting.aclose()\ncounting.close()")
