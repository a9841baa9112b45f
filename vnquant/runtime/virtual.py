"""Virtual time: run a coroutine on a loop whose clock jumps to the next timer whenever nothing is ready.

`asyncio.sleep`, `timeout`, `call_later`, `TaskGroup`, `Queue` and everything built on them work unchanged;
a year of waiting passes in a second, and a run without foreign sockets and threads repeats exactly.

Why an own loop. The existing ones each fail a test that VN-Quant must pass: looptime 0.9 does not come to
the end of a year of sleeps; aiotools 2.2 jumps over executor work and over loopback requests in flight;
async-solipsism 0.10 has no sockets and refuses a sleep of a day. A foreign thread is jumped over by all
three, and by any loop that is not told of it.

How it stays right.

- It is the standard selector loop; only what happens when it would wait is replaced (`virtual_loop.py`).
  First the real descriptors are polled, then what holds the clock is looked at, and only then does time
  jump, exactly to the timer.
- The clock is held by executor work (`asyncio.to_thread`), child processes, sockets that wait for somebody
  outside this loop (`outside.py`) and tokens (`holds.py`), which threads of other libraries need: from
  inside the loop, a thread that will answer cannot be told from one that will not.
- Timers due at one instant fire in the order in which they were set, and results of executor work come back
  in the order of submission (`jobs.py`), so two runs do the same things in the same order.
- Time starts at 0 with a resolution of 1e-6 s. With asyncio's usual 1e-9 a jumping clock spins for ever
  once `time() + 1e-9` rounds back to `time()`, after 2**24 s (194 days). With 1e-6 that limit is 2**33 s
  (272 years); the horizon of a century lies before it, and stops a program that only its own heartbeat
  keeps alive.
- A loop that nothing can wake raises `DeadlockError` and says where each task waits, and for what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import date, datetime, time
from typing import Any, TypeVar

from vnquant.errors import DateRangeError, StateError
from vnquant.runtime.clock import MarketClock, install_clock
from vnquant.runtime.virtual_loop import CENTURY_S, VirtualTimeLoop

__all__ = ("VirtualTimeLoop", "read_start", "run_virtual")

T = TypeVar("T")


def run_virtual(
    main: Awaitable[T],
    *,
    start: str | datetime | date = "2025-06-02 09:00",
    patience_s: float = 10.0,
    horizon_s: float = CENTURY_S,
    debug: bool | None = None,
) -> T:
    """Run a coroutine to its end on a new virtual-time loop and return its result.

    `vnquant.runtime.now()` begins at `start` and follows virtual time. Tasks left over are cancelled, as by
    `asyncio.run`. It may be called in any thread that has no running loop of its own.

    Parameters
    ----------
    main : awaitable
        Usually a coroutine that was just made: `run_virtual(main())`.
    start : str or datetime or date
        Market time at virtual time 0; ICT where it has no time zone.
    patience_s, horizon_s : float
        See `VirtualTimeLoop`.
    debug : bool, optional
        asyncio's debug mode.

    Raises
    ------
    StateError
        If a loop runs in this thread, as in a notebook cell.
    DateRangeError
        If `start` cannot be read.
    DeadlockError
        If nothing can wake the loop any more; names the waiting tasks.

    Examples
    --------
    >>> import asyncio
    >>> from vnquant.runtime import now
    >>> async def a_year() -> str:
    ...     await asyncio.sleep(365 * 24 * 3600)
    ...     return f"{now():%Y-%m-%d %H:%M}"
    >>> run_virtual(a_year(), start="2025-01-01 09:00")
    '2026-01-01 09:00'
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        _discard(main)
        raise StateError(
            "run_virtual() makes a loop of its own, and one runs in this thread already, as in a notebook "
            "cell. To use the running loop, `await` the coroutine; for virtual time, give it a thread: "
            "`await asyncio.to_thread(lambda: run_virtual(main()))`."
        )
    try:
        at = read_start(start)
    except BaseException:
        _discard(main)
        raise

    def new_loop() -> VirtualTimeLoop:
        return VirtualTimeLoop(patience_s=patience_s, horizon_s=horizon_s)

    with asyncio.Runner(debug=debug, loop_factory=new_loop) as runner:
        # Both runs share the runner's context, so the clock is also found from worker threads.
        runner.run(_begin(at))
        task: Coroutine[Any, Any, T] = main if asyncio.iscoroutine(main) else _await(main)
        return runner.run(task)


async def _begin(at: datetime) -> None:
    install_clock(MarketClock(at))


async def _await(main: Awaitable[T]) -> T:
    return await main


def _discard(main: Awaitable[Any]) -> None:
    """Close a coroutine that will not run, so that it does not warn that it was never awaited."""
    if asyncio.iscoroutine(main):
        main.close()


def read_start(start: str | datetime | date) -> datetime:
    """Return the instant that `start` names, or raise `DateRangeError`."""
    if isinstance(start, datetime):
        return start
    if isinstance(start, date):
        return datetime.combine(start, time())
    try:
        return datetime.fromisoformat(start)
    except ValueError as exc:
        raise DateRangeError(
            f"start={start!r} is not a date and time; write it as '2025-06-02 09:00', or pass a datetime."
        ) from exc
