"""Risk: how much of an order the limits allow, and which limit says so. Decides on values; asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from vnquant.errors import ParameterError
from vnquant.market import Universe, load_universe, lot_size
from vnquant.runtime.clock import ICT
from vnquant.trading.admission import blocked_vnd
from vnquant.trading.costs import Costs
from vnquant.trading.order_events import Side
from vnquant.trading.orders import Order
from vnquant.trading.portfolio import Portfolio

__all__ = ("RiskDecision", "RiskLimits", "RiskView", "review")


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio may hold. Sales are limited by nothing but what may be sold: they lower the risk.

    Attributes
    ----------
    max_position_fraction : float
        Largest value of one stock over equity, open buy orders included.
    max_positions : int
        Stocks held or on order at the same time.
    max_sector_fraction : float
        Largest value of one sector's stocks over equity.
    max_daily_loss_fraction : float
        Once the day has lost this much of the equity that it began with, nothing is bought till the next.
    min_cash_fraction : float
        Equity that stays in cash.
    """

    max_position_fraction: float = 0.125
    max_positions: int = 10
    max_sector_fraction: float = 0.5
    max_daily_loss_fraction: float = 0.05
    min_cash_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.max_positions < 1:
            raise ParameterError(
                f"max_positions must be at least 1, got {self.max_positions}.",
                name="max_positions",
                value=self.max_positions,
            )
        for name in ("max_position_fraction", "max_sector_fraction", "max_daily_loss_fraction"):
            _fraction(name, getattr(self, name), lowest_open=True)
        _fraction("min_cash_fraction", self.min_cash_fraction, lowest_open=False)


class RiskView(msgspec.Struct, frozen=True, kw_only=True):
    """What the limits look at, at one instant.

    Attributes
    ----------
    at : datetime
    equity_vnd : int
    free_cash_vnd : int
        Settled, and not blocked by open orders.
    exposure_vnd : dict of str to int
        Value of each stock held or on order.
    free_shares : dict of str to int
        Shares that may be sold now and are in no open order.
    day_start_equity_vnd : int or None
        Equity when the session began, None where it is not known.
    """

    at: datetime
    equity_vnd: int
    free_cash_vnd: int
    exposure_vnd: dict[str, int]
    free_shares: dict[str, int]
    day_start_equity_vnd: int | None = None

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        prices: Mapping[str, float],
        at: datetime,
        *,
        open_orders: Iterable[Order] = (),
        day_start_equity_vnd: int | None = None,
        costs: Costs | None = None,
    ) -> RiskView:
        """Return the view of a portfolio and its open orders at the prices given."""
        rates = Costs() if costs is None else costs
        exposure = {s: round(p.quantity * prices[s]) for s, p in portfolio.positions.items()}
        shares = {s: p.sellable_quantity(at) for s, p in portfolio.positions.items()}
        cash = portfolio.available_cash_vnd(at)
        for order in open_orders:
            left, price = order.remaining_quantity, order.block_price_vnd
            if order.side is Side.BUY:
                cash -= blocked_vnd(left, price, rates, filled_value_vnd=order.filled_value_vnd)
                exposure[order.symbol] = exposure.get(order.symbol, 0) + left * price
            else:
                shares[order.symbol] = shares.get(order.symbol, 0) - left
        return cls(
            at=at,
            equity_vnd=portfolio.equity_vnd(prices),
            free_cash_vnd=cash,
            exposure_vnd=exposure,
            free_shares=shares,
            day_start_equity_vnd=day_start_equity_vnd,
        )


class RiskDecision(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the shares asked for may be ordered.

    `reasons` names each limit that allows fewer than were asked for, tightest first.
    """

    symbol: str
    side: Side
    asked: int
    allowed: int
    reasons: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether nothing may be ordered."""
        return self.allowed == 0

    def __str__(self) -> str:
        verdict = "refused" if self.refused else f"{self.allowed:,} of {self.asked:,} shares"
        return f"{self.side} {self.symbol}: {verdict}" + "".join(f"; {reason}" for reason in self.reasons)


def review(
    symbol: str,
    side: Side,
    quantity: int,
    price_vnd: int,
    view: RiskView,
    limits: RiskLimits,
    *,
    costs: Costs | None = None,
    universe: Universe | None = None,
) -> RiskDecision:
    """Return how much of an order the limits allow, in whole lots for a purchase.

    Parameters
    ----------
    symbol, side, quantity
        The order in question.
    price_vnd : int
        The worst price at which it may fill.
    view : RiskView
    limits : RiskLimits
    costs : Costs, optional
    universe : Universe, optional
        Says sector and exchange; the shipped one where it is left out.
    """
    known = load_universe() if universe is None else universe
    if side is Side.SELL:
        free = max(view.free_shares.get(symbol, 0), 0)
        bounds = [(free, f"{free:,} shares may be sold now and are in no other order")]
        return _decided(symbol, side, quantity, bounds, lot=1)
    rates = Costs() if costs is None else costs
    lot = lot_size(known.exchanges((symbol,))[0], on=view.at.astimezone(ICT).date())
    bounds = [
        *_count_bounds(symbol, view, limits),
        _position_bound(symbol, price_vnd, view, limits),
        *_sector_bounds(symbol, price_vnd, view, limits, known),
        _cash_bound(price_vnd, view, limits, rates),
    ]
    return _decided(symbol, side, quantity, bounds, lot=lot)


_Bound = tuple[int, str]


def _decided(symbol: str, side: Side, quantity: int, bounds: list[_Bound], *, lot: int) -> RiskDecision:
    binding = sorted((bound for bound in bounds if bound[0] < quantity), key=lambda bound: bound[0])
    allowed = min([quantity, *(shares for shares, _ in binding)])
    allowed -= allowed % lot
    reasons = [why for _, why in binding]
    if not reasons and allowed < quantity:
        reasons = [f"whole lots of {lot} shares only"]
    return RiskDecision(symbol=symbol, side=side, asked=quantity, allowed=allowed, reasons=tuple(reasons))


def _count_bounds(symbol: str, view: RiskView, limits: RiskLimits) -> list[_Bound]:
    bounds: list[_Bound] = []
    held = [name for name, value in view.exposure_vnd.items() if value > 0]
    if symbol not in held and len(held) >= limits.max_positions:
        bounds.append((0, f"{len(held)} stocks are held or on order, and {limits.max_positions} are allowed"))
    start = view.day_start_equity_vnd
    if start:
        change = view.equity_vnd / start - 1.0
        if change <= -limits.max_daily_loss_fraction:
            bounds.append(
                (0, f"the day has lost {-change:.1%} and may lose {limits.max_daily_loss_fraction:.1%}")
            )
    return bounds


def _position_bound(symbol: str, price_vnd: int, view: RiskView, limits: RiskLimits) -> _Bound:
    cap = int(limits.max_position_fraction * view.equity_vnd)
    has = view.exposure_vnd.get(symbol, 0)
    why = (
        f"{limits.max_position_fraction:.1%} of equity is {cap:,} VND a stock, and {has:,} VND of {symbol} "
        "are held or on order"
    )
    return max(cap - has, 0) // price_vnd, why


def _sector_bounds(
    symbol: str, price_vnd: int, view: RiskView, limits: RiskLimits, universe: Universe
) -> list[_Bound]:
    if symbol not in universe:
        return []
    sector = universe[symbol].sector
    has = sum(
        value
        for name, value in view.exposure_vnd.items()
        if name in universe and universe[name].sector == sector
    )
    cap = int(limits.max_sector_fraction * view.equity_vnd)
    why = (
        f"{limits.max_sector_fraction:.1%} of equity is {cap:,} VND a sector, and {has:,} VND of {sector} "
        "are held or on order"
    )
    return [(max(cap - has, 0) // price_vnd, why)]


def _cash_bound(price_vnd: int, view: RiskView, limits: RiskLimits, costs: Costs) -> _Bound:
    kept = int(limits.min_cash_fraction * view.equity_vnd)
    free = max(view.free_cash_vnd - kept, 0)
    shares = free * 10_000 // (price_vnd * (10_000 + costs.commission_bps))
    # The commission's half VND may be one too many.
    while shares and blocked_vnd(shares, price_vnd, costs) > free:
        shares -= 1
    left = f" beside the {kept:,} VND that stay" if kept else ""
    return shares, f"{free:,} VND of cash are free{left}"


def _fraction(name: str, value: float, *, lowest_open: bool) -> None:
    if not (0 < value <= 1 if lowest_open else 0 <= value < 1):
        span = "above 0 and at most 1" if lowest_open else "from 0 to below 1"
        raise ParameterError(f"{name} must be {span}, got {value}.", name=name, value=value)
