"""Theme: the colours and signs of Vietnamese price boards."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from vnquant.market import Action, FloatArray

__all__ = ("ACTION_COLOURS", "COLOURS", "LABELS", "SIGNS", "PriceState", "price_states")


class PriceState(StrEnum):
    """Where a price stands against its reference, as Vietnamese boards colour it."""

    CEILING = "ceiling"
    UP = "up"
    REFERENCE = "reference"
    DOWN = "down"
    FLOOR = "floor"


# Mid-tones that read on a light and on a dark notebook alike.
COLOURS: dict[PriceState, str] = {
    PriceState.CEILING: "#b03ad6",
    PriceState.UP: "#12a150",
    PriceState.REFERENCE: "#d9a400",
    PriceState.DOWN: "#e0364c",
    PriceState.FLOOR: "#18a7c4",
}
LABELS: dict[PriceState, str] = {
    PriceState.CEILING: "ceiling (trần)",
    PriceState.UP: "up (tăng)",
    PriceState.REFERENCE: "unchanged (tham chiếu)",
    PriceState.DOWN: "down (giảm)",
    PriceState.FLOOR: "floor (sàn)",
}
# Colour is never the only sign.
SIGNS: dict[PriceState, str] = {
    PriceState.CEILING: "▲▲",
    PriceState.UP: "▲",
    PriceState.REFERENCE: "■",
    PriceState.DOWN: "▼",
    PriceState.FLOOR: "▼▼",
}
ACTION_COLOURS: dict[Action, str] = {
    Action.STRONG_BUY: COLOURS[PriceState.CEILING],
    Action.BUY: COLOURS[PriceState.UP],
    Action.HOLD: COLOURS[PriceState.REFERENCE],
    Action.SELL: COLOURS[PriceState.DOWN],
    Action.STRONG_SELL: COLOURS[PriceState.FLOOR],
}


def price_states(
    close: FloatArray, reference: FloatArray, ceiling: FloatArray, floor: FloatArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    """Return the PriceState value of each close; arrays of one shape, VND."""
    conditions = [close >= ceiling, close <= floor, close > reference, close < reference]
    states = [PriceState.CEILING, PriceState.FLOOR, PriceState.UP, PriceState.DOWN]
    return np.select(conditions, [s.value for s in states], default=PriceState.REFERENCE.value)
