"""What the tests import inside a kernel: a small workbench, plain buttons, and a log that clocks states."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import display
from sklearn.linear_model import Ridge

from vnquant import Workbench
from vnquant.engine import AutonomousOrchestrator, StateChanged
from vnquant.simulation import Faults
from vnquant.trading import Ledger
from vnquant.ui.view import View

__all__ = (
    "Clicks",
    "Faults",
    "Ridge",
    "books_balance",
    "display",
    "interrupted_after",
    "ipywidgets",
    "open_bench",
    "task_names",
)


_QUICK = Ridge(alpha=1000.0)


async def open_bench(database: str | Path, *, speed: float = 60.0, predictor: Any = _QUICK) -> Workbench:
    """Open a workbench, by default with a model that is trained in a moment."""
    return await Workbench.open(
        at="2025-06-02 10:00",
        speed=speed,
        predictor=predictor,
        progress=False,
        database=database,
    )


class Clicks(View):
    """Four buttons, and a label that says each state of the orchestrator and when it was reached."""

    def __init__(self, orchestrator: AutonomousOrchestrator) -> None:
        super().__init__(asyncio.get_running_loop(), name="clicks")
        self._orchestrator = orchestrator
        self.errors: list[Exception] = []
        self.threads: set[str] = set()
        self._said = 0
        self.log = ipywidgets.Label("0 none 0.0")
        self.buttons = {
            name: ipywidgets.Button(description=name) for name in ("start", "pause", "resume", "cancel")
        }
        wishes = {
            "start": lambda: self.errands.run("start", orchestrator.start),
            "pause": lambda: self.errands.call(orchestrator.pause),
            "resume": lambda: self.errands.call(orchestrator.resume),
            "cancel": lambda: self.errands.run("cancel", orchestrator.stop),
        }
        for name, wish in wishes.items():
            self.buttons[name].on_click(self._noted(wish))
        self._begin(ipywidgets.HBox([*self.buttons.values(), self.log]))

    def ids(self) -> dict[str, str]:
        """Return the comm of each button, of the label, and of what tells about views."""
        named = {**self.buttons, "log": self.log, "views": self.presence}
        return {name: widget.comm.comm_id for name, widget in named.items()}

    def snapshot(self) -> Mapping[str, Any]:
        return {"state": str(self._orchestrator.state)}

    async def _live(self) -> None:
        async with self._orchestrator.bus.subscribe(StateChanged) as changes:
            async for change in changes:
                self._said += 1
                self.log.value = f"{self._said} {change.state} {time.monotonic()}"

    def _show_error(self, error: Exception) -> None:
        self.errors.append(error)

    def _noted(self, wish: Any) -> Any:
        def clicked(_: object) -> None:
            self.threads.add(threading.current_thread().name)
            wish()

        return clicked


def task_names() -> list[str]:
    """Return the pending tasks that have an owner's name; the kernel's and the server's own have none."""
    names = (task.get_name() for task in asyncio.all_tasks())
    return sorted(name for name in names if not name.startswith("Task-"))


@contextlib.contextmanager
def interrupted_after(turns: int) -> Iterator[None]:
    """Interrupt this kernel some turns of the loop from now, unless the block has ended by then."""
    loop = asyncio.get_running_loop()
    left, handle = turns, loop.call_soon(lambda: None)

    def turn() -> None:
        nonlocal left, handle
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            handle = loop.call_soon(turn)

    handle = loop.call_soon(turn)
    try:
        yield
    finally:
        handle.cancel()


async def books_balance(orchestrator: AutonomousOrchestrator) -> bool:
    """Check the ledger's double entries; raises what is wrong."""
    async with await Ledger.open(orchestrator.database, read_only=True) as ledger:
        await ledger.reconcile()
    return True
