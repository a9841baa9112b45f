"""Positions: the shares of one symbol, parcel by parcel, because each may be sold from its own moment on.

A position is a value; each function returns the next one. Money is whole VND.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import msgspec

from vnquant.errors import InsufficientSharesError
from vnquant.market import CashDividend, ShareSplit
from vnquant.runtime.clock import ICT
from vnquant.trading.corporate_actions import PriceAdjustment
from vnquant.trading.order_events import Fill

__all__ = (
    "Parcel",
    "Position",
    "add_bought",
    "adjust_price",
    "pay_dividend",
    "raise_peak",
    "remove_sold",
    "split_shares",
)


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of one purchase day, and when they may be sold."""

    quantity: int
    bought_on: date
    sellable_from: datetime


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of one symbol.

    Attributes
    ----------
    symbol : str
    parcels : tuple of Parcel
        By the moment from which they may be sold.
    cost_vnd : int
        Paid for all of them, fees aside.
    dividends_vnd : int
        Cash dividends before tax on the shares still held: an ex-dividend price is no loss.
    gone_ex_vnd : int
        The part of the cost that went out of the price on ex-dates of which nobody said what holders got:
        no loss either.
    opened_on : date
        Day of the first purchase since there were none.
    peak_price_vnd : int
        Highest price seen since then, for trailing stops.
    """

    symbol: str
    parcels: tuple[Parcel, ...]
    cost_vnd: int
    dividends_vnd: int = 0
    gone_ex_vnd: int = 0
    opened_on: date
    peak_price_vnd: int

    @property
    def quantity(self) -> int:
        """Shares held, settled or not."""
        return sum(parcel.quantity for parcel in self.parcels)

    @property
    def average_cost_vnd(self) -> float:
        """Mean price paid a share."""
        return self.cost_vnd / self.quantity

    @property
    def basis_vnd(self) -> int:
        """Cost less what went ex since: what today's value is compared with."""
        return self.cost_vnd - self.dividends_vnd - self.gone_ex_vnd

    @property
    def entry_price_vnd(self) -> float:
        """Mean price paid a share less what went ex since: what today's price is compared with."""
        return self.basis_vnd / self.quantity

    def sellable_quantity(self, now: datetime) -> int:
        """Return the shares that may be sold at an instant."""
        return sum(parcel.quantity for parcel in self.parcels if parcel.sellable_from <= now)

    def next_sellable(self, now: datetime) -> datetime | None:
        """Return when more shares may be sold, None if all may."""
        return min((p.sellable_from for p in self.parcels if p.sellable_from > now), default=None)


def add_bought(position: Position | None, fill: Fill, sellable_from: datetime) -> Position:
    """Return the position after a purchase."""
    day = fill.filled_at.astimezone(ICT).date()
    parcel = Parcel(quantity=fill.quantity, bought_on=day, sellable_from=sellable_from)
    if position is None:
        return Position(
            symbol=fill.symbol,
            parcels=(parcel,),
            cost_vnd=fill.value_vnd,
            opened_on=day,
            peak_price_vnd=fill.price_vnd,
        )
    return msgspec.structs.replace(
        position,
        parcels=_merged((*position.parcels, parcel)),
        cost_vnd=position.cost_vnd + fill.value_vnd,
        peak_price_vnd=max(position.peak_price_vnd, fill.price_vnd),
    )


def remove_sold(position: Position, fill: Fill) -> tuple[Position | None, int]:
    """Return (the position after a sale, None when nothing is left; the cost of the shares sold).

    Shares leave at average cost; the last ones take what is left of it, so nothing is lost to rounding.

    Raises
    ------
    InsufficientSharesError
        If fewer shares may be sold at the time of the fill.
    """
    held, sellable = position.quantity, position.sellable_quantity(fill.filled_at)
    if fill.quantity > sellable:
        later = position.next_sellable(fill.filled_at)
        more = "" if later is None else f", more from {later:%Y-%m-%d %H:%M}"
        raise InsufficientSharesError(
            f"{fill.symbol}: {fill.quantity:,} shares sold on {fill.filled_at:%Y-%m-%d %H:%M}, but of "
            f"{held:,} held {sellable:,} may be sold then{more}. Sell at most {sellable:,}.",
            symbol=fill.symbol,
            asked=fill.quantity,
            held=held,
            sellable=sellable,
        )
    if fill.quantity == held:
        return None, position.cost_vnd
    cost = _part(position.cost_vnd, fill.quantity, held)
    return (
        msgspec.structs.replace(
            position,
            parcels=_without(position.parcels, fill.quantity),
            cost_vnd=position.cost_vnd - cost,
            dividends_vnd=position.dividends_vnd - _part(position.dividends_vnd, fill.quantity, held),
            gone_ex_vnd=position.gone_ex_vnd - _part(position.gone_ex_vnd, fill.quantity, held),
        ),
        cost,
    )


def pay_dividend(position: Position, dividend: CashDividend) -> tuple[Position, int]:
    """Return (the position ex dividend, the dividend before tax)."""
    gross = _entitled(position.parcels, dividend.ex_date) * dividend.per_share_vnd
    if not gross:
        return position, 0
    return (
        msgspec.structs.replace(
            position,
            dividends_vnd=position.dividends_vnd + gross,
            peak_price_vnd=max(position.peak_price_vnd - dividend.per_share_vnd, 1),
        ),
        gross,
    )


def split_shares(position: Position, split: ShareSplit) -> Position | None:
    """Return the position after a split, None when less than one share is left."""
    # Floors of running totals: no parcel's fraction is lost that the position as a whole does not lose.
    before = after = 0
    parcels: list[Parcel] = []
    issued = 0
    for parcel in position.parcels:
        if parcel.bought_on >= split.ex_date:
            parcels.append(parcel)
            continue
        before += parcel.quantity
        total = before * split.become // split.held
        quantity = total - after
        after = total
        if split.new_shares_sellable_from is not None:
            issued += quantity - parcel.quantity
            quantity = parcel.quantity
        parcels.append(msgspec.structs.replace(parcel, quantity=quantity))
    if not before:
        return position
    if issued and split.new_shares_sellable_from is not None:
        day = position.parcels[0].bought_on
        parcels.append(Parcel(quantity=issued, bought_on=day, sellable_from=split.new_shares_sellable_from))
    kept = _merged(parcel for parcel in parcels if parcel.quantity)
    if not kept:
        return None
    peak = max(_part(position.peak_price_vnd, split.held, split.become), 1)
    return msgspec.structs.replace(position, parcels=kept, peak_price_vnd=peak)


def adjust_price(position: Position, adjustment: PriceAdjustment) -> Position:
    """Return the position with its entry and peak where the price went by itself."""
    entitled, base, reference = (
        _entitled(position.parcels, adjustment.ex_date),
        adjustment.base_vnd,
        adjustment.reference_vnd,
    )
    if not entitled:
        return position
    gone = _part(max(position.basis_vnd, 0) * entitled, base - reference, base * position.quantity)
    return msgspec.structs.replace(
        position,
        gone_ex_vnd=position.gone_ex_vnd + gone,
        peak_price_vnd=max(_part(position.peak_price_vnd, reference, base), 1),
    )


def raise_peak(position: Position, price_vnd: float) -> Position:
    """Return the position with its peak at least at a price."""
    price = int(price_vnd)
    if price <= position.peak_price_vnd:
        return position
    return msgspec.structs.replace(position, peak_price_vnd=price)


def _part(amount_vnd: int, numerator: int, denominator: int) -> int:
    """Return the nearest whole VND of a share of an amount; halves go up."""
    return (2 * amount_vnd * numerator + denominator) // (2 * denominator)


def _entitled(parcels: Iterable[Parcel], ex_date: date) -> int:
    return sum(parcel.quantity for parcel in parcels if parcel.bought_on < ex_date)


def _merged(parcels: Iterable[Parcel]) -> tuple[Parcel, ...]:
    """Return parcels in order of sale, those of one day and one moment together."""
    totals: dict[tuple[datetime, date], int] = {}
    for parcel in parcels:
        key = (parcel.sellable_from, parcel.bought_on)
        totals[key] = totals.get(key, 0) + parcel.quantity
    return tuple(
        Parcel(quantity=totals[key], bought_on=key[1], sellable_from=key[0]) for key in sorted(totals)
    )


def _without(parcels: tuple[Parcel, ...], quantity: int) -> tuple[Parcel, ...]:
    """Return what is left after a sale of the shares that could be sold first."""
    left: list[Parcel] = []
    for parcel in parcels:
        taken = min(quantity, parcel.quantity)
        quantity -= taken
        if taken < parcel.quantity:
            left.append(msgspec.structs.replace(parcel, quantity=parcel.quantity - taken))
    return tuple(left)
