"""Portfolio: cash and shares, settled and on their way, and the books that prove them.

The state is plain data: a ledger stores it, and `Portfolio.from_state` goes on from there. It changes only by
events, each of which gives balanced transactions (`accounting`). Two things are kept apart on purpose and
compared by `reconcile`: the balances of the books, and the parcels, receivables and cash that say what there
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

import msgspec

from vnquant.errors import InputError, MissingDataError, UnbalancedBooksError
from vnquant.market import TradingCalendar, default_calendar
from vnquant.tables import html_table
from vnquant.trading.accounting import PortfolioEvent, PortfolioState, book, settle
from vnquant.trading.books import Account, Transaction
from vnquant.trading.positions import Position, raise_peak

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Portfolio", "prove")


class Portfolio:
    """Cash and shares, and the only ways in which they change.

    Parameters
    ----------
    cash_vnd : int
        Paid in at the start.
    calendar : TradingCalendar, optional
        Counts settlement; the shipped one where it is left out.

    Examples
    --------
    >>> portfolio = Portfolio(100_000_000)
    >>> portfolio
    Portfolio(100,000,000 VND, 0 VND receivable, no shares)
    >>> portfolio.equity_vnd({})
    100000000
    """

    def __init__(self, cash_vnd: int = 100_000_000, *, calendar: TradingCalendar | None = None) -> None:
        if cash_vnd < 0:
            raise InputError(f"A portfolio starts with cash, not with a debt of {-cash_vnd:,} VND.")
        self._calendar = default_calendar() if calendar is None else calendar
        paid_in = {Account.CASH: cash_vnd, Account.CAPITAL: -cash_vnd}
        self._state = PortfolioState(cash_vnd=cash_vnd, balances=dict.fromkeys(Account, 0) | paid_in)

    @classmethod
    def from_state(cls, state: PortfolioState, *, calendar: TradingCalendar | None = None) -> Portfolio:
        """Return the portfolio that a stored state describes, after checking its books."""
        portfolio = cls(0, calendar=calendar)
        portfolio._state = state
        portfolio.reconcile()
        return portfolio

    # -- what there is ------------------------------------------------------------------------------------

    @property
    def state(self) -> PortfolioState:
        """All of it, as plain data that does not change any more."""
        return self._state

    @property
    def positions(self) -> Mapping[str, Position]:
        """Positions by symbol, in order of opening."""
        return self._state.positions

    @property
    def balances(self) -> Mapping[Account, int]:
        """Balance of each account in VND, debits positive."""
        return self._state.balances

    @property
    def realised_vnd(self) -> int:
        """Gains of sales against cost, and dividends, after fees and taxes: what has been earned so far."""
        books = self._state.balances
        return -sum(books[a] for a in (Account.REALISED, Account.DIVIDENDS, Account.FEES, Account.TAX))

    def available_cash_vnd(self, now: datetime) -> int:
        """Return the money that may be spent at an instant, open orders aside."""
        arrived = sum(r.amount_vnd for r in self._state.receivables if r.available_from <= now)
        return self._state.cash_vnd + arrived

    def receivable_vnd(self, now: datetime) -> int:
        """Return the money that is ours and has not arrived at an instant."""
        return sum(r.amount_vnd for r in self._state.receivables if r.available_from > now)

    def sellable_quantity(self, symbol: str, now: datetime) -> int:
        """Return the shares that may be sold at an instant, open orders aside; 0 where none are held."""
        position = self._state.positions.get(symbol)
        return 0 if position is None else position.sellable_quantity(now)

    def equity_vnd(self, prices: Mapping[str, float]) -> int:
        """Return cash, receivables and shares at the prices given.

        Raises
        ------
        MissingDataError
            If a position has no price; a value left out would look like a loss.
        """
        if missing := [symbol for symbol in self._state.positions if symbol not in prices]:
            raise MissingDataError(
                f"No price for {', '.join(missing)}, so the equity is not known. Give the reference price of "
                "a symbol that has not traded."
            )
        money = self._state.cash_vnd + sum(r.amount_vnd for r in self._state.receivables)
        return money + sum(round(p.quantity * prices[symbol]) for symbol, p in self._state.positions.items())

    # -- what happens -------------------------------------------------------------------------------------

    def apply(self, event: PortfolioEvent) -> tuple[Transaction, ...]:
        """Take in an event, and return its transactions; none where it does not concern us.

        An event is taken in whole or, where this raises, not at all. That it is taken in once is the caller's
        care: events carry ids for it.

        Raises
        ------
        InsufficientCashError, InsufficientSharesError
            If the event takes what is not there; a broker that keeps the rules never reports such a fill.
        """
        self._state, transactions = book(self._state, event, self._calendar)
        return transactions

    def settle(self, now: datetime) -> tuple[Transaction, ...]:
        """Turn receivables that have arrived into cash. Reads do not need it: they look at the time."""
        self._state, transactions = settle(self._state, now)
        return transactions

    def mark(self, prices: Mapping[str, float]) -> None:
        """Raise the peaks of positions to prices seen."""
        positions = {
            symbol: raise_peak(position, prices[symbol]) if symbol in prices else position
            for symbol, position in self._state.positions.items()
        }
        self._state = msgspec.structs.replace(self._state, positions=positions)

    def reconcile(self) -> Mapping[Account, int]:
        """Return the balances, after proving that they add up and agree with what there is.

        Raises
        ------
        UnbalancedBooksError
            If one VND is missing somewhere; names where.
        """
        prove(self._state)
        return self._state.balances

    def to_frame(self) -> pd.DataFrame:
        """Return one row a position, indexed by symbol, in order of opening."""
        import pandas as pd

        columns = ["symbol", "quantity", "average_cost_vnd", "cost_vnd", "opened_on", "peak_price_vnd"]
        rows = [
            (p.symbol, p.quantity, p.average_cost_vnd, p.cost_vnd, p.opened_on, p.peak_price_vnd)
            for p in self.positions.values()
        ]
        return pd.DataFrame(rows, columns=columns).set_index("symbol")

    def _repr_html_(self) -> str:
        rows = [
            (
                p.symbol,
                f"{p.quantity:,}",
                f"{p.average_cost_vnd:,.0f}",
                f"{p.cost_vnd:,}",
                f"{p.opened_on}",
                f"{p.peak_price_vnd:,}",
            )
            for p in self.positions.values()
        ]
        header = ("symbol", "quantity", "average cost VND", "cost VND", "opened on", "peak price VND")
        return f"<p>{escape(repr(self))}</p>" + (html_table(header, rows, left=(0,)) if rows else "")

    def __repr__(self) -> str:
        state = self._state
        coming = sum(r.amount_vnd for r in state.receivables)
        held = ", ".join(f"{p.quantity:,} {symbol}" for symbol, p in state.positions.items()) or "no shares"
        return f"Portfolio({state.cash_vnd:,} VND, {coming:,} VND receivable, {held})"


def prove(state: PortfolioState) -> None:
    """Prove that the balances of a portfolio's state add up and agree with what there is.

    Raises
    ------
    UnbalancedBooksError
        If one VND is missing somewhere; names where.
    """
    books = state.balances
    checks = {
        "all accounts": sum(books.values()),
        "cash": books.get(Account.CASH, 0) - state.cash_vnd,
        "receivable": books.get(Account.RECEIVABLE, 0) - sum(r.amount_vnd for r in state.receivables),
        "shares at cost": books.get(Account.SHARES, 0) - sum(p.cost_vnd for p in state.positions.values()),
        "overdraft": min(state.cash_vnd, 0),
        "short positions": sum(
            min(parcel.quantity - 1, 0) for p in state.positions.values() for parcel in p.parcels
        ),
    }
    if differences := {name: amount for name, amount in checks.items() if amount}:
        told = ", ".join(f"{name} {amount:+,}" for name, amount in differences.items())
        raise UnbalancedBooksError(
            f"The books do not add up: {told} (books less what there is). The state was changed by other "
            "means than events; rebuild it from the ledger's fills.",
            differences=differences,
        )
