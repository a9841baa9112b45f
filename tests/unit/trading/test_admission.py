import pytest

from tests.unit.trading.conftest import at, order, quote
from vnquant.market import Exchange, default_calendar
from vnquant.trading import Costs, OrderType, Side
from vnquant.trading.admission import refusal


def why(intent, shown=None, when=None, exchange=Exchange.HOSE, **account):
    now = at("10:00") if when is None else when
    free = {"buying_power_vnd": 100_000_000, "sellable": 1_000} | account
    return refusal(
        intent,
        quote(now) if shown is None else shown,
        now,
        exchange=exchange,
        calendar=default_calendar(exchange),
        costs=Costs(),
        max_quote_age_s=300,
        **free,
    )


def test_a_plain_order_is_taken():
    assert why(order()) is None
    assert why(order(Side.SELL)) is None


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (
            107_100,
            "above today's ceiling 107,000 VND (reference 100,000, HOSE, tick 100); use at most 107,000",
        ),
        (92_900, "below today's floor 93,000 VND"),
        (100_050, "off the tick of 100 VND; use 100,000 or 100,100"),
    ],
)
def test_a_limit_off_the_band_or_the_tick_is_refused_with_what_would_do(limit, told):
    assert told in why(order(limit=limit))


@pytest.mark.parametrize("limit", [107_000, 93_000])
def test_the_ends_of_the_band_may_be_asked(limit):
    assert why(order(limit=limit)) is None


@pytest.mark.parametrize(
    ("kind", "clock", "exchange", "taken"),
    [
        (OrderType.LO, "08:30", Exchange.HOSE, True),
        (OrderType.LO, "08:29", Exchange.HOSE, False),
        (OrderType.LO, "11:45", Exchange.HOSE, True),
        (OrderType.LO, "14:40", Exchange.HOSE, True),
        (OrderType.LO, "14:45", Exchange.HOSE, False),
        (OrderType.LO, "14:50", Exchange.UPCOM, True),
        (OrderType.ATO, "09:14", Exchange.HOSE, True),
        (OrderType.ATO, "09:15", Exchange.HOSE, False),
        (OrderType.ATO, "08:45", Exchange.HNX, False),
        (OrderType.ATC, "10:00", Exchange.HNX, True),
        (OrderType.ATC, "10:00", Exchange.UPCOM, False),
        (OrderType.MP, "10:00", Exchange.HOSE, True),
        (OrderType.MP, "09:05", Exchange.HOSE, False),
        (OrderType.MP, "11:45", Exchange.HNX, False),
        (OrderType.MP, "10:00", Exchange.UPCOM, False),
    ],
)
def test_each_type_is_taken_in_its_phases_on_its_exchanges(kind, clock, exchange, taken):
    told = why(order(kind=kind), when=at(clock), exchange=exchange)
    assert (told is None) is taken, told


def test_a_closed_exchange_says_when_to_send_it_again():
    assert "2025-06-03 from 08:30" in why(order(), when=at("15:30"))
    assert "2025-06-02 from 08:30" in why(order(), when=at("06:00"))
    assert "2025-06-09 from 08:30" in why(order(), when=at("10:00", "2025-06-07"))


@pytest.mark.parametrize(
    ("quantity", "told"),
    [
        (550, "send 500 and, as an odd lot, 50"),
        (500_100, "more than HOSE takes in an order (500,000)"),
    ],
)
def test_quantities_off_the_lot_or_too_large_are_refused(quantity, told):
    assert told in why(order(quantity=quantity))


def test_an_odd_lot_trades_as_a_limit_order_outside_auctions_only():
    assert why(order(quantity=50)) is None
    assert "odd lot" in why(order(quantity=50, kind=OrderType.MP))
    assert "odd lot" in why(order(quantity=50), when=at("14:35"))


def test_a_purchase_needs_its_worst_price_and_commission_in_cash():
    assert why(order(), buying_power_vnd=500 * 100_500 + 75_375) is None
    assert "need 50,325,375 VND" in why(order(), buying_power_vnd=500 * 100_500 + 75_374)
    # A market order may fill as high as the ceiling.
    assert "107,000 VND need 53,580,250 VND" in why(order(kind=OrderType.MP), buying_power_vnd=53_580_249)


def test_a_sale_needs_free_settled_shares():
    assert "13:00 of T+2" in why(order(Side.SELL), sellable=400)


def test_a_market_order_needs_somebody_on_the_other_side():
    assert "nobody sells" in why(order(kind=OrderType.MP), quote(asks=()))
    assert "nobody buys" in why(order(Side.SELL, kind=OrderType.MP), quote(bids=()))


def test_without_todays_quote_there_is_no_band_and_no_order():
    for shown, told in (
        (quote(at("09:54:59")), "too old"),
        (quote(at("14:59", "2025-05-30")), "2025-05-30"),
    ):
        assert told in why(order(), shown)
    refused = refusal(
        order(),
        None,
        at("10:00"),
        exchange=Exchange.HOSE,
        calendar=default_calendar(Exchange.HOSE),
        buying_power_vnd=10**9,
        sellable=0,
        costs=Costs(),
        max_quote_age_s=300,
    )
    assert "shows no FPT" in refused
