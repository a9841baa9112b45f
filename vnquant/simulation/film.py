"""Film: one session as it could be seen at each of its minutes, so that a replay looks instead of asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vnquant.market import OHLCV, Exchange, FloatArray, Quote, RunningSession, session_fraction
from vnquant.runtime.clock import ICT
from vnquant.simulation.board import Board, any_session
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.tape import CLOSING_AUCTION, MINUTES, Tape, has_auction

__all__ = ("FILM_MINUTES", "SessionFilm")

T = TypeVar("T")

# From when boards show the session until it is over: 08:30 to 15:00.
_OPENS, _OVER = 510, 900
FILM_MINUTES: npt.NDArray[np.int64] = np.arange(_OPENS, _OVER + 1)
FILM_MINUTES.flags.writeable = False


class SessionFilm:
    """A session of the simulated market, minute by minute.

    Parameters
    ----------
    profiles : Profiles
    history : DailyHistory
        Up to and including the session.
    tape : Tape
        Of the session.
    board : Board
        Of the session.
    rows : int
        Completed sessions that are shown before it.
    """

    def __init__(
        self,
        profiles: Profiles,
        history: DailyHistory,
        tape: Tape,
        board: Board,
        *,
        rows: int,
    ) -> None:
        self._profiles = profiles
        self._history, self._tape, self._board = history, tape, board
        self._rows = rows
        self.day: date = history.sessions[-1].item()
        midnight = datetime.combine(self.day, time(), tzinfo=ICT)
        self._opens = midnight + timedelta(minutes=_OPENS)
        self._over, self._ends = midnight + timedelta(minutes=_OVER), midnight + timedelta(days=1)

    def shows(self, local: datetime) -> bool:
        """Return whether boards show this session at an instant of its own day."""
        return self._opens <= local < self._ends

    def place(self, local: datetime) -> int:
        """Return the index in `FILM_MINUTES` of what is seen at an instant; the last where it is over."""
        if local >= self._over:
            return len(FILM_MINUTES) - 1
        return local.hour * 60 + local.minute - _OPENS

    @cached_property
    def running(self) -> RunningSession:
        """The bars at each minute, over those of the sessions before, adjusted as of this one."""
        panel = self._history.tail(self._rows + 1).panel()
        bars: dict[str, Any] = self._bars()
        for name in OHLCV:
            bars[name][FILM_MINUTES >= _OVER] = getattr(panel, name)[-1]
        return RunningSession(
            complete=panel.rows(slice(0, len(panel.timestamps) - 1)),
            session=panel.timestamps[-1],
            instants=panel.timestamps[-1] + (FILM_MINUTES * 60).astype("timedelta64[s]"),
            fraction=_usual_fractions(),
            **bars,
        )

    def _bars(self) -> dict[str, FloatArray]:
        """Return the session at each minute, shape (M, N), NaN before a symbol's first match."""
        tape, last = self._tape, np.maximum(_complete_minutes() - 1, 0)
        seen = {
            "high": tape.running_high.take(last, axis=0),
            "low": tape.running_low.take(last, axis=0),
            "close": tape.close.take(last, axis=0),
            "volume": tape.cumulative_volume.take(last, axis=0),
        }
        # The closing auction matches at once, on the boards that have one.
        matched = np.ix_(FILM_MINUTES >= CLOSING_AUCTION, has_auction(self._profiles.exchange))
        for values in seen.values():
            values[matched] = values[-1, matched[1]]
        seen["volume"][_complete_minutes() == 0] = 0.0
        waiting = seen["volume"] == 0.0
        seen["open"] = np.repeat(self._history.open[-1:], len(FILM_MINUTES), axis=0)
        for values in seen.values():
            values[waiting] = np.nan
        return seen

    @cached_property
    def last_prices(self) -> Mapping[int, list[float | None]]:
        """By column, a symbol's last price at each minute, None before its first match."""
        close = self.running.close
        return _ByColumn(lambda column: [None if p != p else p for p in close[:, column].tolist()])

    @cached_property
    def prices(self) -> Mapping[int, list[float]]:
        """By column, what a share is worth at each minute: before its first match the reference."""
        last, references = self.last_prices, self._history.reference[-1].tolist()
        return _ByColumn(lambda column: [references[column] if p is None else p for p in last[column]])

    def quote(self, column: int, local: datetime) -> Quote:
        """Return one symbol's quote at an instant from the session's opening until the next one's."""
        return self._board.quote(column, local)


class _ByColumn(dict[int, list[T]]):
    """A list by minutes for each column, made when it is first looked at."""

    def __init__(self, make: Callable[[int], list[T]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, column: int) -> list[T]:
        made = self[column] = self._make(column)
        return made


@cache
def _complete_minutes() -> npt.NDArray[np.int64]:
    """Return how many minutes of a tape are over at each minute of the film."""
    complete = np.searchsorted(MINUTES, FILM_MINUTES, side="left")
    complete.flags.writeable = False
    return complete


@cache
def _usual_fractions() -> FloatArray:
    """Return the usual share of a day's volume by each minute of the film; every session has the same."""
    opened, calendar = any_session()
    shares = [
        session_fraction(opened + timedelta(minutes=minute), Exchange.HOSE, calendar)
        for minute in FILM_MINUTES.tolist()
    ]
    fractions = np.where(FILM_MINUTES >= _OVER, 1.0, shares)
    fractions.flags.writeable = False
    return fractions
