"""Evidence: how the five agents turn observations into a score, a confidence and reasons that add up.

Each observation is brought to a strength in [-1, 1] by a smooth function, so that a price one VND higher
never flips an opinion. The score is their weighted mean over the observations that are there; the confidence
grows with their strength and agreement and shrinks with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from vnquant.agents.scores import Part, Scores
from vnquant.features.indicators import atr, returns, rolling_std
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("SIGMA_FLOOR", "Bars", "Evidence", "blend", "ramp")

# A day's volatility below this is that of a price which hardly trades; dividing by it would shout.
SIGMA_FLOOR = 0.002
# Confidence of evidence that says nothing either way, and what strength and agreement add to it.
_CONFIDENCE_BASE = 0.2
_CONFIDENCE_STRENGTH = 0.4
_CONFIDENCE_AGREEMENT = 0.4
_ARRAYS_KEPT = 12  # derived arrays that the bars of one panel hold on to


class Bars:
    """The bars of a panel with each symbol's gaps squeezed out, so that windows count bars and not rows.

    `volume` is that of whole days: the running session is scaled by the usual time-of-day curve.
    """

    def __init__(self, panel: BarPanel) -> None:
        self.panel = panel
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

    def spread_value(self, x: FloatArray | float) -> FloatArray | float:
        """Return `spread(x)`, and a plain number as it is."""
        return self.spread(x) if isinstance(x, np.ndarray) else x

    def field(self, name: str) -> FloatArray:
        """Return an optional field of the panel without the gaps, all NaN where it is not carried."""
        return self.squeeze(self.panel.get(name))

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

    @property
    def average_true_range(self) -> FloatArray:
        """Wilder's average true range over his 14 bars, VND."""
        return self.keep("atr", lambda: atr(self.high, self.low, self.close))

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


def blend(bars: Bars, evidence: Mapping[str, Evidence]) -> Scores:
    """Return the weighted mean of the evidence, with a confidence and a part for each.

    With weights w and strengths e over what is there, ::

        score      = sum(w e) / sum(w)
        confidence = coverage x (0.2 + 0.4 sum(w |e|) / sum(w) + 0.4 |score|)

    where coverage is the share of the weight of required evidence that could be observed.
    """
    shape = bars.final(bars.close).shape
    total, score, strength = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    beyond = np.zeros(shape)
    wanted: FloatArray | float = 0.0
    amounts: dict[str, FloatArray] = {}
    for name, one in evidence.items():
        observed = bars.final(one.strength)
        said = one.weight if isinstance(one.weight, int | float) else bars.final(one.weight)
        there = ~np.isnan(observed)
        weight = said * there
        amounts[name] = said * observed
        heard = np.where(there, amounts[name], 0.0)
        total += weight
        score += heard
        strength += np.abs(heard, out=heard)
        if one.optional:
            beyond += weight
        else:
            wanted = wanted + said
    share = np.divide(1.0, total, out=np.full(shape, np.nan), where=total > 0.0)
    score *= share
    strength *= share
    confidence = _CONFIDENCE_BASE + _CONFIDENCE_STRENGTH * strength + _CONFIDENCE_AGREEMENT * np.abs(score)
    confidence *= np.divide(total - beyond, wanted, out=np.ones(shape), where=np.asarray(wanted) > 0.0)
    final = bars.spread(score)
    parts = {
        name: Part(
            bars.spread(np.multiply(amounts[name], share, out=amounts[name])),
            one.text,
            values={key: partial(bars.spread_value, value) for key, value in one.values.items()},
            against=one.against,
            absent=one.absent,
        )
        for name, one in evidence.items()
    }
    return Scores(final, np.where(np.isnan(final), 0.0, bars.spread(confidence)), parts)


def ramp(x: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 at `low` and below, 1 at `high` and above, and a straight line between."""
    clipped: FloatArray = np.clip((x - low) / (high - low), 0.0, 1.0)
    return clipped
