"""Breaker: stop asking a source that keeps failing, and try it again after a while with one request."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum

from vnquant.errors import CircuitOpenError

__all__ = ("BreakerState", "CircuitBreaker")


class BreakerState(StrEnum):
    """CLOSED lets everything through, OPEN nothing, HALF_OPEN one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Circuit breaker (Nygard, Release It!) on the failure rate of the last requests, in loop time.

    The rate, not a run of failures, because requests overlap: with 20 in flight a run has no meaning. At the
    defaults a source that fails one request in five at random opens it less than once in 5,000 windows.

    Parameters
    ----------
    source : str
    window : int
        Requests looked at.
    min_requests : int
        Opens only after so many.
    failure_rate : float
        Opens at this share of failures.
    cooldown_s : float
        First pause; doubled by each failed probe up to `max_cooldown_s`.
    """

    def __init__(
        self,
        source: str,
        *,
        window: int = 20,
        min_requests: int = 10,
        failure_rate: float = 0.8,
        cooldown_s: float = 10.0,
        max_cooldown_s: float = 120.0,
    ) -> None:
        self._source = source
        self._outcomes: deque[bool] = deque(maxlen=window)
        self._min_requests = min_requests
        self._failure_rate = failure_rate
        self._first_cooldown_s = cooldown_s
        self._max_cooldown_s = max_cooldown_s
        self._cooldown_s = cooldown_s
        self._opened_at = 0.0
        self._state = BreakerState.CLOSED
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """Present state; OPEN turns HALF_OPEN by itself when the pause is over."""
        if self._state is BreakerState.OPEN and self._remaining_s() <= 0.0:
            self._state = BreakerState.HALF_OPEN
        return self._state

    def enter(self, symbol: str | None = None) -> None:
        """Ask leave for one request, whose outcome must then be told; raise CircuitOpenError if refused."""
        state = self.state
        if state is BreakerState.CLOSED:
            return
        if state is BreakerState.HALF_OPEN and not self._probing:
            self._probing = True
            return
        when = (
            "one request is testing it now"
            if state is BreakerState.HALF_OPEN
            else f"it is tried again in {self._remaining_s():.1f} s"
        )
        raise CircuitOpenError(
            f"{self._source} was not asked: too many of its last requests failed, {when}.",
            source=self._source,
            symbol=symbol,
        )

    def succeeded(self) -> None:
        """Tell that a request was answered well."""
        if self._state is not BreakerState.CLOSED:
            self._state = BreakerState.CLOSED
            self._outcomes.clear()
            self._cooldown_s = self._first_cooldown_s
        self._probing = False
        self._outcomes.append(True)

    def failed(self) -> None:
        """Tell that a request failed."""
        if self._state is BreakerState.OPEN:
            return  # one of those that were in flight when it opened
        if self._state is BreakerState.HALF_OPEN:
            self._open(min(2.0 * self._cooldown_s, self._max_cooldown_s))
            return
        self._outcomes.append(False)
        seen = len(self._outcomes)
        if seen >= self._min_requests and self._outcomes.count(False) >= self._failure_rate * seen:
            self._open(self._first_cooldown_s)

    def abandoned(self) -> None:
        """Tell that a request was cancelled before its outcome was known."""
        self._probing = False

    def _open(self, cooldown_s: float) -> None:
        self._state = BreakerState.OPEN
        self._cooldown_s = cooldown_s
        self._opened_at = asyncio.get_running_loop().time()
        self._outcomes.clear()
        self._probing = False

    def _remaining_s(self) -> float:
        return self._opened_at + self._cooldown_s - asyncio.get_running_loop().time()
