import asyncio
from datetime import date

import pytest

from tests.unit.trading.conftest import BoardSource, at, fill, order, quote
from vnquant.errors import (
    CancelRefusedError,
    OrderError,
    SourceTimeoutError,
    StateError,
    UnknownOrderError,
)
from vnquant.market import Quote
from vnquant.runtime import now
from vnquant.sources import QuoteSource
from vnquant.trading import (
    Broker,
    CashDividend,
    OrderAccepted,
    OrderFilled,
    OrderRejected,
    OrderStatus,
    OrderType,
    PaperBroker,
    PaperConfig,
    Portfolio,
    Side,
    apply_all,
)

pytestmark = pytest.mark.virtual(start="2025-06-02 10:00")


class LiveBoard(BoardSource):
    """A board whose quotes are always of now."""

    async def quotes(self, symbols):
        self.show(*(quote(now(), symbol=name) for name in self.quotes_by_symbol))
        return await super().quotes(symbols)


class SilentBoard(BoardSource):
    """A board that never answers."""

    async def quotes(self, symbols):
        self.asked.append(tuple(symbols))
        await asyncio.Event().wait()


def broker_on(*quotes: Quote, cash: int = 100_000_000) -> tuple[PaperBroker, BoardSource]:
    source = BoardSource(*quotes)
    return PaperBroker(source, Portfolio(cash)), source


def test_the_paper_broker_is_a_broker_and_the_fakes_are_sources():
    broker, source = broker_on()
    assert isinstance(broker, Broker)
    assert isinstance(source, QuoteSource)


async def test_an_order_that_crosses_is_accepted_and_filled_at_once():
    broker, _ = broker_on(quote())
    events = await broker.submit(order())
    assert [type(event) for event in events] == [OrderAccepted, OrderFilled]
    assert broker.find("order-1") == apply_all(order(), events)
    assert broker.account.positions["FPT"].quantity == 500
    assert broker.open_orders == ()


async def test_a_refusal_is_an_event_with_its_reason():
    broker, _ = broker_on(quote())
    (event,) = await broker.submit(order(limit=107_100))
    assert isinstance(event, OrderRejected)
    assert "ceiling 107,000" in event.reason
    assert broker.find("order-1").status_reason == event.reason


async def test_submitting_twice_is_one_order():
    broker, source = broker_on(quote())
    first = await broker.submit(order())
    source.show(quote(volume=9_000_000.0))
    assert await broker.submit(order()) == first
    assert broker.account.positions["FPT"].quantity == 500


async def test_submitting_twice_at_the_same_time_is_one_order():
    class SlowBoard(BoardSource):
        async def quotes(self, symbols):
            await asyncio.sleep(1)
            return await super().quotes(symbols)

    broker = PaperBroker(SlowBoard(quote()), Portfolio(100_000_000))
    first, second = await asyncio.gather(broker.submit(order()), broker.submit(order()))
    assert first == second
    assert broker.account.positions["FPT"].quantity == 500


async def test_one_id_for_two_different_orders_is_refused():
    broker, _ = broker_on(quote())
    await broker.submit(order())
    with pytest.raises(OrderError, match="order-1"):
        await broker.submit(order(quantity=600))


async def test_an_order_that_is_not_new_is_refused():
    broker, _ = broker_on(quote())
    done = apply_all(order(), await broker.submit(order()))
    other, _ = broker_on(quote())
    with pytest.raises(OrderError, match="INTENDED"):
        await other.submit(done)


async def test_orders_in_parts_go_on_filling_as_the_board_is_polled():
    broker, source = broker_on(quote(asks=((100_000.0, 1_000.0),)))
    one = apply_all(order(), await broker.submit(order()))
    assert (one.status, one.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 200)
    assert await broker.poll() == ()
    await asyncio.sleep(60)
    source.show(quote(now(), volume=1_100_000.0))
    one = apply_all(one, await broker.poll())
    assert one.status is OrderStatus.FILLED
    assert broker.find("order-1") == one


async def test_a_poll_asks_for_the_symbols_of_open_orders_once_and_not_at_all_without():
    broker, source = broker_on(quote(), quote(symbol="VCB"))
    await broker.poll()
    assert source.asked == []
    for name, symbol in (("a", "FPT"), ("b", "VCB"), ("c", "FPT")):
        await broker.submit(order(quantity=100, limit=99_000, symbol=symbol, name=name))
    source.asked.clear()
    await broker.poll()
    assert source.asked == [("FPT", "VCB")]
    source.asked.clear()
    await broker.poll({"FPT": quote()})
    assert source.asked == []


async def test_open_orders_block_their_cash_and_shares():
    broker, _ = broker_on(quote(), cash=60_000_000)
    broker.account.apply(fill(quantity=100, when=at("10:00", "2025-05-26")))
    await broker.submit(order(quantity=400, limit=99_000))
    assert broker.free_cash_vnd() == 60_000_000 - 10_015_000 - 39_600_000 - 59_400
    (event,) = await broker.submit(order(quantity=200, limit=99_000, name="order-2"))
    assert "10,325,600 VND are free" in event.reason
    await broker.submit(order(Side.SELL, 100, 101_000, name="order-3"))
    (event,) = await broker.submit(order(Side.SELL, 100, 101_000, name="order-4"))
    assert "more than the 0" in event.reason
    await broker.cancel("order-3")
    (event,) = await broker.submit(order(Side.SELL, 100, 101_000, name="order-5"))
    assert isinstance(event, OrderAccepted)


async def test_todays_shares_wait_for_t2_and_then_sell():
    source = LiveBoard(quote())
    broker = PaperBroker(source, Portfolio(100_000_000))
    await broker.submit(order())
    for sleep_h, sold in ((24, False), (26.5, False), (0.5, True)):
        await asyncio.sleep(sleep_h * 3600)
        sale = order(Side.SELL, 500, 99_000, name=f"sale-{now():%d-%H%M}", when=now())
        events = await broker.submit(sale)
        assert isinstance(events[-1], OrderFilled) is sold, events
    assert now() == at("13:00", "2025-06-04")


async def test_a_cancelled_order_fills_no_more_and_cancelling_twice_is_harmless():
    broker, source = broker_on(quote())
    await broker.submit(order(limit=99_000))
    (event,) = await broker.cancel("order-1", reason="the verdict changed")
    assert broker.find("order-1").status_reason == event.reason == "the verdict changed"
    assert await broker.cancel("order-1") == ()
    source.show(quote(asks=((98_000.0, 9_000.0),)))
    assert await broker.poll() == ()


async def test_nothing_is_cancelled_during_an_auction_or_without_an_order():
    broker = PaperBroker(LiveBoard(quote()), Portfolio(100_000_000))
    await broker.submit(order(limit=99_000))
    await asyncio.sleep(4.6 * 3600)
    with pytest.raises(CancelRefusedError, match="ATC"):
        await broker.cancel("order-1")
    with pytest.raises(UnknownOrderError):
        await broker.cancel("order-2")


async def test_a_silent_board_refuses_orders_and_fails_polls_within_the_timeout():
    broker = PaperBroker(SilentBoard(), Portfolio(100_000_000), config=PaperConfig(quote_timeout_s=5))
    loop = asyncio.get_running_loop()
    start = loop.time()
    (event,) = await broker.submit(order())
    assert "did not answer" in event.reason
    assert loop.time() - start == pytest.approx(5)
    resting = apply_all(
        order(name="order-2"), [OrderAccepted(client_order_id="order-2", sequence=1, at=now())]
    )
    other = PaperBroker(SilentBoard(), Portfolio(100_000_000))
    other.restore([resting])
    with pytest.raises(SourceTimeoutError, match="FPT"):
        await other.poll()
    assert other.open_orders == (resting,)


async def test_a_cancelled_submit_leaves_no_trace():
    broker = PaperBroker(SilentBoard(), Portfolio(100_000_000))
    task = asyncio.create_task(broker.submit(order()))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert broker.find("order-1") is None
    assert broker.free_cash_vnd() == 100_000_000


async def test_a_restored_broker_goes_on_as_the_first_would_have():
    def thin(minute):
        return quote(at(f"10:0{minute}"), asks=((100_000.0, 1_000.0),), volume=1_000_000.0 + 1_000 * minute)

    first, _ = broker_on(thin(0))
    events = await first.submit(order())
    one = apply_all(order(), events)
    second = PaperBroker(BoardSource(), Portfolio.from_state(first.account.state))
    second.restore([one], [e.fill for e in events if isinstance(e, OrderFilled)])
    await asyncio.sleep(60)
    expected = await first.poll({"FPT": thin(1)})
    assert expected
    assert await second.poll({"FPT": thin(1)}) == expected
    assert second.account.state == first.account.state
    assert second.events("order-1", after=2) == first.events("order-1", after=2)


async def test_intents_are_not_restored_so_that_they_can_be_sent_again():
    broker, _ = broker_on(quote())
    broker.restore([order()])
    assert broker.find("order-1") is None
    await broker.submit(order())
    with pytest.raises(StateError, match="before the first"):
        broker.restore([])


async def test_corporate_actions_reach_the_account_and_fills_do_not_twice():
    broker, _ = broker_on(quote())
    (_, filled) = await broker.submit(order())
    broker.apply(
        CashDividend(
            action_id="d",
            symbol="FPT",
            ex_date=date(2025, 6, 3),
            per_share_vnd=1_000,
            payable_on=date(2025, 6, 20),
        )
    )
    assert broker.account.receivable_vnd(now()) == 475_000
    with pytest.raises(StateError, match="already"):
        broker.apply(filled.fill)


async def test_a_market_order_on_a_locked_share_is_refused():
    broker, _ = broker_on(quote(asks=(), last=107_000.0))
    (event,) = await broker.submit(order(kind=OrderType.MP))
    assert "nobody sells" in event.reason


async def test_orders_of_one_instant_fill_in_the_order_in_which_a_ledger_gives_them_back():
    """After a restart they are restored by id; the fills must not tell that there was one."""
    far = quote(at("10:00"), asks=((101_000.0, 5_000.0),), last=101_000.0)
    first, source = broker_on(far)
    for name in ("order-2", "order-1", "order-3"):
        await first.submit(order(name=name, quantity=200))
    restored = PaperBroker(source, Portfolio(100_000_000))
    restored.restore(sorted(first.open_orders, key=lambda one: one.client_order_id))
    near = {"FPT": quote(at("10:00"), volume=2_000_000.0)}
    fills = [event.client_order_id for event in await first.poll(near)]
    assert fills == [event.client_order_id for event in await restored.poll(near)]
    assert list(dict.fromkeys(fills)) == ["order-1", "order-2", "order-3"]
