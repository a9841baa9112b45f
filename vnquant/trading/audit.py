"""Audit: proves from its rows alone that a ledger is whole: orders, fills, money and shares agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from vnquant.errors import BooksError, StateError
from vnquant.market import TradingCalendar, default_calendar
from vnquant.trading.accounting import PortfolioEvent, PortfolioState, book
from vnquant.trading.batch import PORTFOLIO
from vnquant.trading.books import Account
from vnquant.trading.portfolio import Portfolio
from vnquant.trading.recovery import load_kept
from vnquant.trading.rows import action_of, fill_of, load_orders, progress_row
from vnquant.trading.schema import ACTIONS, ENTRIES, FILLS, ORDERS

__all__ = ("Audit", "audit", "rebuild")

_FINDINGS_SHOWN = 10


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked through and found whole, and the balance of each account in VND, debits positive."""

    orders: int
    fills: int
    actions: int
    balances: dict[Account, int]


def audit(connection: Connection, calendar: TradingCalendar | None = None) -> Audit:
    """Look through the whole ledger.

    Raises
    ------
    BooksError
        If anything does not agree; says what.
    """
    balances = _balances(connection)
    state = load_kept(connection, PORTFOLIO, PortfolioState).get("state")
    findings = [
        *_unbalanced_sources(connection),
        *_orders_against_events(connection),
        *_fills_without_entries(connection),
        *_state_against_rows(connection, state, balances, calendar),
    ]
    if findings:
        more = "" if len(findings) <= _FINDINGS_SHOWN else f"; and {len(findings) - _FINDINGS_SHOWN} more"
        raise BooksError(
            f"The ledger {connection.engine.url.render_as_string()} does not add up: "
            f"{'; '.join(findings[:_FINDINGS_SHOWN])}{more}. Rows were changed by other means than "
            "VN-Quant: do not trade on it, bring back a copy from before."
        )
    return Audit(
        orders=_count(connection, ORDERS),
        fills=_count(connection, FILLS),
        actions=_count(connection, ACTIONS),
        balances=balances,
    )


def rebuild(connection: Connection, calendar: TradingCalendar | None = None) -> PortfolioState:
    """Return the portfolio that deposits, fills and actions add up to, in the order of their happening.

    Peaks of trailing stops are those of the fills: prices seen since are kept with the portfolio's state.
    """
    calendar = default_calendar() if calendar is None else calendar
    happened: list[tuple[int, PortfolioEvent]] = [
        (row["number"], fill_of(row)) for row in connection.execute(select(FILLS)).mappings()
    ]
    happened += [(row["number"], action_of(row)) for row in connection.execute(select(ACTIONS)).mappings()]
    state = PortfolioState(balances=dict.fromkeys(Account, 0))
    for _, event in sorted(happened, key=itemgetter(0)):
        state, _ = book(state, event, calendar)
    return state


def _balances(connection: Connection) -> dict[Account, int]:
    sums = select(ENTRIES.c.account, func.sum(ENTRIES.c.amount_vnd)).group_by(ENTRIES.c.account)
    found = {account: int(total) for account, total in connection.execute(sums)}
    return {account: found.get(account.value, 0) for account in Account}


def _unbalanced_sources(connection: Connection) -> Iterator[str]:
    total = func.sum(ENTRIES.c.amount_vnd)
    query = select(ENTRIES.c.source_id, total).group_by(ENTRIES.c.source_id).having(total != 0)
    for source, amount in connection.execute(query.order_by(ENTRIES.c.source_id)):
        yield f"the entries of {source} add up to {int(amount):,} VND"


def _orders_against_events(connection: Connection) -> Iterator[str]:
    columns = [
        ORDERS.c[name] for name in ("status", "filled_quantity", "filled_value_vnd", "fee_vnd", "tax_vnd")
    ]
    rows = {
        row["client_order_id"]: row
        for row in connection.execute(select(ORDERS.c.client_order_id, *columns)).mappings()
    }
    fills = (
        select(FILLS.c.client_order_id, func.sum(FILLS.c.quantity))
        .group_by(FILLS.c.client_order_id)
        .order_by(FILLS.c.client_order_id)
    )
    filled = {mark: int(quantity) for mark, quantity in connection.execute(fills)}
    for order in load_orders(connection):
        mark, expected = order.client_order_id, progress_row(order)
        for column in columns:
            if rows[mark][column.name] != expected[f"new_{column.name}"]:
                yield (
                    f"order {mark} has {column.name} {rows[mark][column.name]}, its events say "
                    f"{expected[f'new_{column.name}']}"
                )
        if filled.get(mark, 0) != order.filled_quantity:
            yield (
                f"order {mark} has fills of {filled.get(mark, 0):,} shares, its events say "
                f"{order.filled_quantity:,}"
            )


def _fills_without_entries(connection: Connection) -> Iterator[str]:
    query = (
        select(FILLS.c.fill_id)
        .outerjoin(ENTRIES, ENTRIES.c.source_id == FILLS.c.fill_id)
        .where(ENTRIES.c.source_id.is_(None))
        .order_by(FILLS.c.fill_id)
    )
    for (mark,) in connection.execute(query):
        yield f"fill {mark} moved no money"


def _state_against_rows(
    connection: Connection,
    state: PortfolioState | None,
    balances: Mapping[Account, int],
    calendar: TradingCalendar | None,
) -> Iterator[str]:
    if state is None:
        if any(balances.values()):
            yield "money moved, and no portfolio is kept"
        return
    for account in Account:
        kept = state.balances.get(account, 0)
        if kept != balances[account]:
            yield f"{account} is {kept:,} VND in the portfolio and {balances[account]:,} VND in the entries"
    try:
        Portfolio.from_state(state, calendar=calendar)
        again = rebuild(connection, calendar)
    except StateError as exc:
        yield str(exc)
        return
    if _money(again) != _money(state):
        yield f"the portfolio has {_money(state):,} VND, its events add up to {_money(again):,} VND"
    for symbol in sorted({*again.positions, *state.positions}):
        if _shares(again, symbol) != _shares(state, symbol):
            yield f"{symbol}: the portfolio has {_shares(state, symbol)}, its events {_shares(again, symbol)}"


def _money(state: PortfolioState) -> int:
    return state.cash_vnd + sum(receivable.amount_vnd for receivable in state.receivables)


def _shares(state: PortfolioState, symbol: str) -> Any:
    position = state.positions.get(symbol)
    return None if position is None else (position.parcels, position.cost_vnd, position.basis_vnd)


def _count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
