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

__all__ = (
    "CLOSING_AUCTION",
    "MINUTES",
    "Tape",
    "has_auction",
    "record_tape",
    "visible_by_board",
    "visible_minutes",
)

# One grid for all boards: 09:00 to 11:29 and 13:00 to 14:59. A board's own minutes are those with volume; the
# closing auction stands at 14:45.
MINUTES: npt.NDArray[np.int64] = np.concatenate([np.arange(540, 690), np.arange(780, 900)])
MINUTES.flags.writeable = False
CLOSING_AUCTION = 885
_STEP, _VOLUME, _TOP, _BOTTOM = range(4)
_WICK_CHANCE = 18_000  # of 65,536: a minute that reaches a tick beyond its open and close
# Width of the bridge in parts of the session's range: where the distance from the open and the place within
# the range so far both tell next to nothing (correlation about 0.1 at most) of the rest of the session.
_PATH_WIDTH = 0.63
_BLOCKS = 18  # of 15 minutes


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
    usual = _curves().take(profiles.exchange, axis=1)
    day = {name: getattr(history, name)[row] for name in ("open", "high", "low", "close", "volume")}

    # In place where it can be: new arrays of this size cost more than what is computed in them.
    busy = exponential_table().take(drawn[_VOLUME])
    busy *= 0.65
    busy += 0.35
    busy *= usual
    whole = np.cumsum(busy, axis=0, out=busy)
    whole /= whole[-1].copy()
    whole *= day["volume"] / 100.0
    whole += 0.5
    np.floor(whole, out=whole)
    lots = whole.copy()
    lots[1:] -= whole[:-1]
    active = lots > 0

    usual *= active
    close = rules.nearest(_path(day, usual, normal_table().take(drawn[_STEP])))
    np.minimum(np.maximum(close, day["low"], out=close), day["high"], out=close)
    opening = np.concatenate([day["open"][None], close[:-1]])
    tick = rules.ticks(close)
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    high += tick * (drawn[_TOP] < _WICK_CHANCE)
    low -= tick * (drawn[_BOTTOM] < _WICK_CHANCE)
    np.minimum(high, day["high"], out=high)
    np.maximum(low, day["low"], out=low)
    traded_high, traded_low = np.where(active, high, -np.inf), np.where(active, low, np.inf)
    columns = np.arange(n)
    top, bottom = np.argmax(traded_high, axis=0), np.argmin(traded_low, axis=0)
    high[top, columns] = traded_high[top, columns] = day["high"]
    low[bottom, columns] = traded_low[bottom, columns] = day["low"]
    volume = lots
    volume *= 100.0
    value = high + low
    value += 2.0 * close
    value /= 4.0
    value *= volume
    return Tape(
        open=opening,
        high=high,
        low=low,
        close=close,
        volume=volume,
        running_high=_accumulated(np.maximum, traded_high),
        running_low=_accumulated(np.minimum, traded_low),
        # All are whole numbers, so that sums are exact in any order.
        cumulative_volume=whole * 100.0,
        cumulative_value=_accumulated(np.add, value),
    )


def _accumulated(operation: np.ufunc, values: FloatArray) -> FloatArray:
    """Return `operation.accumulate` by minutes, of an operation that may go by blocks.

    Many blocks at once take a third of the time of one minute after the other.
    """
    blocks = values.reshape(_BLOCKS, -1, values.shape[-1])
    for minute in range(1, blocks.shape[1]):
        operation(blocks[:, minute - 1], blocks[:, minute], out=blocks[:, minute])
    before = operation.accumulate(blocks[:-1, -1], axis=0)
    operation(before[:, None], blocks[1:], out=blocks[1:])
    return values


def visible_minutes(minutes: npt.ArrayLike, exchange: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Return how many minutes of the grid each symbol's tape shows at times of day, shape (..., N).

    Times are minutes after midnight, ICT. A minute is seen when it is over; the closing auction of HOSE and
    HNX, which matches at once, at 14:45.
    """
    at = np.asarray(minutes)[..., None]
    complete = np.searchsorted(MINUTES, at, side="left")
    return np.where(has_auction(exchange) & (at >= CLOSING_AUCTION), len(MINUTES), complete)


def has_auction(exchange: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """Return where a board closes with an auction."""
    return np.not_equal(exchange, EXCHANGE_ORDER.index(Exchange.UPCOM))


@cache
def visible_by_board() -> tuple[tuple[int, ...], ...]:
    """Return `visible_minutes` of every minute of a day, by place in `EXCHANGE_ORDER`."""
    seen = visible_minutes(np.arange(24 * 60), np.arange(len(EXCHANGE_ORDER), dtype=np.int8))
    return tuple(map(tuple, seen.tolist()))


def _path(day: dict[str, FloatArray], pace: FloatArray, steps: FloatArray) -> FloatArray:
    """Return a bridge from open to close that reaches the high and the low; the steps are used up."""
    passed = np.cumsum(pace, axis=0)
    passed /= passed[-1].copy()
    steps *= np.sqrt(pace)
    walk = np.cumsum(steps, axis=0, out=steps)
    last = walk[-1].copy()
    walk -= passed * last
    walk *= _PATH_WIDTH * (day["high"] - day["low"])
    passed *= day["close"] - day["open"]
    passed += day["open"]
    passed += walk
    raw = passed
    top, bottom = np.maximum(day["open"], day["close"]), np.minimum(day["open"], day["close"])
    over, under = raw - top, bottom - raw
    np.maximum(over, 0.0, out=over)
    np.maximum(under, 0.0, out=under)
    over *= _stretch(over, day["high"] - top)
    under *= _stretch(under, bottom - day["low"])
    path: FloatArray = np.minimum(np.maximum(raw, bottom, out=raw), top, out=raw)
    path += over
    path -= under
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
