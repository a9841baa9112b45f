from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trading.conftest import at
from vnquant.errors import ParameterError
from vnquant.market import Exchange, is_on_tick, tick_size
from vnquant.trading import Costs, Side, Slippage

COSTS = Costs()


def test_a_purchase_pays_commission_and_a_sale_tax_as_well():
    assert COSTS.of_fill(Side.BUY, 50_000_000) == (75_000, 0)
    assert COSTS.of_fill(Side.SELL, 50_000_000) == (75_000, 50_000)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20), st.sampled_from(Side))
def test_an_order_in_parts_pays_what_it_would_pay_in_one(values, side):
    before, fees, taxes = 0, 0, 0
    for value in values:
        fee, tax = COSTS.of_fill(side, value, filled_before_vnd=before)
        before, fees, taxes = before + value, fees + fee, taxes + tax
        assert fee >= 0
        assert tax >= 0
    assert (fees, taxes) == COSTS.of_fill(side, before)
    assert abs(fees - Fraction(before * 15, 10_000)) <= Fraction(1, 2)


TEN, ONE_PAST_TEN = at("10:00"), at("10:01")
USUAL = Slippage()


def slipped(price, side, name, when=TEN, exchange=Exchange.HOSE, rule=USUAL):
    return rule.price_vnd(price, side, client_order_id=name, at=when, exchange=exchange)


@given(
    st.integers(1_000, 300_000),
    st.sampled_from(Side),
    st.sampled_from(Exchange),
    st.text(min_size=1, max_size=8),
)
def test_a_slipped_price_is_on_a_tick_and_never_better_than_the_board(price, side, exchange, name):
    tick = tick_size(price, exchange)
    price -= price % tick
    after = slipped(price, side, name, exchange=exchange)
    assert is_on_tick(after, exchange)
    worse = (after - price) * side.sign
    assert 0 <= worse <= price * 0.003 + 2 * tick_size(price * 1.01, exchange)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("price", [9_000, 30_000, 120_000])
def test_mean_slippage_is_20_bps_whatever_the_tick(side, price):
    draws = [(slipped(price, side, f"order-{n}") - price) * side.sign / price for n in range(20_000)]
    # A draw deviates by half a tick at most, 50 of 30,000 VND; the mean of 20,000 is within 1 bp.
    assert sum(draws) / len(draws) == pytest.approx(0.002, abs=0.0001)


def test_slippage_hangs_on_the_order_the_time_and_the_seed_alone():
    first = [slipped(120_000, Side.BUY, f"order-{n}") for n in range(50)]
    again = [slipped(120_000, Side.BUY, f"order-{n}") for n in reversed(range(50))]
    assert first == again[::-1]
    assert first != [slipped(120_000, Side.BUY, f"order-{n}", ONE_PAST_TEN) for n in range(50)]
    assert first != [slipped(120_000, Side.BUY, f"order-{n}", rule=Slippage(seed=1)) for n in range(50)]


def test_without_slippage_the_price_is_the_boards():
    assert slipped(120_000, Side.SELL, "order-1", rule=Slippage.none()) == 120_000


def test_rates_out_of_bounds_are_refused():
    with pytest.raises(ParameterError, match="commission_bps"):
        Costs(commission_bps=-1)
    with pytest.raises(ParameterError, match="low <= high"):
        Slippage(low_bps=30, high_bps=10)
