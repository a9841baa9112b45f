"""Generated prices are valid for any seed and any planted strengths."""

from datetime import date, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vnquant.market import exchange_codes, price_limits_array, tick_sizes
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.planted import Planted

seeds = st.integers(min_value=-(2**70), max_value=2**70)
strengths = st.floats(min_value=0.0, max_value=0.5)


def assert_valid(market: SimulatedMarket, end: date) -> None:
    days = market.daily(end)
    codes = exchange_codes(np.array(market.universe.exchanges(market.symbols), dtype=object))
    for name in ("open", "high", "low", "close", "reference"):
        prices = getattr(days, name)
        assert np.isfinite(prices).all(), name
        assert (prices % tick_sizes(prices, codes) == 0).all(), name
        assert (prices >= days.floor).all(), name
        assert (prices <= days.ceiling).all(), name
    ceiling, floor = price_limits_array(days.reference, codes)
    np.testing.assert_array_equal(days.ceiling, ceiling)
    np.testing.assert_array_equal(days.floor, floor)
    assert (days.high >= np.maximum(days.open, days.close)).all()
    assert (days.low <= np.minimum(days.open, days.close)).all()
    assert ((days.average >= days.low) & (days.average <= days.high)).all()
    assert (days.volume >= 100).all()
    assert (days.volume % 100 == 0).all()
    assert (days.foreign_buy <= days.volume).all()
    assert (days.foreign_sell <= days.volume).all()
    assert (days.foreign_room >= 0).all()


@settings(max_examples=12, deadline=None)
@given(seed=seeds)
def test_prices_are_on_tick_inside_the_band_and_in_lots_for_any_seed(seed):
    assert_valid(SimulatedMarket(seed), date(2019, 12, 31))


@settings(max_examples=8, deadline=None)
@given(seed=seeds, momentum=strengths, reversal=strengths, news_drift=strengths, low_volatility=strengths)
def test_prices_stay_valid_for_any_strengths(seed, momentum, reversal, news_drift, low_volatility):
    planted = Planted(
        momentum=momentum, reversal=reversal, news_drift=news_drift, low_volatility=low_volatility
    )
    assert_valid(SimulatedMarket(seed, planted), date(2018, 12, 28))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), row=st.integers(1, 200), minute=st.integers(8 * 60, 16 * 60))
def test_what_is_seen_lies_within_the_days_bar(seed, row, minute):
    market = SimulatedMarket(seed)
    days = market.daily(date(2018, 12, 28))
    day = days.sessions[row].item()
    panel = market.panel_at(datetime(day.year, day.month, day.day, minute // 60, minute % 60))
    if panel.timestamps[-1] != np.datetime64(day, "s"):
        return
    seen = np.isfinite(panel.close[-1])
    assert (panel.high[-1] <= days.high[row])[seen].all()
    assert (panel.low[-1] >= days.low[row])[seen].all()
    assert (panel.volume[-1] <= days.volume[row])[seen].all()
    assert (panel.open[-1] == days.open[row])[seen].all()
