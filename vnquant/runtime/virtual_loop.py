"""Virtual loop: the event loop behind `run_virtual`. Why it is as it is stands in `virtual.py`."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import logging
import selectors
import socket
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from vnquant.errors import DeadlockError
from vnquant.runtime.holds import ClockHold
from vnquant.runtime.jobs import Jobs
from vnquant.runtime.loop_parts import Handle, JumpingSelector, SelectorLoop, TimerHandle, WatchedTransport
from vnquant.runtime.naps import Alarm, Nap, NapLoop
from vnquant.runtime.outside import Outside
from vnquant.runtime.waits import describe_waits

__all__ = ("CENTURY_S", "VirtualTimeLoop")

logger = logging.getLogger(__name__)

T = TypeVar("T")

CENTURY_S = 100 * 365.25 * 86_400
_RESOLUTION_S = 1e-6
_LONG_HOLD_S = 30.0  # real seconds without any news after which the log says what holds the clock
_CANCELLED_KEPT = 100  # cancelled timers that may lie about
_TURNS_A_POLL = 64  # turns of a busy loop without descriptors between two looks at the wake-up socket
_RANK = 1 << 48  # more than timers are ever set
_TURNS_A_WARNING = 2_000_000  # turns at one instant after which the log says who keeps the loop busy

_Ready = list[tuple[selectors.SelectorKey, int]]


class VirtualTimeLoop(SelectorLoop, NapLoop):
    """A selector loop on virtual time.

    Parameters
    ----------
    patience_s : float
        Real seconds for which a silent peer outside the loop holds the clock.
    settle_s : float
        Real seconds for which the clock stands after traffic on a socket, for what is still under way.
    horizon_s : float
        Virtual seconds after which the loop gives up with a `DeadlockError`, at most a century.
    """

    def __init__(
        self, *, patience_s: float = 10.0, settle_s: float = 0.001, horizon_s: float = CENTURY_S
    ) -> None:
        self._now_s = 0.0
        # Time, order of setting, timer: compared in C, where a heap of timers compares in Python, and among
        # equal times the order of setting is kept.
        self._timers: list[tuple[float, int, TimerHandle | Nap | Alarm]] = []
        self._timers_set = 0
        self._turns = self._turns_at_jump = 0
        self._horizon_s = min(horizon_s, CENTURY_S)
        self.holds: set[ClockHold] = set()
        self.has_deadlocked = False
        self._jobs = Jobs()
        self._in_flight = self._jobs.in_flight
        self._children: dict[int, ClockHold] = {}
        self._ended_children: set[int] = set()
        selector = JumpingSelector()
        super().__init__(selector)
        self._poll = selector.poll
        self._descriptors = selector.descriptors
        self._outside = Outside(
            selector.get_map(), self._descriptors[0], patience_s=patience_s, settle_s=settle_s
        )
        self._clock_resolution = _RESOLUTION_S
        selector.changed = self._outside.changed

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now_s

    def hold_clock(self, reason: str = "", *, depth: int = 2) -> ClockHold:
        """Return a token that keeps this loop's clock standing until released; see `runtime.hold_clock`."""
        return ClockHold(self, reason, depth=depth)

    def holders(self) -> tuple[str, ...]:
        """Return what holds the clock at the moment, apart from sockets."""
        return (*self._jobs.labels(), *sorted(f"{hold.reason} ({hold.made_at})" for hold in self.holds))

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback as the standard loop does; equal times keep the order of scheduling."""
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        timer = TimerHandle(when, callback, args, self, context)
        self._timers_set += 1
        heapq.heappush(self._timers, (when, self._timers_set, timer))
        timer._scheduled = True
        return timer

    def take_timer(self, timer: Nap | Alarm) -> None:
        """Put a nap or an alarm among the timers."""
        self._timers_set += 1
        heapq.heappush(self._timers, (timer.when_s, timer.rank * _RANK + self._timers_set, timer))
        timer._scheduled = True

    def jump_to(self, when_s: float) -> bool:
        """Go on to an instant at once, if nothing comes before or with it; return whether so.

        Saves a timer that would be the next to be run a turn of the loop, where that would jump as well.
        """
        timers = self._timers
        if (
            self._ready
            or (timers and timers[0][0] <= when_s + _RESOLUTION_S)
            or when_s > self._horizon_s
            or self._turns % _TURNS_A_POLL == 0
            or len(self._descriptors) > 1
            or self._in_flight
            or self.holds
            or self._stopping
            or not self._outside.quiet
        ):
            return False
        self._now_s = when_s
        self._turns += 1
        self._turns_at_jump = self._turns
        return True

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Schedule a call for the next turn as the standard loop does."""
        if self._debug:
            return super().call_soon(callback, *args, context=context)
        self._check_closed()
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` in the executor while the clock stands; results come back in the order of submission."""
        worker = super().run_in_executor(executor, func, *args)
        outer: asyncio.Future[T] = self.create_future()
        self._jobs.add(worker, outer, f"executor job {getattr(func, '__qualname__', func)!s}")
        return outer

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Wait for the executor's threads, which a thread of its own reports, while the clock stands."""
        with self.hold_clock("shutdown of the executor"):
            await super().shutdown_default_executor(*args, **kwargs)

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        """Receive as the standard loop does; the clock stands while a peer outside the loop has to answer."""
        with self._outside.asking(sock):
            return await super().sock_recv(sock, nbytes)

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        """Receive as the standard loop does; the clock stands while a peer outside the loop has to answer."""
        with self._outside.asking(sock):
            return await super().sock_recv_into(sock, buf)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect as the standard loop does, and remember whom to."""
        await super().sock_connect(sock, address)
        self._outside.connected(sock, opened_here=True)

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Accept as the standard loop does, and remember whom."""
        connection, address = await super().sock_accept(sock)
        self._outside.connected(connection, opened_here=False)
        return connection, address

    def _run_once(self) -> None:
        """Take turns in the standard loop's order, of which a replayed year takes a million.

        While nothing outside can be ready, time jumps to the next timer as soon as nothing is ready here; now
        and then, and where something outside may be ready, a turn looks there first.
        """
        timers, ready, pop = self._timers, self._ready, heapq.heappop
        descriptors, in_flight, holds, outside = self._descriptors, self._in_flight, self.holds, self._outside
        for _ in range(_TURNS_A_POLL):
            if len(descriptors) > 1 or in_flight or holds or self._stopping or not outside.quiet:
                break
            if not ready:
                while timers and timers[0][2]._cancelled:
                    self._drop_cancelled()
                if not timers or timers[0][0] > self._horizon_s:
                    break
                when_s, _, timer = pop(timers)
                timer._scheduled = False
                ready.append(timer)
                if when_s > self._now_s:
                    self._now_s = when_s
                self._turns_at_jump = self._turns
            if self._take_turn():
                return
        if self._timer_cancelled_count > _CANCELLED_KEPT:
            self._sweep_timers()
        while timers and timers[0][2]._cancelled:
            self._drop_cancelled()
        if ready or self._stopping:
            self._process_events(self._wait(0))
        else:
            self._process_events(self._wait(max(timers[0][0] - self._now_s, 0.0) if timers else None))
        self._take_turn()

    def _take_turn(self) -> bool:
        """Run what is ready, with the timers that are due; return whether the loop is to stop."""
        timers, ready = self._timers, self._ready
        self._turns += 1
        due_s = self._now_s + _RESOLUTION_S
        while timers and timers[0][0] < due_s:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                # As `handle._run()` does, a call less.
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as exc:  # noqa: BLE001 - a callback's failure is the handler's business
                    self.call_exception_handler(
                        {"message": f"Exception in callback {handle!r}", "exception": exc, "handle": handle}
                    )
        return self._stopping

    def _drop_cancelled(self) -> None:
        heapq.heappop(self._timers)[2]._scheduled = False
        self._timer_cancelled_count -= 1

    def _sweep_timers(self) -> None:
        """Throw cancelled timers away once they are the greater part."""
        if 2 * self._timer_cancelled_count > len(self._timers):
            for _, _, timer in self._timers:
                timer._scheduled = timer._scheduled and not timer._cancelled
            self._timers[:] = [entry for entry in self._timers if not entry[2]._cancelled]
            heapq.heapify(self._timers)
            self._timer_cancelled_count = 0

    def close(self) -> None:
        """Close the loop, and forget its timers."""
        super().close()
        self._timers.clear()

    def _wait(self, timeout: float | None) -> _Ready:
        """Stand in for the selector's `select(timeout)`: poll, hold, or jump."""
        idle = timeout is None or timeout > 0
        ready = self._poll(0)
        if ready:
            self._outside.heard(ready)
            return ready
        if not idle:
            self._look_after_busy_loop()
        if not idle:
            return []
        self._turns_at_jump = self._turns
        if self._in_flight and self._jobs.hand_over():
            return []
        if self._in_flight or self.holds:
            return self._stand(self._jobs.wait_s())
        if not self._outside.quiet and (hold_s := self._outside.hold_s()) > 0:
            return self._stand(hold_s)
        if self._ready:
            return []  # calls of another thread, which may have released its token while the loop looked
        if timeout is None:
            return self._stand(None) if self._can_be_woken() else self._deadlock()
        when = self._timers[0][0]
        if when > self._horizon_s:
            self._deadlock(f"Virtual time has come to its horizon of {self._horizon_s:,.0f} s")
        if when > self._now_s:
            self._now_s = when
        return []

    def _can_be_woken(self) -> bool:
        """Return whether a loop without timers may still hear from outside: descriptors, handled signals."""
        return self._outside.reaches_out() or bool(getattr(self, "_signal_handlers", None))

    def _look_after_busy_loop(self) -> None:
        """See to it that a loop that always has something to do starves nobody, and is told of."""
        self._jobs.hand_over_overdue()
        if self._turns - self._turns_at_jump > _TURNS_A_WARNING:
            logger.warning(
                "Virtual time has stood still for %s turns of the loop: something never sleeps. Tasks: %s",
                f"{_TURNS_A_WARNING:,}",
                "; ".join(describe_waits(asyncio.all_tasks(self))),
            )
            self._turns_at_jump = self._turns

    def _stand(self, limit_s: float | None) -> _Ready:
        """Wait in real time for news from outside, at most `limit_s`; virtual time stands."""
        ready = self._poll(_LONG_HOLD_S if limit_s is None else min(limit_s, _LONG_HOLD_S))
        if not ready and limit_s is None:
            logger.warning(
                "The virtual clock has stood for %.0f s of real time, held by %s. Waiting: %s",
                _LONG_HOLD_S,
                ", ".join(self.holders()) or "descriptors alone, with no timer set",
                "; ".join(describe_waits(asyncio.all_tasks(self))),
            )
        self._outside.heard(ready)
        return ready

    def _deadlock(self, what: str = "Nothing is left that could wake this loop") -> NoReturn:
        self.has_deadlocked = True
        tasks = describe_waits(asyncio.all_tasks(self))
        waiting = "".join(f"\n  - {task}" for task in tasks) or " none"
        raise DeadlockError(
            f"{what}, at virtual time {self._now_s:,.6g} s. Waiting tasks:{waiting}\n"
            "Set what they wait for, or give the wait a timeout. Where a thread of another library is to "
            "wake one of them, hold the clock meanwhile: `with hold_clock(): ...`.",
            tasks=tasks,
        )

    def _make_socket_transport(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
        transport = super()._make_socket_transport(sock, *args, **kwargs)
        self._watch(sock, opened_here=kwargs.get("server") is None)
        return transport

    def _make_ssl_transport(self, rawsock: socket.socket, *args: Any, **kwargs: Any) -> Any:
        transport = super()._make_ssl_transport(rawsock, *args, **kwargs)
        self._watch(rawsock, opened_here=kwargs.get("server") is None)
        return transport

    def _watch(self, sock: socket.socket, *, opened_here: bool) -> None:
        # The class is exchanged after construction because under TLS asyncio makes this transport itself,
        # out of reach, and gives back another.
        self._transports[sock.fileno()].__class__ = WatchedTransport
        self._outside.connected(sock, opened_here=opened_here)

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> Any:
        hold = self.hold_clock("child process")
        try:
            transport = await super()._make_subprocess_transport(*args, **kwargs)
        except BaseException:
            hold.release()
            raise
        pid = transport.get_pid()
        if pid in self._ended_children:
            self._ended_children.discard(pid)
            hold.release()
        else:
            self._children[pid] = hold
        return transport

    def _child_watcher_callback(self, pid: int, *args: Any) -> None:
        """Hear from asyncio's watcher thread that a child has ended; its own callback comes first."""
        super()._child_watcher_callback(pid, *args)
        self.call_soon_threadsafe(self.call_soon, self._child_ended, pid)

    def _child_ended(self, pid: int) -> None:
        hold = self._children.pop(pid, None)
        if hold is None:
            self._ended_children.add(pid)  # faster than the start-up that is still to register it
        else:
            hold.release()
