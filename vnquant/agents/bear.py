"""Bear: the case for selling, from overbought prices, breakdowns, distribution and drawdown."""

from __future__ import annotations

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.blending import blend
from vnquant.agents.bull import up_volume_share
from vnquant.agents.evidence import SIGMA_FLOOR, Bars, Evidence, ramp
from vnquant.agents.parameters import parameter
from vnquant.agents.scores import Scores
from vnquant.agents.study import bars_of, gather
from vnquant.features.forks import cellwise
from vnquant.features.indicators import ratio, rolling_max, rolling_mean, rolling_std, rsi, shift
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("BearAgent",)


class BearAgent(Agent):
    """Looks for stocks that are about to fall, or do; where nothing is wrong it is mildly relieved.

    - *overbought*: RSI and the distance above the moving average in deviations, together;
    - *breakdown*: where the close stands against the lowest low before today;
    - *distribution*: falling days on rising volume, and the share of volume on falling days;
    - *drawdown*: the fall from the high of `drawdown_days`, against what volatility alone would bring.

    The lack of a case for selling is not a case for buying: `relief` bounds what it may add.
    """

    name = "bear"
    per_symbol = True
    judges_latest = True

    rsi_days: int = parameter(14, 5, 40, unit="bars", help="window of the RSI")
    overbought_rsi: float = parameter(65.0, 50.0, 85.0, step=1.0, help="RSI from which a stock is overbought")
    stretch_days: int = parameter(
        20, 10, 60, unit="bars", help="moving average that prices stretch away from"
    )
    breakdown_days: int = parameter(20, 10, 120, unit="bars", help="days whose low a breakdown undercuts")
    distribution_days: int = parameter(25, 10, 60, unit="bars", help="days in which distribution days count")
    drawdown_days: int = parameter(
        60, 20, 250, step=5, unit="bars", help="days whose high a drawdown starts from"
    )
    overbought_weight: float = parameter(0.8, 0.0, 3.0, step=0.1, help="weight of overbought")
    breakdown_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of breakdown")
    distribution_weight: float = parameter(0.7, 0.0, 3.0, step=0.1, help="weight of distribution")
    drawdown_weight: float = parameter(0.7, 0.0, 3.0, step=0.1, help="weight of drawdown")
    relief: float = parameter(0.25, 0.0, 1.0, step=0.05, help="most that the lack of a case may add")

    def score(self, panel: BarPanel) -> Scores:
        """Return the case for selling at every row and symbol, as negative scores."""
        bars = bars_of(panel)
        observations = {
            "overbought": self._overbought,
            "breakdown": self._breakdown,
            "distribution": self._distribution,
            "drawdown": self._drawdown,
        }
        return blend(bars, gather(self, bars, observations))

    def _overbought(self, bars: Bars) -> Evidence:
        strength_index = bars.now(rsi(bars.close, self.rsi_days))
        middle = bars.now(bars.average(self.stretch_days))
        deviation = bars.now(rolling_std(bars.close, self.stretch_days))
        spread = np.maximum(ratio(deviation, middle), SIGMA_FLOOR)
        stretch = (ratio(bars.now(bars.close), middle) - 1.0) / spread
        hot = 0.5 * ramp(strength_index, self.overbought_rsi, self.overbought_rsi + 15.0) + 0.5 * ramp(
            stretch, 1.5, 3.0
        )
        cold = self.relief * ramp(-strength_index, -35.0, -20.0)
        text = "RSI({days:.0f}) {rsi:.0f}, close {stretch:+.1f} sigma from SMA{window:.0f}"
        return Evidence(
            cold - hot,
            self.overbought_weight,
            f"oversold: {text}",
            against=f"overbought: {text}",
            values={
                "days": self.rsi_days,
                "rsi": strength_index,
                "stretch": stretch,
                "window": self.stretch_days,
            },
        )

    def _breakdown(self, bars: Bars) -> Evidence:
        bottom = bars.now(bars.lowest_before(self.breakdown_days))
        distance = bars.now(bars.close) - bottom
        height = ratio(distance, 3.0 * bars.now(bars.average_true_range))
        return Evidence(
            np.clip(height - 0.8, -1.0, self.relief),
            self.breakdown_weight,
            "close {percent:+.1f} % from the {days:.0f}-day low of {bottom:,.0f} VND",
            against="close only {percent:+.1f} % from the {days:.0f}-day low of {bottom:,.0f} VND",
            values={
                "percent": 100.0 * ratio(distance, bottom),
                "days": self.breakdown_days,
                "bottom": bottom,
            },
        )

    def _distribution(self, bars: Bars) -> Evidence:
        sold = _sold(bars.moves, bars.volume, shift(bars.volume))
        count = self.distribution_days * bars.now(rolling_mean(sold, self.distribution_days))
        falling = 1.0 - up_volume_share(bars, self.distribution_days)
        usual = 0.2 * self.distribution_days
        strength = -0.5 * np.tanh((count - usual) / 2.5) - 0.5 * np.tanh(5.0 * (falling - 0.5))
        return Evidence(
            np.minimum(strength, self.relief),
            self.distribution_weight * bars.volume_trust,
            "{count:.1f} distribution days in {days:.0f}, {falling:.0f} % of volume on falling days",
            values={"count": count, "days": self.distribution_days, "falling": 100.0 * falling},
        )

    def _drawdown(self, bars: Bars) -> Evidence:
        depth = self._depth(bars)
        # The mean drawdown from the high of n bars of a random walk is about 0.8 sigma sqrt(n).
        usual = 0.8 * bars.now(bars.sigma(self.drawdown_days)) * np.sqrt(self.drawdown_days)
        return Evidence(
            np.minimum(-np.tanh(-depth / usual - 1.0), self.relief),
            self.drawdown_weight,
            "drawdown {depth:.1f} % from the {days:.0f}-day high, usual for its volatility {usual:.1f} %",
            values={"depth": 100.0 * depth, "days": self.drawdown_days, "usual": -100.0 * usual},
        )

    def _depth(self, bars: Bars) -> FloatArray:
        top = bars.now(rolling_max(bars.close, self.drawdown_days))
        return ratio(bars.now(bars.close), top) - 1.0


@cellwise
def _sold(move: FloatArray, volume: FloatArray, before: FloatArray) -> FloatArray:
    """Return how far each day is one of W. O'Neil's distribution days, from 0 to 1.

    That is a fall of 0.2 % or more on more volume than the day before. Both edges are softened, so that a lot
    more or less does not turn a day into one.
    """
    return ramp(-move, 0.001, 0.003) * ramp(ratio(volume, before), 0.95, 1.05)
