"""Price band: the day's ceiling and floor from the reference price.

Prices are whole VND. `price_limits_array` does for whole arrays what `price_limits` does for one price.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.errors import InputError
from vnquant.market.bars import FloatArray
from vnquant.market.symbols import EXCHANGE_ORDER, Exchange
from vnquant.market.ticks import (
    DayArray,
    Days,
    Direction,
    Exchanges,
    Security,
    epochs,
    exchange_codes,
    round_to_tick,
    round_to_ticks,
)

__all__ = (
    "BAND_RULES",
    "BandRule",
    "PriceLimits",
    "band_pct",
    "band_pcts",
    "price_limits",
    "price_limits_array",
    "reference_price",
)

_ALWAYS = date(1, 1, 1)


class BandRule(NamedTuple):
    """Daily limits in percent of the reference price."""

    exchange: Exchange
    valid_from: date
    normal_pct: int
    first_day_pct: int
    source: str


BAND_RULES: tuple[BandRule, ...] = (
    BandRule(
        Exchange.HOSE,
        date(2013, 1, 15),
        7,
        20,
        "State Securities Commission: HOSE 5 to 7 percent from 2013-01-15",
    ),
    BandRule(Exchange.HOSE, _ALWAYS, 5, 20, "HOSE trading rules before 2013-01-15"),
    BandRule(
        Exchange.HNX,
        date(2013, 1, 15),
        10,
        30,
        "State Securities Commission: HNX 7 to 10 percent from 2013-01-15",
    ),
    BandRule(Exchange.HNX, _ALWAYS, 7, 30, "HNX trading rules before 2013-01-15"),
    BandRule(
        Exchange.UPCOM, date(2015, 7, 1), 15, 40, "HNX decision 383/QD-SGDHN of 2015-06-24, from 2015-07-01"
    ),
    BandRule(Exchange.UPCOM, _ALWAYS, 10, 40, "UPCoM trading rules before 2015-07-01"),
)


class PriceLimits(msgspec.Struct, frozen=True):
    """The prices between which one session may trade, in VND."""

    reference: int
    ceiling: int
    floor: int

    def contains(self, price_vnd: float) -> bool:
        """Whether an order at this price would be accepted, its tick aside."""
        return self.floor <= price_vnd <= self.ceiling

    def clip(self, price_vnd: float) -> int:
        """Return the nearest price inside the band."""
        return int(min(max(price_vnd, self.floor), self.ceiling))


def band_pct(exchange: Exchange | str, *, first_day: bool = False, on: date | None = None) -> int:
    """Return the daily limit in percent of the reference price."""
    wanted = Exchange(exchange)
    rule = next(r for r in BAND_RULES if r.exchange is wanted and (on is None or r.valid_from <= on))
    return rule.first_day_pct if first_day else rule.normal_pct


def reference_price(
    previous_close_vnd: float,
    exchange: Exchange | str = Exchange.HOSE,
    *,
    previous_average_vnd: float | None = None,
    cash_dividend_vnd: float = 0.0,
    bonus_ratio: float = 0.0,
    rights_ratio: float = 0.0,
    rights_price_vnd: float = 0.0,
    on: date | None = None,
) -> int:
    """Return the reference price of a session, on tick.

    HOSE and HNX start from the last close, UPCoM from the volume-weighted average of the last session. On an
    ex-date the value that leaves the share is taken out, so that holders are neither richer nor poorer:
    ``(P + rights_ratio * rights_price - dividend) / (1 + bonus_ratio + rights_ratio)`` (trading rules of the
    exchanges, the articles on ex-dates).

    Parameters
    ----------
    previous_close_vnd : float
    exchange : Exchange
    previous_average_vnd : float, optional
        Used on UPCoM; the close stands in where it is left out.
    cash_dividend_vnd : float
        A share.
    bonus_ratio : float
        New shares for each old one without payment: stock dividend, bonus issue, or split (1.0 doubles).
    rights_ratio, rights_price_vnd : float
        New shares for each old one against payment, and their price.
    on : date, optional
        The session; today's ticks where it is left out.

    Raises
    ------
    InputError
        If what is left is below 1 VND.
    """
    base = previous_close_vnd
    if Exchange(exchange) is Exchange.UPCOM and previous_average_vnd is not None:
        base = previous_average_vnd
    left = (base + rights_ratio * rights_price_vnd - cash_dividend_vnd) / (1 + bonus_ratio + rights_ratio)
    return round_to_tick(_whole(left), exchange, on=on)


def price_limits(
    reference_vnd: float,
    exchange: Exchange | str = Exchange.HOSE,
    *,
    first_day: bool = False,
    security: Security = "stock",
    on: date | None = None,
) -> PriceLimits:
    """Return the ceiling and floor of one session.

    The ceiling is rounded down to a tick and the floor up, each on the tick that holds at that price. Where
    rounding would leave no move at all, one tick is allowed (HOSE and HNX trading rules, the paragraph on
    securities whose ceiling or floor equals the reference); the floor never falls below one tick.

    Parameters
    ----------
    reference_vnd : float
        Reference price; fractions of a VND are rounded.
    exchange : Exchange
    first_day : bool
        Whether this is the first session after listing, or after more than 25 sessions without trading.
    security : {"stock", "etf", "warrant"}
        A covered warrant's band follows its underlying share and is not computed here.
    on : date, optional
        The session; today's rules where it is left out.

    Raises
    ------
    InputError
        If the reference is below 1 VND, or the security is a warrant.

    Examples
    --------
    >>> limits = price_limits(28_900)
    >>> limits.floor, limits.reference, limits.ceiling
    (26900, 28900, 30900)
    """
    if security == "warrant":
        raise InputError("A warrant's band follows the underlying share's move and its conversion ratio.")
    reference = _whole(reference_vnd)
    pct = band_pct(exchange, first_day=first_day, on=on)

    def rounded(price: float, direction: Direction) -> int:
        return round_to_tick(price, exchange, direction, security=security, on=on)

    # Hundredths first: 1.07 as a float would put some exact limits a hair below their tick.
    ceiling = rounded(reference * (100 + pct) / 100, "down")
    floor = rounded(reference * (100 - pct) / 100, "up")
    if ceiling <= reference:
        ceiling = rounded(reference + 1, "up")
    if floor >= reference and reference > 1:
        floor = rounded(reference - 1, "down")
    return PriceLimits(reference=reference, ceiling=ceiling, floor=floor)


def band_pcts(
    exchange: Exchanges = Exchange.HOSE, *, first_day: npt.ArrayLike = False, on: Days = None
) -> FloatArray:
    """Return many daily limits in percent at once, as `band_pct` does; the arguments broadcast."""
    starts, pcts = _band_table()
    found: FloatArray = pcts[
        epochs(starts, on), exchange_codes(exchange), np.asarray(first_day, dtype=np.int8)
    ]
    return found


def price_limits_array(
    reference: npt.ArrayLike,
    exchange: Exchanges = Exchange.HOSE,
    *,
    first_day: npt.ArrayLike = False,
    on: Days = None,
) -> tuple[FloatArray, FloatArray]:
    """Return (ceiling, floor) of many share prices at once, as `price_limits` does.

    Parameters
    ----------
    reference : array_like
        Reference prices in VND; the result is NaN where it is NaN or below 0.5.
    exchange, on
        As in `tick_sizes`.
    first_day : array_like of bool
        Where the wide band of a first session holds.
    """
    base = np.floor(np.asarray(reference, dtype=np.float64) + 0.5)
    base = np.where(base >= 1, base, np.nan)
    codes = exchange_codes(exchange)
    pct = band_pcts(codes, first_day=first_day, on=on)
    ceiling = round_to_ticks(base * (100 + pct) / 100, codes, "down", on=on)
    floor = round_to_ticks(base * (100 - pct) / 100, codes, "up", on=on)
    stuck = ceiling <= base
    if stuck.any():
        ceiling = np.where(stuck, round_to_ticks(base + 1, codes, "up", on=on), ceiling)
    stuck = (floor >= base) & (base > 1)
    if stuck.any():
        floor = np.where(stuck, round_to_ticks(base - 1, codes, "down", on=on), floor)
    return ceiling, floor


@cache
def _band_table() -> tuple[DayArray, FloatArray]:
    """Return the epochs' first days, and limits in percent as `[epoch, exchange code, first day or not]`."""
    starts = sorted({rule.valid_from for rule in BAND_RULES})
    pct = np.array(
        [
            [
                [band_pct(exchange, first_day=first, on=start) for first in (False, True)]
                for exchange in EXCHANGE_ORDER
            ]
            for start in starts
        ],
        dtype=np.float64,
    )
    return np.array(starts, dtype="datetime64[D]"), pct


def _whole(reference_vnd: float) -> int:
    if not reference_vnd >= 0.5:
        raise InputError(f"A reference price must be at least 1 VND, got {reference_vnd!r}.")
    return int(np.floor(reference_vnd + 0.5))
