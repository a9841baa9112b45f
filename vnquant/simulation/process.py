"""Process: the day-by-day recursion that turns shocks and planted drifts into prices on tick inside the band.

What feeds back into the next session is quantised first: prices to the tick, returns to whole 1e-8, volume to
the lot. Sums of returns are therefore integers and exact, and a last-bit difference between CPUs cannot grow.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.market import EXCHANGE_ORDER, Exchange, FloatArray
from vnquant.simulation.corporate import ExRights, declared_dividends
from vnquant.simulation.planted import (
    LONG_SESSIONS,
    NEWS_FADE,
    SHORT_SESSIONS,
    VOLATILITY_SESSIONS,
    VOLUME_SESSIONS,
    Planted,
    event_of,
    exposures,
)
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import normal_table, uniform_of
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.shocks import Lane, Shocks

__all__ = ("OVERNIGHT_VARIANCE", "RETURN_UNIT", "DailyProcess", "Trajectory")

# Returns are kept as whole numbers of this.
RETURN_UNIT = 1e-8
# Expected log return of a session without any signal: some 8 % a year.
_BASE_DRIFT = 0.0003
# The opening price lies on a Brownian bridge between the closes, at this share of the session's variance, so
# that the gap tells nothing of the hours that follow. News is in it at once, for the same reason.
OVERNIGHT_VARIANCE = 0.3
# New shares a share where a price has run away: four for each, or one for five. The latter is not done in
# Vietnam, where such shares leave the exchange; here every symbol stays.
_DEAR_VND = 330_000.0
_SPLIT = 3.0
_CHEAP_VND = (2_500.0, 5_000.0, 5_000.0)  # by place in EXCHANGE_ORDER
_CONSOLIDATION = -0.8
_LOWEST_VOLATILITY = 0.004


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Consecutive sessions, each array of shape (T, N); row t is known at the close of t.

    `base` is the previous close less what went ex: the session's return starts from it. `ratio` is the
    ex-rights factor (1 without an action), `shares` what one share of the first session has become.
    `returns`, `older_sum` and `quiet_sum` (units of 1e-8), `volatility` and `events` are what the exposures
    are made of; `drift` is the planted expected log return that the session had in its favour.
    """

    open: FloatArray
    close: FloatArray
    reference: FloatArray
    ceiling: FloatArray
    floor: FloatArray
    average: FloatArray
    base: FloatArray
    ratio: FloatArray
    shares: FloatArray
    returns: npt.NDArray[np.int64]
    older_sum: npt.NDArray[np.int64]
    quiet_sum: npt.NDArray[np.int64]
    volatility: FloatArray
    events: FloatArray
    drift: FloatArray

    @classmethod
    def empty(cls, sessions: int, symbols: int) -> Trajectory:
        """Return uninitialised rows."""
        whole = {"returns", "older_sum", "quiet_sum"}
        rows: dict[str, Any] = {
            f.name: np.empty((sessions, symbols), dtype=np.int64 if f.name in whole else np.float64)
            for f in fields(cls)
        }
        return cls(**rows)


class DailyProcess:
    """The state between sessions, and the step that leads to the next."""

    def __init__(self, profiles: Profiles, planted: Planted) -> None:
        n = len(profiles)
        self._planted = planted
        self._rules = PriceRules(profiles.exchange)
        # UPCoM's reference is the previous session's weighted average, the other boards' the previous close.
        self._by_average = profiles.exchange == EXCHANGE_ORDER.index(Exchange.UPCOM)
        self._cheap = np.array(_CHEAP_VND)[profiles.exchange]
        self._close = profiles.first_price.copy()
        self._average = profiles.first_price.copy()
        self._shares = np.ones(n)
        self._session = 0
        # Before the first session: returns of the company's usual size, so that the first moves have a scale.
        usual = np.rint(np.maximum(profiles.volatility * 1.3, 0.01) / RETURN_UNIT).astype(np.int64)
        self._squares = np.tile(usual * usual, (VOLATILITY_SESSIONS, 1))
        self._square_sum = self._squares.sum(axis=0)
        self._returns = np.zeros((LONG_SESSIONS, n), dtype=np.int64)
        self._quiet = np.zeros((SHORT_SESSIONS, n), dtype=np.int64)
        self._older_sum = np.zeros(n, dtype=np.int64)
        self._quiet_sum = np.zeros(n, dtype=np.int64)
        self._volatility = _root_mean(self._square_sum)
        self._events = np.zeros((len(NEWS_FADE), n))
        self._lots = np.tile(profiles.lots, (VOLUME_SESSIONS, 1))

    def fork(self) -> DailyProcess:
        """Return a copy that can trade on without moving this one."""
        other = copy.copy(self)
        other._squares, other._returns, other._quiet = (
            self._squares.copy(),
            self._returns.copy(),
            self._quiet.copy(),
        )
        return other

    def run(self, shocks: Shocks, ex_rights: Mapping[int, ExRights]) -> Trajectory:
        """Trade the sessions that the shocks cover; `ex_rights` is by row of them."""
        out = Trajectory.empty(*shocks.log_return.shape)
        ratio_of_volume = self._volume_ratios(shocks.lots)
        rounding = uniform_of(shocks.lanes[:, :, Lane.ROUND])
        spread = math.sqrt(OVERNIGHT_VARIANCE * (1.0 - OVERNIGHT_VARIANCE))
        overnight = (
            spread * shocks.volatility * normal_table()[shocks.lanes[:, :, Lane.OPEN]]
            + (1.0 - OVERNIGHT_VARIANCE) * shocks.jump
        )
        weight = uniform_of(shocks.lanes[:, :, Lane.AVERAGE])
        for row in range(len(out.close)):
            out.drift[row] = drift = self._drift()
            ratio = self._go_ex(ex_rights.get(row))
            base, reference, ceiling, floor = self._morning(ratio)
            # The move is symmetric in log price, so that no factor can be read off volatility alone.
            x = _BASE_DRIFT + drift + shocks.log_return[row]
            close = self._quotable(base * _growth(x), rounding[row], ceiling, floor)
            gap = OVERNIGHT_VARIANCE * x + overnight[row]
            opening = self._quotable(base * _growth(gap), 0.5, ceiling, floor)
            average = np.rint(close + (opening - close) * weight[row])
            out.open[row], out.close[row], out.average[row] = opening, close, average
            out.reference[row], out.ceiling[row], out.floor[row] = reference, ceiling, floor
            out.base[row], out.ratio[row], out.shares[row] = base, ratio, self._shares
            self._close, self._average = close, average
            self._remember(close / base - 1.0, ratio_of_volume[row], out, row)
        return out

    # -- one session --------------------------------------------------------------------------------------

    def _drift(self) -> FloatArray:
        """Return the planted expected return of the session ahead, from what is known at the last close."""
        if self._session < VOLATILITY_SESSIONS:
            return np.zeros(len(self._close))
        return planted_drift(
            self._planted,
            as_return(self._older_sum),
            as_return(self._quiet_sum),
            self._volatility,
            faded(self._events),
        )

    def _go_ex(self, actions: ExRights | None) -> FloatArray:
        """Return each symbol's ex-rights factor of the morning, and let issued shares multiply the volume."""
        close = self._close
        ratio = np.ones(len(close))
        dear, cheap = close > _DEAR_VND, close < self._cheap
        if actions is None and not (dear.any() or cheap.any()):
            return ratio
        cash, issued = declared_dividends(actions, close), np.zeros(len(close))
        if actions is not None:
            at = actions.columns
            issued[at] = np.where(close[at] >= actions.only_above_vnd, actions.issue_ratio, 0.0)
        # Splits and consolidations keep prices where a tick is a small step; no return depends on them.
        issued = np.where(dear, _SPLIT, np.where(cheap, _CONSOLIDATION, issued))
        changed = (cash > 0.0) | (issued != 0.0)
        ex_price = self._rules.nearest((close - cash) / (1.0 + issued))
        ratio[changed] = ex_price[changed] / close[changed]
        self._shares = self._shares * (1.0 + issued)
        return ratio

    def _morning(self, ratio: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return (base, reference, ceiling, floor) of the session."""
        base = self._close * ratio
        reference = self._rules.nearest(np.where(self._by_average, self._average * ratio, base))
        return base, reference, *self._rules.limits(reference)

    def _quotable(
        self, target: FloatArray, rounding: FloatArray | float, ceiling: FloatArray, floor: FloatArray
    ) -> FloatArray:
        """Return targets rounded to the tick (up where the fraction beats 1 - rounding) and held in the band.

        With a random `rounding` the rounded price is the target on average: it neither sticks at low prices
        nor leaves a bounce that could be predicted.
        """
        tick = self._rules.ticks(target)
        price = np.floor(target / tick + rounding) * tick
        return np.minimum(np.maximum(price, floor), ceiling)

    def _remember(
        self, simple_return: FloatArray, volume_ratio: FloatArray, out: Trajectory, row: int
    ) -> None:
        moved = np.rint(simple_return / RETURN_UNIT).astype(np.int64)
        event = event_of(as_return(moved) / self._volatility, volume_ratio)
        place = self._session % LONG_SESSIONS
        turned_older = self._returns[(self._session - SHORT_SESSIONS) % LONG_SESSIONS]
        self._older_sum = self._older_sum + turned_older - self._returns[place]
        self._returns[place] = moved
        place = self._session % SHORT_SESSIONS
        quiet = np.where(event == 0.0, moved, 0)
        self._quiet_sum = self._quiet_sum + quiet - self._quiet[place]
        self._quiet[place] = quiet
        place = self._session % VOLATILITY_SESSIONS
        square = moved * moved
        self._square_sum = self._square_sum + square - self._squares[place]
        self._squares[place] = square
        self._volatility = _root_mean(self._square_sum)
        self._events = np.concatenate([event[None], self._events[:-1]])
        self._session += 1
        out.returns[row], out.older_sum[row], out.quiet_sum[row] = moved, self._older_sum, self._quiet_sum
        out.volatility[row], out.events[row] = self._volatility, event

    # -- a block ------------------------------------------------------------------------------------------

    def _volume_ratios(self, lots: FloatArray) -> FloatArray:
        """Return each session's lots over the mean of the 20 sessions before."""
        whole = np.concatenate([self._lots, lots])
        running = np.concatenate([np.zeros((1, whole.shape[1])), np.cumsum(whole, axis=0)])
        before = running[VOLUME_SESSIONS:-1] - running[: -VOLUME_SESSIONS - 1]
        self._lots = whole[-VOLUME_SESSIONS:]
        ratios: FloatArray = lots * VOLUME_SESSIONS / before
        return ratios


def planted_drift(
    planted: Planted,
    older_return: FloatArray,
    quiet_return: FloatArray,
    volatility: FloatArray,
    news: FloatArray,
) -> FloatArray:
    """Return the next session's planted expected log return; arguments as in `exposures`."""
    momentum, reversal, drift, calm = exposures(older_return, quiet_return, volatility, news)
    strength = (
        planted.momentum * momentum
        + planted.reversal * reversal
        + planted.news_drift * drift
        + planted.low_volatility * calm
    )
    return volatility * strength


def as_return(whole: npt.NDArray[np.int64]) -> FloatArray:
    """Return whole numbers of 1e-8 as returns."""
    simple: FloatArray = whole.astype(np.float64) * RETURN_UNIT
    return simple


def faded(events: FloatArray, *, later: int = 0) -> FloatArray:
    """Return the pull of the last five sessions' events, newest first along axis 0, `later` sessions on."""
    total = np.zeros(events.shape[1:])
    for age, left in enumerate(NEWS_FADE[later:]):
        total = total + left * events[age]
    return total


def _growth(x: FloatArray) -> FloatArray:
    """Return e**x to the third order: bands keep |x| small, and only + and x are used."""
    growth: FloatArray = 1.0 + x * (1.0 + x * (0.5 + x / 6.0))
    return growth


def _root_mean(square_sum: npt.NDArray[np.int64]) -> FloatArray:
    volatility: FloatArray = np.sqrt(square_sum / float(VOLATILITY_SESSIONS)) * RETURN_UNIT
    np.maximum(volatility, _LOWEST_VOLATILITY, out=volatility)
    return volatility
