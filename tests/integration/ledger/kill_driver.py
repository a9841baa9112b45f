"""Writes a long run of transactions to a ledger, is killed again and again, and goes on each time.

Run as a program, it forks a writer, kills it with SIGKILL at a random moment, and forks an examiner that
opens the ledger and looks for anything half-written; this until the run is complete. It prints, as JSON, the
digests of the ledger and what it met on the way. It has no threads, so that forking it is safe, and has
imported everything before, so that a kill takes a fraction of a second.

    python kill_driver.py DATABASE ORDERS KILLS SEED
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import date, datetime
from datetime import time as clock_time
from functools import partial

# Imported here and not when first needed: a fork then begins with everything in place.
import alembic.command
import psutil
import sqlalchemy.dialects.postgresql.asyncpg
import sqlalchemy.dialects.sqlite

import vnquant.trading.ledger
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
    OrderStatus,
    OrderType,
    Portfolio,
    Side,
)

LOADED = (alembic.command, psutil, sqlalchemy.dialects.postgresql.asyncpg, sqlalchemy.dialects.sqlite)
START = date(2024, 1, 2)
SESSIONS = default_calendar().sessions(START, date(2029, 12, 28))


def instant(number: int, hour: int) -> datetime:
    """Return a time on the day of an order: twenty a day, three sessions apart, so that shares settle."""
    day: date = SESSIONS[3 * (number // 20)].astype(object)
    return datetime.combine(day, clock_time(hour, 0), tzinfo=ICT)


def order_no(number: int) -> Order:
    return Order(
        client_order_id=f"o{number:06d}",
        symbol="FPT",
        side=Side.SELL if number // 20 % 2 else Side.BUY,
        type=OrderType.LO,
        quantity=200,
        limit_price_vnd=100_000,
        created_at=instant(number, 10),
        cause=f"verdict-{number}",
    )


def fill_no(order: Order, number: int, part: int) -> OrderFilled:
    sequence = 2 + part
    fill = Fill(
        fill_id=f"{order.client_order_id}/{sequence}",
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=100,
        price_vnd=100_000,
        fee_vnd=15_000 + number % 7,
        tax_vnd=10_000 if order.side is Side.SELL else 0,
        filled_at=instant(number, 14),
    )
    return OrderFilled(client_order_id=order.client_order_id, sequence=sequence, at=fill.filled_at, fill=fill)


async def write(database: str, orders: int, progress: int) -> None:
    """Go on from where the ledger ends to the last order; say so once it is open, and after each order."""
    clock = MarketClock.frozen(instant(0, 9))
    install_clock(clock)
    ledger = await Ledger.open(database, wait_s=10)
    past = await ledger.recover()
    portfolio = Portfolio(0) if past.portfolio is None else Portfolio.from_state(past.portfolio)
    if past.portfolio is None:
        async with ledger.batch() as batch:
            deposit = Deposit(deposit_id="opening", at=instant(0, 9), amount_vnd=5_000_000_000)
            batch.action(deposit, portfolio.apply(deposit))
            batch.portfolio(portfolio.state)
    os.write(progress, b".")
    first = (await ledger.kept("run", int)).get("done", -1) + 1
    for number in range(first, orders):
        clock.set(at=instant(number, 10))
        order = (await ledger.order(order_no(number).client_order_id)) if number == first else None
        if order is None:
            order = order_no(number)
            await ledger.record_intent(order)
        if order.status is OrderStatus.INTENDED:
            # Here the order would be sent; after a kill the broker is asked by its id.
            await ledger.record_event(
                OrderAccepted(client_order_id=order.client_order_id, sequence=1, at=instant(number, 11))
            )
        clock.set(at=instant(number, 14))
        for part in range(2):
            if order.filled_quantity > 100 * part:
                continue
            event = fill_no(order, number, part)
            async with ledger.batch() as batch:
                batch.event(event, portfolio.apply(event.fill))
                batch.portfolio(portfolio.state)
                batch.journal(
                    JournalEntry(
                        at=event.at,
                        kind="fill",
                        outcome=f"part {part}",
                        symbol="FPT",
                        client_order_id=order.client_order_id,
                        seen={"order": number, "note": "x" * 300},
                    )
                )
                if part == 1:
                    batch.keep("run", "done", number)
                    batch.schedule("scanner", event.at)
        os.write(progress, b".")
    await ledger.aclose()


async def examine(database: str, thorough: bool) -> dict[str, object]:
    """Look for anything half-written. The killed writer's lease must be free at once."""
    install_clock(MarketClock.frozen(instant(0, 9)))
    async with await Ledger.open(database, wait_s=10) as ledger:
        past = await ledger.recover()
        done = (await ledger.kept("run", int)).get("done", -1)
        open_now = [*past.unanswered, *past.open_orders]
        assert len(open_now) <= 1, open_now
        assert all(order.client_order_id == f"o{done + 1:06d}" for order in open_now), (done, open_now)
        met = {
            "done": done + 1,
            "unanswered": len(past.unanswered),
            "partly_filled": sum(order.filled_quantity > 0 for order in open_now),
        }
        if not thorough:
            return met
        audit = await ledger.reconcile()
        orders = await ledger.orders()
        unfinished = [order for order in orders if not order.status.is_final]
        assert [o.client_order_id for o in orders] == [f"o{n:06d}" for n in range(len(orders))]
        assert open_now == unfinished, (open_now, unfinished)
        journal = await ledger.journal()
        assert len(journal) == audit.fills, "a fill without its journal entry, or the reverse"
        assert audit.fills == sum(order.filled_quantity for order in orders) // 100
        return met | {
            "orders": audit.orders,
            "fills": audit.fills,
            "ledger": await ledger.ledger_digest(),
            "journal": await ledger.journal_digest(),
            "cash_vnd": 0 if past.portfolio is None else past.portfolio.cash_vnd,
        }


def in_a_fork(work: Callable[[], Coroutine[object, object, object]], out: int | None = None) -> int:
    """Run a coroutine in a child process, its result as JSON to a descriptor; return the process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        result = asyncio.run(work())
        if out is not None:
            os.write(out, json.dumps(result).encode())
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def wait_into_an_order(hear: int, orders: int, rng: random.Random) -> None:
    """Wait until a writer has done some orders, and then for some part of what one takes here and now."""
    os.read(hear, 1)  # it is open
    began_s, order_s = time.monotonic(), 0.01
    for done in range(1, orders + 1):
        if not os.read(hear, 1):
            return
        order_s = (time.monotonic() - began_s) / done
    time.sleep(rng.uniform(0.0, order_s))


def main() -> None:
    database, orders, kills, seed = sys.argv[1], *map(int, sys.argv[2:5])
    thorough_every = max(1, kills // 30)  # the whole audit takes longer than what was written since
    rng = random.Random(seed)
    met = {"killed": 0, "met_unanswered": 0, "met_partly_filled": 0}
    progress: list[int] = []
    while True:
        hear, say = os.pipe()
        writer = in_a_fork(partial(write, database, orders, say))
        os.close(say)
        last = met["killed"] >= kills
        if not last:
            if rng.random() < 0.85:
                wait_into_an_order(hear, rng.randrange(9), rng)
            else:
                time.sleep(rng.uniform(0.0, 0.05))  # while it opens, as likely as not
            os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        os.close(hear)
        if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status) != 0:
            sys.exit("the writer failed")
        hear, say = os.pipe()
        examiner = in_a_fork(partial(examine, database, last or met["killed"] % thorough_every == 0), say)
        os.close(say)
        with os.fdopen(hear) as answer:
            told = answer.read()
        if os.waitstatus_to_exitcode(os.waitpid(examiner, 0)[1]) != 0:
            sys.exit(f"after {met['killed']} kills the ledger is not whole")
        found = json.loads(told)
        progress.append(found["done"])
        if last:
            print(json.dumps({**met, **found, "runs_with_progress": len(set(progress))}))
            return
        if os.WIFSIGNALED(status):
            met["killed"] += 1
        elif found["done"] == orders:
            sys.exit("the run was over before it could be killed often enough; give it more orders")
        met["met_unanswered"] += found["unanswered"]
        met["met_partly_filled"] += found["partly_filled"]


if __name__ == "__main__":
    vnquant.trading.ledger.logger.propagate = False
    main()
