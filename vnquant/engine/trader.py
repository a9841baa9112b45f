"""Trader: sends orders and takes in what became of them: ledger first, broker second, ledger again.

An order is written down before it is sent and answered for afterwards. What lies between the two after a kill
is asked of the broker by client order id: it has the order, or it gets it again while its session lasts, or
it is recorded as never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Self

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import EngineEvent, OrderChanged, OrderPlaced
from vnquant.engine.grid import takes_orders
from vnquant.engine.record import Record
from vnquant.engine.rounds import Stage
from vnquant.errors import SourceTimeoutError
from vnquant.market import Quote, Universe
from vnquant.runtime import ICT, now, within
from vnquant.sources import QuoteBoard, QuoteSource
from vnquant.trading import (
    Batch,
    Order,
    OrderCancelled,
    OrderEvent,
    PaperBroker,
    Portfolio,
    RiskView,
)

__all__ = ("Trader",)


class Trader:
    """The broker and the record, moved together. Made by `Trader.begin`.

    Attributes
    ----------
    last_quotes : mapping of str to Quote
        What the board said last of the symbols that were asked for last.
    """

    def __init__(
        self,
        record: Record,
        broker: PaperBroker,
        quotes: QuoteSource,
        *,
        universe: Universe,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self.record = record
        self.broker = broker
        self.universe = universe
        self.last_quotes: Mapping[str, Quote] = {}
        self._quotes = quotes
        self._config = config
        self._tell = tell

    @classmethod
    async def begin(
        cls,
        record: Record,
        quotes: QuoteSource,
        *,
        universe: Universe,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> Self:
        """Return a trader on the record, its broker restored, and every order answered for."""
        account = Portfolio.from_state(record.portfolio.state)
        broker = PaperBroker(quotes, account, config=config.paper, universe=universe)
        midnight = datetime.combine(now().astimezone(ICT).date(), time(), tzinfo=ICT)
        broker.restore(record.open_orders, await record.ledger.fills(since=midnight))
        trader = cls(record, broker, quotes, universe=universe, config=config, tell=tell)
        await trader.answer()
        return trader

    @property
    def held(self) -> tuple[str, ...]:
        """Symbols of positions and open orders, which matter most."""
        positions = self.record.portfolio.positions
        if not self.record.orders:
            return tuple(positions)
        return tuple(dict.fromkeys((*positions, *(o.symbol for o in self.record.open_orders))))

    async def board(self, symbols: Sequence[str]) -> QuoteBoard:
        """Return the quotes of some symbols, or raise SourceError in time."""
        timeout_s = self._config.board_timeout_s
        try:
            board = await within(timeout_s, self._quotes.quotes(symbols))
        except TimeoutError as exc:
            raise SourceTimeoutError(
                f"No quotes from {self._quotes.name} within {timeout_s:g} s.", source=self._quotes.name
            ) from exc
        self.saw(board, symbols)
        return board

    def saw(self, board: QuoteBoard, symbols: Sequence[str]) -> None:
        """Take note of a board, of which some symbols were asked for."""
        quotes, before = board.quotes, self.last_quotes
        if len(quotes) < len(symbols):
            quotes = {**quotes, **{s: before[s] for s in symbols if s in before and s not in quotes}}
        self.last_quotes = quotes

    def view(self, board: QuoteBoard, at: datetime) -> RiskView:
        """Return what the limits look at; symbols that the board left out count at cost."""
        record = self.record
        prices = {
            symbol: position.cost_vnd / position.quantity
            for symbol, position in record.portfolio.positions.items()
        }
        prices |= board.prices()
        day = record.day
        return RiskView.of(
            record.portfolio,
            prices,
            at,
            open_orders=record.open_orders,
            day_start_equity_vnd=day.equity_vnd
            if day is not None and day.day == at.astimezone(ICT).date()
            else None,
            costs=self._config.paper.costs,
        )

    async def place(self, orders: Sequence[Order], batch: Batch, stage: Stage) -> tuple[Order, ...]:
        """Write orders down with the reasons in `batch`, send them, and record what became of them."""
        async with self.record.writing:
            return await self.place_within(orders, batch, stage)

    async def place_within(self, orders: Sequence[Order], batch: Batch, stage: Stage) -> tuple[Order, ...]:
        """Do the same for a caller that holds `record.writing`."""
        record = self.record
        # In the order in which a restart would answer for them: it must not matter to the fills.
        orders = sorted(orders, key=lambda order: order.client_order_id)
        for order in orders:
            record.add_intent(batch, order)
        try:
            await record.commit(batch, stage)
        except Exception:
            # Not sent, so it is no order; had it been written after all, the next start finds it.
            for order in orders:
                record.orders.pop(order.client_order_id, None)
            raise
        for order in orders:
            self._tell(OrderPlaced(at=order.created_at, order=order))
        events = [event for order in orders for event in await self.broker.submit(order)]
        return await self._take(events, stage)

    async def _take(self, events: Iterable[OrderEvent], stage: Stage) -> tuple[Order, ...]:
        """Record events; the caller holds `record.writing`. Return the orders after them."""
        batch = Batch()
        changed: dict[str, Order] = {}
        told: list[OrderChanged] = []
        for event in events:
            order = self.record.add_event(batch, event)
            changed[order.client_order_id] = order
            told.append(OrderChanged(at=event.at, order=order, event=event))
        if batch:
            await self.record.commit(batch, stage)
        for change in told:
            self._tell(change)
        return tuple(changed.values())

    async def answer(self, *, only_known: bool = False) -> None:
        """Find out what became of orders that were written down and perhaps never sent.

        With `only_known`, as at the end of a run, those that the broker does not know are left for the next.
        """
        async with self.record.writing:
            stage = Stage(self.record.cursor.stage) if self.record.cursor is not None else Stage.START
            for order in self.record.unanswered:
                if only_known and self.broker.find(order.client_order_id) is None:
                    continue
                await self._take(await self._outcome(order), stage)

    async def _outcome(self, order: Order) -> Sequence[OrderEvent]:
        if self.broker.find(order.client_order_id) is not None:
            return self.broker.events(order.client_order_id)
        at = now()
        exchange = self.universe.exchanges((order.symbol,))[0]
        same_day = order.created_at.astimezone(ICT).date() == at.astimezone(ICT).date()
        if same_day and takes_orders(at, exchange):
            return await self.broker.submit(order)
        return (
            OrderCancelled(
                client_order_id=order.client_order_id,
                sequence=order.next_sequence,
                at=at,
                reason="never sent: the engine stopped before, and its session is over",
            ),
        )
