"""Ticks: the smallest price steps of each exchange, and rounding to prices that may be quoted.

Prices are whole VND. The scalar functions work on plain integers; `tick_sizes` and `round_to_ticks` do the
same for whole arrays and are what hot paths use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from vnquant.errors import InputError
from vnquant.market.bars import FloatArray
from vnquant.market.symbols import EXCHANGE_ORDER, Exchange

__all__ = (
    "TICK_RULES",
    "DayArray",
    "Days",
    "Direction",
    "Exchanges",
    "Security",
    "TickRule",
    "epochs",
    "exchange_codes",
    "is_on_tick",
    "round_to_tick",
    "round_to_ticks",
    "tick_size",
    "tick_sizes",
)

Security = Literal["stock", "etf", "warrant"]
Direction = Literal["nearest", "down", "up"]
Exchanges = Exchange | str | Sequence[str] | npt.NDArray[Any]
DayArray = npt.NDArray[np.datetime64]
Days = date | np.datetime64 | DayArray | None

_ALWAYS = date(1, 1, 1)


class TickRule(NamedTuple):
    """A ladder of tick sizes: `ticks[i]` holds from `bounds[i - 1]` VND up to, but not at, `bounds[i]`."""

    exchange: Exchange
    security: Security
    valid_from: date
    bounds: tuple[int, ...]
    ticks: tuple[int, ...]
    source: str


# Per exchange and security newest first.
TICK_RULES: tuple[TickRule, ...] = (
    TickRule(
        Exchange.HOSE,
        "stock",
        date(2016, 9, 12),
        (10_000, 50_000),
        (10, 50, 100),
        "HOSE decisions 341 and 342/QD-SGDHCM of 2016-08-22, in force from 2016-09-12",
    ),
    TickRule(
        Exchange.HOSE,
        "stock",
        _ALWAYS,
        (50_000, 100_000),
        (100, 500, 1_000),
        "HOSE trading rules before 2016-09-12: 100 up to 49,900; 500 up to 99,500; 1,000 from 100,000",
    ),
    TickRule(Exchange.HOSE, "etf", _ALWAYS, (), (10,), "HOSE decision 342/QD-SGDHCM of 2016-08-22"),
    TickRule(Exchange.HOSE, "warrant", _ALWAYS, (), (10,), "HOSE trading rules: covered warrants 10"),
    TickRule(Exchange.HNX, "stock", _ALWAYS, (), (100,), "HNX trading rules: shares 100"),
    TickRule(Exchange.HNX, "etf", _ALWAYS, (), (1,), "HNX trading rules: ETFs 1"),
    TickRule(Exchange.UPCOM, "stock", _ALWAYS, (), (100,), "UPCoM trading rules: shares 100"),
)


def tick_size(
    price_vnd: float,
    exchange: Exchange | str = Exchange.HOSE,
    *,
    security: Security = "stock",
    on: date | None = None,
) -> int:
    """Return the smallest price step at a price, in VND.

    Parameters
    ----------
    price_vnd : float
        Price at which the step is asked.
    exchange : Exchange
    security : {"stock", "etf", "warrant"}
    on : date, optional
        The session; today's rules where it is left out. Sources of the rules are in `TICK_RULES`.

    Raises
    ------
    InputError
        If the price is not positive, or the exchange trades no such security.

    Examples
    --------
    >>> tick_size(9_900), tick_size(31_000), tick_size(121_000), tick_size(31_000, "HNX")
    (10, 50, 100, 100)
    """
    if not price_vnd > 0:
        raise InputError(f"A price must be positive to have a tick size, got {price_vnd!r} VND.")
    rule = _tick_rule(Exchange(exchange), security, on)
    return rule.ticks[sum(price_vnd >= bound for bound in rule.bounds)]


def round_to_tick(
    price_vnd: float,
    exchange: Exchange | str = Exchange.HOSE,
    direction: Direction = "nearest",
    *,
    security: Security = "stock",
    on: date | None = None,
) -> int:
    """Return the price that may be quoted next to `price_vnd`, in VND; halves go up, never below one tick."""
    tick = tick_size(price_vnd, exchange, security=security, on=on)
    if direction == "down":
        steps = int(price_vnd // tick)
    elif direction == "up":
        steps = int(-(-price_vnd // tick))
    elif direction == "nearest":
        steps = int((price_vnd + tick / 2) // tick)
    else:
        raise InputError(f"direction must be 'nearest', 'down' or 'up', got {direction!r}")
    return max(steps, 1) * tick


def is_on_tick(
    price_vnd: float,
    exchange: Exchange | str = Exchange.HOSE,
    *,
    security: Security = "stock",
    on: date | None = None,
) -> bool:
    """Whether a price may be quoted: a whole multiple of the tick size that holds there."""
    return price_vnd % tick_size(price_vnd, exchange, security=security, on=on) == 0


def tick_sizes(prices: npt.ArrayLike, exchange: Exchanges = Exchange.HOSE, *, on: Days = None) -> FloatArray:
    """Return the tick size of shares at each price, float64; NaN where the price is NaN or not positive.

    Parameters
    ----------
    prices : array_like
        VND.
    exchange : Exchange, or array that broadcasts against `prices`
        One for all, or each element's as `Exchange`, name or code (see `exchange_codes`).
    on : date or array of datetime64 that broadcasts against `prices`, optional
        Session of each price; today's rules where it is left out.
    """
    values = np.asarray(prices, dtype=np.float64)
    table = _tick_table()
    level = np.searchsorted(table.bounds, values, side="right")
    ticks: FloatArray = table.ticks[epochs(table.starts, on), exchange_codes(exchange), level]
    return np.where(values > 0, ticks, np.nan)


def round_to_ticks(
    prices: npt.ArrayLike,
    exchange: Exchanges = Exchange.HOSE,
    direction: Direction = "nearest",
    *,
    on: Days = None,
) -> FloatArray:
    """Round many share prices at once, as `round_to_tick` does; NaN stays NaN."""
    values = np.asarray(prices, dtype=np.float64)
    ticks = tick_sizes(values, exchange, on=on)
    if direction == "down":
        steps = np.floor(values / ticks)
    elif direction == "up":
        steps = np.ceil(values / ticks)
    elif direction == "nearest":
        steps = np.floor((values + ticks / 2) / ticks)
    else:
        raise InputError(f"direction must be 'nearest', 'down' or 'up', got {direction!r}")
    rounded: FloatArray = np.maximum(steps, 1.0) * ticks
    return rounded


def exchange_codes(exchange: Exchanges) -> npt.NDArray[np.int8]:
    """Return exchanges as small integers, their place in `EXCHANGE_ORDER`; integers pass through."""
    if isinstance(exchange, str):
        return np.array(EXCHANGE_ORDER.index(Exchange(exchange)), dtype=np.int8)
    given = np.asarray(exchange)
    if given.dtype.kind in "iu":
        return given.astype(np.int8, copy=False)
    codes = [EXCHANGE_ORDER.index(Exchange(str(name))) for name in given.ravel()]
    return np.array(codes, dtype=np.int8).reshape(given.shape)


def epochs(starts: DayArray, on: Days) -> npt.NDArray[np.intp] | int:
    """Return which epoch of a rule table holds on each session; the last where none is named.

    `starts` are the first days of the epochs, ascending.
    """
    if on is None:
        return -1
    return np.searchsorted(starts, np.asarray(on, dtype="datetime64[D]"), side="right") - 1


class _TickTable(NamedTuple):
    """All share ladders as one array `ticks[epoch, exchange code, level]`."""

    starts: DayArray
    bounds: FloatArray
    ticks: FloatArray


@cache
def _tick_table() -> _TickTable:
    rules = [rule for rule in TICK_RULES if rule.security == "stock"]
    starts = sorted({rule.valid_from for rule in rules})
    bounds = sorted({bound for rule in rules for bound in rule.bounds})
    ticks = np.empty((len(starts), len(EXCHANGE_ORDER), len(bounds) + 1))
    for (epoch, start), (code, exchange) in product(enumerate(starts), enumerate(EXCHANGE_ORDER)):
        rule = _tick_rule(exchange, "stock", start)
        for level, lowest in enumerate((1, *bounds)):
            ticks[epoch, code, level] = rule.ticks[sum(lowest >= bound for bound in rule.bounds)]
    return _TickTable(np.array(starts, dtype="datetime64[D]"), np.array(bounds, dtype=np.float64), ticks)


def _tick_rule(exchange: Exchange, security: str, on: date | None) -> TickRule:
    for rule in TICK_RULES:
        if rule.exchange is exchange and rule.security == security and (on is None or rule.valid_from <= on):
            return rule
    raise InputError(
        f"{exchange} has no tick rule for {security!r}; known are stock, etf and warrant on HOSE."
    )
