"""Lane: the state of the HTTP client that belongs to one source, and its statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from vnquant.errors import HttpStatusError, SourceError
from vnquant.sources.breaker import BreakerState, CircuitBreaker
from vnquant.sources.config import HttpConfig
from vnquant.sources.hedge import Hedger
from vnquant.sources.limits import RateLimiter

__all__ = ("Lane", "SourceStatistics")

# DNSE answers an unknown symbol with 400, others with 404. A 403 is not here: it bars everything.
_WRONG_QUESTION = frozenset({400, 404, 410, 422})


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """What the client did for one source so far.

    Attributes
    ----------
    requests : int
        Asked for by the callers.
    attempts : int
        Sent because of them, without duplicates.
    hedges, hedges_won : int
        Duplicates sent, and those that answered first.
    failures : mapping of str to int
        Failed copies by error type.
    p50_s, p95_s : float or None
        Quantiles of the last 200 latencies.
    breaker : BreakerState
    quota_free : int or None
        Requests that may be sent at once now; None without a quota.
    """

    requests: int
    attempts: int
    hedges: int
    hedges_won: int
    failures: Mapping[str, int]
    p50_s: float | None
    p95_s: float | None
    breaker: BreakerState
    quota_free: int | None


class Lane:
    """What the client keeps for one source: quota, breaker, latencies, counts."""

    def __init__(self, source: str, config: HttpConfig) -> None:
        self.source = source
        self.limiter = RateLimiter(config.requests_per_minute)
        self.breaker = CircuitBreaker(
            source, failure_rate=config.breaker_failure_rate, cooldown_s=config.breaker_cooldown_s
        )
        self.hedger = Hedger(quantile=config.hedge_quantile, share=config.hedge_share)
        self.requests = 0
        self.attempts = 0
        self.failures: Counter[str] = Counter()

    def failed(self, error: SourceError) -> None:
        """Count a failed copy; to the breaker, a question refused as wrong is a sign of health."""
        self.failures[type(error).__name__] += 1
        if isinstance(error, HttpStatusError) and error.status in _WRONG_QUESTION:
            self.breaker.succeeded()
        else:
            self.breaker.failed()

    def may_hedge(self) -> bool:
        """Return whether a duplicate may be sent now, with its place in the quota taken."""
        return self.breaker.state is BreakerState.CLOSED and self.limiter.try_acquire()

    def statistics(self) -> SourceStatistics:
        """Return the record for the outside."""
        latencies = self.hedger.latencies
        return SourceStatistics(
            requests=self.requests,
            attempts=self.attempts,
            hedges=self.hedger.sent,
            hedges_won=self.hedger.won,
            failures=dict(self.failures),
            p50_s=latencies.quantile(0.5),
            p95_s=latencies.quantile(0.95),
            breaker=self.breaker.state,
            quota_free=self.limiter.free(),
        )
