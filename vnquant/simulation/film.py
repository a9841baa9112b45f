"""Film: one session as it could be seen at each of its minutes, so that a replay looks instead of asking."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.market import (
    EXCHANGE_ORDER,
    OHLCV,
    Exchange,
    FloatArray,
    Phase,
    Quote,
    RunningSession,
    TradingCalendar,
    default_calendar,
    phase_at,
    session_fraction,
)
from vnquant.runtime.clock import ICT
from vnquant.simulation.board import Board, Snapshot, draw_board, take_snapshot
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.tape import Tape, visible_minutes

__all__ = ("FILM_MINUTES", "SessionFilm")

# From when boards show the session until it is over: 08:30 to 15:00.
FILM_MINUTES: npt.NDArray[np.int64] = np.arange(510, 901)
FILM_MINUTES.flags.writeable = False
_OVER = 900


class SessionFilm:
    """A session of the simulated market, minute by minute.

    Parameters
    ----------
    history : DailyHistory
        Up to and including the session.
    rows : int
        Completed sessions that are shown before it.
    tape : Tape
        Of the session.
    """

    def __init__(
        self,
        profiles: Profiles,
        rules: PriceRules,
        seed: int,
        history: DailyHistory,
        tape: Tape,
        *,
        rows: int,
    ) -> None:
        self._profiles, self._rules, self._seed = profiles, rules, seed
        self._history, self._tape = history, tape
        self._rows = rows
        self.day: date = history.sessions[-1].item()
        self._boards: dict[int, Board] = {}
        self._prices: dict[int, list[float | None]] = {}

    def place(self, local: datetime) -> int:
        """Return the index of a time of day in `FILM_MINUTES`, -1 where it is not on the film."""
        place = local.hour * 60 + local.minute - int(FILM_MINUTES[0])
        return place if 0 <= place < len(FILM_MINUTES) else -1

    @cached_property
    def session(self) -> Snapshot:
        """The session at each minute, arrays of shape (M, N)."""
        visible = visible_minutes(FILM_MINUTES, self._profiles.exchange)
        return take_snapshot(self._history, len(self._history) - 1, self._tape, visible)

    @cached_property
    def running(self) -> RunningSession:
        """The bars at each minute, over those of the sessions before, adjusted as of this one."""
        panel = self._history.tail(self._rows + 1).panel()
        bars: dict[str, Any] = {name: getattr(self.session, name).copy() for name in OHLCV}
        bars["volume"][~self.session.started] = np.nan
        for name in OHLCV:
            bars[name][FILM_MINUTES >= _OVER] = getattr(panel, name)[-1]
        return RunningSession(
            complete=panel.rows(slice(0, len(panel.timestamps) - 1)),
            session=panel.timestamps[-1],
            instants=panel.timestamps[-1] + (FILM_MINUTES * 60).astype("timedelta64[s]"),
            fraction=_usual_fractions(),
            **bars,
        )

    def board(self, place: int) -> Board:
        """Return the price board at a minute; depth is drawn only where it is looked at."""
        board = self._boards.get(place)
        if board is None:
            row, session = len(self._history) - 1, self.session.at(place)
            minute = int(FILM_MINUTES[place])
            board = self._boards[place] = draw_board(
                self._profiles, self._rules, self._seed, self._history, row, session, [minute]
            )
        return board

    def last_price(self, place: int, column: int) -> float | None:
        """Return one symbol's last price at a minute, None before its first match."""
        prices = self._prices.get(column)
        if prices is None:
            close = np.where(self.session.started[:, column], self.session.close[:, column], np.nan)
            prices = self._prices[column] = [None if p != p else p for p in close.tolist()]
        return prices[place]

    @cached_property
    def references(self) -> list[float]:
        """The reference prices, VND."""
        references: list[float] = self._history.reference[-1].tolist()
        return references

    def quote(self, place: int, column: int, local: datetime) -> Quote:
        """Return one symbol's quote at a minute."""
        return self.board(place).quote(0, column, local, phases_at(int(FILM_MINUTES[place])))


@cache
def phases_at(minute: int) -> tuple[Phase, ...]:
    """Return each board's phase at a minute of a session, by place in `EXCHANGE_ORDER`."""
    opened, calendar = _any_session()
    when = opened + timedelta(minutes=minute)
    return tuple(phase_at(when, exchange, calendar) for exchange in EXCHANGE_ORDER)


@cache
def _usual_fractions() -> FloatArray:
    """Return the usual share of a day's volume by each minute of the film; every session has the same."""
    opened, calendar = _any_session()
    shares = [
        session_fraction(opened + timedelta(minutes=minute), Exchange.HOSE, calendar)
        for minute in FILM_MINUTES.tolist()
    ]
    fractions = np.where(FILM_MINUTES >= _OVER, 1.0, shares)
    fractions.flags.writeable = False
    return fractions


@cache
def _any_session() -> tuple[datetime, TradingCalendar]:
    """Return the midnight before a session, and its calendar: all sessions keep the same hours."""
    calendar = default_calendar(Exchange.HOSE)
    return datetime.combine(calendar.session_on_or_after(date(2025, 1, 2)), time(), tzinfo=ICT), calendar
