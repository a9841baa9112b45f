"""Hedge: send a request a second time when the first is slower than usual, and take the first good answer.

After Dean and Barroso, "The Tail at Scale" (CACM 2013). Three things are not in the paper:

- A copy that loses is cancelled, so its latency is never seen. Counting answers only would cut the tail off
  the distribution, the running p95 would sink, and ever more requests would be hedged. The loser's age at
  its cancellation is therefore recorded as well: a lower bound that already lies above the p95.
- The budget is a bucket that each request fills by a tenth, so that duplicates stay below 10 % also when the
  whole source turns slow, where hedging only adds load.
- Its last tokens are kept for requests twice as late as the p95: those hang, the others are merely slow, and
  the budget must not be spent when a hang comes.

And one is taken from MapReduce's backup tasks (Dean and Ghemawat, 2004): when half of the requests that ran
side by side have ended, somebody waits for the rest, and these few are hedged from the p80 on. Each of them
now holds up a scan, and there are too few of them to cost much.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ("HedgeBudget", "Hedger", "LatencyWindow")

T = TypeVar("T")

# Tokens that only requests twice as late as the p95 may use, and the part of them that the end of a scan
# leaves. Of 200 simulated scans of 102 requests, 20 wide, lognormal latency, 2 % hanging 3 s, 41 took over
# 1.5 times as long as without hangs at a reserve of 2 and no special end, 15 at 4, and 1 at 6. Of 500 others
# at 6 it was 10; median 1.00, duplicates 8 %.
_RESERVE = 6.0
_END_RESERVE = 1.0
_VERY_LATE = 2.0
# A source of steady latency answers right at its p95, and a duplicate that could only save a few milliseconds
# is not worth its load.
_SLACK = 1.05
_SHORTEST_DELAY_S = 0.02
# The end of a scan: so many ran side by side, at most this share of them still does.
_SCAN_WIDTH = 4
_SCAN_ENDS = 0.5
_END_QUANTILE = 0.8
# How often a request looks whether budget or quantile allow a duplicate by now, as a share of the p95, and
# how often while there are too few latencies to tell.
_LOOK_SHARE = 0.25
_SHORTEST_LOOK_S = 0.005
_COLD_LOOK_S = 0.05


class LatencyWindow:
    """The latencies of the last `size` requests and their quantiles."""

    def __init__(self, size: int = 200) -> None:
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []
        self._size = size

    def add(self, latency_s: float) -> None:
        """Take one more latency in, and the oldest out when full."""
        if len(self._recent) == self._size:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(latency_s)
        insort(self._sorted, latency_s)

    def quantile(self, share: float) -> float | None:
        """Return the quantile by nearest rank, None before the first latency."""
        if not self._sorted:
            return None
        rank = max(1, -(-int(share * len(self._sorted) * 1_000) // 1_000))  # ceil, proof against 0.95 * 20
        return self._sorted[min(rank, len(self._sorted)) - 1]

    def __len__(self) -> int:
        return len(self._recent)


class HedgeBudget:
    """Tokens for duplicates: a request earns `share`, a duplicate costs one, at most `most` are saved."""

    def __init__(self, share: float = 0.1, most: float = 10.0) -> None:
        self._share = share
        self._most = most
        self.tokens = 0.0

    def earn(self) -> None:
        """Count one request that is not a duplicate."""
        # Rounded, or ten times 0.1 would stay below 1.
        self.tokens = min(self._most, round(self.tokens + self._share, 9))

    def allows(self, *, keep: float) -> bool:
        """Return whether `keep` tokens would remain after a duplicate."""
        return self.tokens - 1.0 >= keep

    def spend(self) -> None:
        """Count one duplicate."""
        self.tokens -= 1.0


class _Failure:
    """An exception as a value, so that a copy's failure does not cancel its siblings."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Hedger:
    """Runs requests of one source with hedging, and learns its latencies.

    Parameters
    ----------
    quantile : float
        A request older than this quantile of the recent latencies is sent again.
    share : float
        Duplicates as a share of the requests, 0 to switch hedging off.
    min_samples : int
        Latencies needed before the quantile is trusted.
    first_delay_s : float
        Age at which a request is sent again while it is not.
    max_copies : int
        Copies of one request in all.
    """

    def __init__(
        self,
        *,
        quantile: float = 0.95,
        share: float = 0.1,
        min_samples: int = 10,
        first_delay_s: float = 1.0,
        max_copies: int = 3,
    ) -> None:
        self.latencies = LatencyWindow()
        self.budget = HedgeBudget(share)
        self.sent = 0
        self.won = 0
        self._running = 0
        self._most_running = 0
        self._quantile = quantile
        self._min_samples = min_samples
        self._first_delay_s = first_delay_s
        self._max_copies = max_copies if share > 0 else 1

    def delay_s(self) -> float:
        """Return the age at which a request is sent again, as things stand."""
        if len(self.latencies) < self._min_samples:
            return self._first_delay_s
        share = min(_END_QUANTILE, self._quantile) if self._scan_ends() else self._quantile
        return max(_SLACK * (self.latencies.quantile(share) or 0.0), _SHORTEST_DELAY_S)

    async def run(self, send: Callable[[], Awaitable[T]], *, may_hedge: Callable[[], bool], name: str) -> T:
        """Return the first good answer of `send()` and, if it is late, of its duplicates.

        Parameters
        ----------
        send : callable
            Sends one copy. A failure ends the request only when no other copy is still under way.
        may_hedge : callable
            Last word before a duplicate: quota and breaker. True takes the place in the quota.
        name : str
            Of the tasks.

        Raises
        ------
        Exception
            That of the first copy which failed, when all did.
        """
        self.budget.earn()
        self._running += 1
        self._most_running = max(self._most_running, self._running)
        try:
            return await self._race(send, may_hedge, name)
        finally:
            self._running -= 1
            if not self._running:
                self._most_running = 0

    async def _race(self, send: Callable[[], Awaitable[T]], may_hedge: Callable[[], bool], name: str) -> T:
        race = _Race(self, send)
        async with asyncio.TaskGroup() as group:
            race.start(group, name)
            try:
                while race.running:
                    await race.wait(self._patience_s(race))
                    if race.won_by is not None:
                        self.won += race.won_by > 0
                        return race.value()
                    if race.running and self._is_due(race) and may_hedge():
                        self.budget.spend()
                        self.sent += 1
                        race.start(group, name)
            finally:
                race.stop()
        raise race.failures[0]

    def _patience_s(self, race: _Race[T]) -> float | None:
        """Return how long to wait before thinking about a duplicate, None for as long as it takes."""
        if len(race.born) >= self._max_copies:
            return None
        delay = self.delay_s()
        look = _LOOK_SHARE * delay if len(self.latencies) >= self._min_samples else _COLD_LOOK_S
        remaining = delay - race.age_s()
        return max(min(remaining, look) if remaining > 0.0 else look, _SHORTEST_LOOK_S)

    def _scan_ends(self) -> bool:
        return self._most_running >= _SCAN_WIDTH and self._running <= _SCAN_ENDS * self._most_running

    def _is_due(self, race: _Race[T]) -> bool:
        age, delay = race.age_s(), self.delay_s()
        if age < delay or len(race.born) >= self._max_copies:
            return False
        if age >= _VERY_LATE * delay:
            return self.budget.allows(keep=0.0)
        return self.budget.allows(keep=_END_RESERVE if self._scan_ends() else _RESERVE)


class _Race(Generic[T]):
    """The copies of one request."""

    def __init__(self, hedger: Hedger, send: Callable[[], Awaitable[T]]) -> None:
        self._hedger = hedger
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._order: dict[asyncio.Task[T | _Failure], int] = {}
        self._values: list[T] = []
        self.running: set[asyncio.Task[T | _Failure]] = set()
        self.born: list[float] = []
        self.failures: list[Exception] = []
        self.won_by: int | None = None

    def start(self, group: asyncio.TaskGroup, name: str) -> None:
        task = group.create_task(self._copy(), name=f"{name}:copy{len(self.born) + 1}")
        self._order[task] = len(self.born)
        self.running.add(task)
        self.born.append(self._loop.time())

    async def wait(self, patience_s: float | None) -> None:
        done, self.running = await asyncio.wait(
            self.running, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in sorted(done, key=self._order.__getitem__):
            outcome = task.result()
            if isinstance(outcome, _Failure):
                self.failures.append(outcome.error)
            elif self.won_by is None:
                self.won_by = self._order[task]
                self._values.append(outcome)
                self._hedger.latencies.add(self._loop.time() - self.born[self.won_by])

    def value(self) -> T:
        return self._values[0]

    def age_s(self) -> float:
        """Seconds since the latest copy was sent."""
        return self._loop.time() - self.born[-1]

    def stop(self) -> None:
        """Cancel the copies that still run; those that lost late count with the age they reached."""
        late = self._hedger.delay_s()
        for task in self.running:
            task.cancel()
            age = self._loop.time() - self.born[self._order[task]]
            if self.won_by is not None and age >= late:
                self._hedger.latencies.add(age)

    async def _copy(self) -> T | _Failure:
        try:
            return await self._send()
        except Exception as exc:  # noqa: BLE001 - carried to the caller, who raises it when no copy succeeds
            return _Failure(exc)
