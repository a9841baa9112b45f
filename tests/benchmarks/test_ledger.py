"""What a ledger costs: transactions a second on virtual time, against bare sqlite3 writing the same rows."""

import asyncio
import json
import platform
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.pace import slowness
from vnquant.runtime import ICT, run_virtual
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
)

pytestmark = pytest.mark.benchmark

ROUNDS = 400
JOURNAL_ROWS = 10_000
AT = datetime(2025, 6, 2, 9, 30, tzinfo=ICT)
SEEN = {"signals": ["x" * 180] * 10}


def order_no(number: int) -> Order:
    return Order(
        client_order_id=f"o{number}",
        symbol="FPT",
        side=Side.BUY,
        type=OrderType.LO,
        quantity=100,
        limit_price_vnd=100_000,
        created_at=AT,
    )


def filled(order: Order) -> OrderFilled:
    fill = Fill(
        fill_id=f"{order.client_order_id}/2",
        client_order_id=order.client_order_id,
        symbol="FPT",
        side=Side.BUY,
        quantity=100,
        price_vnd=100_000,
        fee_vnd=15_000,
        tax_vnd=0,
        filled_at=AT,
    )
    return OrderFilled(client_order_id=order.client_order_id, sequence=2, at=AT, fill=fill)


async def trade(database: str) -> dict[str, float]:
    """Record orders as an engine does: the intent, then acceptance, fill, portfolio and journal together."""
    loop = asyncio.get_running_loop()
    portfolio = Portfolio(0)
    async with await Ledger.open(database) as ledger:
        async with ledger.batch() as batch:
            deposit = Deposit(deposit_id="opening", at=AT, amount_vnd=10**12)
            batch.action(deposit, portfolio.apply(deposit))
            batch.portfolio(portfolio.state)
        virtual, begun = loop.time(), time.perf_counter()
        for number in range(ROUNDS):
            order = order_no(number)
            await ledger.record_intent(order)
            async with ledger.batch() as batch:
                batch.event(OrderAccepted(client_order_id=order.client_order_id, sequence=1, at=AT))
                event = filled(order)
                batch.event(event, portfolio.apply(event.fill))
                batch.portfolio(portfolio.state)
                batch.journal(JournalEntry(at=AT, kind="fill", outcome=str(number), seen=SEEN))
        trading_s = time.perf_counter() - begun
        assert loop.time() == virtual
        begun = time.perf_counter()
        for first in range(0, JOURNAL_ROWS, 50):
            async with ledger.batch() as batch:
                for number in range(first, first + 50):
                    at = AT + timedelta(seconds=number)
                    batch.journal(JournalEntry(at=at, kind="verdict", outcome=str(number), seen=SEEN))
        journal_s = time.perf_counter() - begun
        begun = time.perf_counter()
        assert (await ledger.reconcile()).fills == ROUNDS
        audit_s = time.perf_counter() - begun
    return {"trading_s": trading_s, "journal_s": journal_s, "audit_s": audit_s}


def bare(path: Path) -> float:
    """Write rows of the same number and size with sqlite3 alone, a transaction each time."""
    row = "x" * 150
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)")
        begun = time.perf_counter()
        for number in range(ROUNDS):
            for rows, long in ((2, 0), (9, 1)):
                connection.execute("BEGIN IMMEDIATE")
                for n in range(rows):
                    text = row if n or not long else row * 14
                    connection.execute("INSERT INTO t VALUES (?, ?)", (f"{number}-{rows}-{n}", text))
                connection.execute("COMMIT")
        return time.perf_counter() - begun


def test_a_ledger_keeps_up_with_a_simulated_year(tmp_path: Path) -> None:
    runs = [run_virtual(trade(f"sqlite:///{tmp_path / f'{n}.db'}")) for n in range(3)]
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    bare_s = min(bare(tmp_path / f"bare{n}.db") for n in range(3))
    ratio = best["trading_s"] / bare_s
    print(
        json.dumps(
            {
                "benchmark": "ledger",
                "transactions_per_s": round(2 * ROUNDS / best["trading_s"]),
                "journal_rows_per_s": round(JOURNAL_ROWS / best["journal_s"]),
                "audit_s": round(best["audit_s"], 3),
                "times_bare_sqlite3": round(ratio, 1),
                "python": platform.python_version(),
                "machine": platform.machine(),
                "sqlite": sqlite3.sqlite_version,
            }
        )
    )
    assert ratio < 30
    assert JOURNAL_ROWS / best["journal_s"] > 2_000 / slowness()
