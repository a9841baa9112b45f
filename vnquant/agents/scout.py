"""Scout: what is unusual today, in volume, in the news, in foreign flows and beside the market."""

from __future__ import annotations

import bottleneck as bn
import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.blending import blend
from vnquant.agents.evidence import Bars, Evidence, ramp
from vnquant.agents.parameters import parameter
from vnquant.agents.scores import Scores
from vnquant.agents.study import bars_of, gather
from vnquant.features.indicators import ratio, rolling_mean, rolling_std, shift
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("ScoutAgent",)


class ScoutAgent(Agent):
    """Reports anomalies, and how a stock stands in its market.

    - *volume*: today's volume against its usual spread, in the direction of today's move;
    - *strength*: the rank of its return of `strength_days` among the panel's symbols;
    - *breadth*: the share of the panel's symbols above their moving average;
    - *news*: the panel's `news_sentiment`;
    - *foreign*: the panel's `foreign_net` of a week in units of its own spread.

    The last two speak only where the panel carries them; strength and breadth need `min_symbols` symbols.
    """

    name = "scout"
    per_symbol = False
    judges_latest = True

    volume_days: int = parameter(20, 10, 60, unit="bars", help="days that today's volume is compared with")
    strength_days: int = parameter(20, 5, 120, unit="bars", help="days of the relative return")
    breadth_days: int = parameter(20, 10, 100, unit="bars", help="moving average that breadth counts above")
    foreign_days: int = parameter(60, 20, 120, unit="bars", help="days of the usual spread of foreign flows")
    min_symbols: int = parameter(5, 2, 50, unit="symbols", help="fewest symbols that make a market")
    volume_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of the volume anomaly")
    strength_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of relative strength")
    breadth_weight: float = parameter(0.6, 0.0, 3.0, step=0.1, help="weight of market breadth")
    news_weight: float = parameter(1.2, 0.0, 3.0, step=0.1, help="weight of the news")
    foreign_weight: float = parameter(0.5, 0.0, 3.0, step=0.1, help="weight of foreign flows")

    @property
    def warmup_bars(self) -> int:
        """Bars that the longest window needs: all of them are finite."""
        longest = max(2 * self.volume_days, self.strength_days, self.breadth_days, self.foreign_days + 5)
        return longest + 5

    def score(self, panel: BarPanel) -> Scores:
        """Return what is unusual at every row and symbol."""
        bars = bars_of(panel)
        observations = {
            "volume": self._volume,
            "strength": self._strength,
            "breadth": self._breadth,
            "news": self._news,
            "foreign": self._foreign,
        }
        return blend(bars, gather(self, bars, observations))

    def _volume(self, bars: Bars) -> Evidence:
        days = self.volume_days
        above = bars.log_volume - bars.before(
            ("usual volume", days), lambda past: rolling_mean(past.log_volume, days)
        )
        # Log volumes of one stock spread by 0.3 and more; less is a window of equal days.
        spread = bars.before(
            ("spread of volume", days), lambda past: np.maximum(rolling_std(past.log_volume, days), 0.1)
        )
        surprise = above / spread
        move = bars.moves
        sigmas = move / bars.before(("sigma", days), lambda past: past.sigma(days))
        # Only more volume than usual is news; a quiet day says nothing.
        strength = np.tanh(0.5 * np.maximum(surprise, 0.0)) * np.tanh(sigmas)
        return Evidence(
            strength,
            self.volume_weight * bars.volume_trust,
            "volume {times:.1f}x usual ({surprise:+.1f} sigma) on a day of {move:+.1f} %",
            values={"times": np.exp(above), "surprise": surprise, "move": 100.0 * move},
        )

    def _strength(self, bars: Bars) -> Evidence:
        # Ranked in the panel's own rows: every symbol of a row belongs to the same session.
        change = bars.spread(bars.returns(self.strength_days))
        count = np.isfinite(change).sum(axis=1, keepdims=True, dtype=np.float64)
        share = (_ranks(change) - 0.5) / self._market_of(count)
        middle = _middles(change)
        return Evidence(
            bars.squeeze(1.6 * (share - 0.5)),
            self.strength_weight,
            "{days:.0f}-day return {excess:+.1f} % against the median, ahead of {share:.0f} % of "
            "{count:.0f} symbols",
            values={
                "days": self.strength_days,
                "excess": bars.squeeze(100.0 * (change - middle)),
                "share": bars.squeeze(100.0 * share),
                "count": _for_all(bars, count, change.shape),
            },
            absent=f"no relative strength: fewer than {self.min_symbols} symbols to compare with",
        )

    def _breadth(self, bars: Bars) -> Evidence:
        # A symbol within 1 % of its average counts in part, so that breadth does not flicker.
        each = bars.spread(ramp(bars.over_average(self.breadth_days), -0.01, 0.01))
        there = np.isfinite(each)
        count = there.sum(axis=1, keepdims=True, dtype=np.float64)
        total = np.where(there, each, 0.0).sum(axis=1, keepdims=True)
        share = total / self._market_of(count)
        return Evidence(
            _for_all(bars, np.tanh(2.5 * (share - 0.5)), each.shape),
            self.breadth_weight,
            "breadth: {share:.0f} % of {count:.0f} symbols above their SMA{days:.0f}",
            values={
                "share": _for_all(bars, 100.0 * share, each.shape),
                "count": _for_all(bars, count, each.shape),
                "days": self.breadth_days,
            },
            absent=f"no market breadth: fewer than {self.min_symbols} symbols",
        )

    def _market_of(self, count: FloatArray) -> FloatArray:
        """Return how many symbols there are, NaN where they are too few to make a market."""
        return np.where(count >= self.min_symbols, count, np.nan)

    def _news(self, bars: Bars) -> Evidence:
        sentiment = bars.field("news_sentiment")
        return Evidence(
            np.tanh(1.5 * sentiment),
            # Silence is NaN; a neutral article is a 0 and rightly pulls towards indifference, but gently.
            self.news_weight
            * np.where(np.isnan(sentiment), 0.0, 0.3 + 0.7 * np.minimum(np.abs(sentiment), 1.0)),
            "news sentiment {sentiment:+.2f}",
            values={"sentiment": sentiment},
            absent="no news about it"
            if "news_sentiment" in bars.panel.fields
            else "no news scores on this panel",
            optional=True,
        )

    def _foreign(self, bars: Bars) -> Evidence:
        flow = sigmas = bars.history("foreign_net")
        if "foreign_net" in bars.panel.fields:
            week = 5.0 * rolling_mean(flow, 5)
            # The scale is fixed by the days before, in whatever unit the flow is given.
            spread = shift(rolling_std(flow, self.foreign_days), 5) * np.sqrt(5.0)
            sigmas = ratio(week, spread)
        return Evidence(
            np.tanh(0.5 * sigmas),
            self.foreign_weight,
            "foreigners' net buying of 5 days {sigmas:+.1f} sigma of its usual spread",
            against="foreigners' net selling of 5 days {sigmas:+.1f} sigma of its usual spread",
            values={"sigmas": sigmas},
            optional=True,
        )


def _for_all(bars: Bars, x: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return a column, which holds for all symbols of its row, as an array of the bars."""
    return bars.squeeze(x.repeat(shape[1], axis=1))


def _ranks(x: FloatArray) -> FloatArray:
    """Return each value's rank in its row, from 1, ties averaged, NaN left out."""
    if not x.size:
        return x
    ranked: FloatArray = bn.nanrankdata(x, axis=1)
    return ranked


def _middles(x: FloatArray) -> FloatArray:
    """Return each row's median as a column, NaN for a row without values."""
    if not x.size:
        return np.full((len(x), 1), np.nan)
    middle: FloatArray = bn.nanmedian(x, axis=1)
    return middle[:, None]
