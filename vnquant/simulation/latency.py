"""Latency: how long the simulated exchange takes to answer, as a distribution."""

from __future__ import annotations

import math

import msgspec

from vnquant.errors import ParameterError

__all__ = ("Latency",)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A lognormal distribution of answer times in loop seconds; made by `none`, `constant` or `lognormal`.

    Attributes
    ----------
    mean_s : float
        Mean answer time.
    sigma : float
        Standard deviation of its logarithm; 0 makes every answer take `mean_s`.
    """

    mean_s: float = 0.0
    sigma: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("mean_s", self.mean_s), ("sigma", self.sigma)):
            if not 0.0 <= value < math.inf:
                raise ParameterError(
                    f"{name} = {value!r}: it must be finite, 0 or more.", name=name, value=value
                )

    @classmethod
    def none(cls) -> Latency:
        """Answer at once."""
        return cls()

    @classmethod
    def constant(cls, seconds: float) -> Latency:
        """Take the same time for every answer."""
        return cls(mean_s=seconds)

    @classmethod
    def lognormal(cls, mean_s: float, sigma: float = 0.6) -> Latency:
        """Take `mean_s` on average, with a tail to the right (sigma 0.6: 1 in 100 takes 3.4 x mean)."""
        return cls(mean_s=mean_s, sigma=sigma)

    def seconds(self, z: float) -> float:
        """Return the answer time at the standard normal draw `z`."""
        if self.mean_s == 0.0 or self.sigma == 0.0:
            return self.mean_s
        # E[exp(N(m, s^2))] = exp(m + s^2 / 2), hence the correction that keeps the mean at mean_s.
        return self.mean_s * math.exp(self.sigma * z - 0.5 * self.sigma * self.sigma)
