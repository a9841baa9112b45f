"""Models: the configuration of a forecast. Its hash is part of every stored model's fingerprint."""

from __future__ import annotations

import msgspec

from vnquant.errors import ParameterError

__all__ = ("ModelConfig",)


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a forecast is trained. Sessions are rows of the daily panel.

    Attributes
    ----------
    horizon : int
        Sessions ahead of the forecast return.
    first_train_sessions : int
        Sessions before the first fold's test block.
    fold_sessions : int
        Length of a test block; the model is refitted before each on everything that is known by then.
    embargo_sessions : int
        Sessions left out between the last training label and the test block, besides the purge of `horizon`.
    train_step : int
        Learn from every n-th session: labels of neighbouring ones overlap and add time rather than knowledge.
    calibration_sessions : int
        How often the scale, the interval and the confidence are calibrated anew on out-of-sample forecasts.
    interval_level : float
        Probability of the interval.
    threads : int
        For fitting; does not change the result.
    seed : int
    """

    horizon: int = 5
    first_train_sessions: int = 500
    fold_sessions: int = 250
    embargo_sessions: int = 1
    train_step: int = 2
    calibration_sessions: int = 50
    interval_level: float = 0.8
    threads: int = 2
    seed: int = 7

    def __post_init__(self) -> None:
        for name, low in (
            ("horizon", 1),
            ("first_train_sessions", 60),
            ("fold_sessions", 5),
            ("embargo_sessions", 0),
            ("train_step", 1),
            ("calibration_sessions", 5),
            ("threads", 1),
        ):
            value = getattr(self, name)
            if value < low:
                raise ParameterError(f"{name} must be {low} or more, got {value}.", name=name, value=value)
        if not 0.5 <= self.interval_level < 1.0:
            raise ParameterError(
                f"interval_level must lie in [0.5, 1), got {self.interval_level}.",
                name="interval_level",
                value=self.interval_level,
            )

    def identity(self) -> bytes:
        """Return the bytes of everything that decides the result."""
        told = {n: getattr(self, n) for n in self.__struct_fields__ if n != "threads"}
        return msgspec.json.encode(told, order="sorted")
