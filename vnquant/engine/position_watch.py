"""Position watch: one look at what is held and on order: fills, peaks, exits, orders that wait too long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

from vnquant.engine.config import EngineConfig
from vnquant.engine.entitlements import Entitlements
from vnquant.engine.events import EngineEvent, ExitSignalled, OrderChanged
from vnquant.engine.grid import takes_orders
from vnquant.engine.inbox import Inbox
from vnquant.engine.policy import marketable_limit_vnd
from vnquant.engine.record import DayStart
from vnquant.engine.research import AtHand, Research
from vnquant.engine.rounds import Stage
from vnquant.engine.trader import Trader
from vnquant.errors import CancelRefusedError
from vnquant.market import Phase, Quote, TradingCalendar, phase_at
from vnquant.runtime import ICT, now
from vnquant.sources import QuoteBoard
from vnquant.trading import (
    Batch,
    ExitSignal,
    JournalEntry,
    Order,
    OrderEvent,
    OrderType,
    Position,
    Side,
    exit_signals,
    order_id,
    quiet_range,
    split_into_lots,
)

__all__ = ("PositionWatch",)

_EMPTY = QuoteBoard({})


class PositionWatch:
    """Exits run here and nowhere else, also while the orchestrator is paused: they lower the risk."""

    def __init__(
        self,
        trader: Trader,
        inbox: Inbox,
        entitlements: Entitlements,
        research: Research,
        *,
        calendar: TradingCalendar,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self._trader = trader
        self._inbox = inbox
        self._entitlements = entitlements
        self._at_hand = research if isinstance(research, AtHand) else None
        self._calendar = calendar
        self._config = config
        self._tell = tell
        # By symbol: the position and the day for which a range of quiet prices holds, and its ends.
        self._quiet: dict[str, tuple[Position, date, int, int]] = {}

    def glance(self) -> bool:
        """Look without waiting, and return whether that was enough: nothing follows, as mostly."""
        trader, at = self._trader, now()
        record = trader.record
        if self._at_hand is None or (record.orders and record.unanswered) or self._entitlements.is_due(at):
            return False
        self._inbox.release_due(at)
        symbols, board = trader.held, _EMPTY
        if symbols:
            seen = self._at_hand.quotes_at_hand(symbols)
            if seen is None:
                return False
            trader.saw(seen, symbols)
            board = seen
        return self._is_quiet(board, at)

    async def run_once(self) -> tuple[ExitSignal, ...]:
        """Look once, and do what follows; return the exits that were signalled.

        Raises
        ------
        SourceError
            If the board does not answer; nothing was done then.
        """
        trader, at = self._trader, now()
        record = trader.record
        self._inbox.release_due(at)
        if record.orders and record.unanswered and not record.writing.locked():
            await trader.answer()
        symbols = trader.held
        board = await trader.board(symbols) if symbols else _EMPTY
        if self._entitlements.is_due(at):
            await self._entitlements.ask(at)
        elif self._is_quiet(board, at):
            return ()
        async with record.writing:
            batch = Batch()
            quotes = self._entitlements.take_in(batch, board.quotes, at)
            told = self._add_events(batch, await trader.broker.poll(quotes))
            told += self._add_events(batch, await self._withdraw(quotes, at))
            prices = board.prices()
            if quotes is not board.quotes:  # of those that may have gone ex, prices say nothing
                prices = {symbol: price for symbol, price in prices.items() if symbol in quotes}
            self._start_day(batch, prices, at)
            self._mark(batch, prices, board)
            signals = exit_signals(
                record.portfolio.positions,
                prices,
                at,
                self._config.exits,
                calendar=self._calendar,
                open_orders=tuple(record.orders.values()),
            )
            orders = [order for signal in signals if (order := self._exit(batch, signal, quotes, at))]
            record.drop_waits(batch, record.portfolio.positions)
            self._inbox.add_discards(batch)
            if batch or orders:
                await trader.place_within(orders, batch, Stage.POSITIONS)
        for event in told:
            self._tell(event)
        return signals

    def _is_quiet(self, board: QuoteBoard, at: datetime) -> bool:
        """Return whether nothing follows from a board: mostly so, and found out without looking closely."""
        record, today = self._trader.record, at.astimezone(ICT).date()
        positions = record.portfolio.positions
        if (
            record.orders
            or self._trader.broker.has_open_orders
            or record.day is None
            or record.day.day != today
            or self._inbox.has_discards
            or not record.waits.keys() <= positions.keys()
        ):
            return False
        prices = board.prices()
        for symbol, position in positions.items():
            known = self._quiet.get(symbol)
            if known is None or known[0] is not position or known[1] != today:
                quiet = quiet_range(position, today, self._config.exits, calendar=self._calendar)
                known = self._quiet[symbol] = (position, today, *quiet)
            price = prices.get(symbol)
            # Exits look at the whole VND nearest to a price, peaks at those below it.
            if price is not None and not known[2] <= price <= known[3]:
                return False
        return True

    def _add_events(self, batch: Batch, events: tuple[OrderEvent, ...]) -> list[OrderChanged]:
        return [
            OrderChanged(at=event.at, order=self._trader.record.add_event(batch, event), event=event)
            for event in events
        ]

    async def _withdraw(self, quotes: Mapping[str, Quote], at: datetime) -> tuple[OrderEvent, ...]:
        """Take back orders that have waited too long while there was a board to fill them."""
        oldest = at - timedelta(seconds=self._config.order_patience_s)
        events: list[OrderEvent] = []
        for order in self._trader.broker.open_orders:
            if order.symbol in quotes and order.created_at <= oldest and self._is_open(order.symbol, at):
                try:
                    events += await self._trader.broker.cancel(
                        order.client_order_id, reason=f"not filled within {self._config.order_patience_s:g} s"
                    )
                except CancelRefusedError:
                    continue  # in an auction nothing is taken back; it fills or expires there
        return tuple(events)

    def _start_day(self, batch: Batch, prices: Mapping[str, float], at: datetime) -> None:
        """Note the equity with which the session begins: the loss of a day is counted from there."""
        record, today = self._trader.record, at.astimezone(ICT).date()
        if (record.day is None or record.day.day != today) and set(record.portfolio.positions) <= set(prices):
            record.add_day(batch, DayStart(day=today, equity_vnd=record.portfolio.equity_vnd(prices)))

    def _mark(self, batch: Batch, prices: Mapping[str, float], board: QuoteBoard) -> None:
        """Raise the peaks of trailing stops to the prices matched; a reference is none."""
        portfolio, matched = self._trader.record.portfolio, board.last_prices()
        higher = {
            symbol: prices[symbol]
            for symbol, position in portfolio.positions.items()
            if matched.get(symbol) is not None
            and symbol in prices
            and int(prices[symbol]) > position.peak_price_vnd
        }
        if higher:
            portfolio.mark(higher)
            batch.portfolio(portfolio.state)

    def _exit(
        self, batch: Batch, signal: ExitSignal, quotes: Mapping[str, Quote], at: datetime
    ) -> Order | None:
        """Return the order of an exit; of one that has to wait, say so once."""
        if signal.waits:
            self._tell_wait(batch, signal)
            return None
        exchange = self._trader.universe.exchanges((signal.symbol,))[0]
        # Issued shares leave odd lots: an order of their own, which no auction takes.
        lots, odd = split_into_lots(signal.quantity, exchange, on=at.astimezone(ICT).date())
        quote = quotes[signal.symbol]
        price = marketable_limit_vnd(
            Side.SELL, quote, exchange, slack_ticks=self._config.policy.slack_ticks, at=at
        )
        if price is None or not self._is_open(signal.symbol, at):
            return None
        if not lots and phase_at(at, exchange) is not Phase.CONTINUOUS:
            return None
        cause = f"exit:{signal.symbol}:{signal.kind}:{at:%Y%m%d-%H%M%S}"
        order = Order(
            client_order_id=order_id(signal.symbol, Side.SELL, at, cause),
            symbol=signal.symbol,
            side=Side.SELL,
            type=OrderType.LO,
            quantity=lots or odd,
            limit_price_vnd=price,
            created_at=at,
            cause=cause,
            reason=signal.reason,
        )
        self._tell(ExitSignalled(at=at, signal=signal))
        batch.journal(_entry(signal, "exit", cause, {"signal": signal, "quote": quote}, order))
        return order

    def _tell_wait(self, batch: Batch, signal: ExitSignal) -> None:
        # The kind may go to and fro with the price meanwhile; what it waits for is one thing.
        told = f"until {signal.waits_until}"
        if self._trader.record.waits.get(signal.symbol) == told:
            return
        self._trader.record.add_wait(batch, signal.symbol, told)
        self._tell(ExitSignalled(at=signal.at, signal=signal))
        cause = f"wait:{signal.symbol}:{signal.kind}:{signal.at:%Y%m%d-%H%M%S}"
        batch.journal(_entry(signal, "exit waits", cause, {"signal": signal}, None))

    def _is_open(self, symbol: str, at: datetime) -> bool:
        return takes_orders(at, self._trader.universe.exchanges((symbol,))[0])


def _entry(
    signal: ExitSignal, kind: str, cause: str, seen: dict[str, object], order: Order | None
) -> JournalEntry:
    return JournalEntry(
        at=signal.at,
        kind=kind,
        symbol=signal.symbol,
        outcome=signal.reason,
        cause=cause,
        client_order_id="" if order is None else order.client_order_id,
        seen=seen,
        entry_id=cause,
    )
