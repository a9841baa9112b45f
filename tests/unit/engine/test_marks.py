"""What a close says of the next reference price, on each exchange."""

from datetime import date, datetime

import pytest

from vnquant.engine.marks import Closing, Doubt, closing_of, expected_reference_vnd, is_explained, is_of
from vnquant.market import CashDividend, Exchange, Quote, ShareSplit
from vnquant.runtime import ICT

MONDAY, TUESDAY = date(2025, 6, 2), date(2025, 6, 3)


def quote(**changes) -> Quote:
    shown = {
        "symbol": "FPT",
        "as_of": datetime(2025, 6, 2, 15, 1, tzinfo=ICT),
        "reference_price": 50_000.0,
        "ceiling_price": 53_500.0,
        "floor_price": 46_500.0,
        "last_price": 51_000.0,
        "total_volume": 1_000_000.0,
        "average_price": 50_640.0,
    }
    return Quote(**(shown | changes))


def dividend(ex_date: date = TUESDAY, per_share_vnd: int = 1_000) -> CashDividend:
    return CashDividend(
        action_id=f"d {ex_date}",
        symbol="FPT",
        ex_date=ex_date,
        per_share_vnd=per_share_vnd,
        payable_on=date(2025, 7, 1),
    )


@pytest.mark.parametrize(
    ("exchange", "changes", "base"),
    [
        (Exchange.HOSE, {}, 51_000),
        (Exchange.HNX, {}, 51_000),
        (Exchange.UPCOM, {}, 50_640),
        (Exchange.UPCOM, {"average_price": None}, None),
        (Exchange.HOSE, {"last_price": None, "total_volume": 0.0, "average_price": None}, 50_000),
        (Exchange.UPCOM, {"last_price": None, "total_volume": 0.0, "average_price": None}, 50_000),
    ],
)
def test_the_next_reference_starts_from_the_close_or_the_average_of_upcom(exchange, changes, base):
    closing = closing_of(quote(**changes), MONDAY, exchange)
    assert closing.base_vnd == base
    assert expected_reference_vnd(closing, ()) == base


def test_what_a_company_did_after_that_session_is_taken_out_in_order():
    split = ShareSplit(action_id="s", symbol="FPT", ex_date=TUESDAY, held=1, become=2)
    closing = closing_of(quote(), MONDAY, Exchange.HOSE)
    assert expected_reference_vnd(closing, (dividend(), split)) == 25_000
    assert expected_reference_vnd(closing, (dividend(MONDAY),)) == 51_000


@pytest.mark.parametrize(
    ("exchange", "reference", "expected", "acted", "explained"),
    [
        (Exchange.HOSE, 51_000, 51_000, False, True),
        (Exchange.HOSE, 50_900, 51_000, False, False),  # a tick less: something went ex
        (Exchange.HOSE, 50_900, 50_850, True, True),  # what is left is rounded to a tick
        (Exchange.HOSE, 50_700, 50_850, True, False),
        (Exchange.HNX, 20_000, 20_050, True, True),
        (Exchange.UPCOM, 20_100, 20_050, False, True),  # an average is rounded to a tick
        (Exchange.UPCOM, 20_000, 20_160, False, False),
        (Exchange.UPCOM, 20_000, 20_160, True, True),
        (Exchange.UPCOM, 20_000, 20_260, True, False),
    ],
)
def test_how_far_a_reference_may_be_from_what_follows(exchange, reference, expected, acted, explained):
    assert is_explained(reference, expected, exchange, acted=acted) is explained


def test_a_board_that_has_not_turned_is_known_by_its_reference_close_and_volume():
    closing = closing_of(quote(), MONDAY, Exchange.HOSE)
    assert is_of(quote(), closing)
    assert is_of(quote(total_volume=1_000_500.0), closing)  # a match that came late
    assert not is_of(quote(reference_price=51_000.0), closing)
    assert not is_of(quote(total_volume=500.0), closing)
    assert not is_of(quote(last_price=None, total_volume=0.0), closing)


def test_a_close_is_firm_when_two_looks_have_shown_it():
    first = closing_of(quote(), MONDAY, Exchange.HOSE)
    late = quote(total_volume=1_000_500.0)
    assert not first.is_firm
    assert closing_of(late, MONDAY, Exchange.HOSE, first).is_firm
    assert not closing_of(quote(last_price=51_100.0), MONDAY, Exchange.HOSE, first).is_firm
    assert not closing_of(late, TUESDAY, Exchange.HOSE, first).is_firm


def test_a_doubt_is_lived_when_more_trades_under_the_same_reference():
    doubt = Doubt.of(quote())
    assert not doubt.is_lived(quote())
    assert doubt.is_lived(quote(total_volume=1_000_100.0))
    assert not doubt.is_lived(quote(total_volume=1_000_100.0, reference_price=50_100.0))


def test_a_closing_of_whole_numbers_is_the_one_that_is_read_back():
    whole = closing_of(quote(last_price=51_000, reference_price=50_000), MONDAY, Exchange.HOSE)
    assert isinstance(whole, Closing)
    assert [type(value) for value in (whole.close_vnd, whole.base_vnd, whole.reference_vnd)] == [float] * 3
