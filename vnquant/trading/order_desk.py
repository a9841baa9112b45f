"""Order desk: the paper broker's core. Orders, what they block, and their fills; no I/O, time is an argument.

Each call takes quotes and an instant, lets happen what the rules say, and returns the events. The account is
the desk's own, as at a real broker: others learn of its changes from the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from vnquant.errors import CancelRefusedError, OrderError, StateError, UnknownOrderError
from vnquant.market import Exchange, Phase, Quote, Universe, default_calendar, load_universe, phase_at
from vnquant.runtime.clock import ICT
from vnquant.trading.accounting import PortfolioEvent
from vnquant.trading.admission import blocked_vnd, refusal, worst_price_vnd
from vnquant.trading.broker import PaperConfig
from vnquant.trading.matching import match
from vnquant.trading.order_events import (
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderFilled,
    OrderRejected,
    Side,
)
from vnquant.trading.orders import Order, OrderStatus, apply
from vnquant.trading.portfolio import Portfolio

__all__ = ("OrderDesk",)


class OrderDesk:
    """Orders at the paper broker; see `PaperBroker` for the parameters."""

    def __init__(
        self,
        account: Portfolio,
        *,
        config: PaperConfig | None = None,
        universe: Universe | None = None,
    ) -> None:
        self.account = account
        self.config = PaperConfig() if config is None else config
        self._universe = load_universe() if universe is None else universe
        self._orders: dict[str, Order] = {}
        self._events: dict[str, list[OrderEvent]] = {}
        self._open: dict[str, None] = {}
        self._day: date | None = None
        self._fills_today: list[Fill] = []

    def restore(self, orders: Iterable[Order], fills: Iterable[Fill] = ()) -> None:
        """Take over orders that a ledger knows, with the fills of the running session."""
        if self._orders:
            raise StateError("There are orders already; restore() comes before the first submit().")
        for order in orders:
            if order.status is not OrderStatus.INTENDED:
                self._keep(order)
        for fill in sorted(fills, key=lambda fill: fill.filled_at):
            self._remember(fill)

    # -- what there is ------------------------------------------------------------------------------------

    @property
    def has_open_orders(self) -> bool:
        """Whether any order may still fill."""
        return bool(self._open)

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Orders that may still fill, oldest first; those of one instant by their id, as a ledger has them.

        The order in which they came is not written down, so it must not count: after a restart they would
        fill in another order, and be another day's fills.
        """
        orders = [self._orders[name] for name in self._open]
        if len(orders) > 1:
            orders.sort(key=lambda order: (order.created_at, order.client_order_id))
        return tuple(orders)

    def find(self, client_order_id: str) -> Order | None:
        """Return an order as it stands, None where it never arrived."""
        return self._orders.get(client_order_id)

    def knows(self, order: Order) -> bool:
        """Whether the order has arrived before; raises OrderError where its id belongs to another one."""
        known = self._orders.get(order.client_order_id)
        if known is None:
            return False
        if not known.same_request(order):
            raise OrderError(
                f"The id {order.client_order_id!r} is taken by {known}; {order} needs one of its own.",
                field="client_order_id",
            )
        return True

    def events(self, client_order_id: str, *, after: int = 0) -> tuple[OrderEvent, ...]:
        """Return the events of an order with a sequence number above `after`, since this desk began."""
        return tuple(event for event in self._events.get(client_order_id, ()) if event.sequence > after)

    def free_cash_vnd(self, at: datetime) -> int:
        """Return the cash that may be spent at an instant and is not blocked by open orders."""
        blocked = sum(
            blocked_vnd(
                order.remaining_quantity,
                order.block_price_vnd,
                self.config.costs,
                filled_value_vnd=order.filled_value_vnd,
            )
            for order in self.open_orders
            if order.side is Side.BUY
        )
        return self.account.available_cash_vnd(at) - blocked

    def free_shares(self, symbol: str, at: datetime) -> int:
        """Return the shares that may be sold at an instant and are in no open order."""
        blocked = sum(
            order.remaining_quantity
            for order in self.open_orders
            if order.side is Side.SELL and order.symbol == symbol
        )
        return self.account.sellable_quantity(symbol, at) - blocked

    # -- what happens -------------------------------------------------------------------------------------

    def submit(
        self, order: Order, quote: Quote | None, at: datetime, *, silence: str = ""
    ) -> tuple[OrderEvent, ...]:
        """Take or refuse an order, fill what can be filled at once, and return all its events so far.

        `silence` says why there is no board at all; then the order is refused with that reason.
        """
        if self.knows(order):
            return self.events(order.client_order_id)
        if order.status is not OrderStatus.INTENDED:
            raise OrderError(f"{order} is not new; submit orders as INTENDED.", field="status")
        name = order.client_order_id
        why = silence or self._refusal(order, quote, at)
        if why or quote is None:
            self._take(order, OrderRejected(client_order_id=name, sequence=1, at=at, reason=why))
            return self.events(name)
        accepted = OrderAccepted(
            client_order_id=name,
            sequence=1,
            at=at,
            market_volume=int(quote.total_volume),
            block_price_vnd=worst_price_vnd(order, quote),
        )
        self._match(self._take(order, accepted), quote, at)
        return self.events(name)

    def cancel(self, client_order_id: str, at: datetime, *, reason: str) -> tuple[OrderEvent, ...]:
        """Take back what is left of an order, and return the event; none where the order had ended."""
        order = self._orders.get(client_order_id)
        if order is None:
            raise UnknownOrderError(client_order_id)
        if not order.status.is_open:
            return ()
        exchange = self._exchange(order.symbol)
        phase = phase_at(at, exchange, default_calendar(exchange))
        if phase in (Phase.ATO, Phase.ATC):
            raise CancelRefusedError(
                client_order_id,
                f"{exchange} is in its {phase} auction, and takes nothing back before that is over. "
                "Ask again then.",
            )
        event = OrderCancelled(
            client_order_id=client_order_id, sequence=order.next_sequence, at=at, reason=reason
        )
        self._take(order, event)
        return (event,)

    def match_open(self, quotes: Mapping[str, Quote], at: datetime) -> tuple[OrderEvent, ...]:
        """Match all open orders against the board, oldest first; symbols without a quote wait."""
        return tuple(
            event for order in self.open_orders for event in self._match(order, quotes.get(order.symbol), at)
        )

    def apply(self, event: PortfolioEvent) -> None:
        """Take in what happens to the account without an order: a corporate action, money in or out."""
        if isinstance(event, Fill):
            raise StateError("The account has its own fills already; apply them to the ledger's only.")
        self.account.apply(event)

    # -- helpers ------------------------------------------------------------------------------------------

    def _refusal(self, order: Order, quote: Quote | None, at: datetime) -> str:
        exchange = self._exchange(order.symbol)
        why = refusal(
            order,
            quote,
            at,
            exchange=exchange,
            calendar=default_calendar(exchange),
            buying_power_vnd=self.free_cash_vnd(at),
            sellable=self.free_shares(order.symbol, at),
            costs=self.config.costs,
            max_quote_age_s=self.config.max_quote_age_s,
        )
        return "" if why is None else why

    def _match(self, order: Order, quote: Quote | None, at: datetime) -> tuple[OrderEvent, ...]:
        exchange = self._exchange(order.symbol)
        self._turn_day(at)
        events = match(
            order,
            quote,
            at,
            exchange=exchange,
            calendar=default_calendar(exchange),
            config=self.config,
            earlier=[f for f in self._fills_today if f.symbol == order.symbol and f.side is order.side],
        )
        for event in events:
            order = self._take(order, event)
        return events

    def _take(self, order: Order, event: OrderEvent) -> Order:
        """Let an event happen: to the order, and where it is a fill to the account."""
        moved = apply(order, event)
        if isinstance(event, OrderFilled):
            self.account.apply(event.fill)
            self._remember(event.fill)
        self._keep(moved)
        self._events.setdefault(moved.client_order_id, []).append(event)
        return moved

    def _keep(self, order: Order) -> None:
        self._orders[order.client_order_id] = order
        if order.status.is_open:
            self._open[order.client_order_id] = None
        else:
            self._open.pop(order.client_order_id, None)

    def _remember(self, fill: Fill) -> None:
        self._turn_day(fill.filled_at)
        self._fills_today.append(fill)

    def _turn_day(self, at: datetime) -> None:
        day = at.astimezone(ICT).date()
        if self._day is None or day > self._day:
            self._day = day
            self._fills_today = []

    def _exchange(self, symbol: str) -> Exchange:
        return self._universe.exchanges((symbol,))[0]
