"""Chronicle: the years simulated so far, made one after the other when they are first asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date

import numpy as np

from vnquant.market import FloatArray, TradingCalendar
from vnquant.simulation.corporate import ExRights, ex_rights_of_year
from vnquant.simulation.history import DailyHistory, finish_sessions
from vnquant.simulation.planted import Planted
from vnquant.simulation.process import DailyProcess, Trajectory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.shocks import ShockMaker

__all__ = ("Chronicle", "Record")


@dataclass(frozen=True, slots=True)
class Record:
    """Whole years of simulated sessions: what traded, what it was made of, and what was planned to go ex."""

    history: DailyHistory
    path: Trajectory
    jump: FloatArray
    ex_rights: Mapping[int, ExRights]
    last_year: int

    def followed_by(self, later: Record) -> Record:
        """Return both as one; `later` starts where this ends."""
        path = {
            f.name: np.concatenate([getattr(self.path, f.name), getattr(later.path, f.name)])
            for f in fields(Trajectory)
        }
        shifted = {len(self.history) + row: actions for row, actions in later.ex_rights.items()}
        return Record(
            DailyHistory.join(self.history, later.history),
            Trajectory(**path),
            np.concatenate([self.jump, later.jump]),
            {**self.ex_rights, **shifted},
            later.last_year,
        )


class Chronicle:
    """Grows the record by calendar years; what is recorded never changes. Safe to use from threads."""

    def __init__(
        self, profiles: Profiles, planted: Planted, calendar: TradingCalendar, start: date, seed: int
    ) -> None:
        self._profiles = profiles
        self._calendar = calendar
        self._start = start
        self._seed = seed
        self._rules = PriceRules(profiles.exchange)
        self._shocks = ShockMaker(profiles, seed)
        self._process = DailyProcess(profiles, planted)
        self._record: Record | None = None
        self._lock = threading.Lock()

    def to(self, year: int) -> Record:
        """Return the record, at least to the end of a year."""
        with self._lock:
            if self._record is None:
                self._record = self._simulate(self._start.year, self._profiles.foreign_room, None)
            while self._record.last_year < year:
                before = self._record
                room = before.history.foreign_room[-1] / before.path.shares[-1]
                self._record = self._simulate(before.last_year + 1, room, before)
            return self._record

    def _simulate(self, year: int, foreign_room: FloatArray, before: Record | None) -> Record:
        sessions = self._calendar.sessions(max(self._start, date(year, 1, 1)), date(year, 12, 31))
        # On copies, kept only when the year is whole: an interrupt half-way must not move the market.
        maker, process = self._shocks.fork(), self._process.fork()
        shocks = maker.make(len(sessions))
        ex_rights = ex_rights_of_year(self._profiles, self._seed, year, sessions)
        path = process.run(shocks, ex_rights)
        history = finish_sessions(self._profiles, self._rules, sessions, shocks, path, foreign_room)
        record = Record(history, path, shocks.jump, ex_rights, year)
        record = record if before is None else before.followed_by(record)
        self._shocks, self._process = maker, process
        return record
