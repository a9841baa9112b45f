"""Randomness: counter-based draws that give the same bytes on every run, Python version and CPU.

Only the raw words of Philox are taken from numpy: bit streams are stable by numpy's policy (NEP 19), the
algorithms of `Generator` are not, and their tails go through the C library's `log` and `exp`. Words are cut
into 16-bit lanes, and a lane looks up its value in a table of quantiles, rounded to a binary grid.
"""

from __future__ import annotations

import math
import threading
from enum import IntEnum
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.market import FloatArray

__all__ = (
    "LANES_PER_WORD",
    "RowLanes",
    "Stream",
    "exponential_of",
    "exponential_table",
    "heavy_table",
    "lanes",
    "normal_table",
    "uniform_of",
)

LaneArray = npt.NDArray[np.uint16]

LANES_PER_WORD = 4
_LEVELS = 1 << 16
# Quantiles are multiples of 2**-20: far above the last bits in which C libraries differ.
_GRID = float(1 << 20)
# The shocks' quantiles are a blend of normal and Student t with 4 degrees of freedom; at this share the
# daily returns, after the band has cut them, have the kurtosis of the real ones.
_HEAVY_SHARE = 0.8


class Stream(IntEnum):
    """What the words are for: each purpose has its own key, so that none shifts another's draws."""

    PROFILE = 1
    DAILY = 2
    CORPORATE = 3
    INTRADAY = 4
    BOARD = 5
    HEADLINES = 6


def lanes(seed: int, stream: Stream, index: int, count: int, *, width: int | None = None) -> LaneArray:
    """Return `count` rows of 16-bit lanes from row `index` on, shape (count, width).

    Row k holds the same lanes whichever call asks for it, which is what keeps history unchanged when
    more of it is asked for. With `width` left out the single row `index` has `count` lanes.

    Parameters
    ----------
    seed : int
        Any integer; the lowest 64 bits count.
    stream : Stream
    index, count : int
        First row and number of rows, or (without `width`) the row and its number of lanes.
    width : int, optional
        Lanes a row, a multiple of 16 (Philox makes four 64-bit words a step).
    """
    key = _key(seed, stream)
    if width is None:
        # A row of its own length: the row number goes into the counter's upper half.
        bits = np.random.Philox(counter=np.array([0, 0, index, 0], dtype=np.uint64), key=key)
        words = bits.random_raw(-(-count // LANES_PER_WORD))
        return np.asarray(words).astype("<u8").view("<u2")[:count]
    if width % 16:
        raise ValueError(f"width must be a multiple of 16 lanes, got {width}")
    bits = np.random.Philox(counter=np.array([index * (width // 16), 0, 0, 0], dtype=np.uint64), key=key)
    words = bits.random_raw(count * width // LANES_PER_WORD)
    return np.asarray(words).astype("<u8").view("<u2").reshape(count, width)


class RowLanes:
    """Single rows of one stream, those that `lanes` gives of each; safe to use from threads.

    For who draws many rows, one now and one then: making a generator takes ten times as long as moving one.
    """

    def __init__(self, seed: int, stream: Stream) -> None:
        self._bits = np.random.Philox(key=_key(seed, stream))
        self._state: Any = self._bits.state
        self._lock = threading.Lock()

    def row(self, index: int, count: int) -> LaneArray:
        """Return `count` lanes of row `index`."""
        with self._lock:
            self._state["state"]["counter"][:] = (0, 0, index, 0)
            self._bits.state = self._state
            words = self._bits.random_raw(-(-count // LANES_PER_WORD))
        return np.asarray(words).astype("<u8", copy=False).view("<u2")[:count]


def _key(seed: int, stream: Stream) -> npt.NDArray[np.uint64]:
    return np.array([seed & 0xFFFF_FFFF_FFFF_FFFF, int(stream)], dtype=np.uint64)


def uniform_of(lane: npt.NDArray[np.unsignedinteger]) -> FloatArray:
    """Return lanes as uniforms in (0, 1)."""
    uniform: FloatArray = (lane.astype(np.float64) + 0.5) / _LEVELS
    return uniform


def exponential_of(x: npt.ArrayLike) -> FloatArray:
    """Return e**x for |x| < 8, within 1 %, by multiplication alone: every CPU gives the same bits."""
    value = 1.0 + np.asarray(x, dtype=np.float64) / 4096.0
    for _ in range(12):
        value = value * value
    return value


@cache
def normal_table() -> FloatArray:
    """Return the standard normal quantiles of the 65,536 lane values."""
    inverse = NormalDist().inv_cdf
    upper = [inverse((_LEVELS // 2 + k + 0.5) / _LEVELS) for k in range(_LEVELS // 2)]
    return _symmetric(np.array(upper))


@cache
def heavy_table() -> FloatArray:
    """Return quantiles of unit variance with heavier tails than the normal."""
    # Quantile of Student's t with 4 degrees of freedom in closed form (Shaw, 2006, J. Comp. Finance 9.4).
    upper = []
    for k in range(_LEVELS // 2):
        p = (_LEVELS // 2 + k + 0.5) / _LEVELS
        alpha = math.sqrt(4.0 * p * (1.0 - p))
        upper.append(2.0 * math.sqrt(max(0.0, math.cos(math.acos(alpha) / 3.0) / alpha - 1.0)))
    blend = (1.0 - _HEAVY_SHARE) * normal_table()[_LEVELS // 2 :] + _HEAVY_SHARE * np.array(upper)
    # fsum is exact whatever the order, unlike numpy's sum, whose order depends on the vector unit.
    scale = math.sqrt(math.fsum((blend * blend).tolist()) / len(blend))
    return _symmetric(blend / scale)


@cache
def exponential_table() -> FloatArray:
    """Return the quantiles of the exponential distribution with mean 1."""
    values = [-math.log1p(-(k + 0.5) / _LEVELS) for k in range(_LEVELS)]
    return _frozen(np.rint(np.array(values) * _GRID) / _GRID)


def _symmetric(upper: FloatArray) -> FloatArray:
    rounded = np.rint(upper * _GRID) / _GRID
    return _frozen(np.concatenate([-rounded[::-1], rounded]))


def _frozen(table: FloatArray) -> FloatArray:
    table.flags.writeable = False
    return table
