import pytest

from tests.unit.trading.conftest import CEILING, FLOOR, at, fill, order, quote
from vnquant.market import Exchange, default_calendar, volume_curve
from vnquant.trading import (
    OrderAccepted,
    OrderExpired,
    OrderFilled,
    OrderRestated,
    OrderType,
    PaperConfig,
    Side,
    Slippage,
    apply,
    apply_all,
)
from vnquant.trading.matching import match

EXACT = PaperConfig(slippage=Slippage.none())


def resting(intent, volume=1_000_000, when=None):
    event = OrderAccepted(
        client_order_id=intent.client_order_id,
        sequence=1,
        at=intent.created_at if when is None else when,
        market_volume=volume,
        block_price_vnd=CEILING,
    )
    return apply(intent, event)


def matched(one, shown, now=None, exchange=Exchange.HOSE, config=EXACT, earlier=()):
    when = at("10:00") if now is None else now
    return match(
        one,
        shown,
        when,
        exchange=exchange,
        calendar=default_calendar(exchange),
        config=config,
        earlier=earlier,
    )


def test_an_order_that_crosses_fills_at_the_boards_price_not_at_its_limit():
    (event,) = matched(resting(order()), quote())
    assert (event.fill.quantity, event.fill.price_vnd, event.fill.fee_vnd) == (500, 100_000, 75_000)


def test_a_sale_hits_the_bid_and_pays_tax():
    (event,) = matched(resting(order(Side.SELL, limit=99_500)), quote())
    assert (event.fill.price_vnd, event.fill.fee_vnd, event.fill.tax_vnd) == (99_900, 74_925, 49_950)


def test_an_order_that_does_not_cross_waits():
    assert matched(resting(order(limit=99_900)), quote()) == ()
    assert matched(resting(order(Side.SELL, limit=100_000)), quote()) == ()


def test_a_share_locked_at_its_ceiling_fills_no_buys_and_one_at_its_floor_no_sales():
    locked_up = quote(last=CEILING, asks=(), bids=((CEILING, 900_000.0),))
    locked_down = quote(last=FLOOR, bids=(), asks=((FLOOR, 900_000.0),))
    assert matched(resting(order(limit=CEILING)), locked_up) == ()
    assert matched(resting(order(Side.SELL, limit=FLOOR)), locked_down) == ()
    (event,) = matched(resting(order(Side.SELL, limit=FLOOR)), locked_up)
    assert event.fill.price_vnd == CEILING


def test_no_more_than_the_participation_share_of_what_stands_there():
    thin = quote(asks=((100_000.0, 1_000.0), (100_500.0, 600.0), (100_600.0, 9_000.0), (None, 9_000.0)))
    (event,) = matched(resting(order()), thin)
    assert event.fill.quantity == 300  # 20 % of the 1,600 within the limit, in lots


def test_asking_again_gives_more_only_as_the_market_trades():
    one = resting(order(quantity=1_000))
    thin = quote(asks=((100_000.0, 1_000.0),))
    (event,) = matched(one, thin)
    assert event.fill.quantity == 200
    one, earlier = apply(one, event), [event.fill]
    assert matched(one, thin, earlier=earlier) == ()
    later = quote(at("10:01"), asks=((100_000.0, 1_000.0),), volume=1_002_000.0)
    (event,) = matched(one, later, at("10:01"), earlier=earlier)
    assert event.fill.quantity == 400  # 20 % of (1,000 + 2,000), less the 200 it has


def test_two_orders_of_ours_share_one_board():
    thin = quote(asks=((100_000.0, 1_000.0),), volume=1_100_000.0)
    first, second = (resting(order(quantity=900, name=f"order-{n}")) for n in (1, 2))
    (event,) = matched(first, thin)
    assert event.fill.quantity == 900
    (rest,) = matched(second, thin, earlier=[event.fill])
    assert rest.fill.quantity == 100


def test_slippage_never_goes_beyond_the_limit_or_the_band():
    for name in map(str, range(200)):
        (event,) = matched(resting(order(limit=100_100, name=name)), quote(), config=PaperConfig())
        assert event.fill.price_vnd in (100_000, 100_100)
        assert event.fill.quoted_price_vnd == 100_000
        near = quote(asks=((106_900.0, 5_000.0),))
        filled = matched(resting(order(kind=OrderType.MP, name=name)), near, config=PaperConfig())[0]
        assert filled.fill.price_vnd in (106_900, CEILING)
        near = quote(bids=((93_100.0, 5_000.0),))
        sale = resting(order(Side.SELL, kind=OrderType.MP, name=name))
        assert matched(sale, near, config=PaperConfig())[0].fill.price_vnd in (93_100, FLOOR)


@pytest.mark.parametrize("clock", ["08:45", "09:05", "11:45", "14:35"])
def test_nothing_fills_before_the_open_at_lunch_or_while_an_auction_collects(clock):
    assert matched(resting(order(), when=at("08:40")), quote(at(clock)), at(clock)) == ()


def test_an_old_quote_or_one_of_another_phase_fills_nothing():
    one = resting(order())
    assert matched(one, None) == ()
    assert matched(one, quote(at("09:54")), at("10:00")) == ()
    assert matched(one, quote(at("14:44:59")), at("14:45:30")) == ()


def test_the_rest_of_a_market_order_becomes_a_limit_order_one_tick_on():
    thin = quote(asks=((100_000.0, 1_000.0),))
    filled, restated = matched(resting(order(kind=OrderType.MP)), thin)
    assert isinstance(filled, OrderFilled)
    assert isinstance(restated, OrderRestated)
    assert (filled.fill.quantity, restated.limit_price_vnd, restated.sequence) == (200, 100_100, 3)
    (only,) = matched(resting(order(Side.SELL, kind=OrderType.MP)), quote(bids=((FLOOR, 100.0),)))
    assert only.limit_price_vnd == FLOOR


def test_an_opening_order_fills_at_the_open_and_its_rest_falls_away():
    one = resting(order(kind=OrderType.ATO, quantity=9_000), volume=0, when=at("08:45"))
    shown = quote(at("09:15"), opened=101_000.0, last=102_000.0, volume=30_000.0)
    filled, expired = matched(one, shown, at("09:15"))
    assert (filled.fill.price_vnd, filled.fill.quantity) == (101_000, 6_000)  # 20 % of 30,000
    assert isinstance(expired, OrderExpired)


def test_a_closing_order_waits_for_the_close_and_fills_at_its_price():
    one = resting(order(kind=OrderType.ATC, quantity=100_000))
    assert matched(one, quote()) == ()
    shown = quote(at("14:46"), last=103_000.0, volume=2_000_000.0)
    filled, expired = matched(one, shown, at("14:46"), config=PaperConfig())
    usual = int(volume_curve(Exchange.HOSE).shares[-1] * 2_000_000)
    assert filled.fill.price_vnd == filled.fill.quoted_price_vnd == 103_000
    assert filled.fill.quantity == usual // 5 // 100 * 100
    assert "only a part" in expired.reason


@pytest.mark.parametrize(("limit", "fills"), [(103_000, True), (102_900, False)])
def test_a_limit_order_left_over_takes_part_in_the_closing_auction(limit, fills):
    one = resting(order(limit=limit))
    last = matched(one, quote(at("14:46"), last=103_000.0), at("14:46"))
    assert isinstance(last[0], OrderFilled if fills else OrderExpired)


def test_an_auction_at_the_ceiling_without_sellers_gives_no_shares():
    one = resting(order(kind=OrderType.ATC))
    (event,) = matched(one, quote(at("14:46"), last=CEILING, asks=()), at("14:46"))
    assert isinstance(event, OrderExpired)
    (event,) = matched(one, quote(at("14:46"), last=CEILING), at("14:46"))
    assert isinstance(event, OrderFilled)


def test_an_opening_order_waits_for_a_board_that_shows_the_open_and_ends_with_the_session():
    one = resting(order(kind=OrderType.ATO), when=at("08:45"))
    assert matched(one, quote(at("09:15"), opened=None, last=None), at("09:15")) == ()
    (event,) = matched(one, quote(at("14:46"), opened=None, last=None), at("14:46"))
    assert "found no price" in event.reason


def test_a_board_read_right_at_the_close_may_not_have_the_closing_price_yet():
    one = resting(order(kind=OrderType.ATC))
    assert matched(one, quote(at("14:45:09")), at("14:45:09")) == ()
    (event,) = matched(one, quote(at("14:45:10")), at("14:45:10"))
    assert isinstance(event, OrderFilled)


def test_on_upcom_trading_goes_on_to_the_close_and_then_orders_end():
    one = resting(order(symbol="ACV"))
    shown = quote(at("14:50"), symbol="ACV")
    (event,) = matched(one, shown, at("14:50"), Exchange.UPCOM)
    assert isinstance(event, OrderFilled)
    (event,) = matched(one, quote(at("15:00"), symbol="ACV"), at("15:00"), Exchange.UPCOM)
    assert isinstance(event, OrderExpired)


def test_an_order_of_yesterday_expires_whatever_the_board_says():
    (event,) = matched(resting(order()), quote(at("10:00", "2025-06-03")), at("10:00", "2025-06-03"))
    assert "2025-06-02 is over" in event.reason
    (event,) = matched(resting(order()), None, at("06:00", "2025-06-03"))
    assert isinstance(event, OrderExpired)


def test_an_odd_lot_fills_whole_or_not_at_all_and_stays_out_of_the_auction():
    one = resting(order(Side.SELL, 50, 99_000))
    (event,) = matched(one, quote())
    assert event.fill.quantity == 50
    assert matched(one, quote(bids=((99_900.0, 200.0),))) == ()  # 20 % of 200 is 40
    (event,) = matched(one, quote(at("14:46")), at("14:46"))
    assert isinstance(event, OrderExpired)


def test_fees_of_an_order_in_parts_are_those_of_the_whole():
    one, earlier = resting(order(quantity=300, limit=10_330), volume=0), []
    band = (10_000, 10_700, 9_300)
    for minute in (1, 2, 3):
        shown = quote(
            at(f"10:0{minute}"), asks=((10_330.0, 500.0),), volume=float(500 * (minute - 1)), band=band
        )
        (event,) = matched(one, shown, at(f"10:0{minute}"), earlier=earlier)
        one = apply_all(one, [event])
        earlier.append(event.fill)
    assert [f.quantity for f in earlier] == [100, 100, 100]
    assert sum(f.fee_vnd for f in earlier) == one.fee_vnd == (300 * 10_330 * 15 + 5_000) // 10_000


def test_earlier_fills_of_the_closing_auction_count_against_its_volume():
    one = resting(order(kind=OrderType.ATC, quantity=500))
    usual = int(volume_curve(Exchange.HOSE).shares[-1] * 100_000) // 5
    took = fill(quantity=usual // 100 * 100, when=at("14:46"))
    (event,) = matched(one, quote(at("14:46"), volume=100_000.0), at("14:46"), earlier=[took])
    assert isinstance(event, OrderExpired)
