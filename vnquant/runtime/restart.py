"""Restart: when a component that failed is started again, and when it is given up."""

from __future__ import annotations

import random
from collections import deque

import msgspec

from vnquant.errors import ParameterError

__all__ = ("RestartPolicy", "RestartState")


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a component is restarted after a failure.

    The pause before the n-th restart within the window is `first_delay_s * factor**(n - 1)`, at most
    `max_delay_s`, shortened at random by up to the share `jitter`, so that what failed together does not come
    back together. The `max_failures`-th failure within `window_s` opens the breaker.
    """

    first_delay_s: float = 1.0
    factor: float = 2.0
    max_delay_s: float = 60.0
    jitter: float = 0.5
    max_failures: int = 5
    window_s: float = 600.0
    cooldown_s: float | None = None
    """Pause after which an open breaker lets the component try again; None: given up until asked."""

    def __post_init__(self) -> None:
        for name, least in (("first_delay_s", 0.0), ("factor", 1.0), ("max_delay_s", 0.0), ("jitter", 0.0)):
            _check(name, getattr(self, name), getattr(self, name) >= least, f"at least {least:g}")
        _check("jitter", self.jitter, self.jitter <= 1.0, "at most 1")
        _check("max_failures", self.max_failures, self.max_failures >= 1, "at least 1")
        _check("window_s", self.window_s, self.window_s > 0.0, "positive")
        if self.cooldown_s is not None:
            _check("cooldown_s", self.cooldown_s, self.cooldown_s > 0.0, "positive, or None")


class RestartState:
    """The failures of one component under a policy; decides, and does nothing itself."""

    def __init__(self, policy: RestartPolicy, rng: random.Random) -> None:
        self._policy = policy
        self._rng = rng
        self._failed_at_s: deque[float] = deque()

    def failed(self, now_s: float) -> float | None:
        """Note a failure at loop time `now_s`; return the pause before the restart, or None to give up."""
        policy = self._policy
        self._failed_at_s.append(now_s)
        while self._failed_at_s[0] <= now_s - policy.window_s:
            self._failed_at_s.popleft()
        count = len(self._failed_at_s)
        if count >= policy.max_failures:
            return None
        # min() on the exponent too: a generous policy would overflow the power.
        delay_s = min(policy.max_delay_s, policy.first_delay_s * policy.factor ** min(count - 1, 64))
        return delay_s * (1.0 - policy.jitter * self._rng.random())

    def forget(self) -> None:
        """Close the breaker."""
        self._failed_at_s.clear()


def _check(name: str, value: float, holds: bool, rule: str) -> None:
    if not holds:
        raise ParameterError(f"RestartPolicy.{name} must be {rule}, got {value}.", name=name, value=value)
