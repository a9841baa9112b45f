"""Observations that agents share, and the cheap ways to them, give what the plain formulas give."""

import math

import numpy as np
import pytest

from tests.unit.agents.conftest import gappy_panel, random_panel
from vnquant.agents import BearAgent, RiskDoctorAgent, ScoutAgent
from vnquant.agents.bull import up_volume_share
from vnquant.agents.evidence import Bars, ramp
from vnquant.agents.scores import Said, in_words
from vnquant.features.forks import Forked, as_array, as_forked
from vnquant.features.indicators import ratio, rolling_max, rolling_mean, rolling_min, rolling_sum, shift, sma
from vnquant.market import BarPanel

PANELS = {"whole": random_panel(150), "gappy": gappy_panel(260)}


@pytest.fixture(params=PANELS.values(), ids=PANELS)
def bars(request: pytest.FixtureRequest) -> Bars:
    panel: BarPanel = request.param
    return Bars(panel)


def test_shared_windows_are_made_once(bars: Bars) -> None:
    np.testing.assert_array_equal(bars.average(20), sma(bars.close, 20))
    np.testing.assert_array_equal(bars.highest_before(5), shift(rolling_max(bars.high, 5)))
    np.testing.assert_array_equal(bars.lowest_before(20), shift(rolling_min(bars.low, 20)))
    assert bars.average(20) is bars.average(20)
    assert bars.average(20) is not bars.average(50)
    assert bars.highest_before(5) is bars.highest_before(5)
    assert bars.lowest_before(5) is not bars.lowest_before(20)


def test_a_ramp_is_clipped_as_numpy_clips() -> None:
    x = np.array([[-np.inf, -1.0, 0.2, 0.25], [0.3, 0.5, np.inf, np.nan]])
    plain = np.clip((x - 0.2) / (0.4 - 0.2), 0.0, 1.0)
    np.testing.assert_array_equal(ramp(x, 0.2, 0.4), plain)
    np.testing.assert_array_equal(np.signbit(ramp(x, 0.2, 0.4)), np.signbit(plain))


def test_a_ramp_of_a_forked_array_is_that_of_its_rows() -> None:
    history, last = np.linspace(0.0, 1.0, 12).reshape(4, 3), np.full((5, 3), 0.3)
    forked = as_forked(ramp(as_array(Forked.of(history, last)), 0.2, 0.4))
    assert forked is not None
    np.testing.assert_array_equal(forked.tail(4), ramp(history, 0.2, 0.4))
    np.testing.assert_array_equal(forked.last, ramp(last, 0.2, 0.4))


def test_volume_on_rising_days_is_a_share_of_that_on_days_that_moved(bars: Bars) -> None:
    move, volume = bars.moves, bars.volume
    unknown = np.isnan(move)
    moved = np.where(unknown, np.nan, np.where(move == 0.0, 0.0, volume))
    risen = np.where(unknown, np.nan, np.where(move > 0.0, volume, 0.0))
    for days in (20, 25):
        plain = ratio(rolling_sum(risen, days), rolling_sum(moved, days))
        np.testing.assert_array_equal(up_volume_share(bars, days), plain)


def test_days_are_counted_as_their_definitions_say(bars: Bars) -> None:
    move, doctor, bear = bars.moves, RiskDoctorAgent(), BearAgent()
    near = 0.93 * 0.07  # the narrowest band, that of HOSE
    locked = np.where(np.isnan(move), np.nan, (move <= -near) & (bars.close <= bars.low))
    hose = [bars.panel.symbols.index(symbol) for symbol in ("FPT", "VCB", "HPG")]
    np.testing.assert_array_equal(doctor._locked_down(bars)[:, hose], locked[:, hose])
    sold = ramp(-move, 0.001, 0.003) * ramp(ratio(bars.volume, shift(bars.volume)), 0.95, 1.05)
    days = bear.distribution_days
    plain = days * rolling_mean(sold, days)
    np.testing.assert_array_equal(bear._distribution(bars).values["count"], plain)


def test_too_few_symbols_are_no_market(bars: Bars) -> None:
    few, many = ScoutAgent(min_symbols=50), ScoutAgent(min_symbols=2)
    for observe in ("_strength", "_breadth"):
        silent, heard = getattr(few, observe)(bars), getattr(many, observe)(bars)
        assert np.isnan(silent.strength).all()
        assert np.isfinite(heard.strength[130]).any()
        assert silent.strength.shape == heard.strength.shape == bars.close.shape
        np.testing.assert_array_equal(silent.values["count"], heard.values["count"])


def said(amount: float, text: str, absent: str = "") -> Said:
    return (amount, absent, lambda: text)


def test_what_weighs_most_is_told_first_and_what_weighs_nothing_not_at_all() -> None:
    parts = [said(0.1, "small"), said(-0.4, "large"), said(0.004, "tiny"), said(math.nan, "no", "absent")]
    assert in_words(parts, []) == ("large", "small", "absent")
    remarks = [(False, "last"), (True, "first"), (True, ""), (False, "")]
    assert in_words(parts, remarks) == ("first", "large", "small", "absent", "last")


def test_equal_weights_are_told_in_their_order() -> None:
    assert in_words([said(0.2, "one"), said(-0.2, "two"), said(0.2, "three")], []) == ("one", "two", "three")


def test_where_nothing_weighs_enough_the_weightiest_that_has_words_is_told() -> None:
    assert in_words([said(0.001, "less"), said(0.002, "more"), said(0.003, "")], []) == ("more",)
    assert in_words([said(0.3, ""), said(0.001, "less"), said(0.0, "least")], []) == ("less",)
    assert in_words([], []) == ()
