"""The cancel button of a progress bar ends the operation that a cell awaits, and only that."""

import time
from collections.abc import Iterator

import pytest

from tests.kernels.harness import Kernel, Message
from tests.pace import slowness

VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = """
import asyncio
from vnquant.ui.progress import ProgressBar

ended = []

async def operation(seconds=20.0):
    try:
        with ProgressBar("Counting", unit="sheep") as bar:
            for done in range(round(seconds * 100)):
                bar.items(done, round(seconds * 100))
                await asyncio.sleep(0.01)
    except BaseException as exc:
        ended.append(type(exc).__name__)
        raise

def tasks():
    return sorted(t.get_coro().__qualname__ for t in asyncio.all_tasks())
"""


@pytest.fixture(scope="module")
def kernel(version: str) -> Iterator[Kernel]:
    with Kernel(version, {}) as running:
        running.run(SETUP)
        yield running


def button(kernel: Kernel) -> str:
    """Return the cancel button's id, once the bar has been displayed."""

    def is_button(message: Message) -> bool:
        state = message["content"].get("data", {}).get("state", {})
        return message["msg_type"] == "comm_open" and state.get("_model_name") == "ButtonModel"

    found = str(kernel.until(is_button)["content"]["comm_id"])
    kernel.until(lambda m: m["msg_type"] == "display_data" and VIEW in m["content"]["data"])
    return found


@pytest.mark.parametrize("shell", ["main shell", "subshell"])
def test_the_button_ends_the_operation_with_a_clear_word(kernel: Kernel, shell: str) -> None:
    if shell == "subshell" and not kernel.has_subshells:
        pytest.skip(f"ipykernel {kernel.version} has no subshells; front ends use the main shell")
    subshell = kernel.new_subshell() if shell == "subshell" else None
    kernel.run("ended.clear()")
    before = kernel.value("tasks()")
    kernel.forget()
    cell = kernel.begun("await operation()")
    cancel = button(kernel)
    pressed_s = kernel.click(cancel, subshell=subshell)
    result = kernel.result(cell)
    assert time.monotonic() - pressed_s < 1.0 * slowness()
    assert result.ename == "OperationCancelledError"
    assert "Counting was cancelled by its button after" in result.evalue
    assert "of 2,000 sheep" in result.evalue
    assert kernel.value("ended") == ["OperationCancelledError"]
    assert kernel.value("tasks()") == before
    # The cell keeps nothing of the bar, so a notebook that is saved now holds no widget without a model.
    kernel.until(
        lambda m: m["msg_type"] == "update_display_data" and m["content"]["data"] == {"text/plain": ""}
    )
    kernel.until(lambda m: m["msg_type"] == "comm_close" and m["content"]["comm_id"] == cancel)
    if subshell is not None:
        kernel.delete_subshell(subshell)


def test_the_interrupt_still_ends_it_as_an_interrupt(kernel: Kernel) -> None:
    kernel.run("ended.clear()")
    kernel.forget()
    cell = kernel.begun("await operation()")
    button(kernel)
    kernel.interrupt()
    assert kernel.result(cell).ename == "CancelledError"
    assert kernel.value("ended") == ["CancelledError"]


def test_a_bar_that_comes_to_its_end_leaves_nothing(kernel: Kernel) -> None:
    before = kernel.value("tasks()")
    kernel.forget()
    cell = kernel.begun("await operation(1.6)")
    button(kernel)
    assert kernel.result(cell).status == "ok"
    assert kernel.value("tasks()") == before
    # tqdm would start a thread that watches its bars, for as long as the kernel lives.
    assert not kernel.value(
        "any('TMonitor' in type(t).__name__ for t in __import__('threading').enumerate())"
    )
