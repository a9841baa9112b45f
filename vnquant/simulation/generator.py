"""Generator: the simulated market as one object: days, minutes, quotes, headlines and the truth behind."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, time
from typing import TypeVar

import numpy as np

from vnquant.errors import DateRangeError, InputError
from vnquant.market import (
    BarPanel,
    BarSeries,
    CorporateAction,
    Exchange,
    Quote,
    TradingCalendar,
    Universe,
    default_calendar,
    load_universe,
)
from vnquant.market.calendar import CLOSING_TIME, to_ict
from vnquant.simulation.board import Board
from vnquant.simulation.chronicle import Chronicle, Record
from vnquant.simulation.entitlements import entitlements
from vnquant.simulation.film import SessionFilm
from vnquant.simulation.headlines import Headline, NewsEvents, Newsroom
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.planted import Planted
from vnquant.simulation.profiles import draw_profiles
from vnquant.simulation.randomness import RowLanes, Stream
from vnquant.simulation.rules import FIRST_START, PriceRules
from vnquant.simulation.series import INTERVAL_MINUTES, INTRADAY_SESSIONS, daily_series, gather_minutes
from vnquant.simulation.tape import MINUTES, Tape, record_tape, visible_minutes
from vnquant.simulation.truth import Truth, truth_of

__all__ = ("SimulatedMarket",)

T = TypeVar("T")

# From here on boards and feeds show the new session: its reference, band and adjusted history.
_BOARD_TURNS = time(8, 30)
_TAPES_KEPT = 8
_OTHERS_KEPT = 3


class SimulatedMarket:
    """A seeded market: same seed, same bytes; asking for later sessions never changes earlier ones.

    Sessions are made by calendar years when they are first asked for, and kept. Safe to use from threads.

    Parameters
    ----------
    seed : int
    planted : Planted
        What there is to find; `Planted.default()` where it is left out.
    start : date
        First day of the history, 2016-09-12 or later.
    universe : Universe, optional
        The shipped 102 symbols where it is left out.

    Raises
    ------
    DateRangeError
        If `start` is before 2016-09-12 or outside the trading calendar.

    Examples
    --------
    >>> from datetime import date
    >>> SimulatedMarket(seed=7).panel(date(2019, 12, 31))
    BarPanel(...)
    """

    def __init__(
        self,
        seed: int = 7,
        planted: Planted | None = None,
        start: date = date(2018, 1, 2),
        *,
        universe: Universe | None = None,
    ) -> None:
        if start < FIRST_START:
            raise DateRangeError(
                f"The simulated market cannot start on {start}: its tick sizes and bands are those since "
                f"{FIRST_START}. Start there or later."
            )
        self.seed = seed
        self.planted = Planted.default() if planted is None else planted
        self.universe = load_universe() if universe is None else universe
        self.symbols = self.universe.tickers
        # All boards keep HOSE's calendar; in reality the others also traded on 2018-01-23 and 24.
        self.calendar: TradingCalendar = default_calendar(Exchange.HOSE)
        self.start = self.calendar.session_on_or_after(start)
        self._profiles = draw_profiles(self.universe, seed)
        self._rules = PriceRules(self._profiles.exchange)
        self._board_lanes = RowLanes(seed, Stream.BOARD)
        self._chronicle = Chronicle(self._profiles, self.planted, self.calendar, self.start, seed)
        self._newsroom = Newsroom(self.universe, self._profiles, self.calendar, seed)
        self._latest_end: date | None = None
        self._lock = threading.RLock()
        self._kept: dict[str, OrderedDict[Hashable, object]] = {}
        self._column = {symbol: place for place, symbol in enumerate(self.symbols)}

    # -- days ---------------------------------------------------------------------------------------------

    def daily(self, end: date) -> DailyHistory:
        """Return the sessions from the start to `end`, raw, as they were known at the close of `end`.

        While `end` still trades its row is the future: `panel_at` and `bars_at` show what can be seen.
        Raises DateRangeError where `end` is before the first session or beyond the trading calendar.
        """
        rows = self._rows_to(end)
        self._latest_end = end if self._latest_end is None else max(end, self._latest_end)
        return self._keep("daily", rows, lambda: self._made.history.head(rows))

    def panel(self, end: date) -> BarPanel:
        """Return the bars to `end`, back-adjusted for dividends and splits as of `end`, as the feeds do."""
        history = self.daily(end)
        return self._keep("panel", len(history), history.panel)

    @property
    def truth(self) -> Truth:
        """The truth to the latest day that was asked for; `truth_at` takes the day."""
        return self.truth_at(self.start if self._latest_end is None else self._latest_end)

    def truth_at(self, end: date) -> Truth:
        """Return what the market obeyed to `end`; forward returns stop there."""
        history = self.daily(end)
        return self._keep(
            "truth",
            len(history),
            lambda: truth_of(
                self.planted, self.symbols, history.sessions, self._made.path, history.adjusted_close
            ),
        )

    # -- within a day -------------------------------------------------------------------------------------

    def minutes(self, symbol: str, session: date) -> BarSeries:
        """Return the 1-minute bars of one session as they traded; they add up to its daily bar exactly.

        Raises
        ------
        UnknownSymbolError
            If the symbol is not in the universe.
        DateRangeError
            If the market does not trade on that day, or it is before the start.
        """
        column = self._column_of(symbol)
        row = self._row_of(session)
        visible = len(MINUTES)
        return gather_minutes(self.symbols[column], column, [(session, self._tape(row), visible, 1.0)], 1)

    def bars_at(self, now: datetime, symbol: str, start: date, end: date, interval: str = "1D") -> BarSeries:
        """Return the bars that can be seen at market time `now`, adjusted as the feeds do.

        Parameters
        ----------
        now : datetime
        symbol : str
        start, end : date
            Both included. Daily bars end with the running session's partial bar once it has matched.
        interval : {"1D", "1m", "5m", "15m", "30m", "1h"}
            Those below a day reach back six sessions, whatever `start` says, as the feeds do. A bar's
            last minute is seen when it is over.
        """
        if start > end:
            raise DateRangeError(f"The range runs backwards: {start} is after {end}. Swap them.")
        if interval != "1D" and interval not in INTERVAL_MINUTES:
            known = ", ".join(("1D", *INTERVAL_MINUTES))
            raise InputError(f"There are no bars of {interval!r} here; the intervals are {known}.")
        column = self._column_of(symbol)
        local = to_ict(now)
        row, panel = self._seen_at(local)
        if interval == "1D":
            return daily_series(panel, column, start, end)
        first = max(0, row - INTRADAY_SESSIONS + 1)
        days = self.daily(self._day_of(row)).sessions
        adjustment = self._keep("adjustment", row, lambda: self._made.history.head(row + 1).adjustment)
        seen = int(visible_minutes(_minute_of(local), self._profiles.exchange)[column])
        wanted = []
        for place in range(first, row + 1):
            day: date = days[place].item()
            if start <= day <= end:
                whole = place < row or day < local.date()
                visible = len(MINUTES) if whole else seen
                wanted.append((day, self._tape(place), visible, float(adjustment[place, column])))
        return gather_minutes(self.symbols[column], column, wanted, INTERVAL_MINUTES[interval])

    def panel_at(self, now: datetime) -> BarPanel:
        """Return all symbols' daily bars that can be seen at `now`, the running session last and partial."""
        return self._seen_at(to_ict(now))[1]

    def quotes_at(self, now: datetime, symbols: Sequence[str] | None = None) -> dict[str, Quote]:
        """Return the board at `now`, by symbol in the order asked; all symbols where none are named.

        From 08:30 of a session the board shows that session, before any match without a last price; until
        then, and on other days, the last session's close. Raises UnknownSymbolError.
        """
        wanted = self.universe.check(symbols)
        local = to_ict(now)
        board = self._board(self._board_row(local))
        return {symbol: board.quote(self._column[symbol], local) for symbol in wanted}

    def film(self, session: date, *, rows: int = 400) -> SessionFilm:
        """Return a session as it could be seen at each of its minutes, for a replay that looks at many.

        Parameters
        ----------
        session : date
        rows : int
            Completed sessions shown before it.

        Raises
        ------
        DateRangeError
            If the market does not trade on that day, or it is before the start.
        """
        row, history = self._row_of(session), self.daily(session)
        return self._keep(
            "film",
            (row, rows),
            lambda: SessionFilm(self._profiles, history, self._tape(row), self._board(row), rows=rows),
        )

    def actions_at(
        self, now: datetime, symbols: Sequence[str], start: date, end: date
    ) -> tuple[CorporateAction, ...]:
        """Return what went ex from `start` to `end`, as far as it is known at `now`, by date and symbol.

        A dividend is known when the board turns to its ex-date: in this market its amount depends on the
        close before. Raises UnknownSymbolError.
        """
        columns = [self._column[symbol] for symbol in self.universe.check(symbols)]
        known = self.shown_session(to_ict(now))
        self._rows_to(known)
        return entitlements(self._made, columns, start, min(end, known), self.calendar)

    def headlines_at(self, now: datetime, limit: int = 50) -> list[Headline]:
        """Return the latest headlines published by `now`, newest first."""
        local = to_ict(now)
        return self._newsroom.latest(self._news_events(local.date()), local, limit)

    def headlines_of(self, day: date) -> tuple[Headline, ...]:
        """Return all headlines of a calendar day in order of time, those still to come included."""
        return self._newsroom.printed(self._news_events(day), day)

    def _news_events(self, day: date) -> NewsEvents:
        self._rows_to(max(day, self.start))
        made = self._made
        return NewsEvents(made.history, made.path.returns, made.jump, made.ex_rights)

    # -- sessions -----------------------------------------------------------------------------------------

    @property
    def _made(self) -> Record:
        return self._chronicle.to(self.start.year)

    def _rows_to(self, end: date) -> int:
        """Make sure that the sessions to `end` exist, and return how many they are."""
        end = end.date() if isinstance(end, datetime) else end
        if end < self.start:
            raise DateRangeError(f"The simulated history starts on {self.start}; {end} is before it.")
        sessions = self._chronicle.to(end.year).history.sessions
        return int(np.searchsorted(sessions, np.datetime64(end, "D"), side="right"))

    # -- at an instant ------------------------------------------------------------------------------------

    def shown_session(self, now: datetime) -> date:
        """Return the session that the board shows: from 08:30 today's, before and on other days the last."""
        day = now.date()
        if now.time() < _BOARD_TURNS or not self.calendar.is_trading_day(day):
            day = self.calendar.previous_session(day)
        return day

    def _board_row(self, local: datetime) -> int:
        return self._row_of(self.shown_session(local))

    def _seen_at(self, local: datetime) -> tuple[int, BarPanel]:
        """Return the board's session and the daily bars as they are seen."""
        row = self._board_row(local)
        day = self._day_of(row)
        if day < local.date() or local.time() >= CLOSING_TIME:
            return row, self.panel(day)
        film = self.film(day, rows=row)
        place = film.place(local)
        return row, self._keep("seen", (row, place), lambda: film.running.panel(place))

    def _board(self, row: int) -> Board:
        history = self._made.history
        return self._keep(
            "board",
            row,
            lambda: Board(self._profiles, self._rules, self._board_lanes, history, row, self._tape(row)),
        )

    def _tape(self, row: int) -> Tape:
        history = self._made.history
        return self._keep(
            "tape", row, lambda: record_tape(self._profiles, self._rules, self.seed, history, row)
        )

    def _keep(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under a key, else make it; the latest few of each kind are kept."""
        with self._lock:
            kept = self._kept.setdefault(kind, OrderedDict())
            found = kept.pop(key, None)
            if found is None:
                found = make()
            kept[key] = found
            while len(kept) > (_TAPES_KEPT if kind == "tape" else _OTHERS_KEPT):
                kept.popitem(last=False)
        return found  # type: ignore[return-value]

    def _column_of(self, symbol: str) -> int:
        return self._column[self.universe.check(symbol)[0]]

    def _row_of(self, session: date) -> int:
        rows = self._rows_to(session)
        if not rows or self._made.history.sessions[rows - 1] != np.datetime64(session, "D"):
            raise DateRangeError(
                f"{session} is not a session: the market was closed. The next one is "
                f"{self.calendar.next_session(session)}."
            )
        return rows - 1

    def _day_of(self, row: int) -> date:
        day: date = self._made.history.sessions[row].item()
        return day


def _minute_of(local: datetime) -> int:
    """Return the minutes after midnight."""
    return local.hour * 60 + local.minute
