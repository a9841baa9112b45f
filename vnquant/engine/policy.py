"""Policy: what becomes of a verdict: an order, or the reason why there is none. Pure; asks nobody.

- BUY and STRONG_BUY open a position, if the Chief is confident enough, nothing of the symbol is held or on
  order, somebody sells, and the limits leave at least a lot.
- SELL and STRONG_SELL close a position: all shares that may be sold now.
- HOLD does nothing.

The size of a purchase is the RiskDoctor's share of equity, which falls with volatility, times the Chief's
confidence over `full_confidence`, at most the limit for one stock. The price is a limit that fills at once:
the other side's best, some ticks worse, inside the band.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from vnquant.agents import AgentSignal
from vnquant.errors import ParameterError
from vnquant.market import Action, Exchange, Quote, Universe, lot_size, round_to_tick, tick_size
from vnquant.runtime import ICT
from vnquant.trading import (
    Costs,
    Order,
    OrderType,
    RiskLimits,
    RiskView,
    Side,
    order_id,
    review,
    split_into_lots,
)

__all__ = ("Decision", "ExecutionPolicy", "decide", "marketable_limit_vnd")


class ExecutionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How verdicts become orders.

    Attributes
    ----------
    opens, closes : tuple of Action
        Verdicts that open, and that close a position.
    min_confidence : float
        Of the Chief, below which nothing is opened. Closing needs none: it lowers the risk.
    full_confidence : float
        Of the Chief, from which a position has its full size.
    slack_ticks : int
        By how many ticks a limit is worse than the best price of the other side.
    """

    opens: tuple[Action, ...] = (Action.STRONG_BUY, Action.BUY)
    closes: tuple[Action, ...] = (Action.STRONG_SELL, Action.SELL)
    min_confidence: float = 0.3
    full_confidence: float = 0.6
    slack_ticks: int = 2

    def __post_init__(self) -> None:
        if both := set(self.opens) & set(self.closes):
            raise ParameterError(
                f"{', '.join(sorted(both))} cannot both open and close.", name="closes", value=self.closes
            )
        if not 0 <= self.min_confidence <= 1 or not 0 < self.full_confidence <= 1 or self.slack_ticks < 0:
            raise ParameterError(
                f"min_confidence {self.min_confidence} and full_confidence {self.full_confidence} are shares "
                f"up to 1, slack_ticks {self.slack_ticks} is at least 0.",
                name="min_confidence",
                value=self.min_confidence,
            )


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a verdict.

    Attributes
    ----------
    outcome : str
        In words.
    order : Order or None
    limits : tuple of str
        The risk limits that made the order smaller, or impossible.
    """

    outcome: str
    order: Order | None = None
    limits: tuple[str, ...] = ()


def decide(
    verdict: AgentSignal,
    quote: Quote | None,
    view: RiskView,
    *,
    cause: str,
    policy: ExecutionPolicy,
    limits: RiskLimits,
    costs: Costs,
    universe: Universe,
) -> Decision:
    """Return the order that a verdict leads to, or why there is none.

    Parameters
    ----------
    verdict : AgentSignal
        Of the Chief.
    quote : Quote or None
        The board of the symbol.
    view : RiskView
        Of the portfolio with its open orders.
    cause : str
        Id of the lead.
    policy, limits, costs, universe
    """
    symbol = verdict.symbol
    if not verdict.has_opinion:
        return Decision(outcome="no order: the agents have no opinion")
    if verdict.action in policy.closes:
        return _close(verdict, quote, view, cause, policy, universe)
    if verdict.action not in policy.opens:
        return Decision(outcome=f"no order: {verdict.action} at {verdict.points:.0f} of 100")
    if verdict.confidence < policy.min_confidence:
        return Decision(
            outcome=f"no order: confidence {verdict.confidence:.2f} is below {policy.min_confidence:.2f}"
        )
    if view.exposure_vnd.get(symbol, 0) > 0:
        return Decision(outcome=f"no order: {symbol} is held or on order already")
    exchange = universe.exchanges((symbol,))[0]
    price = marketable_limit_vnd(Side.BUY, quote, exchange, slack_ticks=policy.slack_ticks, at=view.at)
    if price is None:
        return Decision(outcome=f"no order: nobody sells {symbol}")
    asked = _wanted_shares(verdict, price, view, policy, limits, exchange)
    lot = lot_size(exchange, on=_day(view.at))
    if asked < lot:
        return Decision(
            outcome=f"no order: the share of equity buys {asked} shares, less than a lot of {lot}"
        )
    risk = review(symbol, Side.BUY, asked, price, view, limits, costs=costs, universe=universe)
    if risk.refused:
        return Decision(outcome=f"no order: {'; '.join(risk.reasons)}", limits=risk.reasons)
    why = f"{verdict.action} at {verdict.points:.0f} of 100, confidence {verdict.confidence:.2f}"
    order = _order(symbol, Side.BUY, risk.allowed, price, view.at, cause, why)
    return Decision(
        outcome=f"buys {order.quantity:,} at up to {price:,} VND: {why}", order=order, limits=risk.reasons
    )


def marketable_limit_vnd(
    side: Side, quote: Quote | None, exchange: Exchange, *, slack_ticks: int, at: datetime
) -> int | None:
    """Return a limit that fills at once, on tick and inside the band; None where there is no other side.

    A sale without buyers gets the floor, so that it stands first when they come.
    """
    if quote is None:
        return None
    levels = quote.asks if side is Side.BUY else quote.bids
    # An auction order has no price of its own; it trades at the price of the auction.
    priced = [price if price is not None else quote.last_price for price, _ in levels[:1]]
    best = priced[0] if priced else None
    floor, ceiling = round(quote.floor_price), round(quote.ceiling_price)
    if best is None:
        return None if side is Side.BUY else floor
    day = _day(at)
    worse = best + side.sign * slack_ticks * tick_size(best, exchange, on=day)
    on_tick = round_to_tick(worse, exchange, "up" if side is Side.BUY else "down", on=day)
    return int(min(max(on_tick, floor), ceiling))


def _close(
    verdict: AgentSignal,
    quote: Quote | None,
    view: RiskView,
    cause: str,
    policy: ExecutionPolicy,
    universe: Universe,
) -> Decision:
    symbol = verdict.symbol
    if not _held(view.exposure_vnd, symbol):
        return Decision(outcome=f"no order: {verdict.action}, and no {symbol} is held")
    free = view.free_shares.get(symbol, 0)
    if free <= 0:
        return Decision(outcome=f"no order: no share of {symbol} may be sold yet (T+2, or on order)")
    exchange = universe.exchanges((symbol,))[0]
    price = marketable_limit_vnd(Side.SELL, quote, exchange, slack_ticks=policy.slack_ticks, at=view.at)
    if price is None:
        return Decision(outcome=f"no order: the board shows no {symbol}")
    why = f"{verdict.action} at {verdict.points:.0f} of 100"
    lots, odd = split_into_lots(free, exchange, on=_day(view.at))
    free = lots or odd  # the exchanges take them as two orders; the odd lot has to come later
    order = _order(symbol, Side.SELL, free, price, view.at, cause, why)
    return Decision(outcome=f"sells {free:,} at {price:,} VND or more: {why}", order=order)


def _wanted_shares(
    verdict: AgentSignal,
    price_vnd: int,
    view: RiskView,
    policy: ExecutionPolicy,
    limits: RiskLimits,
    exchange: Exchange,
) -> int:
    most = limits.max_position_fraction
    share = most if verdict.position_fraction is None else min(verdict.position_fraction, most)
    share *= min(verdict.confidence / policy.full_confidence, 1.0)
    shares = int(share * view.equity_vnd) // price_vnd
    return shares - shares % lot_size(exchange, on=_day(view.at))


def _order(symbol: str, side: Side, quantity: int, price: int, at: datetime, cause: str, why: str) -> Order:
    return Order(
        client_order_id=order_id(symbol, side, at, cause),
        symbol=symbol,
        side=side,
        type=OrderType.LO,
        quantity=quantity,
        limit_price_vnd=price,
        created_at=at,
        cause=cause,
        reason=why,
    )


def _held(exposure: Mapping[str, int], symbol: str) -> bool:
    return exposure.get(symbol, 0) > 0


def _day(at: datetime) -> date:
    return at.astimezone(ICT).date()
