"""Interrupts: they end a cell at once, and leave the orchestrator in a stated condition that goes on."""

import time

import pytest

from tests.kernels.conftest import Bench
from tests.pace import slowness

ASKS_THE_MARKET = ("bench.scan()", "bench.discuss('FPT')", "orchestrator.run_all_scanners()")
TURNS = (1, 2, 3, 5, 8, 12, 20)
PROMPT_S = 10.0  # a cell's traceback alone takes a tenth of a second; a loop that is not woken, a minute


def goes_on(bench: Bench) -> None:
    """Check that the orchestrator can be started, worked with and stopped, and that its books balance."""
    kernel = bench.kernel
    kernel.run("bench.exchange.faults = Faults()")
    kernel.run("await orchestrator.start()\nreport = await orchestrator.run_all_scanners()")
    assert kernel.value("report.errors") == {}
    kernel.run("orchestrator.pause(); orchestrator.resume()")
    states = kernel.value("{n: str(c.state) for n, c in orchestrator.status().components.items()}")
    assert set(states.values()) == {"running"}, states
    kernel.run("await orchestrator.stop()\nbalanced = await books_balance(orchestrator)")
    assert kernel.value("(str(orchestrator.state), balanced)") == ("stopped", True)
    assert not [name for name in kernel.value("task_names()") if name.partition(":")[0] == "orchestrator"]


@pytest.mark.parametrize("wait", ["orchestrator.wait_ended()", *ASKS_THE_MARKET])
def test_an_interrupt_ends_the_cell_and_the_operation_goes_on(bench: Bench, wait: str) -> None:
    kernel = bench.kernel
    kernel.run(
        "await orchestrator.start()\n"
        "ticks = 0\n"
        "async def tick():\n"
        "    global ticks\n"
        "    while True:\n"
        "        ticks += 1\n"
        "        await asyncio.sleep(0.01)\n"
        "ticking = asyncio.create_task(tick(), name='ticking')"
    )
    state = "running"
    if wait in ASKS_THE_MARKET:  # which is too fast to be interrupted, unless it does not answer
        kernel.run("orchestrator.pause()\nbench.exchange.faults = Faults(hang=1.0)")
        state = "paused"
    cell = kernel.begun(f"await {wait}")
    time.sleep(0.1)
    sent_s = kernel.interrupt()
    result = kernel.result(cell)
    assert time.monotonic() - sent_s < PROMPT_S
    assert (result.status, result.ename) == ("error", "CancelledError")
    assert kernel.value("str(orchestrator.state)") == state
    before = kernel.value("ticks")
    assert kernel.value_once(f"ticks > {before}", True)
    kernel.run("ticking.cancel()")
    goes_on(bench)


def test_an_interrupt_is_heard_while_nothing_else_wakes_the_loop(bench: Bench) -> None:
    """ipykernel alone takes it in at the loop's next timer."""
    kernel = bench.kernel
    kernel.say(bench.widgets["panel views"], "hello")
    kernel.say(bench.widgets["panel views"], "bye")  # a panel that is looked at would wake the loop
    took_s = []
    for _ in range(3):
        cell = kernel.begun("await asyncio.sleep(60)")
        time.sleep(0.2)
        sent_s = kernel.interrupt()
        kernel.until(lambda m, cell=cell: m["msg_type"] == "error" and m["parent_header"]["msg_id"] == cell)
        took_s.append(time.monotonic() - sent_s)
        assert kernel.result(cell).ename == "CancelledError"
    kernel.say(bench.widgets["panel views"], "hello")
    assert sorted(took_s)[1] < 0.5 * slowness(), took_s


def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(bench: Bench) -> None:
    kernel = bench.kernel
    ends = set()
    for turns in TURNS:
        cell = kernel.result(kernel.submit(f"with interrupted_after({turns}): await orchestrator.start()"))
        assert (cell.status, cell.ename) in {("ok", ""), ("error", "CancelledError")}
        wanted = "running" if cell.status == "ok" else "stopped"
        state = kernel.value_once("str(orchestrator.state)", wanted)
        assert state == wanted
        kernel.run("await orchestrator.start()\nawait orchestrator.stop()")
        ends.add(state)
    assert "stopped" in ends
    goes_on(bench)


def test_an_interrupted_stop_goes_on_by_itself(bench: Bench) -> None:
    kernel = bench.kernel
    ends = set()
    for turns in TURNS:
        kernel.run("await orchestrator.start()")
        cell = kernel.result(kernel.submit(f"with interrupted_after({turns}): await orchestrator.stop()"))
        assert (cell.status, cell.ename) in {("ok", ""), ("error", "CancelledError")}
        ends.add(cell.status)
        assert kernel.value_once("str(orchestrator.state)", "stopped") == "stopped"
    assert "error" in ends
    goes_on(bench)


def test_an_interrupt_while_nothing_runs_does_nothing(bench: Bench) -> None:
    kernel = bench.kernel
    kernel.run("await orchestrator.start()")
    kernel.interrupt()
    time.sleep(0.1)
    assert kernel.value("str(orchestrator.state)") == "running"
    goes_on(bench)
