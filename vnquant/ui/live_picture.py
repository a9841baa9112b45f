"""Live picture: a symbol's past bars and its running one, as quotes come in; plain data, no widget."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

import numpy as np

from vnquant.market import BarPanel, BarSeries, Exchange, Quote, TimeArray
from vnquant.ui.chart_data import ChartData, TextArray
from vnquant.ui.theme import LABELS, SIGNS, PriceState, price_states

__all__ = ("LivePicture", "RunningBar")

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


class RunningBar(NamedTuple):
    """The session's bar so far, VND and shares, and the band that it moves in."""

    label: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    state: PriceState
    reference: float
    ceiling: float
    floor: float

    @property
    def change(self) -> float:
        """Change against the reference price, as a fraction."""
        return self.close / self.reference - 1.0

    def __str__(self) -> str:
        return (
            f"{SIGNS[self.state]} {self.close:,.0f} VND {self.change:+.2%}, {LABELS[self.state]}; "
            f"high {self.high:,.0f}, low {self.low:,.0f}, {self.volume:,.0f} shares"
        )


class LivePicture:
    """Completed sessions of one symbol, and the running bar that the latest quote tells.

    Parameters
    ----------
    symbol : str
    exchange : Exchange
    """

    def __init__(self, symbol: str, exchange: Exchange) -> None:
        self.symbol = symbol
        self.exchange = exchange
        self.day: date | None = None
        self.past: ChartData | None = None
        self.running: RunningBar | None = None
        self.as_of: datetime | None = None

    def load(self, panel: BarPanel, *, today: date, sessions: int) -> None:
        """Take the sessions before today; today's bar comes from quotes alone."""
        before = panel.select(self.symbol)
        first_of_today = int(np.searchsorted(before.timestamps, np.datetime64(today, "s")))
        past = ChartData.of(
            before.rows(slice(max(0, first_of_today - sessions), first_of_today)),
            self.symbol,
            exchange=self.exchange,
            scores={},
            levels=None,
            signals_of="",
            fills=(),
            articles=(),
        )
        self.past = past._replace(labels=_day_names(past.series.timestamps))
        self.day, self.running = today, None

    @property
    def labels(self) -> list[str]:
        """Labels of all bars, today's last."""
        past = [] if self.past is None else self.past.labels.tolist()
        return (
            past if self.day is None else [*past, *_day_names(np.array([self.day], dtype="M8[s]")).tolist()]
        )

    @property
    def series(self) -> BarSeries | None:
        """The completed sessions."""
        return None if self.past is None else self.past.series

    def take(self, quote: Quote) -> bool:
        """Take a quote; return whether the picture has changed."""
        bar = _running_bar(quote, self.labels[-1] if self.labels else "")
        changed = bar != self.running
        self.running, self.as_of = bar, quote.as_of
        return changed


def _day_names(days: TimeArray) -> TextArray:
    """Return days that plotly does not know as dates, such as "2025-06-05 Thu".

    Whenever new values are sent to a figure that is shown, plotly chooses the kinds of its axes anew, and
    days as ISO writes them would make a date axis, with holes for weekends and Tet.
    """
    whole = days.astype("datetime64[D]")
    weekday = np.array(_WEEKDAYS)[(whole.astype(np.int64) + _EPOCH_WEEKDAY) % 7]
    return np.char.add(np.char.add(whole.astype(str), " "), weekday)


def _running_bar(quote: Quote, label: str) -> RunningBar | None:
    """Return the bar that a quote tells, None before the session's first match."""
    last = quote.last_price
    if last is None or quote.total_volume <= 0.0:
        return None
    opened = last if quote.open_price is None else quote.open_price
    seen = [last, opened]
    state = price_states(
        np.array([last]),
        np.array([quote.reference_price]),
        np.array([quote.ceiling_price]),
        np.array([quote.floor_price]),
    )
    return RunningBar(
        label=label,
        open=opened,
        high=max(*seen, quote.high_price or 0.0),
        low=min(*seen, quote.low_price or last),
        close=last,
        volume=quote.total_volume,
        state=PriceState(str(state[0])),
        reference=quote.reference_price,
        ceiling=quote.ceiling_price,
        floor=quote.floor_price,
    )
