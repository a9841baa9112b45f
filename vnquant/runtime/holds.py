"""Holds: tokens that keep a virtual clock standing while something outside its loop is at work.

On a loop in real time they do nothing, so code that holds the clock runs unchanged in every world.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from vnquant.errors import StateError

if TYPE_CHECKING:
    from types import TracebackType

    from vnquant.runtime.virtual import VirtualTimeLoop

__all__ = ("ClockHold", "hold_clock")


class ClockHold:
    """Keeps a virtual clock standing from its making to `release()`, or to the end of its `with` block.

    It may be released from any thread, and more than once. What a thread gave the loop with
    `call_soon_threadsafe` before the release is run before the clock moves.
    """

    __slots__ = ("_loop", "made_at", "reason")

    def __init__(self, loop: VirtualTimeLoop | None, reason: str, *, depth: int = 1) -> None:
        self.reason = reason
        frame = sys._getframe(depth)
        self.made_at = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        self._loop = loop
        if loop is not None:
            loop.holds.add(self)

    @property
    def is_holding(self) -> bool:
        """Whether the clock stands because of this token."""
        return self._loop is not None

    def release(self) -> None:
        """Let the clock go on, as far as this token is concerned."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            # Through the loop's queue: behind the calls that this thread made, and waking the loop.
            loop.call_soon_threadsafe(loop.holds.discard, self)
        except RuntimeError:
            loop.holds.discard(self)  # the loop is closed: no clock to hold

    def __enter__(self) -> ClockHold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<ClockHold {self.reason or 'unnamed'!r} made at {self.made_at}>"


def hold_clock(reason: str = "") -> ClockHold:
    """Return a token that holds the running loop's virtual clock; on a loop in real time it does nothing.

    Make it on the loop, before the foreign thread starts to work, and let the thread release it: a token made
    in the thread comes too late, since the clock may have jumped before the thread got its first turn.

    Parameters
    ----------
    reason : str
        Who is at work; shown when the clock stands for long.

    Raises
    ------
    StateError
        Where no loop runs in this thread.

    Examples
    --------
    ::

        with hold_clock("ledger"):
            await connection.commit()           # aiosqlite answers from its own thread

        hold = hold_clock("feed thread")
        threading.Thread(target=work, args=(loop, hold)).start()    # work() ends with hold.release()
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise StateError(
            "No loop runs in this thread, so there is no clock to hold here. Make the token on the loop and "
            "pass it to the thread, or call `loop.hold_clock()` of the virtual-time loop."
        ) from None
    make = getattr(loop, "hold_clock", None)
    if make is None:
        return ClockHold(None, reason, depth=2)
    hold: ClockHold = make(reason, depth=3)
    return hold
