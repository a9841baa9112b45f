"""The live board: CPU of a real kernel that shows it, bytes a frame, memory, and which part costs what."""

import asyncio
import gc
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

import msgspec
import pytest
from jupyter_client import BlockingKernelClient, KernelManager

from tests.unit.ui.board_quotes import Ear, ScriptedQuotes
from vnquant.market import load_universe
from vnquant.runtime.clock import installed_clock
from vnquant.simulation import SimulatedExchange
from vnquant.sources import QuoteBoard
from vnquant.sources.board import parse_board
from vnquant.ui.board_book import BoardBook
from vnquant.ui.board_frame import encode_frame
from vnquant.ui.price_board import PriceBoard

FULL = os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full"
SECONDS, IDLE_S, SETTLE_S = (60, 10, 2) if FULL else (5, 2, 1)
FPS = 10
AT = "2025-06-05 09:30"
HERE = Path(__file__).parent

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]


@contextmanager
def exchange(speed: float) -> Iterator[str]:
    """Run the simulated exchange in a process of its own, and yield its address."""
    command = [sys.executable, "-m", "vnquant", "exchange", "--port", "0", "--at", AT, "--speed", str(speed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = next(line for line in process.stdout if "http://" in line)
            found = re.search(r"http://[\d.:]+", said)
            assert found is not None
            yield found.group()
        finally:
            process.terminate()


@contextmanager
def kernel() -> Iterator[BlockingKernelClient]:
    # Over IPC, as JupyterLab on this machine would: TCP without encryption makes the kernel complain.
    with tempfile.TemporaryDirectory() as folder:
        manager = KernelManager(
            kernel_name="python3", transport="ipc", connection_file=str(Path(folder) / "kernel.json")
        )
        manager.start_kernel(cwd=folder, env=os.environ | {"PYTHONPATH": str(HERE)})
        client = manager.blocking_client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=60)
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def run(client: BlockingKernelClient, code: str, *, timeout_s: float = 120) -> tuple[Any, list[int]]:
    """Run a cell; return the JSON that it printed, and the size of each binary message meanwhile."""
    asked = client.execute(code)
    told, sizes = "", []
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=5)
        except Empty:
            continue
        content, kind = message["content"], message["msg_type"]
        if kind == "comm_msg" and message["buffers"]:
            sizes.append(sum(len(b) for b in message["buffers"]) + len(json.dumps(content)))
        if message["parent_header"].get("msg_id") != asked:
            continue
        if kind == "error":
            raise RuntimeError("\n".join(content["traceback"]))
        told += content["text"] if kind == "stream" and content["name"] == "stdout" else ""
        if kind == "status" and content["execution_state"] == "idle":
            return json.loads(told or "null"), sizes
    raise TimeoutError(code)


def view_appears(client: BlockingKernelClient, comm: str) -> None:
    """Do what a browser does when it shows the widget."""
    data = {"method": "custom", "content": {"kind": "hello", "view": "browser"}}
    client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": comm, "data": data}))


def live(speed: float) -> dict[str, float]:
    """Show the board for some seconds in a kernel; return what it cost beyond the idle kernel."""
    with exchange(speed) as url, kernel() as client:
        run(client, "import json\nfrom board_kernel import *")
        idle, _ = run(client, f"print(json.dumps(await cpu_of({IDLE_S})))")
        comm, _ = run(
            client,
            f"board, client = open_board({url!r}, {AT + '+07:00'!r}, {speed}, {FPS})\n"
            "print(json.dumps(board.widget.comm.comm_id))",
        )
        view_appears(client, comm)
        run(client, f"await asyncio.sleep({SETTLE_S})")
        spent, sizes = run(client, f"print(json.dumps(await cpu_of({SECONDS})))", timeout_s=SECONDS + 60)
        state, _ = run(client, "print(json.dumps([board.state.polls, board.state.failures]))")
        assert state[1] == 0
        run(client, "await board.aclose(); await client.aclose()")
    return {
        "frames_per_s": len(sizes) / SECONDS,
        "kernel_cpu_pct": 100 * (spent["cpu_s"] / SECONDS - idle["cpu_s"] / IDLE_S),
        "largest_frame_kb": max(sizes) / 1024,
        "mean_frame_kb": sum(sizes) / len(sizes) / 1024,
        "memory_growth_kb": spent["growth_kb"],
    }


def best_ms(work: Callable[[], object], *, runs: int = 20) -> float:
    taken = []
    for _ in range(runs):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) * 1e3)
    return min(taken)


async def parts() -> dict[str, float]:
    """Return what each part of a frame of all 102 symbols costs."""
    async with SimulatedExchange(at=AT, port=None) as market:
        symbols = market.market.symbols
        path = f"/getliststockdata/{','.join(symbols)}"
        body = market.answer(path, {}).body
        later = market.answer(path, {}, market.now().replace(minute=47)).body

        def parse(text: bytes, known: dict[bytes, Any] | None = None) -> QuoteBoard:
            return parse_board(text, frozenset(symbols), as_of=market.now(), source="vps", known=known)

        one, two, known = parse(body), parse(later), {}
        parse(body, known)
        book = BoardBook(symbols)
        boards = [one, two]

        def take_other() -> None:
            boards.reverse()
            assert len(book.take(boards[0].quotes)) > 90

        take_other()
        return {
            "board_kb": len(body) / 1024,
            "json_loads_ms": best_ms(lambda: json.loads(body)),
            "parse_new_ms": best_ms(lambda: parse(body)),
            "parse_known_ms": best_ms(lambda: parse(body, known)),
            "take_changed_ms": best_ms(take_other),
            "take_unchanged_ms": best_ms(lambda: book.take(boards[0].quotes)),
            "encode_102_ms": best_ms(lambda: encode_frame(book, range(102))),
        }


def told(capsys: pytest.CaptureFixture[str], benchmark: str, measured: dict[str, Any]) -> None:
    machine = f"{platform.machine()}, Python {sys.version.split()[0]}"
    with capsys.disabled():
        print(json.dumps({"benchmark": benchmark, "on": machine, **measured}))


def test_a_live_board_costs_little(capsys: pytest.CaptureFixture[str]) -> None:
    # Real pace: prices move once a minute. 60 x: all 102 rows change each second. 600 x: in each frame.
    measured = {f"at_{speed}x": live(speed) for speed in (1, 60, 600)}
    told(capsys, "price_board", {"seconds": SECONDS, "fps": FPS, **measured})
    for name in ("at_1x", "at_60x"):
        assert measured[name]["kernel_cpu_pct"] <= (5.0 if FULL else 10.0)
    assert max(case["largest_frame_kb"] for case in measured.values()) <= 20
    assert measured["at_60x"]["memory_growth_kb"] <= 4096


async def test_parts_of_a_frame(capsys: pytest.CaptureFixture[str]) -> None:
    split = await parts()
    told(capsys, "price_board_parts", split)
    # A record that is known costs a fraction of one that must be read.
    assert split["parse_known_ms"] <= split["parse_new_ms"] / 5


@pytest.mark.virtual(start=AT)
async def test_ten_minutes_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """On virtual time, with all rows changing in each frame, and two views that look."""
    universe, clock = load_universe(), installed_clock()
    assert clock is not None
    async with SimulatedExchange(at=AT, port=None) as market:
        quotes = market.market.quotes_at(market.now())
    step = 0

    async def moving() -> QuoteBoard:
        nonlocal step
        step += 1
        volume = 10.0 * step
        return QuoteBoard({s: msgspec.structs.replace(q, total_volume=volume) for s, q in quotes.items()})

    source = ScriptedQuotes(moving)
    board = PriceBoard(
        source,
        universe=universe,
        clock=clock,
        loop=asyncio.get_running_loop(),
        interval_s=0.1 if FULL else 0.5,
    )
    ear = Ear(board)
    ear.say("hello", view="a")
    ear.say("hello", view="b")
    frames = largest = after_two = 0
    tracemalloc.start()
    try:
        for minute in range(10):
            for _ in range(60):
                await asyncio.sleep(1)
                frames += len(ear.frames)
                largest = max(largest, *(sum(map(len, buffers)) for _, buffers in ear.frames))
                ear.frames.clear()
                source.asked_at.clear()
                ear.say("here")
            gc.collect()
            if minute == 1:
                after_two = tracemalloc.get_traced_memory()[0]
        most = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    await board.aclose()
    board.widget.close()
    told(capsys, "price_board_memory", {"frames": frames, "growth_kb": (most - after_two) / 1024})
    assert frames >= (5_900 if FULL else 1_180)
    assert largest <= 20 * 1024
    assert most - after_two <= 200 * 1024
