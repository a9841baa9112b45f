"""Corporate: the calendar of cash dividends, bonus shares and splits of the simulated companies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from vnquant.market import FloatArray
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import Stream, lanes, uniform_of

__all__ = ("ExRights", "declared_dividends", "ex_rights_of_year")

# Most annual meetings fall in spring, so ex-dates run from mid-March to late November.
_FIRST_DIVIDEND = (3, 15)
_DIVIDEND_DAYS = 250
_FIRST_ISSUE = (5, 20)
_ISSUE_DAYS = 190
_PAYS_THIS_YEAR = 0.85
_ISSUES_THIS_YEAR = 0.13
# New shares a share held, from small bonus issues to a two-for-one.
_ISSUE_RATIOS = np.array([0.08, 0.10, 0.12, 0.15, 0.15, 0.20, 0.20, 0.25, 0.30, 0.50, 0.50, 1.00])
# A company whose share has become dear halves it, whatever else it planned.
_DEAR_VND = 130_000.0


@dataclass(frozen=True, slots=True)
class ExRights:
    """What goes ex on one session, by column.

    Attributes
    ----------
    columns : int64, shape (K,)
    cash_yield : float64, shape (K,)
        Cash dividend over the last close.
    issue_ratio : float64, shape (K,)
        New shares a share held.
    only_above_vnd : float64, shape (K,)
        The action takes place only if the last close is at least this.
    """

    columns: npt.NDArray[np.int64]
    cash_yield: FloatArray
    issue_ratio: FloatArray
    only_above_vnd: FloatArray


def ex_rights_of_year(
    profiles: Profiles, seed: int, year: int, sessions: npt.NDArray[np.datetime64]
) -> Mapping[int, ExRights]:
    """Return what goes ex, by row of `sessions` (the sessions of that year, or its part that is simulated).

    A date that is no session moves to the next one; what would fall before the first row or after the last
    is left out.
    """
    n = len(profiles)
    u = uniform_of(lanes(seed, Stream.CORPORATE, year, 16 * n)).reshape(n, 16).T
    dividend_day = _days(year, _FIRST_DIVIDEND, _DIVIDEND_DAYS, u[0])
    issue_day = _days(year, _FIRST_ISSUE, _ISSUE_DAYS, u[1])
    pays = (profiles.dividend_yield > 0) & (u[2] < _PAYS_THIS_YEAR)
    cash_yield = profiles.dividend_yield * (0.6 + 0.8 * u[3])
    issues = u[4] < _ISSUES_THIS_YEAR
    ratio = _ISSUE_RATIOS[np.floor(u[5] * len(_ISSUE_RATIOS)).astype(np.int64)]

    planned: dict[int, list[tuple[int, float, float, float]]] = {}

    def plan(day: np.datetime64, action: tuple[int, float, float, float]) -> None:
        row = int(np.searchsorted(sessions, day))
        if row < len(sessions) and day >= sessions[0]:
            planned.setdefault(row, []).append(action)

    for column in range(n):
        if pays[column]:
            plan(dividend_day[column], (column, float(cash_yield[column]), 0.0, 0.0))
        if issues[column]:
            plan(issue_day[column], (column, 0.0, float(ratio[column]), 0.0))
        else:
            plan(issue_day[column], (column, 0.0, 1.0, _DEAR_VND))
    return {row: _gather(actions) for row, actions in sorted(planned.items())}


def declared_dividends(actions: ExRights | None, close: FloatArray) -> FloatArray:
    """Return the cash dividend a share of each symbol, in whole hundreds of VND; `close` is the last one."""
    cash = np.zeros(len(close))
    if actions is not None:
        at = actions.columns
        cash[at] = np.floor(close[at] * actions.cash_yield / 100.0) * 100.0
    return cash


def _days(year: int, first: tuple[int, int], count: int, uniform: FloatArray) -> npt.NDArray[np.datetime64]:
    start = np.datetime64(date(year, *first), "D")
    return start + np.floor(uniform * count).astype("timedelta64[D]")


def _gather(actions: list[tuple[int, float, float, float]]) -> ExRights:
    # One action a symbol and session; the first planned wins.
    unique = {action[0]: action for action in reversed(actions)}
    table = np.array([unique[column] for column in sorted(unique)], dtype=np.float64)
    return ExRights(table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3])
