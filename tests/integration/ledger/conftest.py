"""Ledgers on both databases, and a desk that trades on them."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from vnquant.market import default_calendar
from vnquant.runtime import ICT, MarketClock, install_clock
from vnquant.trading import (
    Deposit,
    Fill,
    JournalEntry,
    Ledger,
    Order,
    OrderAccepted,
    OrderFilled,
    OrderType,
    Portfolio,
    Side,
    fill_id,
)
from vnquant.trading.batch import Batch

AT = datetime(2025, 6, 2, 9, 30, tzinfo=ICT)


class Desk:
    """Orders, events and the portfolio that they move; records nothing by itself."""

    def __init__(self) -> None:
        self.portfolio = Portfolio(0)

    def opening(self, batch: Batch, amount_vnd: int = 1_000_000_000) -> None:
        deposit = Deposit(deposit_id="opening", at=AT, amount_vnd=amount_vnd)
        batch.action(deposit, self.portfolio.apply(deposit))
        batch.portfolio(self.portfolio.state)

    @staticmethod
    def order(mark: str, side: Side = Side.BUY, quantity: int = 200, **changes: Any) -> Order:
        asked: dict[str, Any] = {
            "client_order_id": mark,
            "symbol": "FPT",
            "side": side,
            "type": OrderType.LO,
            "quantity": quantity,
            "limit_price_vnd": 120_000,
            "created_at": AT,
            "cause": "verdict-1",
            "reason": "score 82 of 100",
        }
        return Order(**{**asked, **changes})

    @staticmethod
    def accepted(order: Order) -> OrderAccepted:
        return OrderAccepted(
            client_order_id=order.client_order_id, sequence=order.next_sequence, at=AT, market_volume=1_000
        )

    @staticmethod
    def filled(order: Order, quantity: int, sequence: int, *, day: int = 0) -> OrderFilled:
        on = default_calendar().add_sessions(date(2025, 6, 2), day)
        at = datetime.combine(on, time(13, 30), tzinfo=ICT)
        price = 119_500
        fill = Fill(
            fill_id=fill_id(order.client_order_id, sequence),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price_vnd=price,
            fee_vnd=price * quantity * 15 // 10_000,
            tax_vnd=price * quantity // 1_000 if order.side is Side.SELL else 0,
            filled_at=at,
            quoted_price_vnd=119_400,
        )
        return OrderFilled(client_order_id=order.client_order_id, sequence=sequence, at=at, fill=fill)

    def book(self, batch: Batch, event: OrderFilled) -> None:
        batch.event(event, self.portfolio.apply(event.fill))
        batch.portfolio(self.portfolio.state)

    async def bought(self, ledger: Ledger, mark: str, *, journal: bool = True) -> None:
        """Record a whole order: intent, acceptance, two fills, and the decision behind it."""
        order = self.order(mark)
        await ledger.record_intent(order)
        await ledger.record_event(self.accepted(order))
        async with ledger.batch() as batch:
            self.book(batch, self.filled(order, 100, 2))
            self.book(batch, self.filled(order, 100, 3))
            if journal:
                batch.journal(
                    JournalEntry(
                        at=AT,
                        kind="verdict",
                        outcome="bought",
                        symbol="FPT",
                        client_order_id=mark,
                        seen={"n": mark},
                    )
                )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
async def standing_clock() -> MarketClock:
    """Market time that stands at 09:30 and is moved by hand."""
    clock = MarketClock.frozen(AT)
    install_clock(clock)
    return clock


@pytest.fixture
async def ledger(database: str, standing_clock: MarketClock) -> AsyncIterator[Ledger]:
    async with await Ledger.open(database, lock_timeout_s=0.2) as opened:
        yield opened


@pytest.fixture
async def sqlite_ledger(sqlite_url: str, standing_clock: MarketClock) -> AsyncIterator[Ledger]:
    async with await Ledger.open(sqlite_url, lock_timeout_s=0.05) as opened:
        yield opened


@pytest.fixture
def pragmas() -> Iterator[Callable[[str], None]]:
    """Set PRAGMAs on the SQLite connections opened since: how a test makes a disk full or read-only."""
    opened: list[sqlite3.Connection] = []

    def on_connect(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            opened.append(connection)

    def execute(text: str) -> None:
        for connection in opened:
            with suppress(sqlite3.ProgrammingError):  # closed meanwhile
                connection.execute(f"PRAGMA {text}")

    listen: Callable[..., None] = event.listen
    listen(Pool, "connect", on_connect)
    try:
        yield execute
    finally:
        event.remove(Pool, "connect", on_connect)
