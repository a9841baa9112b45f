"""Evidence: how the five agents turn observations into a score, a confidence and reasons that add up.

Each observation is brought to a strength in [-1, 1] by a smooth function, so that a price one VND higher
never flips an opinion. The score is their weighted mean over the observations that are there; the confidence
grows with their strength and agreement and shrinks with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vnquant.agents.scores import BoolArray
from vnquant.features.forks import cellwise
from vnquant.features.indicators import (
    atr,
    ratio,
    returns,
    rolling_max,
    rolling_min,
    rolling_std,
    shift,
    sma,
)
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("SIGMA_FLOOR", "Bars", "Evidence", "log_of", "ramp")

# A day's volatility below this is that of a price which hardly trades; dividing by it would shout.
SIGMA_FLOOR = 0.002
_ARRAYS_KEPT = 16  # derived arrays that the bars of one panel hold on to


class Bars:
    """The bars of a panel with each symbol's gaps squeezed out, so that windows count bars and not rows.

    `volume` is that of whole days: the running session is scaled by the usual time-of-day curve.

    Parameters
    ----------
    panel : BarPanel
    by_point : bool
        Whether single points of the scores are asked for rather than arrays of all.
    """

    def __init__(self, panel: BarPanel, *, by_point: bool = False) -> None:
        self.panel = panel
        self.by_point = by_point
        present = panel.present
        self._missing = ~present
        self._complete = bool(present.all())
        if not self._complete:
            # A stable sort of "missing" moves the bars to the top and keeps their order. Flat positions are
            # gathered several times faster than along an axis, and there is much to gather.
            columns = np.arange(present.shape[1])
            order = np.argsort(self._missing, axis=0, kind="stable")
            rows = np.maximum(np.cumsum(present, axis=0) - 1, 0)
            self._squeezing = order * len(columns) + columns
            self._spreading = rows * len(columns) + columns
            self._below = np.arange(len(present))[:, None] >= present.sum(axis=0)
        self.open = self.squeeze(panel.open)
        self.high = self.squeeze(panel.high)
        self.low = self.squeeze(panel.low)
        self.close = self.squeeze(panel.close)
        self.volume = self.squeeze(panel.full_day_volume)
        self._kept: dict[Hashable, FloatArray] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scores that are made of these bars."""
        return self.close.shape

    def squeeze(self, x: FloatArray) -> FloatArray:
        """Return x of the panel's rows with the gaps taken out: bars at the top, NaN below them."""
        if self._complete:
            return x
        squeezed: FloatArray = x.take(self._squeezing)
        squeezed[self._below] = np.nan
        return squeezed

    def spread(self, x: FloatArray) -> FloatArray:
        """Return the squeezed x in the panel's rows, NaN where no bar exists."""
        if self._complete:
            return x
        out: FloatArray = x.take(self._spreading)
        out[self._missing] = np.nan
        return out

    def final(self, x: FloatArray) -> FloatArray:
        """Return the rows of x that scores are made of: all of them."""
        return x

    def now(self, x: FloatArray) -> FloatArray:
        """Return x as far as scores are made of it, once no window looks back on it any more.

        Of a whole panel that is all of it. Of a session it is a plain array of the last rows, which is much
        cheaper to compute with than one that knows the history behind them.
        """
        return x

    def spread_value(self, x: FloatArray | float) -> FloatArray | float:
        """Return `spread(x)`, and a plain number as it is."""
        return self.spread(x) if isinstance(x, np.ndarray) else x

    def cells(self, x: FloatArray | float) -> FloatArray | float:
        """Return `spread_value(x)` to look single points up in."""
        if self._complete and isinstance(x, np.ndarray) and x.shape != self.shape:
            return np.broadcast_to(x, self.shape)
        return self.spread_value(x)

    def spread_flag(self, x: BoolArray) -> BoolArray:
        """Return the squeezed flag in the panel's rows, False where no bar exists."""
        return x if self._complete else x.take(self._spreading) & ~self._missing

    def field(self, name: str) -> FloatArray:
        """Return an optional field of the panel without the gaps, all NaN where it is not carried."""
        return self.squeeze(self.panel.get(name))

    def history(self, name: str) -> FloatArray:
        """Return a field as `field` does, to look back on: where only its last row is known it is refused."""
        return self.field(name)

    def keep(self, key: Hashable, make: Callable[[], FloatArray]) -> FloatArray:
        """Return an array that several observations need, made once; not to be written to.

        The key must name all that it is made from besides the bars.
        """
        made = self._kept.pop(key, None)
        if made is None:
            made = make()
        self._kept[key] = made  # at the end: what was not asked for longest is let go first
        if len(self._kept) > _ARRAYS_KEPT:
            del self._kept[next(iter(self._kept))]
        return made

    def sigma(self, days: int) -> FloatArray:
        """Return the deviation of one-bar returns over `days` bars, floored at `SIGMA_FLOOR`."""
        return self.keep(("sigma", days), lambda: np.maximum(rolling_std(self.moves, days), SIGMA_FLOOR))

    @property
    def moves(self) -> FloatArray:
        """One-bar returns."""
        return self.keep("moves", lambda: returns(self.close))

    def before(self, key: Hashable, make: Callable[[Bars], FloatArray]) -> FloatArray:
        """Return what `make` gives of the bars as it stood one bar earlier: what was usual before each bar.

        The key must name all that it is made from besides the bars.
        """
        return shift(make(self))

    def returns(self, days: int) -> FloatArray:
        """Return the return over `days` bars."""
        return returns(self.close, days)

    def over_average(self, days: int) -> FloatArray:
        """Return how far the close stands above the mean of the last `days` closes, 0.01 for one per cent."""
        return ratio(self.close, self.average(days)) - 1.0

    @property
    def log_volume(self) -> FloatArray:
        """Logarithm of the volume, NaN where nothing was traded."""
        return self.keep("log volume", lambda: log_of(self.volume))

    @property
    def average_true_range(self) -> FloatArray:
        """Wilder's average true range over his 14 bars, VND."""
        return self.keep("atr", lambda: atr(self.high, self.low, self.close))

    def average(self, days: int) -> FloatArray:
        """Return the mean of the last `days` closes."""
        return self.keep(("average", days), lambda: sma(self.close, days))

    def highest_before(self, days: int) -> FloatArray:
        """Return the highest high of the `days` bars before each."""
        return self.keep(("highest", days), lambda: shift(rolling_max(self.high, days)))

    def lowest_before(self, days: int) -> FloatArray:
        """Return the lowest low of the `days` bars before each."""
        return self.keep(("lowest", days), lambda: shift(rolling_min(self.low, days)))

    @property
    def volume_trust(self) -> FloatArray | float:
        """Weight of evidence from volume: 1 for whole days, the root of its share for the running one.

        A morning's volume scaled to a day is an estimate whose error falls as the day goes on.
        """
        if not self.panel.partial:
            return 1.0
        trust = np.ones(self.panel.shape)
        trust[-1] = np.sqrt(self.panel.session_fraction)
        return self.squeeze(trust)


@dataclass(frozen=True, eq=False)
class Evidence:
    """One observation, in the squeezed rows of `Bars`.

    Attributes
    ----------
    strength : float64, shape (T, N)
        From -1 (sell) to 1 (buy), NaN where it cannot be observed.
    weight : float, or float64 array of shape (T, N)
    text, against, absent, values
        As in `Part`.
    optional : bool
        Whether an agent is complete without it: its absence then does not lower the confidence.
    """

    strength: FloatArray
    weight: FloatArray | float
    text: str
    values: Mapping[str, FloatArray | float] = field(default_factory=dict)
    against: str = ""
    absent: str = ""
    optional: bool = False


@cellwise
def ramp(x: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 at `low` and below, 1 at `high` and above, and a straight line between."""
    line = (x - low) / (high - low)
    # What `np.clip` does, whose way to it takes longer than a row of a market.
    clipped: FloatArray = np.minimum(np.maximum(line, 0.0), 1.0)
    return clipped


def log_of(x: FloatArray) -> FloatArray:
    """Return the natural logarithm, NaN where x is not positive."""
    logarithm: FloatArray = np.log(x, out=np.full(x.shape, np.nan), where=x > 0.0)
    return logarithm
