"""Clicks: start, pause, resume and cancel act at once, while no cell runs and while a cell awaits."""

import statistics
import time
from collections.abc import Callable

import pytest

from tests.kernels.conftest import Bench
from tests.kernels.harness import Message
from tests.pace import slowness

REACHED = {"start": "running", "pause": "paused", "resume": "running", "cancel": "stopped"}
ROUNDS = 5
MOMENTS = 3  # the calmest counts: what else a busy machine does is not ours
LIMIT_MS = 100.0


def says(state: str, since_s: float) -> Callable[[Message], bool]:
    """Return a test for the log's word that a state was reached after an instant."""

    def test(message: Message) -> bool:
        update = message["content"].get("data", {}).get("state", {})
        if message["msg_type"] != "comm_msg" or not isinstance(update.get("value"), str):
            return False
        _, reached, at_s = update["value"].split()
        return bool(reached == state and float(at_s) > since_s)

    return test


def press(bench: Bench, surface: str, verb: str, subshell: str | None) -> float:
    """Send what a front end sends for a click on a button; return when."""
    if surface == "buttons":
        return bench.kernel.click(bench.widgets[verb], subshell=subshell)
    custom = {"method": "custom", "content": {"do": verb}}
    return bench.kernel.send(bench.widgets["panel"], custom, subshell=subshell)


def median_delays_ms(bench: Bench, surface: str, subshell: str | None) -> dict[str, float]:
    """Press the buttons one after the other, some times; return from the message to the state."""
    took_ms: dict[str, list[float]] = {verb: [] for verb in REACHED}
    for _ in range(ROUNDS):
        for verb, state in REACHED.items():
            sent_s = press(bench, surface, verb, subshell)
            word = bench.kernel.until(says(state, sent_s))["content"]["data"]["state"]["value"]
            took_ms[verb].append(1000.0 * (float(word.split()[2]) - sent_s))
    return {verb: round(statistics.median(ms), 1) for verb, ms in took_ms.items()}


@pytest.mark.parametrize("surface", ["buttons", "control panel"])
@pytest.mark.parametrize("shell", ["main shell", "subshell"])
@pytest.mark.parametrize("cell", ["no cell runs", "a cell awaits"])
def test_each_button_reaches_its_state_at_once(bench: Bench, surface: str, shell: str, cell: str) -> None:
    if shell == "subshell" and bench.subshell is None:
        pytest.skip(f"ipykernel {bench.kernel.version} has no subshells; front ends use the main shell")
    subshell = bench.subshell if shell == "subshell" else None
    kernel = bench.kernel
    awaiting = (
        kernel.begun("waiting = asyncio.Event()\nawait waiting.wait()") if cell == "a cell awaits" else None
    )
    for _ in range(MOMENTS):
        medians = median_delays_ms(bench, surface, subshell)
        limit_ms = LIMIT_MS * slowness()
        if max(medians.values()) <= limit_ms:
            break
    if awaiting is not None:
        kernel.interrupt()
        assert kernel.result(awaiting).ename == "CancelledError"
    assert max(medians.values()) <= limit_ms, medians
    assert kernel.value("[repr(e) for e in clicks.errors]") == []
    # The views of the widgets go on; of the orchestrator nothing is left.
    views = ["clicks:live", "clicks:watching"]
    views += ["control_panel:listening", "control_panel:live", "control_panel:watching"]
    assert kernel.value("task_names()") == views


def test_a_front_end_sees_the_state_that_it_asked_for(bench: Bench) -> None:
    kernel = bench.kernel
    awaiting = kernel.begun("waiting = asyncio.Event()\nawait waiting.wait()")
    for verb, state in REACHED.items():
        sent_s = press(bench, "control panel", verb, bench.subshell)
        kernel.until(
            lambda m, state=state: (
                m["content"].get("comm_id") == bench.widgets["panel"]
                and m["content"]["data"].get("state", {}).get("control", {}).get("state") == state
            )
        )
        assert time.monotonic() - sent_s < 2.0 * slowness()
        kernel.forget()
    kernel.interrupt()
    kernel.result(awaiting)
