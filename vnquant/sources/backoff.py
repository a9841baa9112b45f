"""Backoff: how long to wait before asking again."""

from __future__ import annotations

import random

from vnquant.errors import (
    CircuitOpenError,
    EmptyAnswerError,
    HttpStatusError,
    RateLimitedError,
    SourceError,
)

__all__ = ("Backoff", "is_retryable")

# 408 Request Timeout and 425 Too Early say "again, later"; other 4xx will be refused again.
_RETRYABLE_STATUS = frozenset({408, 425, 429, *range(500, 600)})


class Backoff:
    """Exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS, 2015).

    Own code because stamina and tenacity measure elapsed time with `time.monotonic`, which stands still under
    virtual time, and draw jitter from the global generator, so that a run could not be repeated by its seed.

    Parameters
    ----------
    base_s, cap_s : float
        The n-th pause is drawn uniformly from 0 to min(cap_s, base_s * 2**n).
    retry_after_cap_s : float
        A server's Retry-After counts up to this many seconds.
    rng : random.Random
        Seeded by the owner.
    """

    def __init__(self, *, base_s: float, cap_s: float, retry_after_cap_s: float, rng: random.Random) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._retry_after_cap_s = retry_after_cap_s
        self._rng = rng

    def delay_s(self, attempt: int, error: SourceError) -> float:
        """Return the pause after the failure `error` of attempt number `attempt`, counted from 0."""
        jitter = self._rng.uniform(0.0, min(self._cap_s, self._base_s * 2.0**attempt))
        if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
            # Jitter on top, or all that were refused together would come back together.
            return min(error.retry_after_s, self._retry_after_cap_s) + jitter
        return jitter


def is_retryable(error: SourceError) -> bool:
    """Return whether the same request may succeed if sent again."""
    if isinstance(error, HttpStatusError):
        return error.status in _RETRYABLE_STATUS
    return not isinstance(error, CircuitOpenError | EmptyAnswerError)
