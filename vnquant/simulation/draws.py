"""Draws: the luck of each request, fixed by the seed and the request's number and by nothing else."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from vnquant.simulation.faults import Fault, Faults
from vnquant.simulation.latency import Latency

__all__ = ("Draw", "Draws")


@dataclass(frozen=True, slots=True)
class Draw:
    """What one request is dealt.

    `number` counts requests from 0; `variant` is uniform in [0, 1) and picks among the forms of a fault.
    """

    number: int
    latency_s: float
    fault: Fault | None
    variant: float


class Draws:
    """A seeded sequence of draws.

    Each request consumes the same four uniforms whatever the faults and latency are, so a change of
    settings while the exchange runs leaves the later draws where they were. `random.random()` gives the
    same sequence on every Python version and platform (docs.python.org, "Notes on Reproducibility"), which
    `gauss` does not promise; so the normal draw is made here (Box-Muller).
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._uniforms = random.Random(seed)
        self._number = 0

    def next(self, faults: Faults, latency: Latency) -> Draw:
        """Deal the next request."""
        u_fault, u_radius, u_angle, variant = (self._uniforms.random() for _ in range(4))
        z = math.sqrt(-2.0 * math.log(1.0 - u_radius)) * math.cos(2.0 * math.pi * u_angle)
        draw = Draw(self._number, latency.seconds(z), faults.pick(u_fault), variant)
        self._number += 1
        return draw

    def preview(self, count: int, faults: Faults, latency: Latency) -> tuple[Draw, ...]:
        """Return what the next `count` requests would be dealt, without dealing them."""
        ahead = Draws(self._seed)
        ahead._number = self._number
        ahead._uniforms.setstate(self._uniforms.getstate())
        return tuple(ahead.next(faults, latency) for _ in range(count))
