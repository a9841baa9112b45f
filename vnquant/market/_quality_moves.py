"""Prices of the data report: are they as traded or adjusted, and does the day's band allow each move."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vnquant.market._quality_findings import Finding, finding, ohlc_text
from vnquant.market._quality_rows import BoolArray, Rows
from vnquant.market.bars import FloatArray
from vnquant.market.price_band import band_pcts
from vnquant.market.symbols import EXCHANGE_ORDER, Exchange

__all__ = ("Adjustment", "adjustment_of", "check_moves", "check_ticks")

Adjustment = Literal["as traded", "back-adjusted", "off tick"]

# The band of a first session holds again after this many sessions without trading (HOSE, HNX trading rules).
RESUMPTION_SESSIONS = 25
_WIDEST_PCT = 15.0


def adjustment_of(rows: Rows) -> tuple[Adjustment, BoolArray, float, float]:
    """Return whether prices look as traded or adjusted, which rows are off tick, and the shares behind that.

    An old price times an adjustment factor falls between ticks, while the newest prices, whose factor is 1,
    stay on them. So prices off tick that become rare in each symbol's last 20 rows are back-adjusted.
    """
    prices = np.stack([rows.open, rows.high, rows.low, rows.close])
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = prices / rows.tick
        off = np.abs(steps - np.rint(steps)) > 1e-6
    off_tick: BoolArray = off.any(axis=0) & rows.positive
    overall = float(off_tick.mean())
    recent = float(off_tick[rows.last_rows(20)].mean())
    if overall <= 0.01:
        return "as traded", off_tick, overall, recent
    return ("back-adjusted" if recent < overall / 2 else "off tick"), off_tick, overall, recent


def check_ticks(rows: Rows, adjustment: Adjustment, off_tick: BoolArray) -> Finding:
    """Return the rows with a price between two ticks, and what that means here."""
    why = {
        "as traded": "Too few for adjusted prices: look at each.",
        "back-adjusted": "Explained by the adjustment: these are not prices at which anyone traded.",
        "off tick": "They are no rarer in recent rows, so back-adjustment alone does not explain them; "
        "look at the unit and at rounding.",
    }[adjustment]
    return finding(
        rows,
        "off_tick",
        "rows with a price between two ticks",
        off_tick,
        "fact" if adjustment == "back-adjusted" else "warning",
        why,
        lambda i: f"{ohlc_text(rows, i)}, tick {rows.tick[i]:,.0f}",
    )


def check_moves(rows: Rows) -> tuple[Finding, Finding]:
    """Return one-day moves that the exchange's band does not allow, and those that look like splits."""
    before = np.maximum(rows.previous, 0)
    usable = rows.has_previous & rows.positive & rows.positive[before]
    close, top, bottom = rows.close[before], rows.high[before], rows.low[before]
    # UPCoM's reference is yesterday's average, which lies somewhere between yesterday's low and high.
    on_upcom = rows.exchange == EXCHANGE_ORDER.index(Exchange.UPCOM)
    base_up = np.where(on_upcom, np.maximum(top, close), close)
    base_down = np.where(on_upcom, np.minimum(bottom, close), close)
    pct = band_pcts(rows.exchange, on=rows.day)
    outside = usable & _outside(rows.close, base_up, base_down, pct, rows.tick)

    resumed = rows.missed >= RESUMPTION_SESSIONS
    highest, lowest = np.maximum(top, close), np.minimum(bottom, close)
    # A whole bar beyond the widest band from anything traded the session before: the reference was changed.
    jumped_up = rows.low > highest * (1 + _WIDEST_PCT / 100) + rows.tick
    jumped_down = rows.high < lowest * (1 - _WIDEST_PCT / 100) - rows.tick
    split = usable & ~resumed & (jumped_up | jumped_down)
    other_board = outside & ~resumed & ~split & ~_outside(rows.close, highest, lowest, _WIDEST_PCT, rows.tick)
    rest = int((outside & ~resumed & ~split & ~other_board).sum())
    move = rows.close / close - 1
    size = np.abs(move)
    return (
        finding(
            rows,
            "out_of_band",
            "one-day moves beyond the limit of the symbol's present exchange",
            outside,
            "warning",
            f"{int(other_board.sum()):,} fit UPCoM's 15 % (years on another board than today's), "
            f"{int((outside & resumed).sum()):,} follow a stop of more than {RESUMPTION_SESSIONS} sessions, "
            f"{int((outside & split).sum()):,} are suspected splits, {rest:,} remain unexplained.",
            lambda i: f"{move[i]:+.1%} from {close[i]:,.0f} to {rows.close[i]:,.0f}",
            size,
        ),
        finding(
            rows,
            "suspected_splits",
            "days whose whole bar lies 15 % or more beyond the day before",
            split,
            "warning",
            "The look of a split, bonus or rights issue that was not adjusted; one inside the limit "
            "cannot be told from trading.",
            lambda i: f"open {rows.open[i]:,.0f} is {rows.open[i] / close[i]:.3f} of the last close",
            size,
        ),
    )


def _outside(
    close: FloatArray, base_up: FloatArray, base_down: FloatArray, pct: FloatArray | float, tick: FloatArray
) -> BoolArray:
    """Return closes beyond a limit by more than a tick: rounding of the band and of adjusted prices."""
    up = np.asarray(pct) / 100
    found: BoolArray = (close > base_up * (1 + up) + tick) | (close < base_down * (1 - up) - tick)
    return found
