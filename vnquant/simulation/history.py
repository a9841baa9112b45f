"""History: the simulated sessions as one record, raw as they traded, and adjusted as the feeds show them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from vnquant.market import BarPanel, FloatArray
from vnquant.simulation.process import OVERNIGHT_VARIANCE, Trajectory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import exponential_table, uniform_of
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.shocks import Lane, Shocks

__all__ = ("DailyHistory", "finish_sessions")

DayArray = npt.NDArray[np.datetime64]

# How often a share that opens and closes at its limit never leaves it.
_LOCKED_ALL_DAY = 0.6


@dataclass(frozen=True, slots=True)
class DailyHistory:
    """Sessions of the simulated market, prices as they traded (not adjusted), arrays of shape (T, N).

    Attributes
    ----------
    symbols : tuple of str, length N
    sessions : datetime64[D], shape (T,)
    open, high, low, close : float64
        Whole VND, on tick, inside the band.
    volume : float64
        Shares, whole lots of 100.
    reference, ceiling, floor : float64
        The session's reference price and band, VND.
    average : float64
        Volume-weighted average price, VND; UPCoM's next reference.
    ex_rights_factor : float64
        Reference value over the previous close where a dividend, bonus issue or split goes ex, else 1.
    foreign_buy, foreign_sell : float64
        Shares bought and sold by foreigners.
    foreign_room : float64
        Shares that foreigners may still buy after the session.
    """

    symbols: tuple[str, ...]
    sessions: DayArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    reference: FloatArray
    ceiling: FloatArray
    floor: FloatArray
    average: FloatArray
    ex_rights_factor: FloatArray
    foreign_buy: FloatArray
    foreign_sell: FloatArray
    foreign_room: FloatArray

    def __len__(self) -> int:
        return len(self.sessions)

    @property
    def adjustment(self) -> FloatArray:
        """Back-adjustment factors as of the last session: adjusted price = price x factor."""
        later = np.ones_like(self.close)
        # Multiplied from the newest on, so the last session's factor is exactly 1.
        later[:-1] = np.cumprod(self.ex_rights_factor[:0:-1], axis=0)[::-1]
        return later

    @property
    def adjusted_close(self) -> FloatArray:
        """Closes back-adjusted as of the last session, not rounded."""
        return self.close * self.adjustment

    def head(self, sessions: int) -> DailyHistory:
        """Return the first `sessions` sessions, as they were known then."""
        return self._rows(slice(0, sessions))

    def tail(self, sessions: int) -> DailyHistory:
        """Return the last `sessions` sessions."""
        return self._rows(slice(max(0, len(self) - sessions), None))

    def _rows(self, rows: slice) -> DailyHistory:
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "symbols"}
        return DailyHistory(symbols=self.symbols, **arrays)

    def panel(self) -> BarPanel:
        """Return the bars back-adjusted for dividends and splits as of the last session.

        Prices are rounded to whole VND (the feeds give thousands with three decimals) and so are off the tick
        grid before the last action; volumes are as traded, as the feeds leave them.
        """
        adjustment = self.adjustment
        prices = {
            name: np.rint(getattr(self, name) * adjustment) for name in ("open", "high", "low", "close")
        }
        return BarPanel(self.symbols, self.sessions.astype("datetime64[s]"), **prices, volume=self.volume)

    @staticmethod
    def join(first: DailyHistory, second: DailyHistory) -> DailyHistory:
        """Return two consecutive spans as one."""
        arrays = {
            f.name: np.concatenate([getattr(first, f.name), getattr(second, f.name)])
            for f in fields(DailyHistory)
            if f.name != "symbols"
        }
        return DailyHistory(symbols=first.symbols, **arrays)


def finish_sessions(
    profiles: Profiles,
    rules: PriceRules,
    sessions: DayArray,
    shocks: Shocks,
    path: Trajectory,
    foreign_room: FloatArray,
) -> DailyHistory:
    """Give each session its high, low, volume and foreign flow; opens and closes are decided already.

    Parameters
    ----------
    foreign_room : float64, shape (N,)
        Room left before the first of these sessions.
    """
    high, low = _extremes(rules, shocks, path)
    volume = np.maximum(np.floor(shocks.lots * path.shares), 1.0) * 100.0
    buy, sell = _foreign_flow(profiles, shocks, path, volume)
    # Issued shares widen the room with everything else.
    net = np.cumsum((sell - buy) / path.shares, axis=0)
    room = np.maximum(np.floor((foreign_room + net) * path.shares / 10.0) * 10.0, 0.0)
    return DailyHistory(
        symbols=profiles.tickers,
        sessions=sessions,
        open=path.open,
        high=high,
        low=low,
        close=path.close,
        volume=volume,
        reference=path.reference,
        ceiling=path.ceiling,
        floor=path.floor,
        average=path.average,
        ex_rights_factor=path.ratio,
        foreign_buy=buy,
        foreign_sell=sell,
        foreign_room=room,
    )


def _extremes(rules: PriceRules, shocks: Shocks, path: Trajectory) -> tuple[FloatArray, FloatArray]:
    """Return highs and lows of Brownian bridges from the open to the close, on tick and inside the band.

    The maximum of such a bridge is ((o + c) + sqrt((o - c)^2 + 2 s^2 E)) / 2 with E exponential (Karatzas
    & Shreve, Brownian Motion and Stochastic Calculus, 2.8).
    """
    spread = shocks.volatility * path.base
    variance = (1.0 - OVERNIGHT_VARIANCE) * spread * spread
    body = path.open - path.close
    middle = path.open + path.close
    reach = [
        np.sqrt(body * body + 2.0 * variance * exponential_table()[shocks.lanes[:, :, lane]])
        for lane in (Lane.HIGH, Lane.LOW)
    ]
    high = rules.nearest(0.5 * (middle + reach[0]))
    low = rules.nearest(np.maximum(0.5 * (middle - reach[1]), 1.0))
    stuck = (path.open == path.close) & (uniform_of(shocks.lanes[:, :, Lane.BURST]) < _LOCKED_ALL_DAY)
    high = np.where(stuck & (path.close == path.floor), path.close, high)
    low = np.where(stuck & (path.close == path.ceiling), path.close, low)
    top, bottom = np.maximum(path.open, path.close), np.minimum(path.open, path.close)
    return np.minimum(np.maximum(high, top), path.ceiling), np.maximum(np.minimum(low, bottom), path.floor)


def _foreign_flow(
    profiles: Profiles, shocks: Shocks, path: Trajectory, volume: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return shares bought and sold by foreigners, who lean a little with the session's move."""
    lean = np.minimum(np.maximum((path.close / path.base - 1.0) * 6.0, -0.4), 0.4)
    buy = (
        profiles.foreign_share * (0.4 + 1.2 * uniform_of(shocks.lanes[:, :, Lane.FOREIGN_BUY])) * (1.0 + lean)
    )
    sell = (
        profiles.foreign_share
        * (0.4 + 1.2 * uniform_of(shocks.lanes[:, :, Lane.FOREIGN_SELL]))
        * (1.0 - lean)
    )
    return np.floor(volume * buy / 10.0) * 10.0, np.floor(volume * sell / 10.0) * 10.0
