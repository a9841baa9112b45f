"""Board feed: asks a source of quotes on a fixed grid, and knows how old the last answer is and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from vnquant.errors import ClosedError, ParameterError, VnQuantError
from vnquant.market import EXCHANGE_ORDER, Phase, phase_at
from vnquant.runtime import MarketClock
from vnquant.sources import QuoteBoard, QuoteSource

__all__ = ("BoardFeed", "FeedState")

_FASTEST_S = 0.1  # ten boards a second are as many as anybody can see
_SLOWEST_S = 60.0
# After a failure and while no exchange takes orders, asking more often than this helps nobody.
_FAILED_S = 1.0
_QUIET_S = 5.0
_QUIET = frozenset({Phase.CLOSED, Phase.LUNCH})
# An answer is late when it is this many intervals old, but never earlier than the shortest time.
_LATE_INTERVALS = 3.0
_LATE_AT_LEAST_S = 3.0

Condition = Literal["waiting", "live", "late", "failing", "closed"]


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """How a feed stands at one instant.

    Attributes
    ----------
    condition : str
        "waiting" before the first answer, "live", "late" when the next answer does not come, "failing" after
        one that was an error, "closed" when the source is.
    as_of : datetime or None
        Market time of the last good answer.
    age_s : float or None
        Its age in seconds of the loop.
    error : str
        The last poll's failure, "" after a good one.
    malformed : int
        Records of the last good answer that could not be read; `problem` tells the first.
    problem : str
    polls, failures, skipped : int
        Asked, failed, and left out because the one before was still under way.
    """

    condition: Condition
    as_of: datetime | None
    age_s: float | None
    error: str
    malformed: int
    problem: str
    polls: int
    failures: int
    skipped: int


class BoardFeed:
    """Polls a `QuoteSource`: one request at a time, each with a deadline, on a grid in loop time.

    A failure is kept, told by `state()`, and followed by the next poll. A poll that is still under way when
    the next falls due is not joined by another; those left out are counted.

    Parameters
    ----------
    quotes : QuoteSource
    symbols : sequence of str
    clock : MarketClock
        While no exchange takes orders, and the clock does not run fast, the feed asks less often.
    loop : AbstractEventLoop
    interval_s : float
        Seconds of the loop between two polls, 0.1 to 60.
    timeout_s : float
        Of one poll.
    """

    def __init__(
        self,
        quotes: QuoteSource,
        symbols: Sequence[str],
        *,
        clock: MarketClock,
        loop: asyncio.AbstractEventLoop,
        interval_s: float = 1.0,
        timeout_s: float = 6.0,
    ) -> None:
        self._quotes = quotes
        self._symbols = tuple(symbols)
        self._clock = clock
        self._loop = loop
        self._timeout_s = timeout_s
        self.interval_s = interval_s
        self._asking = asyncio.Lock()
        self._answered_s: float | None = None
        self._as_of: datetime | None = None
        self._error = ""
        self._problems: tuple[Exception, ...] = ()
        self._is_closed = False
        self._polls = self._failures = self._skipped = 0

    @property
    def interval_s(self) -> float:
        """Seconds of the loop between two polls."""
        return self._interval_s

    @interval_s.setter
    def interval_s(self, seconds: float) -> None:
        if not _FASTEST_S <= seconds <= _SLOWEST_S:
            raise ParameterError(
                f"interval_s must be from {_FASTEST_S:g} to {_SLOWEST_S:g} seconds, got {seconds!r}.",
                name="interval_s",
                value=seconds,
            )
        self._interval_s = float(seconds)

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._quotes.name

    def state(self) -> FeedState:
        """Return how the feed stands now."""
        age_s = None if self._answered_s is None else self._loop.time() - self._answered_s
        return FeedState(
            condition=self._condition(age_s),
            as_of=self._as_of,
            age_s=age_s,
            error=self._error,
            malformed=len(self._problems),
            problem=str(self._problems[0]) if self._problems else "",
            polls=self._polls,
            failures=self._failures,
            skipped=self._skipped,
        )

    async def poll(self) -> QuoteBoard | None:
        """Ask once; return the board, or None after a failure, which `state()` then tells."""
        async with self._asking:
            self._polls += 1
            try:
                async with asyncio.timeout(self._timeout_s):
                    board = await self._quotes.quotes(self._symbols)
            except ClosedError as exc:
                self._is_closed = True
                self._failed(str(exc))
                return None
            except TimeoutError:
                self._failed(f"{self.name} gave no board within {self._timeout_s:g} s.")
                return None
            except VnQuantError as exc:
                self._failed(str(exc))
                return None
            except Exception as exc:  # noqa: BLE001 - a source of the user's own may raise anything; shown
                self._failed(f"{type(exc).__name__}: {exc}")
                return None
            self._error = ""
            self._problems = board.problems
            self._answered_s = self._loop.time()
            self._as_of = self._clock.now()
            return board

    async def follow(self, take: Callable[[QuoteBoard | None], object]) -> None:
        """Poll until cancelled or until the source is closed.

        Parameters
        ----------
        take : callable
            Gets each board, None where a poll has failed.
        """
        due_s = self._loop.time()
        while not self._is_closed:
            take(await self.poll())
            pause_s = self._pause_s()
            due_s += pause_s
            if (late_s := self._loop.time() - due_s) > 0.0:
                # On the grid still, so that a slow answer now and then does not shift those after it.
                left_out = int(late_s // pause_s) + 1
                self._skipped += left_out
                due_s += left_out * pause_s
            await asyncio.sleep(due_s - self._loop.time())

    def _pause_s(self) -> float:
        if self._error:
            return max(self._interval_s, _FAILED_S)
        now = self._clock.now()
        if self._clock.speed <= 1.0 and all(phase_at(now, board) in _QUIET for board in EXCHANGE_ORDER):
            return max(self._interval_s, _QUIET_S)
        return self._interval_s

    def _condition(self, age_s: float | None) -> Condition:
        if self._is_closed:
            return "closed"
        if self._error:
            return "failing"
        if age_s is None:
            return "waiting"
        return "late" if age_s > max(_LATE_INTERVALS * self._pause_s(), _LATE_AT_LEAST_S) else "live"

    def _failed(self, told: str) -> None:
        self._failures += 1
        self._error = told
