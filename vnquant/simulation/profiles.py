"""Profiles: the lasting traits of each simulated company: size, volatility, market and sector exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnquant.market import Exchange, FloatArray, Universe, exchange_codes, round_to_ticks
from vnquant.simulation.randomness import Stream, exponential_of, lanes, uniform_of

__all__ = ("Profiles", "draw_profiles")

_VN30 = 30


@dataclass(frozen=True, slots=True)
class _Group:
    """Ranges from which the companies of a board segment are drawn."""

    volatility: tuple[float, float]  # daily, of the company alone
    value_vnd: float  # a usual day's traded value of the smallest company
    value_e_folds: float  # natural log of the ratio between the largest and the smallest
    price_vnd: tuple[float, float]
    foreign: tuple[float, float]  # share of volume traded by foreigners


# Ranges after real bars of 2015 to 2026: total daily volatility 1.3 to 4.2 %, median 2.5 %. Traded values are
# rough figures for the segments of the universe.
_GROUPS = {
    "VN30": _Group((0.013, 0.021), 80e9, 2.2, (15_000, 90_000), (0.06, 0.22)),
    "HOSE": _Group((0.017, 0.029), 20e9, 2.3, (10_000, 70_000), (0.02, 0.12)),
    "HNX": _Group((0.020, 0.031), 8e9, 2.6, (18_000, 60_000), (0.01, 0.06)),
    "UPCOM": _Group((0.019, 0.032), 3e9, 2.3, (18_000, 70_000), (0.005, 0.04)),
}


@dataclass(frozen=True, slots=True)
class Profiles:
    """Traits by symbol, each of shape (N,).

    Attributes
    ----------
    exchange : int8
        Place in `EXCHANGE_ORDER`.
    sector : int64
        Place in `sectors`.
    volatility : float64
        Daily volatility of the company's own shocks at their usual level.
    beta, sector_beta : float64
        Exposure to the market's and the sector's shock.
    first_price : float64
        Reference price of the first session, VND, on tick.
    lots : float64
        Lots of 100 shares traded on a usual day.
    foreign_share : float64
        Share of the volume that foreigners buy, and sell, on a usual day.
    foreign_room : float64
        Shares that foreigners may still buy at the first session.
    dividend_yield : float64
        Cash dividend a year over price, 0 for a company that pays none.
    """

    tickers: tuple[str, ...]
    sectors: tuple[str, ...]
    exchange: npt.NDArray[np.int8]
    sector: npt.NDArray[np.int64]
    volatility: FloatArray
    beta: FloatArray
    sector_beta: FloatArray
    first_price: FloatArray
    lots: FloatArray
    foreign_share: FloatArray
    foreign_room: FloatArray
    dividend_yield: FloatArray

    def __len__(self) -> int:
        return len(self.tickers)


def draw_profiles(universe: Universe, seed: int) -> Profiles:
    """Draw the traits of all companies of a universe."""
    tickers = universe.tickers
    exchange = exchange_codes(np.array(universe.exchanges(tickers), dtype=object))
    sectors = tuple(universe.sectors)
    groups = [
        _GROUPS[
            "VN30" if place < _VN30 and universe[t].exchange is Exchange.HOSE else universe[t].exchange.value
        ]
        for place, t in enumerate(tickers)
    ]
    u = uniform_of(lanes(seed, Stream.PROFILE, 0, len(tickers), width=16)).T

    def between(low: FloatArray, high: FloatArray, uniform: FloatArray) -> FloatArray:
        return low + (high - low) * uniform

    def bounds(name: str) -> tuple[FloatArray, FloatArray]:
        pairs = np.array([getattr(g, name) for g in groups], dtype=np.float64)
        return pairs[:, 0], pairs[:, 1]

    price = round_to_ticks(between(*bounds("price_vnd"), u[1]), exchange)
    value = np.array([g.value_vnd for g in groups]) * exponential_of(
        np.array([g.value_e_folds for g in groups]) * u[2]
    )
    lots = np.maximum(np.floor(value / price / 100.0), 20.0)
    pays = u[7] < 0.75
    return Profiles(
        tickers=tickers,
        sectors=sectors,
        exchange=exchange,
        sector=np.array([sectors.index(universe[t].sector) for t in tickers], dtype=np.int64),
        volatility=between(*bounds("volatility"), u[0]),
        beta=0.7 + 0.65 * u[3],
        sector_beta=0.6 + 0.8 * u[4],
        first_price=price,
        lots=lots,
        foreign_share=between(*bounds("foreign"), u[5]),
        foreign_room=np.floor(lots * (200.0 + 1800.0 * u[6])) * 100.0,
        dividend_yield=np.where(pays, 0.015 + 0.045 * u[8], 0.0),
    )
