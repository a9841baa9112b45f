"""Accounting: what each event does to a portfolio's state. Values in, values out.

`book(state, event, calendar)` gives the next state and the balanced transactions that led there. Paid is at
once, received later: a purchase takes its cash when it fills (brokers block it then); a sale's money may be
spent from the afternoon of T+2, as its shares may be sold.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import TypeAlias

import msgspec

from vnquant.errors import InsufficientCashError, InsufficientSharesError
from vnquant.market import CashDividend, ShareSplit, TradingCalendar, sellable_from
from vnquant.runtime.clock import ICT
from vnquant.trading.books import Account, Transaction, posted
from vnquant.trading.corporate_actions import PriceAdjustment
from vnquant.trading.order_events import Fill, Side
from vnquant.trading.positions import (
    Position,
    add_bought,
    adjust_price,
    pay_dividend,
    remove_sold,
    split_shares,
)

__all__ = ("Booked", "Deposit", "PortfolioEvent", "PortfolioState", "Receivable", "book", "settle")

# Actions take effect before the first trade, and dividends are credited in the morning.
_MORNING = time(9, 0)


class Deposit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money paid in; negative for money taken out."""

    deposit_id: str
    at: datetime
    amount_vnd: int


class Receivable(msgspec.Struct, frozen=True, kw_only=True):
    """Money that arrives at an instant."""

    amount_vnd: int
    available_from: datetime


class PortfolioState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a portfolio is, as plain data; positions in order of opening."""

    cash_vnd: int = 0
    receivables: tuple[Receivable, ...] = ()
    positions: dict[str, Position] = {}
    balances: dict[Account, int] = {}


PortfolioEvent: TypeAlias = Fill | CashDividend | ShareSplit | PriceAdjustment | Deposit
Booked: TypeAlias = tuple[PortfolioState, tuple[Transaction, ...]]


def book(state: PortfolioState, event: PortfolioEvent, calendar: TradingCalendar) -> Booked:
    """Return the state after an event, and its transactions; the first may be money that arrived meanwhile.

    Raises
    ------
    InsufficientCashError, InsufficientSharesError
        If the event takes what is not there; a broker that keeps the rules never reports such a fill.
    """
    if isinstance(event, CashDividend):
        return _dividend(state, event)
    if isinstance(event, ShareSplit):
        return _split(state, event)
    if isinstance(event, PriceAdjustment):
        return _adjust(state, event)
    if isinstance(event, Deposit):
        settled, arrived = settle(state, event.at)
        booked, moved = _deposit(settled, event)
    else:
        settled, arrived = settle(state, event.filled_at)
        act = _buy if event.side is Side.BUY else _sell
        booked, moved = act(settled, event, calendar)
    return booked, arrived + moved


def settle(state: PortfolioState, now: datetime) -> Booked:
    """Turn receivables that have arrived into cash."""
    due = tuple(r for r in state.receivables if r.available_from <= now)
    if not due:
        return state, ()
    amount = sum(r.amount_vnd for r in due)
    transaction = Transaction(
        source_id=f"settled:{due[-1].available_from.isoformat()}",
        at=now,
        entries={Account.CASH: amount, Account.RECEIVABLE: -amount},
    )
    left = state.receivables[len(due) :]
    return _commit(state, transaction, cash_vnd=state.cash_vnd + amount, receivables=left)


def _buy(state: PortfolioState, fill: Fill, calendar: TradingCalendar) -> Booked:
    needed = -fill.cash_vnd
    if needed > state.cash_vnd:
        raise InsufficientCashError(
            f"{fill.symbol}: {fill.quantity:,} shares at {fill.price_vnd:,} VND cost {needed:,} VND with "
            f"fees, and {state.cash_vnd:,} VND are there. Buy fewer, or wait for the money of sales (T+2).",
            needed_vnd=needed,
            available_vnd=state.cash_vnd,
        )
    position = add_bought(state.positions.get(fill.symbol), fill, _arrival(fill, calendar))
    entries = {
        Account.CASH: fill.cash_vnd,
        Account.SHARES: fill.value_vnd,
        Account.FEES: fill.fee_vnd,
        Account.TAX: fill.tax_vnd,
    }
    return _commit(
        state,
        _of_fill(fill, entries),
        cash_vnd=state.cash_vnd - needed,
        positions=_with(state, fill.symbol, position),
    )


def _sell(state: PortfolioState, fill: Fill, calendar: TradingCalendar) -> Booked:
    held = state.positions.get(fill.symbol)
    if held is None:
        raise InsufficientSharesError(
            f"{fill.symbol}: {fill.quantity:,} shares sold, but none are held. Nothing is sold short.",
            symbol=fill.symbol,
            asked=fill.quantity,
            held=0,
            sellable=0,
        )
    position, cost = remove_sold(held, fill)
    entries = {
        Account.RECEIVABLE: fill.cash_vnd,
        Account.SHARES: -cost,
        Account.FEES: fill.fee_vnd,
        Account.TAX: fill.tax_vnd,
        Account.REALISED: cost - fill.value_vnd,
    }
    return _commit(
        state,
        _of_fill(fill, entries),
        receivables=_expecting(state, fill.cash_vnd, _arrival(fill, calendar)),
        positions=_with(state, fill.symbol, position),
    )


def _dividend(state: PortfolioState, dividend: CashDividend) -> Booked:
    held = state.positions.get(dividend.symbol)
    if held is None:
        return state, ()
    position, gross = pay_dividend(held, dividend)
    if not gross:
        return state, ()
    tax = (gross * dividend.tax_bps + 5_000) // 10_000
    transaction = Transaction(
        source_id=dividend.action_id,
        at=datetime.combine(dividend.ex_date, _MORNING, tzinfo=ICT),
        symbol=dividend.symbol,
        entries={Account.RECEIVABLE: gross - tax, Account.TAX: tax, Account.DIVIDENDS: -gross},
        note=f"dividend of {dividend.per_share_vnd:,} VND a share",
    )
    arrives = datetime.combine(dividend.payable_on, _MORNING, tzinfo=ICT)
    return _commit(
        state,
        transaction,
        receivables=_expecting(state, gross - tax, arrives),
        positions=_with(state, dividend.symbol, position),
    )


def _split(state: PortfolioState, split: ShareSplit) -> Booked:
    held = state.positions.get(split.symbol)
    if held is None:
        return state, ()
    position = split_shares(held, split)
    # A consolidation may leave less than one share; what was paid for it is lost.
    lost = held.cost_vnd if position is None else 0
    transaction = Transaction(
        source_id=split.action_id,
        at=datetime.combine(split.ex_date, _MORNING, tzinfo=ICT),
        symbol=split.symbol,
        entries={Account.SHARES: -lost, Account.REALISED: lost} if lost else {},
        note=f"{split.held} shares become {split.become}",
    )
    return _commit(state, transaction, positions=_with(state, split.symbol, position))


def _adjust(state: PortfolioState, adjustment: PriceAdjustment) -> Booked:
    held = state.positions.get(adjustment.symbol)
    if held is None or (position := adjust_price(held, adjustment)) is held:
        return state, ()
    transaction = Transaction(
        source_id=adjustment.action_id,
        at=datetime.combine(adjustment.ex_date, _MORNING, tzinfo=ICT),
        symbol=adjustment.symbol,
        entries={},
        note=f"a reference of {adjustment.reference_vnd:,} VND after {adjustment.base_vnd:,} VND",
    )
    return _commit(state, transaction, positions=_with(state, adjustment.symbol, position))


def _deposit(state: PortfolioState, deposit: Deposit) -> Booked:
    if deposit.amount_vnd + state.cash_vnd < 0:
        raise InsufficientCashError(
            f"{-deposit.amount_vnd:,} VND cannot be taken out: {state.cash_vnd:,} VND are there.",
            needed_vnd=-deposit.amount_vnd,
            available_vnd=state.cash_vnd,
        )
    transaction = Transaction(
        source_id=deposit.deposit_id,
        at=deposit.at,
        entries={Account.CASH: deposit.amount_vnd, Account.CAPITAL: -deposit.amount_vnd},
    )
    return _commit(state, transaction, cash_vnd=state.cash_vnd + deposit.amount_vnd)


def _commit(state: PortfolioState, transaction: Transaction, **changes: object) -> Booked:
    balances = posted(state.balances, transaction)
    return msgspec.structs.replace(state, balances=balances, **changes), (transaction,)


def _of_fill(fill: Fill, entries: dict[Account, int]) -> Transaction:
    return Transaction(
        source_id=fill.fill_id, at=fill.filled_at, symbol=fill.symbol, entries=entries, note=str(fill.side)
    )


def _arrival(fill: Fill, calendar: TradingCalendar) -> datetime:
    """Return when the shares of a purchase may be sold, or the money of a sale spent."""
    return sellable_from(fill.filled_at.astimezone(ICT).date(), calendar)


def _with(state: PortfolioState, symbol: str, position: Position | None) -> dict[str, Position]:
    positions = dict(state.positions)
    if position is None:
        positions.pop(symbol, None)
    else:
        positions[symbol] = position
    return positions


def _expecting(state: PortfolioState, amount_vnd: int, available_from: datetime) -> tuple[Receivable, ...]:
    """Return the receivables with one more, amounts of one instant together, soonest first."""
    totals = {r.available_from: r.amount_vnd for r in state.receivables}
    totals[available_from] = totals.get(available_from, 0) + amount_vnd
    return tuple(Receivable(amount_vnd=totals[at], available_from=at) for at in sorted(totals))
