"""Matching: what the board does to an open paper order at an instant. Decides on values; asks nobody.

- In continuous trading an order fills against what stands on the other side at an acceptable price. A share
  locked at its ceiling has no sellers and fills no buys, and the reverse at the floor.
- An auction fills at its one price, without slippage, once it is over: opening orders at the day's open,
  closing orders and whatever limit orders are left at the last price after the close.
- Of the volume that there is we get the participation share at most, counted over the order's whole life and
  over all our orders of the symbol and side, so asking more often gives no more.
- An order lives for one session.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from vnquant.market import (
    Exchange,
    Phase,
    Quote,
    TradingCalendar,
    lot_size,
    phase_at,
    round_to_tick,
    session_fraction,
    volume_curve,
)
from vnquant.runtime.clock import ICT
from vnquant.trading.admission import quote_problem
from vnquant.trading.broker import PaperConfig
from vnquant.trading.order_events import (
    Fill,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRestated,
    Side,
    fill_id,
)
from vnquant.trading.orders import Order, OrderType

__all__ = ("match",)

_WAITING = frozenset({Phase.PRE_OPEN, Phase.ATO, Phase.LUNCH, Phase.ATC})
_CLOSING_AUCTION_OVER = time(14, 45)
_OPENING_AUCTION_OVER = time(9, 15)


def match(
    order: Order,
    quote: Quote | None,
    now: datetime,
    *,
    exchange: Exchange,
    calendar: TradingCalendar,
    config: PaperConfig,
    earlier: Sequence[Fill] = (),
) -> tuple[OrderEvent, ...]:
    """Return what happens to an open order.

    Parameters
    ----------
    order : Order
        Accepted and not at its end.
    quote : Quote or None
        The board of its symbol; nothing fills on one that is missing, old, or of another phase than `now`.
    now : datetime
        Market time.
    exchange : Exchange
    calendar : TradingCalendar
        The exchange's own.
    config : PaperConfig
    earlier : sequence of Fill
        Our fills of the same symbol and side in this session, this order's included.
    """
    accepted = order.created_at if order.accepted_at is None else order.accepted_at
    day, local = accepted.astimezone(ICT).date(), now.astimezone(ICT)
    if local.date() > day:
        return (_expired(order, now, f"its session of {day} is over"),)
    phase = phase_at(now, exchange, calendar)
    if phase in _WAITING or quote_problem(order.symbol, quote, now, config.max_quote_age_s) is not None:
        return ()
    # A quote from before an auction's end, looked at after it, would tell the wrong price.
    if quote is None or _stage(phase_at(quote.as_of, exchange, calendar)) != _stage(phase):
        return ()
    desk = _Desk(order, quote, now, exchange, calendar, config, tuple(earlier))
    if phase is Phase.CONTINUOUS:
        if order.type is OrderType.ATO:
            # The board may show the auction's price a little after it is over, in a quiet share much later.
            shown = quote.open_price is not None
            return desk.auction("opening", quote.open_price, _OPENING_AUCTION_OVER) if shown else ()
        return () if order.type is OrderType.ATC else desk.continuous()
    if exchange is Exchange.UPCOM or order.quantity < desk.lot:
        return (_expired(order, now, "the session is over"),)
    if order.type is OrderType.ATO:
        return (_expired(order, now, "the opening auction found no price"),)
    closed = datetime.combine(local.date(), _CLOSING_AUCTION_OVER, tzinfo=ICT)
    if quote.as_of < closed + timedelta(seconds=config.auction_grace_s):
        return ()
    return desk.auction("closing", quote.last_price, _CLOSING_AUCTION_OVER)


class _Desk:
    """One order before one quote."""

    def __init__(
        self,
        order: Order,
        quote: Quote,
        now: datetime,
        exchange: Exchange,
        calendar: TradingCalendar,
        config: PaperConfig,
        earlier: tuple[Fill, ...],
    ) -> None:
        self.order = order
        self.quote = quote
        self.now = now
        self.exchange = exchange
        self.calendar = calendar
        self.config = config
        self.earlier = earlier
        self.day = now.astimezone(ICT).date()
        self.lot = lot_size(exchange, on=self.day)
        self.buys = order.side is Side.BUY
        self.ceiling, self.floor = round(quote.ceiling_price), round(quote.floor_price)

    def continuous(self) -> tuple[OrderEvent, ...]:
        """Trade against the other side of the book."""
        order = self.order
        levels = self.quote.asks if self.buys else self.quote.bids
        reachable = [
            (round(price), int(volume))
            for price, volume in levels
            if price is not None and self._takes(price)
        ]
        if not reachable:
            return ()
        best, depth = reachable[0][0], sum(volume for _, volume in reachable)
        traded = max(int(self.quote.total_volume) - order.market_volume, 0)
        since = order.created_at if order.accepted_at is None else order.accepted_at
        # What we took from this very board is gone, though it still shows it.
        standing = depth - self._taken(self.quote.as_of)
        quantity = self._in_lots(min(self._part(depth + traded) - self._taken(since), standing))
        price = self._slipped(best)
        events: tuple[OrderEvent, ...] = ()
        if quantity:
            events = (self._fill(quantity, price, best),)
        if order.type is OrderType.MP and quantity < order.remaining_quantity:
            events = (*events, self._restated(price if quantity else best, order.next_sequence + len(events)))
        return events

    def auction(self, name: str, price_vnd: float | None, over: time) -> tuple[OrderEvent, ...]:
        """Trade at an auction's price; what is left falls away."""
        order = self.order
        if price_vnd is None:
            return (_expired(order, self.now, f"the {name} auction found no price"),)
        price = round(price_vnd)
        locked = price >= self.ceiling if self.buys else price <= self.floor
        other_side = self.quote.asks if self.buys else self.quote.bids
        quantity = 0
        if self._takes(price) and (other_side or not locked):
            since = datetime.combine(self.day, over, tzinfo=ICT)
            quantity = self._in_lots(self._part(self._auction_volume(name)) - self._taken(since))
        if not quantity:
            why = f"the {name} auction at {price:,} VND gave it no shares"
            return (_expired(order, self.now, why),)
        filled = self._fill(quantity, price, price)
        if quantity == order.remaining_quantity:
            return (filled,)
        why = f"the {name} auction gave it only a part"
        return (filled, _expired(order, self.now, why, sequence=order.next_sequence + 1))

    def _takes(self, price_vnd: float) -> bool:
        limit = self.order.limit_price_vnd
        return limit is None or (price_vnd - limit) * self.order.side.sign <= 0

    def _part(self, volume: int) -> int:
        return volume * self.config.participation_pct // 100

    def _taken(self, since: datetime) -> int:
        return sum(fill.quantity for fill in self.earlier if fill.filled_at >= since)

    def _in_lots(self, quantity: int) -> int:
        """Return the part of a quantity that the order can fill: whole lots, or an odd lot at once."""
        quantity = min(quantity, self.order.remaining_quantity)
        if self.order.quantity < self.lot:
            return self.order.quantity if quantity == self.order.quantity else 0
        return max(quantity - quantity % self.lot, 0)

    def _auction_volume(self, name: str) -> int:
        """Return the volume that an auction usually has in such a day: boards do not tell it apart."""
        curve = volume_curve(self.exchange)
        share = curve.opening_auction if name == "opening" else float(curve.shares[-1])
        whole_day = self.quote.total_volume / session_fraction(self.now, self.exchange, self.calendar)
        return min(int(share * whole_day), int(self.quote.total_volume))

    def _slipped(self, best_vnd: int) -> int:
        """Return the price of a fill: worse than the board's, never worse than the limit or off the band."""
        price = self.config.slippage.price_vnd(
            best_vnd,
            self.order.side,
            client_order_id=self.order.client_order_id,
            at=self.now,
            exchange=self.exchange,
            on=self.day,
        )
        limit = self.order.limit_price_vnd
        if self.buys:
            return min(price, self.ceiling if limit is None else min(limit, self.ceiling))
        return max(price, self.floor if limit is None else max(limit, self.floor))

    def _fill(self, quantity: int, price: int, quoted: int) -> OrderFilled:
        order = self.order
        fee, tax = self.config.costs.of_fill(
            order.side, quantity * price, filled_before_vnd=order.filled_value_vnd
        )
        fill = Fill(
            fill_id=fill_id(order.client_order_id, order.next_sequence),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price_vnd=price,
            fee_vnd=fee,
            tax_vnd=tax,
            filled_at=self.now,
            quoted_price_vnd=quoted,
        )
        return OrderFilled(
            client_order_id=order.client_order_id, sequence=order.next_sequence, at=self.now, fill=fill
        )

    def _restated(self, last_vnd: int, sequence: int) -> OrderRestated:
        """Turn the rest of a market order into a limit order one tick beyond its last price (HOSE rules)."""
        if self.buys:
            limit = min(round_to_tick(last_vnd + 1, self.exchange, "up", on=self.day), self.ceiling)
        else:
            limit = max(round_to_tick(last_vnd - 1, self.exchange, "down", on=self.day), self.floor)
        return OrderRestated(
            client_order_id=self.order.client_order_id, sequence=sequence, at=self.now, limit_price_vnd=limit
        )


def _stage(phase: Phase) -> Phase:
    """Return the phase, with all that follows the close as one."""
    return Phase.CLOSED if phase is Phase.PUT_THROUGH else phase


def _expired(order: Order, now: datetime, reason: str, *, sequence: int | None = None) -> OrderExpired:
    return OrderExpired(
        client_order_id=order.client_order_id,
        sequence=order.next_sequence if sequence is None else sequence,
        at=now,
        reason=reason,
    )
