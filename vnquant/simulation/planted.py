"""Planted: the factors that the simulated market obeys, and how strongly.

Each factor is a function of a symbol's own daily bars up to the close, without any comparison between
symbols, so that whoever looks at one symbol's prices and volume can find it:

================  =====================================================================================
momentum          return from 20 to 5 sessions ago / (daily volatility x sqrt 15), within +-2.5
reversal          minus the return of the last 5 sessions without the news moves among them
                  / (daily volatility x sqrt 5), within +-2.5
news_drift        news moves, of at least 2 daily volatilities on at least twice the usual volume, in
                  the last 5 sessions, each in units of volatility (within +-4) and faded by its age
low_volatility    (2.3 % - daily volatility) / 0.7 %, within +-1.5
================  =====================================================================================

Daily volatility is the root mean square return of the last 60 sessions, for a move that of the session
before; usual volume is the mean of the 20 sessions before. Momentum leaves the newest sessions to
reversal, and reversal the news to news_drift, as studies of them do (Chan, Journal of Financial Economics
70, 2003), so that none cancels another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from vnquant.errors import ParameterError
from vnquant.market import FloatArray

__all__ = (
    "EVENT_MOVE",
    "EVENT_VOLUME",
    "FACTORS",
    "HORIZON",
    "LONG_SESSIONS",
    "NEWS_FADE",
    "SHORT_SESSIONS",
    "VOLATILITY_SESSIONS",
    "VOLUME_SESSIONS",
    "Planted",
    "exposures",
)

FACTORS = ("momentum", "reversal", "news_drift", "low_volatility")
# Sessions over which the truth's expected return is stated: the model's and the filter's horizon.
HORIZON = 5
LONG_SESSIONS = 20
SHORT_SESSIONS = 5
VOLATILITY_SESSIONS = 60
VOLUME_SESSIONS = 20
EVENT_MOVE = 2.0
EVENT_VOLUME = 2.0
# What is left of a news event's pull on the 1st to 5th session after it.
NEWS_FADE = (1.0, 0.85, 0.65, 0.45, 0.3)

_SCALED_LIMIT = 2.5
_EVENT_LIMIT = 4.0
_CALM = 0.023
_CALM_SCALE = 0.007
_CALM_LIMIT = 1.5
_STRONGEST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Strengths: the next session's expected return, in daily volatilities, for one unit of each exposure.

    All must lie in [0, 0.5]; beyond that the prices would run away. Zero plants nothing.
    """

    momentum: float = 0.0
    reversal: float = 0.0
    news_drift: float = 0.0
    low_volatility: float = 0.0

    def __post_init__(self) -> None:
        for name in FACTORS:
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and 0.0 <= value <= _STRONGEST):
                raise ParameterError(
                    f"Planted {name} = {value!r} must be a number in [0, {_STRONGEST}]: the next session's "
                    "expected return, in daily volatilities, for one unit of exposure. "
                    "Planted.default() shows usual strengths.",
                    name=name,
                    value=value,
                )

    @classmethod
    def default(cls) -> Planted:
        """Strong enough that on a normal day 1 to 5 of 102 symbols pass the filter of path A."""
        return cls(momentum=0.07, reversal=0.13, news_drift=0.3, low_volatility=0.02)

    @classmethod
    def realistic(cls) -> Planted:
        """Each factor with a rank IC of 0.02 to 0.05, as in published studies of the market."""
        return cls(momentum=0.016, reversal=0.04, news_drift=0.04, low_volatility=0.018)

    @classmethod
    def noise(cls) -> Planted:
        """Nothing to find: forward returns do not depend on the past."""
        return cls()

    @property
    def strengths(self) -> dict[str, float]:
        """Strength by factor."""
        return {f.name: float(getattr(self, f.name)) for f in fields(self)}


def exposures(
    older_return: FloatArray, quiet_return: FloatArray, volatility: FloatArray, news: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the exposures in the order of `FACTORS`, each of the arguments' shape.

    Parameters
    ----------
    older_return : float64
        Sum of the daily returns of 20 to 6 sessions back, counting the present one as the first.
    quiet_return : float64
        Sum of the last 5 daily returns, 0 in place of news moves.
    volatility : float64
        Root mean square daily return of the last 60 sessions.
    news : float64
        Sum of the recent events, each in volatilities, faded by its age.
    """
    older = math.sqrt(LONG_SESSIONS - SHORT_SESSIONS)
    momentum = _within(older_return / (volatility * older), _SCALED_LIMIT)
    reversal = _within(-quiet_return / (volatility * math.sqrt(SHORT_SESSIONS)), _SCALED_LIMIT)
    calm = _within((_CALM - volatility) / _CALM_SCALE, _CALM_LIMIT)
    return momentum, reversal, news, calm


def event_of(scaled_return: FloatArray, volume_ratio: FloatArray) -> FloatArray:
    """Return each session's news event in volatilities, 0 where the move or the volume is too small."""
    is_event = (np.abs(scaled_return) >= EVENT_MOVE) & (volume_ratio >= EVENT_VOLUME)
    return _within(scaled_return, _EVENT_LIMIT) * is_event


def _within(values: FloatArray, limit: float) -> FloatArray:
    return np.minimum(np.maximum(values, -limit), limit)
