import itertools
from datetime import datetime

import msgspec
import pytest

from tests.unit.trading.conftest import at, fill, order
from vnquant.errors import IllegalTransitionError, OrderError
from vnquant.market import Exchange
from vnquant.trading import (
    Order,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRestated,
    OrderStatus,
    OrderType,
    Side,
    apply,
    apply_all,
    order_id,
    split_into_lots,
)


def told(kind, sequence, **fields):
    return kind(client_order_id="order-1", sequence=sequence, at=at("10:00"), **fields)


def accepted(sequence=1):
    return told(OrderAccepted, sequence, market_volume=1_000, block_price_vnd=100_500)


def filled(sequence=2, **changes):
    return told(OrderFilled, sequence, fill=fill(sequence=sequence, **changes))


def an_order_in(status: OrderStatus) -> Order:
    steps = {
        OrderStatus.INTENDED: [],
        OrderStatus.ACCEPTED: [accepted()],
        OrderStatus.PARTIALLY_FILLED: [accepted(), filled(quantity=200)],
        OrderStatus.FILLED: [accepted(), filled()],
        OrderStatus.CANCELLED: [accepted(), told(OrderCancelled, 2, reason="enough")],
        OrderStatus.EXPIRED: [accepted(), told(OrderExpired, 2, reason="the session is over")],
        OrderStatus.REJECTED: [told(OrderRejected, 1, reason="no")],
    }[status]
    return apply_all(order(), steps)


LEGAL = {
    OrderStatus.INTENDED: {OrderAccepted, OrderRejected, OrderCancelled},
    OrderStatus.ACCEPTED: {OrderFilled, OrderRestated, OrderCancelled, OrderExpired},
    OrderStatus.PARTIALLY_FILLED: {OrderFilled, OrderRestated, OrderCancelled, OrderExpired},
}
EVENTS = {
    OrderAccepted: accepted,
    OrderRejected: lambda n: told(OrderRejected, n, reason="no"),
    OrderFilled: lambda n: filled(n, quantity=100),
    OrderRestated: lambda n: told(OrderRestated, n, limit_price_vnd=100_100),
    OrderCancelled: lambda n: told(OrderCancelled, n, reason="enough"),
    OrderExpired: lambda n: told(OrderExpired, n, reason="over"),
}


@pytest.mark.parametrize(("status", "kind"), list(itertools.product(OrderStatus, EVENTS)))
def test_each_status_takes_its_legal_events_and_no_other(status, kind):
    before = an_order_in(status)
    assert before.status is status
    event = EVENTS[kind](before.next_sequence)
    if kind in LEGAL.get(status, ()):
        after = apply(before, event)
        assert after.next_sequence == before.next_sequence + 1
    else:
        with pytest.raises(IllegalTransitionError, match=str(status)):
            apply(before, event)


def test_open_and_final_are_told_apart():
    assert {s for s in OrderStatus if s.is_open} == {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}
    assert {s for s in OrderStatus if not s.is_open and not s.is_final} == {OrderStatus.INTENDED}


def test_fills_add_up():
    done = apply_all(order(), [accepted(), filled(2, quantity=200), filled(3, quantity=300, price=100_500)])
    assert done.status is OrderStatus.FILLED
    assert (done.filled_quantity, done.remaining_quantity) == (500, 0)
    assert done.filled_value_vnd == 200 * 100_000 + 300 * 100_500
    assert done.average_price_vnd == 100_300
    assert done.fee_vnd == 30_000 + 45_225


def test_an_event_told_twice_happens_once():
    events = [accepted(), filled(2, quantity=200)]
    once = apply_all(order(), events)
    assert apply_all(once, events) is once


def test_a_missing_event_is_noticed():
    with pytest.raises(IllegalTransitionError, match="event 1 is missing"):
        apply(order(), filled(2))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"quantity": 600}, "more than the 500 that remain"),
        ({"price": 100_600}, "worse than the limit"),
        ({"symbol": "VCB"}, "the fill is BUY VCB"),
        ({"side": Side.SELL}, "the fill is SELL FPT"),
    ],
)
def test_a_fill_that_cannot_be_is_refused(wrong, why):
    with pytest.raises(IllegalTransitionError, match=why):
        apply_all(order(), [accepted(), filled(2, **wrong)])


def test_an_illegal_event_tells_the_story():
    with pytest.raises(IllegalTransitionError) as caught:
        apply(an_order_in(OrderStatus.CANCELLED), filled(3))
    assert [line[:1] for line in caught.value.story] == ["1", "2"]
    assert "CANCELLED: enough" in str(caught.value)


def test_an_event_of_another_order_is_refused():
    stranger = OrderAccepted(client_order_id="order-2", sequence=1, at=at("10:00"))
    with pytest.raises(IllegalTransitionError, match="another order"):
        apply(order(), stranger)


def test_the_rest_of_a_market_order_goes_on_as_a_limit_order_and_is_the_same_request():
    intent = order(kind=OrderType.MP)
    rest = apply_all(
        intent, [accepted(), filled(2, quantity=200), told(OrderRestated, 3, limit_price_vnd=100_100)]
    )
    assert (rest.type, rest.limit_price_vnd, rest.restated_from) == (OrderType.LO, 100_100, OrderType.MP)
    assert rest.block_price_vnd == 100_100
    assert rest.same_request(intent)
    assert not rest.same_request(order(kind=OrderType.ATC))


def test_another_quantity_or_limit_is_another_request():
    assert order().same_request(order())
    assert not order().same_request(order(quantity=600))
    assert not order().same_request(order(limit=100_400))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_order_id": ""}, "client_order_id"),
        ({"quantity": 0}, "quantity"),
        ({"limit_price_vnd": None}, "limit_price_vnd"),
        ({"type": OrderType.MP}, "limit_price_vnd"),
        ({"created_at": datetime(2025, 6, 2, 10)}, "created_at"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_its_field(changes, field):
    with pytest.raises(OrderError) as caught:
        msgspec.structs.replace(order(), **changes)
    assert caught.value.field == field


@pytest.mark.parametrize("status", list(OrderStatus))
def test_orders_and_events_survive_json(status):
    one = an_order_in(status)
    assert msgspec.json.decode(msgspec.json.encode(one), type=Order) == one
    events = [make(1) for make in EVENTS.values()]
    assert msgspec.json.decode(msgspec.json.encode(events), type=list[OrderEvent]) == events


def test_one_decision_has_one_order_id():
    ids = {
        order_id("FPT", Side.BUY, at("10:00"), "verdict-1"),
        order_id("FPT", Side.BUY, at("10:00"), "verdict-1"),
        order_id("FPT", Side.BUY, at("10:00"), "verdict-2"),
        order_id("FPT", Side.SELL, at("10:00"), "verdict-1"),
    }
    assert len(ids) == 3
    assert all(name.startswith("20250602-100000-FPT-") for name in ids)


def test_shares_split_into_board_lots_and_an_odd_lot():
    assert split_into_lots(1_234) == (1_200, 34)
    assert split_into_lots(55, Exchange.HNX) == (0, 55)
    assert split_into_lots(1_234, on=at("10:00", "2020-06-02").date()) == (1_230, 4)
