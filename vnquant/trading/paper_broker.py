"""Paper broker: takes orders as a real one does, and fills them against the source's quotes.

A thin shell that fetches the board and asks the `OrderDesk` what happens. The desk changes between two awaits
only, so a call that is cancelled has happened or has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from vnquant.errors import SourceError, SourceTimeoutError
from vnquant.market import Quote, Universe
from vnquant.runtime import now, within
from vnquant.sources.base import QuoteSource
from vnquant.trading.accounting import PortfolioEvent
from vnquant.trading.broker import PaperConfig
from vnquant.trading.order_desk import OrderDesk
from vnquant.trading.order_events import Fill, OrderEvent
from vnquant.trading.orders import Order
from vnquant.trading.portfolio import Portfolio

__all__ = ("PaperBroker",)


class PaperBroker:
    """A `Broker` that moves no real money.

    Parameters
    ----------
    source : QuoteSource
        Gives the board.
    account : Portfolio
        Cash and shares at the broker. It is the broker's from here on and moves as orders fill; who keeps a
        ledger applies the fills that the events carry to a portfolio of its own.
    config : PaperConfig, optional
    universe : Universe, optional
        Says where each symbol trades; the shipped one where it is left out.

    Examples
    --------
    ::

        broker = PaperBroker(source, Portfolio(100_000_000))
        order = apply_all(order, await broker.submit(order))
        events = await broker.poll()
    """

    name = "paper"

    def __init__(
        self,
        source: QuoteSource,
        account: Portfolio,
        *,
        config: PaperConfig | None = None,
        universe: Universe | None = None,
    ) -> None:
        self._source = source
        self._desk = OrderDesk(account, config=config, universe=universe)

    def restore(self, orders: Iterable[Order], fills: Iterable[Fill] = ()) -> None:
        """Take over orders that a ledger knows, with the fills of the running session.

        Intents are left out on purpose: whether they arrived is for `find` to tell, and at a broker that was
        restarted they did not. It comes before the first `submit`.
        """
        self._desk.restore(orders, fills)

    @property
    def account(self) -> Portfolio:
        """Cash and shares at the broker."""
        return self._desk.account

    @property
    def has_open_orders(self) -> bool:
        """Whether any order may still fill."""
        return self._desk.has_open_orders

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Orders that may still fill, oldest first."""
        return self._desk.open_orders

    def find(self, client_order_id: str) -> Order | None:
        """Return an order as the broker has it, None where it never arrived."""
        return self._desk.find(client_order_id)

    def events(self, client_order_id: str, *, after: int = 0) -> tuple[OrderEvent, ...]:
        """Return the events of an order with a sequence number above `after`, since this broker began."""
        return self._desk.events(client_order_id, after=after)

    def free_cash_vnd(self, at: datetime | None = None) -> int:
        """Return the cash that may be spent and is not blocked by open orders, at an instant or now."""
        return self._desk.free_cash_vnd(now() if at is None else at)

    def free_shares(self, symbol: str, at: datetime | None = None) -> int:
        """Return the shares that may be sold and are in no open order, at an instant or now."""
        return self._desk.free_shares(symbol, now() if at is None else at)

    async def submit(self, order: Order) -> tuple[OrderEvent, ...]:
        """Take an order, fill what can be filled at once, and return all its events so far.

        Submitted again, it is the same order. What the market, the account or a silent board refuses is an
        OrderRejected with the reason.

        Raises
        ------
        OrderError
            If the id belongs to a different order, or the order is not new.
        """
        if self._desk.knows(order):
            return self._desk.events(order.client_order_id)
        try:
            quotes = await self._quotes((order.symbol,))
        except SourceError as exc:
            return self._desk.submit(order, None, now(), silence=f"the board did not answer: {exc}")
        return self._desk.submit(order, quotes.get(order.symbol), now())

    async def cancel(
        self, client_order_id: str, *, reason: str = "cancelled by us"
    ) -> tuple[OrderEvent, ...]:
        """Take back what is left of an order, and return the event; none where the order had ended.

        Raises
        ------
        UnknownOrderError
        CancelRefusedError
            During an auction: the exchanges take nothing back then (HOSE and HNX trading rules, the articles
            on changing and cancelling orders).
        """
        return self._desk.cancel(client_order_id, now(), reason=reason)

    async def poll(self, quotes: Mapping[str, Quote] | None = None) -> tuple[OrderEvent, ...]:
        """Match all open orders against the board, oldest first, and return what happened.

        Parameters
        ----------
        quotes : mapping of str to Quote, optional
            The board, where the caller has just fetched it; symbols left out wait.

        Raises
        ------
        SourceError
            If the board did not answer; nothing has happened then.
        """
        if not self._desk.open_orders:
            return ()
        if quotes is None:
            symbols = dict.fromkeys(order.symbol for order in self._desk.open_orders)
            quotes = await self._quotes(tuple(symbols))
        return self._desk.match_open(quotes, now())

    def apply(self, event: PortfolioEvent) -> None:
        """Take in what happens to the account without an order: a corporate action, money in or out.

        Raises
        ------
        StateError
            For a fill: the account has it already when its event is told.
        """
        self._desk.apply(event)

    async def _quotes(self, symbols: tuple[str, ...]) -> Mapping[str, Quote]:
        timeout_s = self._desk.config.quote_timeout_s
        try:
            board = await within(timeout_s, self._source.quotes(symbols))
        except TimeoutError as exc:
            raise SourceTimeoutError(
                f"No quotes of {', '.join(symbols)} from {self._source.name} within {timeout_s:g} s.",
                source=self._source.name,
            ) from exc
        return board.quotes
