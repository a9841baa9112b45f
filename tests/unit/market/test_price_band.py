"""Ceilings and floors, against values seen on real boards and worked by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from vnquant.errors import InputError
from vnquant.market import Exchange, band_pct, price_limits, price_limits_array, reference_price
from vnquant.market.price_band import BAND_RULES


@pytest.mark.parametrize(
    ("reference", "exchange", "ceiling", "floor"),
    [
        (67_400, Exchange.HOSE, 72_100, 62_700),  # AST, as a board record shows it
        (38_200, Exchange.HOSE, 40_850, 35_550),  # BID, as a board record shows it
        (9_500, Exchange.HOSE, 10_150, 8_840),  # the ceiling stands on the next ladder
        (10_200, Exchange.HOSE, 10_900, 9_490),  # the floor stands on the ladder below
        (15_000, Exchange.HNX, 16_500, 13_500),
        (15_300, Exchange.HNX, 16_800, 13_800),
        (7_700, Exchange.UPCOM, 8_800, 6_600),
    ],
)
def test_ceiling_is_rounded_down_and_floor_up(
    reference: int, exchange: Exchange, ceiling: int, floor: int
) -> None:
    limits = price_limits(reference, exchange)
    assert (limits.reference, limits.ceiling, limits.floor) == (reference, ceiling, floor)


def test_first_day_bands_are_20_30_and_40_percent() -> None:
    assert price_limits(20_000, Exchange.HOSE, first_day=True).ceiling == 24_000
    assert price_limits(20_000, Exchange.HNX, first_day=True).floor == 14_000
    assert price_limits(20_000, Exchange.UPCOM, first_day=True).ceiling == 28_000


def test_a_tiny_price_may_always_move_by_one_tick() -> None:
    low = price_limits(400, Exchange.UPCOM)
    assert (low.ceiling, low.floor) == (500, 300)
    assert price_limits(800, Exchange.HNX).ceiling == 900


def test_the_floor_never_falls_below_one_tick() -> None:
    assert price_limits(100, Exchange.HNX).floor == 100
    assert price_limits(10, Exchange.HOSE).floor == 10


def test_upcom_widened_from_10_to_15_percent_in_july_2015() -> None:
    assert band_pct(Exchange.UPCOM, on=date(2015, 6, 30)) == 10
    assert band_pct(Exchange.UPCOM, on=date(2015, 7, 1)) == 15


def test_hose_and_hnx_widened_in_january_2013() -> None:
    assert band_pct("HOSE", on=date(2013, 1, 14)) == 5
    assert band_pct("HNX", on=date(2013, 1, 15)) == 10


def test_limits_of_an_old_session_use_its_ladder() -> None:
    old = price_limits(67_000, on=date(2016, 3, 1))
    assert (old.ceiling, old.floor) == (71_500, 62_500)


def test_array_agrees_with_hand_values_and_keeps_missing_missing() -> None:
    ceiling, floor = price_limits_array(
        [67_400.0, 9_500.0, np.nan, 15_300.0],
        ["HOSE", "HOSE", "HOSE", "HNX"],
        first_day=[False, False, False, True],
    )
    np.testing.assert_array_equal(ceiling, [72_100, 10_150, np.nan, 19_800])
    np.testing.assert_array_equal(floor, [62_700, 8_840, np.nan, 10_800])


def test_array_follows_the_session() -> None:
    days = np.array(["2015-06-30", "2015-07-01"], dtype="datetime64[D]")
    ceiling, _ = price_limits_array([10_000.0, 10_000.0], Exchange.UPCOM, on=days)
    assert ceiling.tolist() == [11_000, 11_500]


def test_contains_and_clip() -> None:
    limits = price_limits(67_400)
    assert limits.contains(72_100)
    assert not limits.contains(72_200)
    assert limits.clip(80_000) == 72_100
    assert limits.clip(1_000) == 62_700


def test_references_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1 VND"):
        price_limits(0.2)
    with pytest.raises(InputError, match="at least 1 VND"):
        price_limits(float("nan"))
    with pytest.raises(InputError, match="underlying"):
        price_limits(1_000, security="warrant")


def test_every_rule_names_its_source() -> None:
    assert all(rule.source for rule in BAND_RULES)


def test_reference_is_the_close_on_hose_and_hnx_and_the_average_on_upcom() -> None:
    assert reference_price(67_400, Exchange.HOSE, previous_average_vnd=66_950) == 67_400
    assert reference_price(15_300, Exchange.HNX, previous_average_vnd=15_000) == 15_300
    assert reference_price(10_000, Exchange.UPCOM, previous_average_vnd=10_640) == 10_600
    assert reference_price(10_000, Exchange.UPCOM) == 10_000


def test_reference_on_an_ex_date_leaves_holders_neither_richer_nor_poorer() -> None:
    assert reference_price(50_000, cash_dividend_vnd=2_000) == 48_000
    assert reference_price(60_000, bonus_ratio=0.2) == 50_000
    # Two rights for each share at 10,000: (40,000 + 2 x 10,000) / 3.
    assert reference_price(40_000, rights_ratio=2, rights_price_vnd=10_000) == 20_000


def test_reference_is_rounded_to_a_tick() -> None:
    assert reference_price(50_000, bonus_ratio=0.15) == 43_500
    assert reference_price(50_000, Exchange.HNX, bonus_ratio=0.15) == 43_500
    assert reference_price(43_100, bonus_ratio=0.15) == 37_500


def test_a_dividend_above_the_price_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 VND"):
        reference_price(1_000, cash_dividend_vnd=2_000)
