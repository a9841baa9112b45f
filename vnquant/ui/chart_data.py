"""Chart data: what a price chart shows, as plain rows and arrays, without plotly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vnquant.market import Action, BarPanel, BarSeries, Exchange, FloatArray, action_of, price_limits_array
from vnquant.news import Article
from vnquant.runtime import ICT
from vnquant.trading import Fill
from vnquant.ui.theme import price_states

__all__ = (
    "ChartData",
    "FillMark",
    "NewsMark",
    "SignalMark",
    "Span",
    "TextArray",
    "bar_labels",
    "bar_states",
    "fill_marks",
    "news_marks",
    "signal_marks",
    "spans",
)

TextArray = np.ndarray[Any, np.dtype[np.str_]]

_CLOSE_HOUR = 15  # what is published after the session moves the next one
_DAILY_SPANS = (("1M", 1), ("3M", 3), ("6M", 6), ("1Y", 12))
_FIRST_SPAN = "6M"


class Span(NamedTuple):
    """A button of a chart: the rows from `first` on, and the ranges that hold them."""

    label: str
    first: int
    price_range: tuple[float, float]
    volume_range: tuple[float, float]


class SignalMark(NamedTuple):
    """A row at which the advice turned to buy or to sell."""

    row: int
    action: Action


class FillMark(NamedTuple):
    """A fill at its row."""

    row: int
    fill: Fill


class NewsMark(NamedTuple):
    """The headlines of one row, newest first."""

    row: int
    articles: tuple[Article, ...]

    @property
    def score(self) -> float:
        """Mean sentiment, -1 to 1."""
        return sum(a.sentiment.score for a in self.articles) / len(self.articles)


class ChartData(NamedTuple):
    """All that a price chart of one symbol draws; arrays have a row for each bar that exists."""

    series: BarSeries
    labels: TextArray
    states: TextArray
    scores: Mapping[str, FloatArray]
    support: FloatArray | None
    resistance: FloatArray | None
    signals: tuple[SignalMark, ...]
    fills: tuple[FillMark, ...]
    news: tuple[NewsMark, ...]
    spans: tuple[Span, ...]

    @classmethod
    def of(
        cls,
        panel: BarPanel,
        symbol: str,
        *,
        exchange: Exchange,
        scores: Mapping[str, FloatArray],
        levels: tuple[FloatArray, FloatArray] | None,
        signals_of: str,
        fills: Sequence[Fill],
        articles: Sequence[Article],
    ) -> ChartData:
        """Take one symbol's part of everything, without the rows that have no bar."""
        series = panel.series(symbol)
        kept = np.isfinite(panel.close[:, panel.index(symbol)])
        seen = {name: score[kept] for name, score in scores.items()}
        is_daily = panel.interval == "1D"
        return cls(
            series=series,
            labels=bar_labels(series, panel.interval),
            states=bar_states(series, exchange),
            scores=seen,
            support=None if levels is None else levels[0][kept],
            resistance=None if levels is None else levels[1][kept],
            signals=signal_marks(seen[signals_of]) if signals_of in seen else (),
            fills=fill_marks([f for f in fills if f.symbol == symbol], series, is_daily=is_daily),
            news=news_marks([a for a in articles if symbol in a.symbols], series, is_daily=is_daily),
            spans=spans(series, is_daily=is_daily),
        )

    @property
    def first_span(self) -> int:
        """Index of the span that is shown first."""
        labels = [span.label for span in self.spans]
        return labels.index(_FIRST_SPAN) if _FIRST_SPAN in labels else len(labels) - 1


def bar_labels(series: BarSeries, interval: str) -> TextArray:
    """Return the day of each bar, and the minute where bars are shorter than a day."""
    unit = "D" if interval in ("1D", "1W", "1M") else "m"
    return np.char.replace(series.timestamps.astype(f"datetime64[{unit}]").astype(str), "T", " ")


def bar_states(series: BarSeries, exchange: Exchange) -> TextArray:
    """Colour each bar against the previous close; feeds adjust prices, so the band is recomputed from it."""
    reference = np.concatenate([series.open[:1], series.close[:-1]])
    ceiling, floor = price_limits_array(reference, exchange)
    return price_states(series.close, reference, ceiling, floor)


def signal_marks(score: FloatArray) -> tuple[SignalMark, ...]:
    """Return where the advice of a score turned to buy or to sell; a run of equal advice is marked once.

    Examples
    --------
    >>> import numpy as np
    >>> [(mark.row, str(mark.action)) for mark in signal_marks(np.array([0.0, 0.4, 0.5, 0.1, -0.2, np.nan]))]
    [(1, 'BUY'), (4, 'SELL')]
    """
    marks: list[SignalMark] = []
    side_before = 0
    for row, value in enumerate(score.tolist()):
        action = action_of(value)
        side = _SIDES[action]
        if side and side != side_before:
            marks.append(SignalMark(row, action))
        side_before = side
    return tuple(marks)


def fill_marks(fills: Sequence[Fill], series: BarSeries, *, is_daily: bool) -> tuple[FillMark, ...]:
    """Return the fills that fall on a bar of the series."""
    rows = _rows_at([f.filled_at for f in fills], series)
    return tuple(
        FillMark(row, fill)
        for row, fill in zip(rows, fills, strict=True)
        if row >= 0 and (not is_daily or _day(series, row) == np.datetime64(fill.filled_at.date()))
    )


def news_marks(articles: Sequence[Article], series: BarSeries, *, is_daily: bool) -> tuple[NewsMark, ...]:
    """Return the headlines of each bar: that of the session which could first react to them.

    What came after the close, or on a day without a session, counts for the next session; what came after
    the last one stands at it. Headlines older than the first bar, or without a time, are left out.
    """
    dated = sorted(
        ((a.published_at.astimezone(ICT), a) for a in articles if a.published_at is not None),
        key=lambda pair: pair[0],
        reverse=True,
    )
    if not len(series) or not dated:
        return ()
    found: dict[int, list[Article]] = {}
    if is_daily:
        # A day whose trading is over when the headline comes counts as past: the next one reacts.
        days = np.array([_reacting_day(at) for at, _ in dated], dtype="datetime64[D]")
        rows = np.searchsorted(series.timestamps.astype("datetime64[D]"), days, side="left")
        early = days < _day(series, 0)
    else:
        rows = np.array(_rows_at([at for at, _ in dated], series))
        early = rows < 0
    for row, too_early, (_, article) in zip(rows.tolist(), early.tolist(), dated, strict=True):
        if not too_early:
            found.setdefault(min(row, len(series) - 1), []).append(article)
    return tuple(NewsMark(row, tuple(found[row])) for row in sorted(found))


def spans(series: BarSeries, *, is_daily: bool) -> tuple[Span, ...]:
    """Return the range buttons that make sense: those shorter than what there is, and all of it.

    Each carries the price and volume ranges of its rows, since plotly scales to everything that is drawn,
    not to what is visible.
    """
    if not len(series):
        return ()
    last = series.timestamps[-1].astype("datetime64[D]")
    firsts: list[tuple[str, int]] = []
    if is_daily:
        for label, months in _DAILY_SPANS:
            # The same day some months earlier; a month without such a day ends the day before its successor.
            start = last.astype("datetime64[M]") - months + (last - last.astype("datetime64[M]"))
            first = int(np.searchsorted(series.timestamps, start.astype("datetime64[s]"), side="right"))
            if 0 < first < len(series):
                firsts.append((label, first))
    return tuple(_span(series, label, first) for label, first in (*firsts, ("All", 0)))


def _span(series: BarSeries, label: str, first: int) -> Span:
    low, high = float(np.nanmin(series.low[first:])), float(np.nanmax(series.high[first:]))
    room = 0.1 * (high - low) or 0.01 * high  # where marks stand
    most = float(np.nanmax(series.volume[first:], initial=0.0))
    return Span(label, first, (low - room, high + room), (0.0, 1.05 * most or 1.0))


_SIDES: dict[Action, int] = {
    Action.STRONG_BUY: 1,
    Action.BUY: 1,
    Action.HOLD: 0,
    Action.SELL: -1,
    Action.STRONG_SELL: -1,
}


def _rows_at(instants: Sequence[datetime], series: BarSeries) -> list[int]:
    """Return the row of the bar that had begun at each instant, -1 before the first."""
    naive = np.array([at.astimezone(ICT).replace(tzinfo=None) for at in instants], dtype="datetime64[s]")
    rows: npt.NDArray[np.intp] = np.searchsorted(series.timestamps, naive, side="right") - 1
    return [int(row) for row in rows]


def _reacting_day(at: datetime) -> np.datetime64:
    return np.datetime64(at.date()) + (1 if at.hour >= _CLOSE_HOUR else 0)


def _day(series: BarSeries, row: int) -> np.datetime64:
    day: np.datetime64 = series.timestamps[row].astype("datetime64[D]")
    return day
