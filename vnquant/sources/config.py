"""Config: how the HTTP client behaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from vnquant.errors import ParameterError

__all__ = ("HttpConfig",)


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the client behaves, for each source alike.

    Attributes
    ----------
    total_timeout_s : float
        From the first attempt to the answer, pauses included, waiting for the quota not.
    attempt_timeout_s : float
        Of one attempt, duplicates included.
    attempts : int
        Tries of one request in all.
    backoff_base_s, backoff_cap_s : float
        The n-th pause is drawn from 0 to min(cap, base * 2**n).
    retry_after_cap_s : float
        A server's Retry-After is honoured up to this; longer ones end the request.
    requests_per_minute : int or None
        Quota of a source, duplicates and retries included.
    connections : int
        Pool size over all sources.
    hedge_share : float
        Duplicates as a share of the requests; 0 switches them off.
    hedge_quantile : float
        Latency quantile at which a duplicate is sent.
    breaker_failure_rate : float
        Share of the last 20 requests that must fail for the source to be left alone.
    breaker_cooldown_s : float
        For how long, the first time.
    seed : int
        Of the jitter.
    """

    total_timeout_s: float = 5.0
    attempt_timeout_s: float = 2.0
    attempts: int = 5
    backoff_base_s: float = 0.1
    backoff_cap_s: float = 2.0
    retry_after_cap_s: float = 5.0
    requests_per_minute: int | None = None
    connections: int = 64
    hedge_share: float = 0.1
    hedge_quantile: float = 0.95
    breaker_failure_rate: float = 0.8
    breaker_cooldown_s: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self, "attempts connections", lambda v: v >= 1, "at least 1")
        _require(self, "total_timeout_s attempt_timeout_s breaker_cooldown_s", lambda v: v > 0, "above 0 s")
        _require(self, "backoff_base_s backoff_cap_s retry_after_cap_s", lambda v: v >= 0, "0 s or more")
        _require(self, "hedge_share", lambda v: 0 <= v <= 1, "between 0 and 1")
        _require(self, "hedge_quantile breaker_failure_rate", lambda v: 0 < v <= 1, "above 0, at most 1")


def _require(config: HttpConfig, names: str, holds: Callable[[Any], bool], rule: str) -> None:
    for name in names.split():
        value = getattr(config, name)
        if not holds(value):
            raise ParameterError(f"{name} must be {rule}, got {value!r}.", name=name, value=value)
