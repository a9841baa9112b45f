"""Bars and quotes: the records that cross the rooms, for one symbol at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.errors import AlignmentError, RecordError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Bar", "BarSeries", "FloatArray", "Quote", "TimeArray")

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One OHLCV record. Prices in VND a share, volume in shares.

    `timestamp` is the start of the bar; that of a daily bar is 00:00 ICT of its session.
    """

    symbol: str
    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The board of one symbol at one instant. Prices in VND, volumes in shares, None where unknown.

    `bids` and `asks` hold up to three levels, best first, as (price, volume); the price is None where the
    level is an auction order (ATO, ATC) without a price of its own.
    """

    symbol: str
    as_of: datetime
    reference_price: float
    ceiling_price: float
    floor_price: float
    last_price: float | None
    last_volume: float = 0.0
    total_volume: float = 0.0
    open_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    average_price: float | None = None
    bids: tuple[tuple[float | None, float], ...] = ()
    asks: tuple[tuple[float | None, float], ...] = ()
    foreign_buy_volume: float | None = None
    foreign_sell_volume: float | None = None
    foreign_room: float | None = None

    @property
    def price(self) -> float:
        """What a share is worth: the last match, before the first one the reference."""
        return self.reference_price if self.last_price is None else self.last_price

    @property
    def change(self) -> float | None:
        """Last price less reference price in VND, None before the first match."""
        return None if self.last_price is None else self.last_price - self.reference_price


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class BarSeries:
    """Bars of one symbol as columns, ascending in time, each timestamp once.

    Attributes
    ----------
    symbol : str
    timestamps : datetime64[s], shape (T,)
        ICT wall clock; daily bars stand at 00:00 of their session date.
    open, high, low, close : float64, shape (T,)
        VND a share.
    volume : float64, shape (T,)
        Shares.
    source : str
        Name of the source that gave the bars.
    problems : tuple of RecordError
        Records of the answer that were malformed and are therefore not among the bars.
    """

    symbol: str
    timestamps: TimeArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    source: str = ""
    problems: tuple[RecordError, ...] = field(default=())

    def __post_init__(self) -> None:
        columns = (self.timestamps, self.open, self.high, self.low, self.close, self.volume)
        lengths = {len(column) for column in columns}
        if len(lengths) != 1:
            raise AlignmentError(f"{self.symbol}: columns of different lengths {sorted(lengths)}")
        if len(self.timestamps) > 1 and not bool(np.all(np.diff(self.timestamps) > np.timedelta64(0, "s"))):
            raise AlignmentError(f"{self.symbol}: timestamps must ascend without duplicates")

    def __len__(self) -> int:
        return len(self.timestamps)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a bar, indexed by date."""
        import pandas as pd

        index = pd.DatetimeIndex(self.timestamps, name="date")
        columns = ("open", "high", "low", "close", "volume")
        return pd.DataFrame({name: getattr(self, name) for name in columns}, index=index)

    def __repr__(self) -> str:
        if not len(self):
            return f"BarSeries({self.symbol}, no bars)"
        span = f"{str(self.timestamps[0])[:16]} to {str(self.timestamps[-1])[:16]}".replace("T00:00", "")
        malformed = f", {len(self.problems)} malformed" if self.problems else ""
        return f"BarSeries({self.symbol}, {len(self)} bars, {span}{malformed})"
