"""Faults: what can go wrong with one answer of the simulated exchange, and how often."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from vnquant.errors import ParameterError

__all__ = ("Fault", "Faults")


class Fault(StrEnum):
    """One way in which an answer goes wrong; the names are the fields of `Faults`."""

    HTTP_500 = "http_500"
    HTTP_429 = "http_429"
    BAD_JSON = "bad_json"
    TRUNCATED = "truncated"
    RESET = "reset"
    HANG = "hang"
    WRONG_TYPE = "wrong_type"
    EMPTY = "empty"
    STALE = "stale"
    STRAGGLER = "straggler"


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """How often each fault befalls a request, and how long the slow ones take.

    The first ten fields are probabilities a request. A request meets at most one fault, so their sum is at
    most 1. All seconds are loop seconds, not market seconds.

    Attributes
    ----------
    http_500 : float
        500, 502, 503 or 504 with an HTML body.
    http_429 : float
        429 with `Retry-After: {retry_after_s}`.
    bad_json : float
        The right status, headers and length, but a body that no parser accepts.
    truncated : float
        The connection closes after half of the announced body.
    reset : float
        The connection is reset (TCP RST) without an answer.
    hang : float
        Silence for `hang_s`, then the connection closes without an answer.
    wrong_type : float
        Status 200 with a maintenance page as `text/html`.
    empty : float
        A valid answer without content: `[]`, `no_data`, no rows, no items.
    stale : float
        The answer of the market's close `stale_sessions` sessions before the running or last one.
    straggler : float
        The right answer, `straggler_s` later than its latency says.
    hang_s, straggler_s, retry_after_s : float
        A `retry_after_s` that is not whole is sent with its fraction, which RFC 9110 (10.2.3) does not
        foresee; it keeps tests short, and a client may take it for absent.
    stale_sessions : int
    """

    http_500: float = 0.0
    http_429: float = 0.0
    bad_json: float = 0.0
    truncated: float = 0.0
    reset: float = 0.0
    hang: float = 0.0
    wrong_type: float = 0.0
    empty: float = 0.0
    stale: float = 0.0
    straggler: float = 0.0
    hang_s: float = 30.0
    straggler_s: float = 2.0
    retry_after_s: float = 1.0
    stale_sessions: int = 2

    def __post_init__(self) -> None:
        for fault in Fault:
            _check_range(fault.value, getattr(self, fault.value), 1.0)
        for name in ("hang_s", "straggler_s", "retry_after_s"):
            _check_range(name, getattr(self, name), math.inf)
        if not isinstance(self.stale_sessions, int) or self.stale_sessions < 1:
            raise ParameterError(
                f"stale_sessions = {self.stale_sessions!r}: a stale answer is at least 1 session old.",
                name="stale_sessions",
                value=self.stale_sessions,
            )
        if self.total > 1.0 + 1e-9:
            raise ParameterError(
                f"The fault probabilities add up to {self.total:g}, but a request meets at most one fault. "
                "Lower them until their sum is at most 1.",
                name="faults",
                value=self.total,
            )

    @property
    def total(self) -> float:
        """Probability that a request meets any fault."""
        return math.fsum(getattr(self, fault.value) for fault in Fault)

    def pick(self, u: float) -> Fault | None:
        """Return the fault of a request whose uniform draw in [0, 1) is `u`, None for a sound answer."""
        upper = 0.0
        for fault in Fault:
            upper += getattr(self, fault.value)
            if u < upper:
                return fault
        return None


def _check_range(name: str, value: float, largest: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # NaN fails every comparison, so it is refused as well.
    if not number or not 0.0 <= value <= largest or value == math.inf:
        limit = "a probability in [0, 1]" if largest == 1.0 else "a finite number of seconds, 0 or more"
        raise ParameterError(f"{name} = {value!r}: it must be {limit}.", name=name, value=value)
