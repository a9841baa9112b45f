"""Shocks: the exogenous part of each session, market, sector and company news, and the volume it draws.

Nothing here depends on a price, so whole years are made at once; only the volatilities are a recursion.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from vnquant.market import FloatArray
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import (
    Stream,
    exponential_of,
    heavy_table,
    lanes,
    normal_table,
    uniform_of,
)

__all__ = ("Lane", "ShockMaker", "Shocks")

# Daily volatilities at their usual level. The index of 2019-2025 moves 1.3 % a day, pairs of shares correlate
# at 0.34 on average.
_MARKET_VOLATILITY = 0.0165
_SECTOR_VOLATILITY = 0.0075
# GARCH(1,1): weights of the last squared shock and of the last variance. With these the returns have about
# the kurtosis and clustering of the real ones (tests/unit/simulation/test_generator_realism.py).
_MARKET_GARCH = (0.19, 0.79)
_SECTOR_GARCH = (0.08, 0.89)
_COMPANY_GARCH = (0.27, 0.70)
_HIGHEST_VARIANCE = 20.0
# Company news: chance a session, and size of the move it causes where the band is 7 %.
_JUMP_CHANCE = 0.026
_JUMP_SIZE = (0.030, 0.075)
_JUMP_BURST = (2.6, 6.0)
# Log volume: persistence and innovation of its level, of the market's level, and of each day alone.
_VOLUME_PERSISTENCE = 0.95
_VOLUME_TREND = 0.13
_MARKET_VOLUME_TREND = 0.08
_VOLUME_NOISE = 0.33


class Lane(IntEnum):
    """Which of a symbol-session's 16 lanes serves what."""

    SHOCK = 0
    ROUND = 1
    OPEN = 2
    HIGH = 3
    LOW = 4
    VOLUME = 5
    VOLUME_TREND = 6
    JUMP = 7
    JUMP_SIZE = 8
    AVERAGE = 9
    FOREIGN_BUY = 10
    FOREIGN_SELL = 11
    BURST = 12


@dataclass(frozen=True, slots=True)
class Shocks:
    """Exogenous values of B sessions, each of shape (B, N) unless said otherwise.

    Attributes
    ----------
    log_return : float64
        Shock to the log price.
    volatility : float64
        Standard deviation that the shock without news had.
    lots : float64
        Lots traded, before splits multiply the shares.
    jump : float64
        The part of `log_return` that company news caused, 0 on most days.
    market : float64, shape (B,)
        The market's shock.
    lanes : uint16, shape (B, N, 16)
        For the draws that prices need.
    """

    log_return: FloatArray
    volatility: FloatArray
    lots: FloatArray
    jump: FloatArray
    market: FloatArray
    lanes: npt.NDArray[np.uint16]


class ShockMaker:
    """Makes the shocks of consecutive blocks of sessions, carrying variances and volume levels along."""

    def __init__(self, profiles: Profiles, seed: int) -> None:
        self._profiles = profiles
        self._seed = seed
        self._done = 0
        n, sectors = len(profiles), len(profiles.sectors)
        counts = (1, sectors, n)
        self._alpha = np.repeat([g[0] for g in (_MARKET_GARCH, _SECTOR_GARCH, _COMPANY_GARCH)], counts)
        self._beta = np.repeat([g[1] for g in (_MARKET_GARCH, _SECTOR_GARCH, _COMPANY_GARCH)], counts)
        self._variance = np.ones(1 + sectors + n)
        self._level = np.zeros(1 + n)

    def fork(self) -> ShockMaker:
        """Return a copy that can go on without moving this one."""
        return copy.copy(self)

    def make(self, sessions: int) -> Shocks:
        """Make the next `sessions` sessions."""
        p = self._profiles
        n, sectors = len(p), len(p.sectors)
        columns = 1 + sectors + n
        drawn = lanes(self._seed, Stream.DAILY, self._done, sessions, width=16 * columns)
        drawn = drawn.reshape(sessions, columns, 16)
        self._done += sessions
        company = drawn[:, 1 + sectors :]

        z = heavy_table()[drawn[:, :, Lane.SHOCK]]
        scale = self._volatilities(z)
        shock = scale * z
        market = _MARKET_VOLATILITY * shock[:, 0]
        sector = _SECTOR_VOLATILITY * shock[:, 1 : 1 + sectors]
        jump = self._jumps(company)
        own_volatility = p.volatility * scale[:, 1 + sectors :]
        log_return = (
            p.beta * market[:, None]
            + p.sector_beta * sector[:, p.sector]
            + p.volatility * shock[:, 1 + sectors :]
            + jump
        )
        from_market = p.beta * _MARKET_VOLATILITY * scale[:, :1]
        from_sector = p.sector_beta * _SECTOR_VOLATILITY * scale[:, 1 : 1 + sectors][:, p.sector]
        volatility = np.sqrt(
            from_market * from_market + from_sector * from_sector + own_volatility * own_volatility
        )
        surprise = np.abs(log_return - jump) / volatility
        return Shocks(
            log_return=log_return,
            volatility=volatility,
            lots=self._lots(drawn[:, 0], company, surprise, jump != 0.0),
            jump=jump,
            market=market,
            lanes=company,
        )

    def _volatilities(self, z: FloatArray) -> FloatArray:
        """Return the multiples of the usual volatility in force on each session."""
        variance = np.empty_like(z)
        growth = self._beta + self._alpha * (z * z)
        base = 1.0 - self._alpha - self._beta
        h = self._variance
        for row in range(len(z)):
            variance[row] = h
            h = np.minimum(base + h * growth[row], _HIGHEST_VARIANCE)
        self._variance = h
        return np.sqrt(variance)

    def _jumps(self, company: npt.NDArray[np.uint16]) -> FloatArray:
        chance = uniform_of(company[:, :, Lane.JUMP])
        low, high = _JUMP_SIZE
        size = low + (high - low) * uniform_of(company[:, :, Lane.JUMP_SIZE])
        # Wider bands let news move a price further: 1, 1.2 and 1.5 times on HOSE, HNX and UPCOM.
        size = size * np.array([1.0, 1.2, 1.5])[self._profiles.exchange]
        sign = np.where(chance < _JUMP_CHANCE / 2.0, 1.0, -1.0)
        return np.where(chance < _JUMP_CHANCE, sign * size, 0.0)

    def _lots(
        self,
        market: npt.NDArray[np.uint16],
        company: npt.NDArray[np.uint16],
        surprise: FloatArray,
        has_jump: npt.NDArray[np.bool_],
    ) -> FloatArray:
        steps = np.concatenate(
            [
                _MARKET_VOLUME_TREND * normal_table()[market[:, None, Lane.VOLUME_TREND]],
                _VOLUME_TREND * normal_table()[company[:, :, Lane.VOLUME_TREND]],
            ],
            axis=1,
        )
        levels = np.empty_like(steps)
        level = self._level
        for row in range(len(steps)):
            level = _VOLUME_PERSISTENCE * level + steps[row]
            levels[row] = level
        self._level = level
        noise = _VOLUME_NOISE * normal_table()[company[:, :, Lane.VOLUME]]
        low, high = _JUMP_BURST
        burst = np.where(has_jump, low + (high - low) * uniform_of(company[:, :, Lane.BURST]), 1.0)
        usual = exponential_of(levels[:, :1] + levels[:, 1:] + noise) * (0.75 + 0.35 * surprise)
        return np.maximum(np.floor(self._profiles.lots * usual * burst), 10.0)
