"""Bull: the case for buying, from trend, breakout, momentum and accumulation."""

from __future__ import annotations

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.blending import blend
from vnquant.agents.evidence import Bars, Evidence, ramp
from vnquant.agents.parameters import parameter
from vnquant.agents.scores import Scores
from vnquant.agents.study import bars_of, gather
from vnquant.errors import ParameterError
from vnquant.features.forks import cellwise
from vnquant.features.indicators import ratio, returns, rolling_sum, shift, sma
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("BullAgent",)


class BullAgent(Agent):
    """Looks for stocks that go up and says so; where nothing rises it doubts mildly.

    - *momentum*: the return over `momentum_days` in units of its own volatility;
    - *trend*: the gap between a fast and a slow moving average, likewise;
    - *breakout*: where the close stands against the highest high before today, believed with volume;
    - *accumulation*: the share of volume that fell on rising days.

    The lack of a case for buying is not a case for selling, so whatever is negative counts `doubt` times.
    """

    name = "bull"
    per_symbol = True
    judges_latest = True

    momentum_days: int = parameter(20, 5, 120, unit="bars", help="days of the momentum return")
    fast_days: int = parameter(20, 5, 60, unit="bars", help="fast moving average of the trend")
    slow_days: int = parameter(50, 20, 250, step=5, unit="bars", help="slow moving average of the trend")
    breakout_days: int = parameter(20, 10, 120, unit="bars", help="days whose high a breakout must exceed")
    accumulation_days: int = parameter(20, 10, 60, unit="bars", help="days of the up-volume share")
    momentum_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of momentum")
    trend_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of trend")
    breakout_weight: float = parameter(0.8, 0.0, 3.0, step=0.1, help="weight of breakout")
    accumulation_weight: float = parameter(0.5, 0.0, 3.0, step=0.1, help="weight of accumulation")
    doubt: float = parameter(0.5, 0.0, 1.0, step=0.05, help="how much the lack of a case counts")

    def check_together(self) -> None:
        """Require the fast average to be the faster one."""
        if self.fast_days >= self.slow_days:
            raise ParameterError(
                f"BullAgent(fast_days={self.fast_days}, slow_days={self.slow_days}): the fast average must "
                "be shorter than the slow one. Lower fast_days or raise slow_days.",
                name="fast_days",
                value=self.fast_days,
            )

    def score(self, panel: BarPanel) -> Scores:
        """Return the case for buying at every row and symbol."""
        bars = bars_of(panel)
        observations = {
            "momentum": self._momentum,
            "trend": self._trend,
            "breakout": self._breakout,
            "accumulation": self._accumulation,
        }
        return blend(bars, gather(self, bars, observations))

    def _momentum(self, bars: Bars) -> Evidence:
        change = bars.now(returns(bars.close, self.momentum_days))
        sigmas = change / (bars.now(bars.sigma(self.momentum_days)) * np.sqrt(self.momentum_days))
        return Evidence(
            self._doubted(np.tanh(sigmas / 1.5)),
            self.momentum_weight,
            "{days:.0f}-day return {change:+.1f} % ({sigmas:+.1f} sigma)",
            values={"days": self.momentum_days, "change": 100.0 * change, "sigmas": sigmas},
        )

    def _trend(self, bars: Bars) -> Evidence:
        fast, slow = (bars.now(bars.average(days)) for days in (self.fast_days, self.slow_days))
        gap = ratio(fast, slow) - 1.0
        # The two averages are centred (slow - fast) / 2 bars apart: a random walk parts them by its root.
        reach = bars.now(bars.sigma(self.slow_days)) * np.sqrt(0.5 * (self.slow_days - self.fast_days))
        text = "SMA{fast:.0f} {gap:.1f} % {side} SMA{slow:.0f}"
        return Evidence(
            self._doubted(np.tanh(gap / reach)),
            self.trend_weight,
            text.replace("{side}", "above"),
            against=text.replace("{side}", "below"),
            values={"fast": self.fast_days, "slow": self.slow_days, "gap": 100.0 * np.abs(gap)},
        )

    def _breakout(self, bars: Bars) -> Evidence:
        top = bars.now(bars.highest_before(self.breakout_days))
        distance = bars.now(bars.close) - top
        # At the old high the case is nearly made; three true ranges below it there is none.
        strength = np.clip(0.8 + ratio(distance, 3.0 * bars.now(bars.average_true_range)), -0.5, 1.0)
        burst = ratio(bars.now(bars.volume), bars.now(shift(sma(bars.volume, self.breakout_days))))
        # Without a volume to compare with, it is taken as usual. A new high on thin volume is believed half.
        burst = np.where(np.isnan(burst), 1.0, burst)
        belief = 0.5 + 0.5 * ramp(burst, 0.5, 1.5)
        strength = np.where(strength > 0.0, strength * belief, strength)
        return Evidence(
            self._doubted(strength),
            self.breakout_weight,
            "close {percent:+.1f} % from the {days:.0f}-day high of {top:,.0f} VND, "
            "volume {burst:.1f}x usual",
            values={
                "percent": 100.0 * ratio(distance, top),
                "days": self.breakout_days,
                "top": top,
                "burst": burst,
            },
        )

    def _accumulation(self, bars: Bars) -> Evidence:
        share = up_volume_share(bars, self.accumulation_days)
        return Evidence(
            self._doubted(np.tanh(4.0 * (share - 0.5))),
            self.accumulation_weight * bars.volume_trust,
            "{share:.0f} % of {days:.0f}-day volume on rising days",
            values={"share": 100.0 * share, "days": self.accumulation_days},
        )

    def _doubted(self, strength: FloatArray) -> FloatArray:
        return np.where(strength < 0.0, self.doubt * strength, strength)


def up_volume_share(bars: Bars, days: int) -> FloatArray:
    """Return the share of volume on rising days among that of all days that moved, NaN without any."""
    moved = bars.keep("moved volume", lambda: _moved(bars.moves, bars.volume))
    risen = bars.keep("risen volume", lambda: _risen(bars.moves, moved))
    return ratio(bars.now(rolling_sum(risen, days)), bars.now(rolling_sum(moved, days)))


@cellwise
def _moved(move: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the volume of days that moved, 0 on those that did not, NaN where it is unknown."""
    return np.where(np.isnan(move), np.nan, np.where(move == 0.0, 0.0, volume))


@cellwise
def _risen(move: FloatArray, moved: FloatArray) -> FloatArray:
    """Return the part of `moved` that fell on rising days, NaN where it is unknown."""
    return np.where(move <= 0.0, 0.0, moved)
