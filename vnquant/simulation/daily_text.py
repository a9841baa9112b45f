"""Daily text: each symbol's daily bars as encoded text, kept from request to request and from day to day."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
import numpy as np

from vnquant.market.bars import BarSeries, FloatArray
from vnquant.market.panel import OHLCV, BarPanel
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.wire import HistoryText

__all__ = ("DailyTexts",)


class DailyTexts:
    """The daily bars of a market as the text of their JSON arrays.

    Full histories are asked for again and again and change by one row a day, so what has been encoded is
    kept; a request costs what its own rows cost.
    """

    def __init__(self, market: SimulatedMarket) -> None:
        self._market = market
        self._columns = {name: column for column, name in enumerate(market.symbols)}
        self._past: dict[str, _PastText] = {}
        self._today: dict[str, tuple[datetime, dict[str, bytes]]] = {}

    def cuts(self, symbol: str, first_s: float, last_s: float, now: datetime) -> list[dict[str, bytes]]:
        """Return the text of the daily bars with stamps from `first_s` to `last_s`, both included."""
        cuts = [self.past(symbol, now).cut(first_s, last_s)]
        if first_s <= _midnight_s(now.date()) <= last_s:
            kept = self._today.get(symbol)
            if kept is None or kept[0] != now:
                panel = self._market.panel_at(now)
                bars = self._bars(panel, symbol, _rows_before(panel, now.date()), len(panel.timestamps))
                kept = (now, HistoryText.of(bars, daily=True).cut(0.0, float("inf")))
                self._today[symbol] = kept
            cuts.append(kept[1])
        return cuts

    def past(self, symbol: str, now: datetime) -> HistoryText:
        """Return the sessions before today as text, adjusted as they are seen at `now`.

        The text of a symbol is extended from day to day, and made anew where a corporate action moved the
        earlier prices or the clock went back.
        """
        kept = self._past.get(symbol)
        if kept is not None and kept.seen_at == now:
            return kept.text
        panel = self._market.panel_at(now)
        rows = _rows_before(panel, now.date())
        close = panel.close[:rows, self._columns[symbol]]
        if kept is not None and np.array_equal(kept.close, close[: len(kept.close)]):
            text = kept.text
            if len(kept.close) < rows:
                more = self._bars(panel, symbol, len(kept.close), rows)
                text = text.then(HistoryText.of(more, daily=True))
        else:
            text = HistoryText.of(self._bars(panel, symbol, 0, rows), daily=True)
        # A stale answer looks back a few sessions; it must not throw away the text of the present.
        if kept is None or kept.seen_at < now:
            self._past[symbol] = _PastText(now, close.copy(), text)
        return text

    def _bars(self, panel: BarPanel, symbol: str, first: int, stop: int) -> BarSeries:
        """Return some rows of one symbol, without those where it has no bar."""
        column = self._columns[symbol]
        present = first + np.flatnonzero(np.isfinite(panel.close[first:stop, column]))
        return BarSeries(
            symbol, panel.timestamps[present], *(getattr(panel, name)[present, column] for name in OHLCV)
        )


class _PastText(msgspec.Struct, frozen=True):
    """A symbol's sessions before a date as text, when they were seen so, and the closes that they carry."""

    seen_at: datetime
    close: FloatArray
    text: HistoryText


def _rows_before(panel: BarPanel, day: date) -> int:
    return int(np.searchsorted(panel.timestamps, np.datetime64(day, "s")))


def _midnight_s(day: date) -> float:
    """Return 00:00 UTC of a session's date, the stamp of its daily bar."""
    return float(np.datetime64(day, "s").astype(np.int64))
