"""Clock: market time as the running loop sees it. The only module that reads the machine's clock.

A `MarketClock` maps the loop's own monotonic time to market time: `frozen` stands still, `real` follows the
wall clock, and `running` starts at a chosen instant and goes on at `speed` times real time. Because it
reads `loop.time()`, a loop whose time is virtual moves every clock on it. That time stands still while the
machine sleeps, and the wall clock may be set: whoever waits on a real clock looks at the wall now and then.
A worker thread has no running loop: there a clock reads the loop that it was made on, and `now()` the clock
of the context that the work was handed over from (`asyncio.to_thread`), so that work off the loop lives in
the same market time.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
import weakref
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta, timezone

from vnquant.runtime.naps import Nap, NapLoop

__all__ = ("ICT", "MarketClock", "install_clock", "installed_clock", "monotonic_s", "now", "wall_now")

# Vietnam has kept UTC+7 without daylight saving since 1975 (IANA tz database, Asia/Ho_Chi_Minh).
ICT = timezone(timedelta(hours=7), "ICT")


# How often, and how far a real clock may be off the wall before it is set.
_WALL_LOOK_S = 15.0
_WALL_TOLERANCE = timedelta(seconds=1)


def wall_now() -> datetime:
    """Return the machine's clock in ICT."""
    return datetime.now(UTC).astimezone(ICT)


def monotonic_s() -> float:
    """Return the machine's monotonic seconds, which pass also while a loop's time is virtual."""
    return time.monotonic()


class MarketClock:
    """Market time as an affine function of the running loop's time.

    Parameters
    ----------
    at : datetime
        Market time at the moment of construction; ICT is assumed where it has no time zone.
    speed : float
        Market seconds a loop second: 0 stands still, 1 is real time, 60 makes a minute pass each second.

    Attributes
    ----------
    times_set : int
        How often it was set: while that stays the same, plans in loop time hold.
    """

    def __init__(self, at: datetime, *, speed: float = 1.0) -> None:
        if speed < 0:
            raise ValueError(f"speed must be 0 (frozen) or positive, got {speed}")
        self._at = at.replace(tzinfo=ICT) if at.tzinfo is None else at.astimezone(ICT)
        self._speed = speed
        self._made_on = _running_loop()
        self._anchor_s = self._loop_time()
        self._read, self._read_s = self._at, self._anchor_s
        self._sleepers: set[asyncio.Future[bool] | Nap] = set()
        self.times_set = 0
        self._is_real = False

    @classmethod
    def real(cls) -> MarketClock:
        """Return a clock that follows the wall clock, until it is set to another time or speed."""
        clock = cls(wall_now())
        clock._is_real = True
        return clock

    @classmethod
    def frozen(cls, at: datetime) -> MarketClock:
        """Return a clock that stands at `at`."""
        return cls(at, speed=0.0)

    @property
    def speed(self) -> float:
        """Market seconds a loop second."""
        return self._speed

    @property
    def nappers(self) -> set[asyncio.Future[bool] | Nap]:
        """Who waits, and is woken when the clock is set."""
        return self._sleepers

    def now(self) -> datetime:
        """Return the market time, aware, in ICT."""
        return self._at_loop_time(self._loop_time())

    def _at_loop_time(self, loop_s: float) -> datetime:
        if self._speed == 0.0:
            return self._at
        if loop_s != self._read_s:  # virtual time stands while a hundred readers ask
            self._read = self._at + timedelta(seconds=(loop_s - self._anchor_s) * self._speed)
            self._read_s = loop_s
        return self._read

    def set(self, *, at: datetime | None = None, speed: float | None = None) -> None:
        """Move the clock to `at` and/or change its speed, from this moment on."""
        self._is_real = False
        self._move(at=at, speed=speed)

    def follow_wall(self) -> timedelta:
        """Set a real clock that has come off the wall clock, and return by how much; others stay as they are.

        Whoever waits on the clock does this; call it where nobody does.
        """
        off = wall_now() - self.now() if self._is_real and self._is_on_machine_time() else timedelta()
        if abs(off) > _WALL_TOLERANCE:
            self._move(at=wall_now())
            return off
        return timedelta()

    def _move(self, *, at: datetime | None = None, speed: float | None = None) -> None:
        if speed is not None and speed < 0:
            raise ValueError(f"speed must be 0 (frozen) or positive, got {speed}")
        current = self.now() if at is None else at
        self._at = current.replace(tzinfo=ICT) if current.tzinfo is None else current.astimezone(ICT)
        self._anchor_s = self._loop_time()
        self._read, self._read_s = self._at, self._anchor_s
        if speed is not None:
            self._speed = speed
        self.times_set += 1
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(False)

    async def sleep(self, loop_seconds: float | None) -> bool:
        """Return True after so many loop seconds (None: never), or False as soon as the clock is set."""
        loop = asyncio.get_running_loop()
        if not self._is_real or not self._is_on_machine_time():
            return await self._sleep(loop_seconds)
        end_s = None if loop_seconds is None else loop.time() + loop_seconds
        times_set = self.times_set
        while True:
            left_s = _WALL_LOOK_S if end_s is None else end_s - loop.time()
            await self._sleep(min(left_s, _WALL_LOOK_S))
            self.follow_wall()
            if self.times_set != times_set:  # by us, or by another sleeper of this very moment
                return False
            if end_s is not None and end_s <= loop.time():
                return True

    async def _sleep(self, loop_seconds: float | None) -> bool:
        loop = asyncio.get_running_loop()
        if loop_seconds is None:
            return await self._sleep_until(loop, None)
        when_s = loop.time() + loop_seconds
        if isinstance(loop, NapLoop):
            return await Nap(loop, when_s, self._sleepers)
        return await self._sleep_until(loop, when_s)

    def sleep_until(
        self, loop: asyncio.AbstractEventLoop, when_s: float, *, rank: int = 0
    ) -> Awaitable[bool]:
        """Return what does as `sleep`, until a time of the running loop; naps are ranked."""
        if self._is_real:
            return self.sleep(when_s - loop.time())
        return (
            Nap(loop, when_s, self._sleepers, rank)
            if isinstance(loop, NapLoop)
            else self._sleep_until(loop, when_s)
        )

    async def _sleep_until(self, loop: asyncio.AbstractEventLoop, when_s: float | None) -> bool:
        sleeper: asyncio.Future[bool] = loop.create_future()
        timer = None if when_s is None else loop.call_at(when_s, _wake, sleeper)
        self._sleepers.add(sleeper)
        try:
            return await sleeper
        finally:
            self._sleepers.discard(sleeper)
            if timer is not None and (sleeper.cancelled() or not sleeper.result()):
                timer.cancel()  # it was not the timer that ended this

    @staticmethod
    def _is_on_machine_time() -> bool:
        """Whether the running loop's time is the machine's; a virtual one passes the wall clock by."""
        return abs(asyncio.get_running_loop().time() - monotonic_s()) < 60.0

    def _loop_time(self) -> float:
        """Return the running loop's time; in a worker thread, that of the loop the clock was made on."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            loop = None if self._made_on is None else self._made_on()
            return monotonic_s() if loop is None else loop.time()

    def __repr__(self) -> str:
        pace = "frozen" if self._speed == 0 else f"{self._speed:g}x"
        return f"MarketClock({self.now():%Y-%m-%d %H:%M:%S} ICT, {pace})"


_installed: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, MarketClock] = weakref.WeakKeyDictionary()
# `asyncio.to_thread` copies the context to its worker, where no loop runs.
_in_context: contextvars.ContextVar[MarketClock | None] = contextvars.ContextVar("market_clock", default=None)


def install_clock(clock: MarketClock) -> None:
    """Make `clock` the one that `now()` reads on the running loop, and in threads its tasks hand work to."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, NapLoop):
        loop.market_clock = clock  # found faster, by whom a replay asks some millions of times
    else:
        _installed[loop] = clock
    _in_context.set(clock)


def installed_clock() -> MarketClock | None:
    """Return the clock that `now()` reads on the running loop; None means the wall clock."""
    loop = asyncio.get_running_loop()
    return loop.market_clock if isinstance(loop, NapLoop) else _installed.get(loop)


def now() -> datetime:
    """Return the market time of the running loop, aware, in ICT; the wall clock where none is installed."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        clock = _in_context.get()
        return wall_now() if clock is None else clock.now()
    if isinstance(loop, NapLoop):
        clock = loop.market_clock
        return wall_now() if clock is None else clock._at_loop_time(loop.time())
    clock = _installed.get(loop)
    return wall_now() if clock is None else clock.now()


def _running_loop() -> weakref.ref[asyncio.AbstractEventLoop] | None:
    """Return the loop that runs in this thread, weakly: a clock must not keep a closed loop alive."""
    try:
        return weakref.ref(asyncio.get_running_loop())
    except RuntimeError:
        return None


def _wake(sleeper: asyncio.Future[bool]) -> None:
    if not sleeper.done():
        sleeper.set_result(True)
