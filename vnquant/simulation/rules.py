"""Rules: tick sizes and price bands as lookup tables, for the day-by-day recursion.

The rules themselves are `vnquant.market.price_band`'s; a table turns each into one indexing step.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt

from vnquant.market import EXCHANGE_ORDER, FloatArray, price_limits_array, tick_sizes

__all__ = ("FIRST_START", "HIGHEST_PRICE", "PriceRules")

# The tick ladder and bands have stood since 2016-09-12, so from here on one set of tables holds.
FIRST_START = date(2016, 9, 12)
HIGHEST_PRICE = 1_000_000.0
_STEP = 10.0


class PriceRules:
    """Ticks and bands of N symbols by price."""

    def __init__(self, exchange: npt.NDArray[np.int8]) -> None:
        tick, ceiling, floor = _tables()
        self._offset = exchange.astype(np.int64) * tick.shape[1]
        self._tick, self._ceiling, self._floor = tick.ravel(), ceiling.ravel(), floor.ravel()

    def ticks(self, prices: FloatArray) -> FloatArray:
        """Return the tick size at each price, shape (..., N)."""
        return self._tick.take(self._place(prices))  # which is faster than an index

    def tick(self, price: float, column: int) -> float:
        """Return the tick size of one symbol at one price: `ticks` without an array."""
        bounded = min(max(price, _STEP), HIGHEST_PRICE)
        return self._tick.item(int(bounded / _STEP) + self._offset.item(column))

    def limits(self, references: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ceilings and floors of references that lie on a tick, shape (..., N)."""
        place = self._place(references)
        return self._ceiling.take(place), self._floor.take(place)

    def nearest(self, prices: FloatArray) -> FloatArray:
        """Return the nearest quotable prices."""
        tick = self.ticks(prices)
        return np.maximum(np.floor(prices / tick + 0.5), 1.0) * tick

    def _place(self, prices: FloatArray) -> npt.NDArray[np.int64]:
        bounded = np.minimum(np.maximum(prices, _STEP), HIGHEST_PRICE)
        place: npt.NDArray[np.int64] = (bounded / _STEP).astype(np.int64) + self._offset
        return place


@cache
def _tables() -> tuple[FloatArray, FloatArray, FloatArray]:
    prices = np.arange(int(HIGHEST_PRICE / _STEP) + 1) * _STEP
    prices[0] = _STEP
    codes = np.arange(len(EXCHANGE_ORDER), dtype=np.int8)[:, None]
    tick = tick_sizes(prices, codes)
    ceiling, floor = price_limits_array(prices, codes)
    return tick, ceiling, floor
