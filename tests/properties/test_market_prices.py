"""Properties of ticks and price bands: prices on the grid, bands that open, arrays equal to scalars."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vnquant.market import (
    Exchange,
    band_pct,
    is_on_tick,
    price_limits,
    price_limits_array,
    round_to_tick,
    round_to_ticks,
    tick_size,
    tick_sizes,
)

exchanges = st.sampled_from(list(Exchange))
prices = st.integers(min_value=1, max_value=5_000_000)
sessions = st.dates(min_value=date(2012, 1, 1), max_value=date(2030, 12, 31))
directions = st.sampled_from(["nearest", "down", "up"])


@given(prices, exchanges, directions, sessions)
def test_rounded_prices_are_on_tick_and_within_one_tick(price, exchange, direction, on) -> None:
    rounded = round_to_tick(price, exchange, direction, on=on)
    tick = tick_size(price, exchange, on=on)
    assert is_on_tick(rounded, exchange, on=on)
    assert rounded >= tick
    assert abs(rounded - price) <= tick / (2 if direction == "nearest" and price >= tick else 1)
    if direction == "down" and price >= tick:
        assert rounded <= price
    if direction == "up":
        assert rounded >= price


@given(prices, exchanges, directions)
def test_rounding_twice_is_rounding_once(price, exchange, direction) -> None:
    once = round_to_tick(price, exchange, direction)
    assert round_to_tick(once, exchange, direction) == once


@given(prices, prices, exchanges, directions)
def test_rounding_keeps_order(one, other, exchange, direction) -> None:
    low, high = sorted((one, other))
    assert round_to_tick(low, exchange, direction) <= round_to_tick(high, exchange, direction)


@given(prices, exchanges, st.booleans(), sessions)
def test_band_holds_its_reference_and_opens_by_a_tick_at_least(price, exchange, first_day, on) -> None:
    reference = round_to_tick(price, exchange, on=on)
    limits = price_limits(reference, exchange, first_day=first_day, on=on)
    assert limits.floor <= reference < limits.ceiling
    assert limits.floor < reference or reference == tick_size(reference, exchange, on=on)
    assert is_on_tick(limits.ceiling, exchange, on=on)
    assert is_on_tick(limits.floor, exchange, on=on)


@given(prices, exchanges, st.booleans(), sessions)
def test_band_is_the_widest_on_tick_inside_the_limit(price, exchange, first_day, on) -> None:
    reference = round_to_tick(price, exchange, on=on)
    limits = price_limits(reference, exchange, first_day=first_day, on=on)
    pct = band_pct(exchange, first_day=first_day, on=on)
    one_up = round_to_tick(reference + 1, exchange, "up", on=on)
    above = round_to_tick(limits.ceiling + 1, exchange, "up", on=on)
    assert limits.ceiling * 100 <= reference * (100 + pct) or limits.ceiling == one_up
    assert above * 100 > reference * (100 + pct)
    one_down = round_to_tick(max(reference - 1, 1), exchange, "down", on=on)
    below = round_to_tick(max(limits.floor - 1, 1), exchange, "down", on=on)
    assert limits.floor * 100 >= reference * (100 - pct) or limits.floor == one_down
    assert below * 100 < reference * (100 - pct) or below == limits.floor


@given(st.lists(st.tuples(prices, exchanges, st.booleans(), sessions), min_size=1, max_size=20), directions)
def test_arrays_agree_with_scalars(rows, direction) -> None:
    values, boards, firsts, on = (list(column) for column in zip(*rows, strict=True))
    days = np.array(on, dtype="datetime64[D]")
    ticks = tick_sizes(values, boards, on=days)
    rounded = round_to_ticks(values, boards, direction, on=days)
    ceiling, floor = price_limits_array(values, boards, first_day=firsts, on=days)
    for i, (value, board, first, day) in enumerate(rows):
        limits = price_limits(value, board, first_day=first, on=day)
        assert ticks[i] == tick_size(value, board, on=day)
        assert rounded[i] == round_to_tick(value, board, direction, on=day)
        assert (ceiling[i], floor[i]) == (limits.ceiling, limits.floor)


@given(st.lists(prices, min_size=1, max_size=20), exchanges)
def test_arrays_without_a_session_use_todays_rules(values, exchange) -> None:
    assert tick_sizes(values, exchange).tolist() == [tick_size(v, exchange) for v in values]
    ceiling, _ = price_limits_array(values, exchange)
    assert ceiling.tolist() == [price_limits(v, exchange).ceiling for v in values]
