"""Calibration: scale, interval and confidence learnt from outcomes; advice that follows from them."""

import math

import numpy as np
import pytest

from vnquant.market.actions import Action
from vnquant.models.calibration import Calibration, fit_confidence, fit_interval, fit_slope
from vnquant.models.prediction import action_for


def test_slope_finds_how_much_of_a_forecast_comes_true():
    rng = np.random.default_rng(0)
    raw = rng.normal(0.0, 0.3, 200_000)
    outcome = 0.6 * raw + rng.normal(size=raw.shape)
    assert fit_slope(raw, outcome) == pytest.approx(0.6, abs=0.03)


def test_slope_of_forecasts_that_are_wrong_or_empty_is_nearly_silent():
    rng = np.random.default_rng(0)
    raw = rng.normal(0.0, 0.3, 200_000)
    assert fit_slope(raw, -raw) == 0.02
    assert fit_slope(np.zeros(10), np.ones(10)) == 0.02


def test_interval_holds_its_share_of_new_errors():
    rng = np.random.default_rng(1)
    low, high = fit_interval(rng.standard_t(4, 20_000), 0.8)
    fresh = rng.standard_t(4, 200_000)
    assert np.mean((fresh >= low) & (fresh <= high)) == pytest.approx(0.8, abs=0.01)


def test_confidence_comes_true_as_often_as_it_says():
    rng = np.random.default_rng(2)
    strength = np.abs(rng.normal(0.0, 0.6, 400_000))
    blend = rng.uniform(0.3, 0.7, strength.shape)
    truth = 1.0 / (1.0 + np.exp(-(0.9 * strength + 1.0 * (blend - 0.5))))
    right = (rng.random(strength.shape) < truth).astype(float)
    bias, weight, blend_weight = fit_confidence(strength, blend, right)
    calibration = Calibration(
        slope=1.0,
        error_low=-1.0,
        error_high=1.0,
        bias=bias,
        strength_weight=weight,
        blend_weight=blend_weight,
        accuracy=0.5,
        outcomes=len(right),
    )
    said = calibration.confidence(strength, blend)
    for low in (0.5, 0.55, 0.6, 0.65, 0.7):
        chosen = (said >= low) & (said < low + 0.05)
        assert right[chosen].mean() == pytest.approx(said[chosen].mean(), abs=0.02)


def test_confidence_without_outcomes_is_what_normal_errors_imply():
    bias, weight, blend_weight = fit_confidence(np.empty(0), np.empty(0), np.empty(0))
    assert (bias, blend_weight) == (0.0, 0.0)
    for size in (0.1, 0.3, 0.5):
        normal = 0.5 * (1.0 + math.erf(size / math.sqrt(2.0)))
        assert 1.0 / (1.0 + math.exp(-weight * size)) == pytest.approx(normal, abs=0.005)


@pytest.mark.parametrize(
    ("expected_return", "confidence", "action"),
    [
        (0.04, 0.85, Action.STRONG_BUY),
        (0.04, 0.70, Action.BUY),
        (0.04, 0.55, Action.HOLD),
        (-0.04, 0.55, Action.SELL),
        (-0.04, 0.70, Action.STRONG_SELL),
        (0.004, 0.99, Action.HOLD),  # less than a round trip costs
        (-0.004, 0.99, Action.HOLD),
        (float("nan"), 0.9, Action.HOLD),
        (0.04, float("nan"), Action.HOLD),
    ],
)
def test_advice_is_the_probability_of_a_rise_on_the_common_scale(expected_return, confidence, action):
    assert action_for(expected_return, confidence) is action
