"""Board book: the quotes of a board as columns of numbers, and which rows a new board has changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import IntEnum

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.market import FloatArray, Quote

__all__ = ("ABSENT", "ATC", "ATO", "PRICES", "VOLUMES", "BoardBook", "Freshness")

_LEVELS = 3
# Columns of `BoardBook.prices` and `BoardBook.volumes`.
PRICES: tuple[str, ...] = (
    "reference_price",
    "ceiling_price",
    "floor_price",
    "last_price",
    *(f"{side}_price_{level}" for side in ("bid", "ask") for level in range(1, _LEVELS + 1)),
    "high_price",
    "average_price",
    "low_price",
)
VOLUMES: tuple[str, ...] = (
    "last_volume",
    *(f"{side}_volume_{level}" for side in ("bid", "ask") for level in range(1, _LEVELS + 1)),
    "total_volume",
    "foreign_buy_volume",
    "foreign_sell_volume",
    "foreign_room",
)
# In place of a price: none, and an auction order without a price of its own.
ABSENT, ATO, ATC = -1, -2, -3
_DEAREST = 2**31 - 1  # what an int32 holds; no share comes near
_NOON = 12
_NO_LEVEL = ((ABSENT, math.nan),)


class Freshness(IntEnum):
    """What is known of a row."""

    UNKNOWN = 0
    """Never quoted."""
    FRESH = 1
    """In the last board."""
    STALE = 2
    """Quoted before, but missing from the last board."""


class BoardBook:
    """The last quote of each symbol.

    Parameters
    ----------
    symbols : iterable of str
        Rows, in this order.

    Attributes
    ----------
    prices : int32, shape (N, len(PRICES))
        VND a share; `ABSENT`, `ATO` or `ATC` where there is none.
    volumes : float64, shape (N, len(VOLUMES))
        Shares; NaN where unknown.
    freshness : uint8, shape (N,)
        `Freshness` of each row.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = tuple(symbols)
        self._places = {symbol: row for row, symbol in enumerate(self.symbols)}
        n = len(self.symbols)
        self.prices: npt.NDArray[np.int32] = np.full((n, len(PRICES)), ABSENT, dtype=np.int32)
        self.volumes: FloatArray = np.full((n, len(VOLUMES)), np.nan)
        self.freshness: npt.NDArray[np.uint8] = np.full(n, Freshness.UNKNOWN, dtype=np.uint8)
        # What each fresh row was written from: an unchanged quote costs one comparison and touches no array.
        self._taken: list[Quote | None] = [None] * n

    def __len__(self) -> int:
        return len(self.symbols)

    def price(self, name: str) -> npt.NDArray[np.int32]:
        """Return one column of prices."""
        return self.prices[:, PRICES.index(name)]

    def volume(self, name: str) -> FloatArray:
        """Return one column of volumes."""
        return self.volumes[:, VOLUMES.index(name)]

    def take(self, quotes: Mapping[str, Quote]) -> list[int]:
        """Take a board over, and return the rows that now differ, ascending.

        Symbols that are not on the board keep their last quote and become stale; unknown ones are ignored.
        """
        changed = set()
        missing = set(self._places)
        for symbol, quote in quotes.items():
            row = self._places.get(symbol)
            if row is None:
                continue
            missing.discard(symbol)
            before = self._taken[row]
            if before is not None and _is_alike(before, quote):
                continue
            self._taken[row] = quote
            self.prices[row], self.volumes[row] = _values(quote)
            self.freshness[row] = Freshness.FRESH
            changed.add(row)
        changed.update(self._mark_stale(missing))
        return sorted(changed)

    def _mark_stale(self, symbols: Iterable[str]) -> list[int]:
        rows = [self._places[symbol] for symbol in symbols]
        turned = [row for row in rows if self._taken[row] is not None]
        for row in turned:
            self._taken[row] = None
        self.freshness[turned] = Freshness.STALE
        return turned


def _is_alike(before: Quote, now: Quote) -> bool:
    """Whether two quotes differ in nothing but their time, which matters for the name of an auction only."""
    same_half = (before.as_of.hour < _NOON) == (now.as_of.hour < _NOON)
    return same_half and msgspec.structs.replace(before, as_of=now.as_of) == now


def _values(quote: Quote) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return a quote as prices and volumes in the order of `PRICES` and `VOLUMES`."""
    auction = ATO if quote.as_of.hour < _NOON else ATC
    bids = [(_vnd(p, auction), v) for p, v in quote.bids[:_LEVELS]]
    asks = [(_vnd(p, auction), v) for p, v in quote.asks[:_LEVELS]]
    bids += _NO_LEVEL * (_LEVELS - len(bids))
    asks += _NO_LEVEL * (_LEVELS - len(asks))
    (b1, w1), (b2, w2), (b3, w3) = bids
    (a1, v1), (a2, v2), (a3, v3) = asks
    prices = (
        _vnd(quote.reference_price),
        _vnd(quote.ceiling_price),
        _vnd(quote.floor_price),
        _vnd(quote.last_price),
        b1,
        b2,
        b3,
        a1,
        a2,
        a3,
        _vnd(quote.high_price),
        _vnd(quote.average_price),
        _vnd(quote.low_price),
    )
    volumes = (
        quote.last_volume,
        w1,
        w2,
        w3,
        v1,
        v2,
        v3,
        quote.total_volume,
        _shares(quote.foreign_buy_volume),
        _shares(quote.foreign_sell_volume),
        _shares(quote.foreign_room),
    )
    return prices, volumes


def _vnd(price: float | None, otherwise: int = ABSENT) -> int:
    return otherwise if price is None else min(round(price), _DEAREST)


def _shares(volume: float | None) -> float:
    return math.nan if volume is None else volume
