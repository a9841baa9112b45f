"""Theme: the colours and signs of Vietnamese price boards, and the tones of charts on light and dark."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from vnquant.market import Action, FloatArray

__all__ = (
    "ACTION_COLOURS",
    "AGENT_COLOURS",
    "COLOURS",
    "LABELS",
    "SIGNS",
    "TONES",
    "ChartTheme",
    "PriceState",
    "Tones",
    "price_states",
)


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
# The five voices keep one colour each in every chart (Okabe and Ito 2008, safe for colour-blind readers).
AGENT_COLOURS: dict[str, str] = {
    "bull": "#009E73",
    "bear": "#D55E00",
    "analyst": "#0072B2",
    "scout": "#E69F00",
    "risk_doctor": "#CC79A7",
    "chief": "#797979",
}


class ChartTheme(StrEnum):
    """On what ground a chart stands.

    A plotly figure is drawn by the front end and cannot read JupyterLab's style sheet, so AUTO, the default,
    has no ground of its own and writes in the one grey that is as far from white as from JupyterLab's dark
    (4.4 to 1 on both): it follows when the theme is switched. LIGHT and DARK bring their ground with them,
    for pictures and pages.
    """

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Tones(NamedTuple):
    """Ground, text and lines of a chart."""

    ground: str
    text: str
    grid: str
    button: str


TONES: dict[ChartTheme, Tones] = {
    ChartTheme.AUTO: Tones("rgba(0,0,0,0)", "#797979", "rgba(128,128,128,0.22)", "rgba(128,128,128,0.12)"),
    ChartTheme.LIGHT: Tones("#ffffff", "#333333", "#e4e4e4", "#f2f2f2"),
    ChartTheme.DARK: Tones("#111111", "#d4d4d4", "#333333", "#2a2a2a"),
}


def price_states(
    close: FloatArray, reference: FloatArray, ceiling: FloatArray, floor: FloatArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    """Return the PriceState value of each close; arrays of one shape, VND.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.array([20_000.0, 20_000.0, 20_000.0])
    >>> price_states(np.array([21_400.0, 19_900.0, 20_000.0]), reference, 1.07 * reference, 0.93 * reference)
    array(['ceiling', 'down', 'reference'], dtype='<U9')
    """
    conditions = [close >= ceiling, close <= floor, close > reference, close < reference]
    states = [PriceState.CEILING, PriceState.FLOOR, PriceState.UP, PriceState.DOWN]
    return np.select(conditions, [s.value for s in states], default=PriceState.REFERENCE.value)
