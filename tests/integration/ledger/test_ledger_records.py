"""What a ledger writes, it gives back: on SQLite and on PostgreSQL."""

from datetime import date, timedelta

import numpy as np
import pytest

from vnquant.errors import BooksError, IllegalTransitionError, InputError, LedgerConflictError
from vnquant.runtime import MarketClock, WorkQueue
from vnquant.trading import (
    Account,
    JournalEntry,
    Ledger,
    OrderCancelled,
    OrderRejected,
    OrderStatus,
    OrderType,
    Portfolio,
    PriceAdjustment,
    Side,
    order_id,
)
from vnquant.trading.batch import Batch

from .conftest import AT, Desk


async def test_an_order_comes_back_with_its_history(ledger: Ledger, desk: Desk) -> None:
    async with ledger.batch() as batch:
        desk.opening(batch)
    await desk.bought(ledger, "o1")
    order = await ledger.order("o1")
    assert order is not None
    assert order.status is OrderStatus.FILLED
    assert (order.filled_quantity, order.filled_value_vnd) == (200, 200 * 119_500)
    assert [step.sequence for step in order.history] == [1, 2, 3]
    assert order.created_at == AT
    assert order.same_request(Desk.order("o1"))
    assert [fill.fill_id for fill in await ledger.fills(symbol="FPT")] == ["o1/2", "o1/3"]


async def test_a_fill_its_money_and_the_portfolio_agree(ledger: Ledger, desk: Desk) -> None:
    async with ledger.batch() as batch:
        desk.opening(batch)
    await desk.bought(ledger, "o1")
    audit = await ledger.reconcile()
    assert (audit.orders, audit.fills, audit.actions) == (1, 2, 1)
    assert audit.balances == desk.portfolio.balances
    assert audit.balances[Account.SHARES] == 200 * 119_500
    assert sum(audit.balances.values()) == 0


async def test_an_untold_fall_is_recorded_once_and_found_again_by_the_audit(
    ledger: Ledger, desk: Desk
) -> None:
    async with ledger.batch() as batch:
        desk.opening(batch)
    await desk.bought(ledger, "o1")
    fall = PriceAdjustment(
        action_id="FPT:2025-06-03:price",
        symbol="FPT",
        ex_date=date(2025, 6, 3),
        base_vnd=119_500,
        reference_vnd=100_000,
    )
    batch = Batch()
    batch.action(fall, desk.portfolio.apply(fall))
    batch.portfolio(desk.portfolio.state)
    for _ in range(2):
        await ledger.commit(batch)
    audit = await ledger.reconcile()
    assert audit.actions == 2
    past = await ledger.recover()
    assert past.portfolio is not None
    assert past.portfolio.positions["FPT"] == desk.portfolio.positions["FPT"]
    assert past.portfolio.positions["FPT"].entry_price_vnd == 100_000


async def test_money_is_exact_far_beyond_32_bits(ledger: Ledger) -> None:
    desk = Desk()
    async with ledger.batch() as batch:
        desk.opening(batch, 9_000_000_000_000_001)
    past = await ledger.recover()
    assert past.portfolio is not None
    assert past.portfolio.cash_vnd == 9_000_000_000_000_001


async def test_intents_without_outcome_are_listed(ledger: Ledger, desk: Desk) -> None:
    for mark in ("b", "a", "c", "d"):
        await ledger.record_intent(desk.order(mark))
    await ledger.record_event(desk.accepted(desk.order("a")))
    await ledger.record_event(OrderRejected(client_order_id="c", sequence=1, at=AT, reason="price off tick"))
    past = await ledger.recover()
    assert [order.client_order_id for order in past.unanswered] == ["b", "d"]
    assert [order.client_order_id for order in past.open_orders] == ["a"]
    rejected = await ledger.order("c")
    assert rejected is not None
    assert rejected.status_reason == "price off tick"


async def test_recovery_gives_all_that_a_restart_needs(
    database: str, standing_clock: MarketClock, desk: Desk
) -> None:
    queue: WorkQueue[tuple[str, str]] = WorkQueue(priority=lambda _: (1.0,), key=lambda item: item)
    queue.put(("FPT", "BUY"))
    queue.put(("VCB", "SELL"))
    async with await Ledger.open(database) as ledger:
        assert (await ledger.recover()).is_new
        async with ledger.batch() as batch:
            desk.opening(batch)
        await desk.bought(ledger, "o1")
        desk.portfolio.mark({"FPT": 131_000})
        standing_clock.set(at=AT + timedelta(minutes=30))
        async with ledger.batch() as batch:
            batch.portfolio(desk.portfolio.state)
            batch.recent(queue.recent())
            batch.schedule("model_scanner", AT + timedelta(seconds=180))
            batch.keep("engine", "rounds", {"model": 3})
    async with await Ledger.open(database) as ledger:
        past = await ledger.recover()
        assert past.ends_at == AT + timedelta(minutes=30)
        assert past.portfolio == desk.portfolio.state
        assert past.portfolio is not None
        assert past.portfolio.positions["FPT"].peak_price_vnd == 131_000
        assert Portfolio.from_state(past.portfolio).state == desk.portfolio.state
        assert past.recent == {("FPT", "BUY"): AT, ("VCB", "SELL"): AT}
        assert past.schedules == {"model_scanner": AT + timedelta(seconds=180)}
        assert await ledger.kept("engine", dict[str, int]) == {"rounds": {"model": 3}}


async def test_kept_values_are_replaced_forgotten_and_cleared(ledger: Ledger) -> None:
    async with ledger.batch() as batch:
        batch.keep("peak", "FPT", 100)
        batch.keep("peak", "VCB", 90)
        batch.recent({"x": AT})
    async with ledger.batch() as batch:
        batch.keep("peak", "FPT", 110)
        batch.forget("peak", "VCB")
        batch.recent({"y": AT})
    assert await ledger.kept("peak", int) == {"FPT": 110}
    assert (await ledger.recover()).recent == {"y": AT}


async def test_a_batch_committed_twice_is_one(ledger: Ledger, desk: Desk) -> None:
    batch = Batch()
    desk.opening(batch)
    batch.intent(desk.order("o1"))
    batch.event(desk.accepted(desk.order("o1")))
    desk.book(batch, desk.filled(desk.order("o1"), 200, 2))
    batch.journal(JournalEntry(at=AT, kind="verdict", outcome="bought", symbol="FPT"))
    await ledger.commit(batch)
    first = await ledger.ledger_digest(), await ledger.journal_digest()
    await ledger.commit(batch)
    assert (await ledger.ledger_digest(), await ledger.journal_digest()) == first
    assert (await ledger.reconcile()).fills == 1


async def test_settled_money_is_recorded_once(ledger: Ledger, desk: Desk) -> None:
    async with ledger.batch() as batch:
        desk.opening(batch)
    await desk.bought(ledger, "o1")
    sale = desk.order("s1", Side.SELL, limit_price_vnd=119_000)
    async with ledger.batch() as batch:
        batch.intent(sale)
        batch.event(desk.accepted(sale))
        desk.book(batch, desk.filled(sale, 200, 2, day=4))
    moved = desk.portfolio.settle(AT + timedelta(days=14))
    assert moved
    for _ in range(2):
        async with ledger.batch() as batch:
            batch.settled(moved)
            batch.portfolio(desk.portfolio.state)
    audit = await ledger.reconcile()
    assert audit.balances[Account.RECEIVABLE] == 0
    assert audit.balances[Account.CASH] == desk.portfolio.state.cash_vnd


async def test_one_id_with_two_contents_is_refused(ledger: Ledger, desk: Desk) -> None:
    await ledger.record_intent(desk.order("o1"))
    await ledger.record_intent(desk.order("o1"))
    with pytest.raises(LedgerConflictError, match="under the same id") as caught:
        await ledger.record_intent(desk.order("o1", quantity=300))
    assert caught.value.ids == ("o1",)
    await ledger.record_event(OrderCancelled(client_order_id="o1", sequence=1, at=AT, reason="given up"))
    with pytest.raises(LedgerConflictError, match="order event"):
        await ledger.record_event(OrderCancelled(client_order_id="o1", sequence=1, at=AT, reason="another"))
    with pytest.raises(LedgerConflictError, match="under the same id"):
        await ledger.record_intent(desk.order("o1", symbol="VCB"))  # final by now, so no longer at hand
    entry = JournalEntry(at=AT, kind="verdict", outcome="wait", entry_id="j1")
    await ledger.record_journal(entry)
    with pytest.raises(LedgerConflictError, match="journal entry"):
        await ledger.record_journal(JournalEntry(at=AT, kind="verdict", outcome="buy", entry_id="j1"))
    assert [found.outcome for found in await ledger.journal()] == ["wait"]


async def test_an_event_without_intent_or_out_of_turn_is_refused(ledger: Ledger, desk: Desk) -> None:
    with pytest.raises(LedgerConflictError, match="no intent"):
        await ledger.record_event(desk.accepted(desk.order("ghost")))
    await ledger.record_intent(desk.order("o1"))
    with pytest.raises(IllegalTransitionError):
        await ledger.record_event(OrderCancelled(client_order_id="o1", sequence=2, at=AT, reason="?"))
    order = await ledger.order("o1")
    assert order is not None
    assert order.status is OrderStatus.INTENDED


async def test_a_refused_record_takes_its_whole_batch_with_it(ledger: Ledger, desk: Desk) -> None:
    batch = Batch()
    batch.intent(desk.order("o1"))
    batch.journal(JournalEntry(at=AT, kind="verdict", outcome="buy"))
    batch.keep("engine", "n", 1)
    batch.event(desk.accepted(desk.order("ghost")))
    with pytest.raises(LedgerConflictError):
        await ledger.commit(batch)
    assert await ledger.orders() == []
    assert await ledger.journal() == []
    assert await ledger.kept("engine", int) == {}
    await ledger.record_intent(desk.order("o1"))
    assert [order.client_order_id for order in (await ledger.recover()).unanswered] == ["o1"]


async def test_an_error_in_the_block_writes_nothing(ledger: Ledger, desk: Desk) -> None:
    async def fail() -> None:
        async with ledger.batch() as batch:
            batch.intent(desk.order("o1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await ledger.orders() == []


async def test_a_portfolio_that_moved_by_other_means_is_refused(ledger: Ledger, desk: Desk) -> None:
    async with ledger.batch() as batch:
        desk.opening(batch)
    other = Portfolio(5_000_000)
    with pytest.raises(BooksError, match=r"CASH -995,000,000 VND"):
        async with ledger.batch() as batch:
            batch.portfolio(other.state)


async def test_money_cannot_move_without_the_portfolio(ledger: Ledger, desk: Desk) -> None:
    await ledger.record_intent(desk.order("o1"))
    await ledger.record_event(desk.accepted(desk.order("o1")))
    portfolio = Portfolio(1_000_000_000)
    event = desk.filled(desk.order("o1"), 200, 2)
    with pytest.raises(InputError, match="a fill comes with"):
        await ledger.record_event(event)
    with pytest.raises(BooksError, match="state after it is missing"):
        await ledger.record_event(event, portfolio.apply(event.fill))
    assert await ledger.fills() == []


async def test_a_restated_market_order_comes_back_as_it_was(ledger: Ledger, desk: Desk) -> None:
    from vnquant.trading import OrderRestated, apply_all

    order = desk.order("m1", type=OrderType.MP, limit_price_vnd=None)
    events = [
        desk.accepted(order),
        OrderRestated(client_order_id="m1", sequence=2, at=AT, limit_price_vnd=119_600),
    ]
    await ledger.record_intent(order)
    for event in events:
        await ledger.record_event(event)
    await ledger.record_intent(order)
    assert await ledger.order("m1") == apply_all(order, events)
    assert (await ledger.recover()).open_orders == (apply_all(order, events),)


async def test_the_journal_keeps_what_a_decision_saw(ledger: Ledger) -> None:
    seen = {
        "return_20d": np.float64(0.084),
        "closes": np.array([120_000.0, 121_500.0]),
        "text": "lợi nhuận tăng",
        "missing": float("nan"),
        "at": AT,
    }
    entry = JournalEntry(
        at=AT, kind="verdict", outcome="BUY: điểm 82", symbol="FPT", cause="scan-7", seen=seen
    )
    seen["return_20d"] = 9.9  # the entry was made before
    batch = Batch()
    batch.journal(entry)
    seen["return_20d"] = 1.0
    await ledger.commit(batch)
    (found,) = await ledger.journal(symbol="FPT", cause="scan-7", since=AT)
    assert found.seen == {
        "return_20d": 9.9,
        "closes": [120_000.0, 121_500.0],
        "text": "lợi nhuận tăng",
        "missing": None,
        "at": "2025-06-02T09:30:00+07:00",
    }
    assert found.at == AT
    assert await ledger.journal(kind="exit") == []
    assert await ledger.journal(entry_id=found.entry_id) == [found]


async def test_journal_and_orders_are_found_by_time_and_symbol(ledger: Ledger, desk: Desk) -> None:
    later = AT + timedelta(days=1)
    await ledger.record_journal(
        *(JournalEntry(at=at, kind="k", outcome=str(n)) for n, at in enumerate((AT, later, later)))
    )
    assert [entry.at for entry in await ledger.journal(limit=2)] == [later, later]
    assert len(await ledger.journal(since=later)) == 2
    await ledger.record_intent(
        desk.order(order_id("VCB", Side.BUY, later, "v"), symbol="VCB", created_at=later)
    )
    await ledger.record_intent(desk.order("o1"))
    assert [order.symbol for order in await ledger.orders()] == ["FPT", "VCB"]
    assert [order.symbol for order in await ledger.orders(since=later)] == ["VCB"]
    assert [order.symbol for order in await ledger.orders(symbol="FPT")] == ["FPT"]


async def test_what_json_cannot_hold_is_refused_before_anything_is_written(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="cannot be kept in the ledger"):
        await ledger.record_journal(JournalEntry(at=AT, kind="k", outcome="", seen=object()))
