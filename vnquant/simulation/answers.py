"""Answers: the routes of the simulated exchange as a pure function of path, query and market time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

import numpy as np

from vnquant.market.bars import Quote
from vnquant.runtime.clock import ICT
from vnquant.simulation.daily_text import DailyTexts
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.routes import Route, date_of, integer_of, seconds_of
from vnquant.simulation.wire import (
    FEEDS,
    Answer,
    CafefDay,
    HistoryText,
    board_body,
    cafef_page,
    cafef_window,
    encode_board_record,
    events_answer,
    feed_answer,
    html_answer,
    json_answer,
    udf_error,
    vndirect_history,
    vps_history,
    vps_unsupported,
)
from vnquant.simulation.wire.history import DAILY_RESOLUTIONS, MINUTE_RESOLUTIONS

__all__ = ("Answers",)

# CafeF shows a session once it is over; HOSE and HNX end with put-through trading at 15:00.
_SESSION_END = time(15)
# Stories looked through for a feed: the longest feed lists 60 and carries a quarter of them.
_STORIES = 240
_NOT_FOUND = html_answer(404, "404 Not Found")
_NO_ROWS: dict[str, bytes] = dict.fromkeys(("t", "c", "o", "h", "l", "v"), b"")


class Answers:
    """Answers requests from a simulated market.

    Pure apart from caches: the same path, query and time give the same bytes. `prepare` does the work that
    takes more than a few milliseconds and belongs on a thread; without it `answer` does the same lazily.
    """

    def __init__(self, market: SimulatedMarket) -> None:
        self._market = market
        self._exchanges = {name: str(symbol.exchange) for name, symbol in market.universe.items()}
        self._columns = {name: column for column, name in enumerate(market.symbols)}
        self._prepared: date | None = None
        self._texts = DailyTexts(market)
        self._boards: dict[str, tuple[datetime, bytes]] = {}

    def prepare(self, now: datetime) -> None:
        """Generate and encode what the date of `now` needs."""
        today = now.date()
        self._market.daily(today)
        if self._market.calendar.is_trading_day(today):
            # What the market will show from its opening on: all symbols' minutes, and the adjusted bars.
            self._market.minutes(self._market.symbols[0], today)
            self._market.panel(today)
        for symbol in self._market.symbols:
            self._texts.past(symbol, now)
        self._market.quotes_at(now)
        self._market.headlines_at(now, limit=_STORIES)
        self._prepared = today

    def is_prepared(self, now: datetime) -> bool:
        """Whether `prepare` has been called for the date of `now`."""
        return self._prepared == now.date()

    def stale_instant(self, now: datetime, sessions: int) -> datetime:
        """Return the close of the session that many sessions before the running or last one."""
        days = self._market.daily(now.date()).sessions
        row = max(len(days) - 1 - sessions, 0)
        return datetime.combine(days[row].item(), _SESSION_END, tzinfo=ICT)

    def answer(self, path: str, query: Mapping[str, str], now: datetime) -> Answer:
        """Answer one request at market time `now`."""
        route = Route.of(path, query)
        match route.kind:
            case "board":
                return self._board(route.symbols, now)
            case "history" | "dchart":
                return self._history(route, query, now)
            case "cafef":
                return self._cafef(route.symbols, query, now)
            case "events":
                return self._events(route.symbols, query, now)
            case "rss":
                return feed_answer(FEEDS[path], self._market.headlines_at(now, limit=_STORIES))
        return _NOT_FOUND

    def empty_answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the valid answer without content that the route gives when it knows nothing."""
        route = Route.of(path, query)
        symbol = route.symbols[0] if route.symbols else ""
        match route.kind:
            case "board":
                return json_answer(board_body([]))
            case "history":
                return vps_history(query.get("symbol", symbol), _NO_ROWS)
            case "dchart":
                return vndirect_history(_NO_ROWS)
            case "cafef":
                return cafef_page(symbol, [], 1, 20)
            case "events":
                return events_answer((), None, ())
            case "rss":
                return feed_answer(FEEDS[path], ())
        return _NOT_FOUND

    # -- board --------------------------------------------------------------------------------------------

    def _board(self, symbols: tuple[str, ...], now: datetime) -> Answer:
        """Answer in the exchange's order, not the request's; unknown symbols are left out silently."""
        asked = set(symbols)
        wanted = [name for name in self._market.symbols if name in asked]
        missing = [name for name in wanted if self._boards.get(name, (None, b""))[0] != now]
        if missing:
            quotes = self._market.quotes_at(now, missing)
            history = self._market.daily(now.date())
            for name, quote in quotes.items():
                record = encode_board_record(
                    quote, self._exchanges[name], previous_close=self._previous_close(quote, history)
                )
                self._boards[name] = (now, record)
        return json_answer(board_body([self._boards[name][1] for name in wanted if name in self._boards]))

    def _previous_close(self, quote: Quote, history: DailyHistory) -> float | None:
        """Return the close before the session that the quote shows: today's, or early that day the last.

        Where both sessions have the same reference price, both had the same close before them.
        """
        column = self._columns[quote.symbol]
        shown = len(history) - 1
        if shown > 0 and history.reference[shown, column] != quote.reference_price:
            shown -= 1
        return float(history.close[shown - 1, column]) if shown > 0 else None

    # -- corporate events ---------------------------------------------------------------------------------

    def _events(self, symbols: tuple[str, ...], query: Mapping[str, str], now: datetime) -> Answer:
        """Answer for the known symbols, through the session that the board shows."""
        known = [name for name in symbols if name in self._columns]
        through = self._market.shown_session(now)
        first, last = date_of(query.get("from")), date_of(query.get("to"))
        if not known or first is None or last is None:
            return events_answer(known, None, ())
        return events_answer(known, through, self._market.actions_at(now, known, first, last))

    # -- history ------------------------------------------------------------------------------------------

    def _history(self, route: Route, query: Mapping[str, str], now: datetime) -> Answer:
        echo = query.get("symbol", "")
        resolution = query.get("resolution", "")
        first_s, last_s = seconds_of(query.get("from")), seconds_of(query.get("to"))
        if not route.symbols or first_s is None or last_s is None:
            return udf_error("symbol, from and to are required")
        daily = resolution in DAILY_RESOLUTIONS
        if not daily and resolution not in MINUTE_RESOLUTIONS:
            if route.kind == "history":
                return vps_unsupported(echo, resolution)
            return vndirect_history(_NO_ROWS)
        cuts = [_NO_ROWS]
        symbol = route.symbols[0]
        if symbol in self._columns and first_s <= last_s:
            if daily:
                cuts = self._texts.cuts(symbol, first_s, last_s, now)
            else:
                cuts = [self._minute_cut(symbol, MINUTE_RESOLUTIONS[resolution], first_s, last_s, now)]
        return vps_history(echo, *cuts) if route.kind == "history" else vndirect_history(*cuts)

    def _minute_cut(
        self, symbol: str, interval: str, first_s: float, last_s: float, now: datetime
    ) -> dict[str, bytes]:
        first, last = (datetime.fromtimestamp(s, ICT).date() for s in (first_s, last_s))
        if first > now.date():
            return _NO_ROWS
        bars = self._market.bars_at(now, symbol, first, min(last, now.date()), interval)
        return HistoryText.of(bars, daily=False).cut(first_s, last_s)

    # -- CafeF --------------------------------------------------------------------------------------------

    def _cafef(self, symbols: tuple[str, ...], query: Mapping[str, str], now: datetime) -> Answer:
        symbol = symbols[0] if symbols else ""
        days: list[CafefDay] = []
        if symbol in self._columns:
            over = now.date() if now.time() >= _SESSION_END else now.date() - timedelta(days=1)
            first, last = cafef_window(query.get("StartDate", ""), query.get("EndDate", ""), over)
            days = self._cafef_days(symbol, first, last, now)
        return cafef_page(
            symbol, days, integer_of(query.get("PageIndex"), 1), integer_of(query.get("PageSize"), 20)
        )

    def _cafef_days(self, symbol: str, first: date, last: date, now: datetime) -> list[CafefDay]:
        """Return the sessions of a window, newest first."""
        if first > last:
            return []
        history = self._market.daily(now.date())
        bars = self._market.bars_at(now, symbol, first, last, "1D")
        column = self._columns[symbol]
        rows = np.searchsorted(history.sessions, bars.timestamps.astype("datetime64[D]"))
        return [
            CafefDay(
                session=history.sessions[row].item(),
                open=float(history.open[row, column]),
                high=float(history.high[row, column]),
                low=float(history.low[row, column]),
                close=float(history.close[row, column]),
                adjusted_close=float(adjusted),
                reference=float(history.reference[row, column]),
                volume=float(history.volume[row, column]),
                value=float(history.volume[row, column] * history.average[row, column]),
            )
            for row, adjusted in zip(rows[::-1], bars.close[::-1], strict=True)
        ]
