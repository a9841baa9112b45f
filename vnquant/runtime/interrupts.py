"""Interrupts: a kernel's interrupt takes effect at once, also while nothing else wakes the loop.

ipykernel answers SIGINT by a callback on the loop, which does not wake a loop that waits for its next timer
(measured on 6.31, 7.3 and 7.4: an interrupt of `await asyncio.sleep(8)` took 7.7 s). A signal does wake it
once the loop's own pipe is the process's wakeup descriptor, which asyncio arranges with any signal handler.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

__all__ = ("wake_on_interrupt",)


def wake_on_interrupt(loop: asyncio.AbstractEventLoop) -> None:
    """Let every signal wake this loop, if it is a kernel's; for good, and once is enough.

    Elsewhere nothing is needed: `asyncio.run` wakes its loop itself.
    """
    if (
        "ipykernel" not in sys.modules
        or sys.platform == "win32"
        or threading.current_thread() is not threading.main_thread()
    ):
        return
    # Nobody sends SIGURG to a kernel, and it does nothing by default: it is the least of the handlers.
    loop.add_signal_handler(signal.SIGURG, _nothing)


def _nothing() -> None:
    pass
