"""Tick sizes and rounding, checked by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from vnquant.errors import InputError
from vnquant.market import Exchange, is_on_tick, round_to_tick, round_to_ticks, tick_size, tick_sizes
from vnquant.market.ticks import TICK_RULES, exchange_codes

BEFORE_2016 = date(2016, 9, 9)


@pytest.mark.parametrize(
    ("price", "tick"), [(1, 10), (9_990, 10), (10_000, 50), (49_950, 50), (50_000, 100), (2_000_000, 100)]
)
def test_hose_ladder_since_september_2016(price: int, tick: int) -> None:
    assert tick_size(price, Exchange.HOSE, on=date(2016, 9, 12)) == tick
    assert tick_size(price) == tick


@pytest.mark.parametrize(
    ("price", "tick"), [(9_900, 100), (49_900, 100), (50_000, 500), (99_500, 500), (100_000, 1_000)]
)
def test_hose_ladder_before_september_2016(price: int, tick: int) -> None:
    assert tick_size(price, on=BEFORE_2016) == tick


@pytest.mark.parametrize("exchange", [Exchange.HNX, Exchange.UPCOM])
@pytest.mark.parametrize("price", [300, 10_000, 75_000])
def test_hanoi_boards_always_step_by_100(exchange: Exchange, price: int) -> None:
    assert tick_size(price, exchange) == tick_size(price, exchange, on=BEFORE_2016) == 100


def test_etfs_and_warrants_on_hose_step_by_10() -> None:
    assert tick_size(25_000, security="etf") == tick_size(1_200, security="warrant") == 10
    assert tick_size(25_000, security="etf", on=BEFORE_2016) == 10


def test_rounding_directions() -> None:
    assert round_to_tick(10_074, direction="down") == 10_050
    assert round_to_tick(10_074, direction="up") == 10_100
    assert round_to_tick(10_074) == 10_050
    assert round_to_tick(10_075) == 10_100


def test_rounding_up_across_a_rung_lands_on_the_next_ladder() -> None:
    assert round_to_tick(9_999, direction="up") == 10_000
    assert round_to_tick(49_951, direction="up") == 50_000


def test_rounding_never_gives_a_price_of_zero() -> None:
    assert round_to_tick(3, direction="down") == 10
    assert round_to_ticks([3.0], Exchange.HNX, "down")[0] == 100


def test_on_tick() -> None:
    assert is_on_tick(67_400)
    assert not is_on_tick(67_450)
    assert not is_on_tick(67_400.5)
    assert is_on_tick(49_950)
    assert not is_on_tick(49_950, on=BEFORE_2016)


def test_array_follows_exchange_and_session_of_each_element() -> None:
    days = np.array(["2016-09-09", "2016-09-12"], dtype="datetime64[D]")
    got = tick_sizes([[60_000.0, 60_000.0], [9_000.0, 9_000.0]], [["HOSE"], ["HNX"]], on=days)
    assert got.tolist() == [[500.0, 100.0], [100.0, 100.0]]


def test_array_keeps_missing_prices_missing() -> None:
    assert np.isnan(tick_sizes([np.nan, 0.0, -5.0])).all()
    assert np.isnan(round_to_ticks([np.nan])[0])


def test_exchange_codes_accept_names_enums_and_codes() -> None:
    assert exchange_codes(["HNX", Exchange.UPCOM]).tolist() == [1, 2]
    assert exchange_codes(np.array([2, 0])).tolist() == [2, 0]
    assert exchange_codes("HOSE").shape == ()


def test_every_rule_names_its_source() -> None:
    assert all(rule.source and len(rule.ticks) == len(rule.bounds) + 1 for rule in TICK_RULES)


@pytest.mark.parametrize("price", [0, -1, float("nan")])
def test_a_price_without_a_tick_size_is_refused(price: float) -> None:
    with pytest.raises(InputError, match="positive"):
        tick_size(price)


def test_unknown_direction_and_security_are_refused() -> None:
    with pytest.raises(InputError, match="direction"):
        round_to_tick(100, direction="sideways")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="direction"):
        round_to_ticks([100.0], direction="sideways")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="UPCOM has no tick rule"):
        tick_size(10_000, Exchange.UPCOM, security="etf")
