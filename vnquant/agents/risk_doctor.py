"""RiskDoctor: how dangerous a stock is to hold, how much of it to hold, and when not to buy it at all."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.blending import blend
from vnquant.agents.evidence import Bars, Evidence
from vnquant.agents.parameters import parameter
from vnquant.agents.scores import Note, Scores
from vnquant.agents.study import bars_of, gather
from vnquant.features.forks import cellwise
from vnquant.features.indicators import ratio, rolling_mean, rolling_sum, shift
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel
from vnquant.market.price_band import band_pct
from vnquant.market.symbols import Exchange, load_universe

__all__ = ("RiskDoctorAgent",)

_SESSIONS_A_YEAR = 250
# Shares bought today can be sold from the afternoon of T+2: no stop acts for about two and a half sessions.
_LOCKED_SESSIONS = 2.5
# A move of this share of the band, closing at the day's extreme, is a lock: the last tick is rounding.
_LOCK_SHARE = 0.93
_LOCK_WINDOW = 5


class RiskDoctorAgent(Agent):
    """Judges the risk of holding, not the chance of gain.

    - *volatility*: annualised, with the loss that can happen before T+2 allows a sale;
    - *liquidity*: the value traded on a usual day, in VND;
    - *gaps*: the usual jump between a close and the next open, which no stop can catch;
    - *locks*: days that closed at the ceiling or floor, where one side of the book was empty.

    It sizes a position so that its daily volatility costs `daily_risk_pct` of equity, within
    `max_position_pct` and within what the market can absorb, and vetoes a buy of an illiquid stock, of one
    too volatile, and of one that was locked at its floor within five sessions.
    """

    name = "risk_doctor"
    per_symbol = True
    judges_latest = True

    volatility_days: int = parameter(20, 10, 120, unit="bars", help="days of the volatility")
    usual_volatility_pct: float = parameter(
        35.0, 10.0, 80.0, step=1.0, unit="% a year", help="volatility that counts as neither calm nor wild"
    )
    liquidity_days: int = parameter(20, 5, 60, unit="bars", help="days of the usual traded value")
    usual_value_bn: float = parameter(
        20.0,
        1.0,
        500.0,
        step=1.0,
        unit="bn VND a day",
        help="traded value that counts as neither thin nor deep",
    )
    gap_days: int = parameter(60, 20, 250, step=5, unit="bars", help="days of the usual overnight gap")
    lock_days: int = parameter(60, 20, 250, step=5, unit="bars", help="days in which limit-locked days count")
    volatility_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of volatility")
    liquidity_weight: float = parameter(0.8, 0.0, 3.0, step=0.1, help="weight of liquidity")
    gaps_weight: float = parameter(0.5, 0.0, 3.0, step=0.1, help="weight of gaps")
    locks_weight: float = parameter(0.5, 0.0, 3.0, step=0.1, help="weight of limit-locked days")
    veto_value_bn: float = parameter(
        1.0, 0.0, 50.0, step=0.5, unit="bn VND a day", help="traded value below which a buy is vetoed"
    )
    veto_volatility_pct: float = parameter(
        90.0, 40.0, 200.0, step=5.0, unit="% a year", help="volatility above which a buy is vetoed"
    )
    max_position_pct: float = parameter(
        12.5, 1.0, 25.0, step=0.5, unit="% of equity", help="largest position"
    )
    daily_risk_pct: float = parameter(
        0.25, 0.05, 1.0, step=0.05, unit="% of equity", help="daily volatility that one position may bring"
    )
    participation_pct: float = parameter(
        5.0,
        0.5,
        25.0,
        step=0.5,
        unit="% of a day's value",
        help="largest share of a day's value to be traded",
    )
    equity_mn: float = parameter(
        100.0, 1.0, 1_000_000.0, step=100.0, unit="mn VND", help="equity that positions are sized for"
    )

    def score(self, panel: BarPanel) -> Scores:
        """Return the risk of every row and symbol, with vetoes and position sizes."""
        bars = bars_of(panel)
        sigma, value = bars.now(bars.sigma(self.volatility_days)), self._value(bars)
        floored = bars.now(
            bars.keep("floored", lambda: rolling_sum(self._locked_down(bars), _LOCK_WINDOW, min_count=1))
        )
        observations = {
            "volatility": self._volatility,
            "liquidity": self._liquidity,
            "gaps": self._gaps,
            "locks": self._locks,
        }
        yearly = 100.0 * sigma * np.sqrt(_SESSIONS_A_YEAR)
        thin, wild, stuck = (
            bars.spread_flag(value < self.veto_value_bn * 1e9),
            bars.spread_flag(yearly > self.veto_volatility_pct),
            bars.spread_flag(floored >= 1.0),
        )
        size = bars.spread(self._position(sigma, value))
        return blend(
            bars,
            gather(self, bars, observations),
            notes=(
                Note(
                    thin,
                    "veto: trades {value:,.1f} bn VND a day, less than {bound:g}",
                    values={"value": lambda: bars.spread(value / 1e9), "bound": self.veto_value_bn},
                    urgent=True,
                ),
                Note(
                    wild,
                    "veto: volatility {yearly:.0f} % a year, above {bound:g} %",
                    values={"yearly": lambda: bars.spread(yearly), "bound": self.veto_volatility_pct},
                    urgent=True,
                ),
                Note(
                    stuck,
                    "veto: locked at its floor on {days:.0f} of the last 5 sessions, a stop could not sell",
                    values={"days": lambda: bars.spread(floored)},
                    urgent=True,
                ),
                Note(
                    np.isfinite(size),
                    "position up to {size:.1f} % of equity",
                    values={"size": lambda: 100.0 * size},
                ),
            ),
            veto=thin | wild | stuck,
            position_fraction=size,
        )

    def _volatility(self, bars: Bars) -> Evidence:
        sigma = bars.now(bars.sigma(self.volatility_days))
        yearly = 100.0 * sigma * np.sqrt(_SESSIONS_A_YEAR)
        return Evidence(
            -np.tanh(np.log(yearly / self.usual_volatility_pct) / 0.6),
            self.volatility_weight,
            "volatility {yearly:.0f} % a year; one sigma before T+2 lets go is {locked:.1f} %",
            values={"yearly": yearly, "locked": 100.0 * sigma * np.sqrt(_LOCKED_SESSIONS)},
        )

    def _value(self, bars: Bars) -> FloatArray:
        """Return the value traded on a usual day, VND."""
        traded = bars.keep("traded", lambda: bars.close * bars.volume)
        days = self.liquidity_days
        return bars.now(bars.keep(("traded", days), lambda: rolling_mean(traded, days)))

    def _liquidity(self, bars: Bars) -> Evidence:
        value = self._value(bars)
        # A stock that never traded in the window is as thin as can be: one VND a day stands for none.
        relative = np.log10(np.maximum(value, 1.0) / (self.usual_value_bn * 1e9))
        return Evidence(
            np.tanh(1.2 * relative),
            self.liquidity_weight * bars.volume_trust,
            "trades {value:,.1f} bn VND a day",
            values={"value": value / 1e9},
        )

    def _gaps(self, bars: Bars) -> Evidence:
        gap = _gap(bars.open, shift(bars.close))
        usual = 100.0 * bars.now(rolling_mean(gap, self.gap_days))
        # Half a per cent between close and open is ordinary on HOSE; one and a half is not.
        return Evidence(
            np.tanh(1.5 * (0.7 - usual)),
            self.gaps_weight,
            "overnight gaps of {usual:.2f} % on average over {days:.0f} days",
            values={"usual": usual, "days": self.gap_days},
        )

    def _locks(self, bars: Bars) -> Evidence:
        up = bars.now(rolling_sum(self._locked_up(bars), self.lock_days))
        down = bars.now(rolling_sum(self._locked_down(bars), self.lock_days))
        # A floor day traps the holder, a ceiling day only the buyer.
        return Evidence(
            0.5 - 1.5 * np.tanh((down + 0.5 * up) / 4.0),
            self.locks_weight,
            "{down:.0f} floor and {up:.0f} ceiling days in {days:.0f}",
            values={"down": down, "up": up, "days": self.lock_days},
        )

    def _locked_up(self, bars: Bars) -> FloatArray:
        """Return where a day closed at the ceiling, as 1.0 and 0.0, NaN where unknown."""
        return bars.keep("locked up", lambda: _at_ceiling(bars.moves, bars.close, bars.high, _near(bars)))

    def _locked_down(self, bars: Bars) -> FloatArray:
        """Return where a day closed at the floor, likewise."""
        return bars.keep("locked down", lambda: _at_floor(bars.moves, bars.close, bars.low, _near(bars)))

    def _position(self, sigma: FloatArray, value: FloatArray) -> FloatArray:
        """Return the largest position as a share of equity."""
        by_risk = self.daily_risk_pct / 100.0 / sigma
        by_market = self.participation_pct / 100.0 * value / (self.equity_mn * 1e6)
        return np.minimum(np.minimum(by_risk, by_market), self.max_position_pct / 100.0)


@cellwise
def _gap(opened: FloatArray, closed: FloatArray) -> FloatArray:
    """Return the size of the jump from a close to the next open."""
    return np.abs(ratio(opened, closed) - 1.0)


@cellwise
def _at_ceiling(move: FloatArray, close: FloatArray, high: FloatArray, near: FloatArray) -> FloatArray:
    """Return where a day is locked at its ceiling, as 1.0 and 0.0, NaN where its move is unknown."""
    return np.where(np.isfinite(move), (move >= near) & (close >= high), np.nan)


@cellwise
def _at_floor(move: FloatArray, close: FloatArray, low: FloatArray, near: FloatArray) -> FloatArray:
    """Return where a day is locked at its floor, likewise."""
    return np.where(np.isfinite(move), (move <= -near) & (close <= low), np.nan)


def _near(bars: Bars) -> FloatArray:
    """Return the move from which a close counts as locked, by symbol."""
    return _LOCK_SHARE * _bands(bars.panel.symbols)


@lru_cache(maxsize=128)
def _bands(symbols: tuple[str, ...]) -> FloatArray:
    """Return each symbol's daily limit as a fraction; that of HOSE, the narrowest, for symbols not listed."""
    universe = load_universe()
    exchanges = [universe[s].exchange if s in universe else Exchange.HOSE for s in symbols]
    bands = np.array([band_pct(exchange) / 100.0 for exchange in exchanges])
    bands.flags.writeable = False
    return bands
