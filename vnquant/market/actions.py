"""Actions: what a prediction or an agent advises, from STRONG_BUY to STRONG_SELL."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("ACTION_THRESHOLDS", "Action", "action_of")


class Action(StrEnum):
    """Advice in five steps."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    HOLD = "HOLD"
    SELL = "SELL"
    STRONG_SELL = "STRONG_SELL"


# Lower bound of each step on the scale 0..100, where 50 is indifferent; below the last is STRONG_SELL.
ACTION_THRESHOLDS: tuple[tuple[float, Action], ...] = (
    (80.0, Action.STRONG_BUY),
    (65.0, Action.BUY),
    (50.0, Action.HOLD),
    (35.0, Action.SELL),
)


def action_of(score: float) -> Action:
    """Return the action of a score in [-1, 1], by its place on the scale 0..100; HOLD for NaN."""
    if score != score:
        return Action.HOLD
    points = 50.0 * (score + 1.0)
    return next((action for bound, action in ACTION_THRESHOLDS if points >= bound), Action.STRONG_SELL)
