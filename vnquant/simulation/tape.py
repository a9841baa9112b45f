"""Tape: the minutes of one session, all symbols at once, so made that they add up to the daily bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from vnquant.market import EXCHANGE_ORDER, Exchange, FloatArray, volume_curve
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import Stream, exponential_table, lanes, normal_table
from vnquant.simulation.rules import PriceRules

__all__ = ("MINUTES", "Tape", "record_tape", "visible_minutes")

# One grid for all boards: 09:00 to 11:29 and 13:00 to 14:59. A board's own minutes are those with volume; the
# closing auction stands at 14:45.
MINUTES: npt.NDArray[np.int64] = np.concatenate([np.arange(540, 690), np.arange(780, 900)])
MINUTES.flags.writeable = False
_CLOSING_AUCTION = 885
_STEP, _VOLUME, _TOP, _BOTTOM = range(4)
_WICK_CHANCE = 18_000  # of 65,536: a minute that reaches a tick beyond its open and close
# Width of the bridge in parts of the session's range: where the distance from the open and the place within
# the range so far both tell next to nothing (correlation about 0.1 at most) of the rest of the session.
_PATH_WIDTH = 0.63


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Minute bars of one session, arrays of shape (270, N); a minute without volume has no bar.

    `cumulative_volume`, `cumulative_value`, `running_high` and `running_low` describe the session up to and
    including each minute.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    running_high: FloatArray
    running_low: FloatArray
    cumulative_volume: FloatArray
    cumulative_value: FloatArray


def record_tape(profiles: Profiles, rules: PriceRules, seed: int, history: DailyHistory, row: int) -> Tape:
    """Make the minutes of session `row` of a history."""
    n = len(profiles)
    drawn = lanes(seed, Stream.INTRADAY, row, len(MINUTES) * n * 4).reshape(4, len(MINUTES), n)
    usual = _curves()[:, profiles.exchange]
    day = {name: getattr(history, name)[row] for name in ("open", "high", "low", "close", "volume")}

    busy = usual * (0.35 + 0.65 * exponential_table().take(drawn[_VOLUME]))
    done = np.cumsum(busy, axis=0)
    whole = np.floor(done / done[-1] * (day["volume"] / 100.0) + 0.5)
    lots = whole.copy()
    lots[1:] -= whole[:-1]
    active = lots > 0

    close = _path(day, usual * active, normal_table().take(drawn[_STEP]))
    close = np.minimum(np.maximum(rules.nearest(close), day["low"]), day["high"])
    opening = np.concatenate([day["open"][None], close[:-1]])
    tick = rules.ticks(close)
    high = np.maximum(opening, close) + tick * (drawn[_TOP] < _WICK_CHANCE)
    low = np.minimum(opening, close) - tick * (drawn[_BOTTOM] < _WICK_CHANCE)
    high, low = np.minimum(high, day["high"]), np.maximum(low, day["low"])
    columns = np.arange(n)
    high[np.argmax(np.where(active, high, -np.inf), axis=0), columns] = day["high"]
    low[np.argmin(np.where(active, low, np.inf), axis=0), columns] = day["low"]
    volume = lots * 100.0
    middle = (high + low + 2.0 * close) / 4.0
    return Tape(
        open=opening,
        high=high,
        low=low,
        close=close,
        volume=volume,
        running_high=np.maximum.accumulate(np.where(active, high, -np.inf), axis=0),
        running_low=np.minimum.accumulate(np.where(active, low, np.inf), axis=0),
        cumulative_volume=np.cumsum(volume, axis=0),
        cumulative_value=np.cumsum(volume * middle, axis=0),
    )


def visible_minutes(minutes: npt.ArrayLike, exchange: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Return how many minutes of the grid each symbol's tape shows at times of day, shape (..., N).

    Times are minutes after midnight, ICT. A minute is seen when it is over; the closing auction of HOSE and
    HNX, which matches at once, at 14:45.
    """
    at = np.asarray(minutes)[..., None]
    complete = np.searchsorted(MINUTES, at, side="left")
    has_auction = exchange != EXCHANGE_ORDER.index(Exchange.UPCOM)
    return np.where(has_auction & (at >= _CLOSING_AUCTION), len(MINUTES), complete)


def _path(day: dict[str, FloatArray], pace: FloatArray, steps: FloatArray) -> FloatArray:
    """Return a bridge from the open to the close that reaches to the session's high and low."""
    passed = np.cumsum(pace, axis=0)
    passed = passed / passed[-1]
    walk = np.cumsum(steps * np.sqrt(pace), axis=0)
    bridge = walk - passed * walk[-1]
    width = _PATH_WIDTH * (day["high"] - day["low"])
    raw = day["open"] + (day["close"] - day["open"]) * passed + width * bridge
    top, bottom = np.maximum(day["open"], day["close"]), np.minimum(day["open"], day["close"])
    over, under = np.maximum(raw - top, 0.0), np.maximum(bottom - raw, 0.0)
    path: FloatArray = (
        np.minimum(np.maximum(raw, bottom), top)
        + over * _stretch(over, day["high"] - top)
        - under * _stretch(under, bottom - day["low"])
    )
    return path


def _stretch(excess: FloatArray, wanted: FloatArray) -> FloatArray:
    reached = excess.max(axis=0)
    return np.where(reached > 0, wanted / np.where(reached > 0, reached, 1.0), 0.0)


@cache
def _curves() -> FloatArray:
    """Return each board's usual volume by minute of the grid, shape (270, 3)."""
    curves = np.zeros((len(MINUTES), len(EXCHANGE_ORDER)))
    for column, exchange in enumerate(EXCHANGE_ORDER):
        curve = volume_curve(exchange)
        curves[np.searchsorted(MINUTES, curve.minutes), column] = curve.shares
    return curves
