"""Analyst: what the model's forecast is worth against risk, and the room between support and resistance."""

from __future__ import annotations

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.blending import blend
from vnquant.agents.evidence import SIGMA_FLOOR, Bars, Evidence
from vnquant.agents.levels import Levels, donchian_levels, pivot_levels, swing_levels, volume_profile
from vnquant.agents.parameters import parameter
from vnquant.agents.scores import Scores
from vnquant.agents.study import bars_of, gather
from vnquant.features.indicators import ratio
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("AnalystAgent",)

_HORIZON = 5  # sessions that the model's forecast looks ahead


class AnalystAgent(Agent):
    """Weighs reward against risk.

    - *forecast*: the panel's `expected_return` of five sessions, less the cost of a round trip, over the risk
      of those sessions; weighted by `forecast_confidence`. A panel without them is judged by its levels;
    - *pivots*, *donchian*, *swings*: how much room there is up to resistance against down to support;
    - *profile*: the same from the volume profile, less the supply of holders who bought higher.

    Near support the room is above and the Analyst likes the price; near resistance it does not. Breakouts are
    the Bull's business.
    """

    name = "analyst"
    per_symbol = True
    judges_latest = True

    risk_days: int = parameter(20, 10, 120, unit="bars", help="days of the volatility that is the risk")
    cost_pct: float = parameter(
        0.6, 0.0, 3.0, step=0.1, unit="%", help="cost of buying and selling, tax included"
    )
    donchian_days: int = parameter(20, 10, 120, unit="bars", help="days of the Donchian channel")
    swing_wing: int = parameter(5, 2, 15, unit="bars", help="bars on both sides of a swing high or low")
    profile_days: int = parameter(60, 20, 250, step=5, unit="bars", help="days of the volume profile")
    forecast_weight: float = parameter(4.0, 0.0, 6.0, step=0.1, help="weight of the forecast at confidence 1")
    pivots_weight: float = parameter(0.3, 0.0, 3.0, step=0.1, help="weight of the pivots")
    donchian_weight: float = parameter(0.5, 0.0, 3.0, step=0.1, help="weight of the Donchian channel")
    swings_weight: float = parameter(0.4, 0.0, 3.0, step=0.1, help="weight of the swings")
    profile_weight: float = parameter(0.6, 0.0, 3.0, step=0.1, help="weight of the volume profile")

    def score(self, panel: BarPanel) -> Scores:
        """Return reward against risk at every row and symbol."""
        bars = bars_of(panel)
        observations = {
            "forecast": self._forecast,
            "donchian": self._donchian,
            "swings": self._swings,
            "pivots": self._pivots,
            "profile": self._profile,
        }
        return blend(bars, gather(self, bars, observations))

    def _forecast(self, bars: Bars) -> Evidence:
        expected = bars.now(bars.field("expected_return"))
        confidence = bars.now(bars.field("forecast_confidence"))
        # A forecast that does not say how sure it is counts as a coin flip would.
        sure = np.where(np.isnan(confidence), 0.5, np.clip(confidence, 0.0, 1.0))
        risk = bars.now(bars.sigma(self.risk_days)) * np.sqrt(_HORIZON)
        net = np.sign(expected) * np.maximum(np.abs(expected) - self.cost_pct / 100.0, 0.0)
        reward = net / risk
        return Evidence(
            np.tanh(1.5 * reward),
            self.forecast_weight * sure,
            "model expects {expected:+.1f} % in 5 sessions at confidence {sure:.2f}: after {cost:.1f} % "
            "costs {reward:+.2f}x the risk of {risk:.1f} %",
            values={
                "expected": 100.0 * expected,
                "sure": sure,
                "cost": self.cost_pct,
                "reward": reward,
                "risk": 100.0 * risk,
            },
            absent="no model forecast here: judged by support and resistance alone",
            optional=True,
        )

    def _donchian(self, bars: Bars) -> Evidence:
        levels = donchian_levels(bars, self.donchian_days)
        return self._room(bars, levels, self.donchian_weight, f"{self.donchian_days}-day channel")

    def _swings(self, bars: Bars) -> Evidence:
        return self._room(bars, swing_levels(bars, self.swing_wing), self.swings_weight, "last swings")

    def _pivots(self, bars: Bars) -> Evidence:
        return self._room(bars, pivot_levels(bars), self.pivots_weight, "weekly pivots")

    def _room(self, bars: Bars, levels: Levels, weight: float, method: str) -> Evidence:
        support, resistance, close = (
            bars.now(levels.support),
            bars.now(levels.resistance),
            bars.now(bars.close),
        )
        blur = bars.keep("blur", lambda: _blur(bars))
        up = np.maximum(resistance - close, 0.0) + blur
        down = np.maximum(close - support, 0.0) + blur
        return Evidence(
            ratio(up - down, up + down),
            weight,
            method + ": support {support:,.0f}, resistance {resistance:,.0f} VND, {odds:.1f} up for 1 down",
            values={"support": support, "resistance": resistance, "odds": ratio(up, down)},
        )

    def _profile(self, bars: Bars) -> Evidence:
        support, resistance, overhead = volume_profile(bars, self.profile_days)
        close = bars.now(bars.close)
        # With nothing traded above there is no resistance: as far away as the support below, at least.
        open_above = np.where(np.isnan(resistance), 2.0 * close - support, resistance)
        open_below = np.where(np.isnan(support), 2.0 * close - resistance, support)
        room = self._room(bars, Levels(open_below, open_above), self.profile_weight, "")
        strength = 0.5 * room.strength + 0.5 * (1.0 - 2.0 * overhead)
        return Evidence(
            strength,
            self.profile_weight * bars.volume_trust,
            "volume profile: {overhead:.0f} % of {days:.0f}-day volume above the close, its mean price "
            "{resistance:,.0f}; below {support:,.0f} VND",
            values={
                "overhead": 100.0 * overhead,
                "days": self.profile_days,
                "support": open_below,
                "resistance": open_above,
            },
        )


def _blur(bars: Bars) -> FloatArray:
    """Return how near a level can be told: half a true range; a price that stands still has a tick."""
    return np.maximum(0.5 * bars.now(bars.average_true_range), 0.5 * SIGMA_FLOOR * bars.now(bars.close))
