"""Models: the prediction, what the model says of one symbol at one instant."""

from __future__ import annotations

from datetime import datetime
from html import escape

import msgspec

from vnquant.market.actions import Action, action_of

__all__ = ("ROUND_TRIP_COST", "Prediction", "action_for")

# Commission 0.15 % a side, sale tax 0.1 %, slippage 0.1 % a side: a smaller move pays for nothing.
ROUND_TRIP_COST = 0.006


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Forecast of one symbol's return over the next sessions.

    Attributes
    ----------
    symbol : str
    as_of : datetime
        Time of the last bar that the forecast saw, aware, in ICT; that of a running session is its 00:00.
    expected_return : float
        Expected simple return over `horizon` sessions, 0.03 for three per cent.
    low, high : float
        Interval that holds the return with probability `interval_level`.
    confidence : float
        Probability that the return has the sign of `expected_return`, in [0, 1].
    action : Action
    horizon : int
        Sessions ahead.
    interval_level : float
    stale_sessions : int
        Sessions by which the symbol's last bar is older than the newest bar of the batch.
    drivers : tuple of (str, float)
        Features that moved the forecast most, with their contribution to the expected return; largest first.
        Empty where the predictor cannot tell.
    """

    symbol: str
    as_of: datetime
    expected_return: float
    low: float
    high: float
    confidence: float
    action: Action
    horizon: int = 5
    interval_level: float = 0.8
    stale_sessions: int = 0
    drivers: tuple[tuple[str, float], ...] = ()

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        stale = f", {self.stale_sessions} sessions old" if self.stale_sessions else ""
        return (
            f"{self.symbol} {self.expected_return:+.1%} in {self.horizon} sessions "
            f"({self.low:+.1%} to {self.high:+.1%}), confidence {self.confidence:.2f}: {self.action}{stale}"
        )

    def _repr_html_(self) -> str:
        rows = (
            (
                "as of",
                f"{self.as_of:%Y-%m-%d %H:%M}"
                + (f" ({self.stale_sessions} sessions old)" if self.stale_sessions else ""),
            ),
            (f"expected return, {self.horizon} sessions", f"{self.expected_return:+.2%}"),
            (f"{self.interval_level:.0%} interval", f"{self.low:+.2%} to {self.high:+.2%}"),
            ("confidence", f"{self.confidence:.2f}"),
            ("drivers", ", ".join(f"{name} {share:+.2%}" for name, share in self.drivers) or "not known"),
        )
        cells = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
        return f"<table><caption><b>{escape(self.symbol)}</b> {self.action}</caption>{cells}</table>"


def action_for(expected_return: float, confidence: float) -> Action:
    """Return the advice of a forecast: the probability of a rise on the scale 0..100 of `action_of`.

    A move smaller than the cost of a round trip is HOLD, whatever its probability; so is an unknown one.
    """
    if not abs(expected_return) >= ROUND_TRIP_COST or confidence != confidence:
        return Action.HOLD
    lean = 2.0 * confidence - 1.0
    return action_of(lean if expected_return > 0 else -lean)
