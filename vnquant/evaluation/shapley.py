"""Evaluation: what each player of a team is worth: the Shapley shares of a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from vnquant.errors import AlignmentError, EmptySelectionError, MissingDataError, ParameterError
from vnquant.evaluation.intervals import Estimate, lags_for, newey_west
from vnquant.market.bars import FloatArray
from vnquant.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("ShapleyReport", "coalitions", "shapley")

Coalition = frozenset[str]
Worth = float | FloatArray

_MOST_PLAYERS = 12


@dataclass(frozen=True, eq=False, repr=False)
class ShapleyReport:
    """What each player adds, averaged over all orders in which the team could have come together.

    Attributes
    ----------
    players : tuple of str
    shares : mapping of str to float
        They add up to `total - baseline` exactly.
    alone, last : mapping of str to float
        What a player adds to nobody, and to all others. A player whose share lies far above `last` does what
        others can do too.
    total, baseline : float
        Worth of the whole team, and of nobody.
    daily : mapping of str to float64, shape (T,)
        Shares by day, where the worth was given by day; else empty.
    estimates : mapping of str to Estimate
        Intervals of the shares over the days; else empty.
    """

    players: tuple[str, ...]
    shares: Mapping[str, float]
    alone: Mapping[str, float]
    last: Mapping[str, float]
    total: float
    baseline: float
    daily: Mapping[str, FloatArray]
    estimates: Mapping[str, Estimate]

    def __getitem__(self, player: str) -> float:
        return self.shares[player]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.players)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a player: share, low, high, alone, last; largest share first."""
        import pandas as pd

        unknown = float("nan")
        rows = [
            (
                player,
                self.shares[player],
                self.estimates[player].low if self.estimates else unknown,
                self.estimates[player].high if self.estimates else unknown,
                self.alone[player],
                self.last[player],
            )
            for player in self._ranked()
        ]
        return pd.DataFrame(rows, columns=["player", "share", "low", "high", "alone", "last"]).set_index(
            "player"
        )

    def _ranked(self) -> list[str]:
        return sorted(self.players, key=lambda player: -self.shares[player])

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for player in self._ranked():
            sure = self.estimates.get(player)
            interval = f"{sure.low:+.4g} to {sure.high:+.4g}" if sure else ""
            amounts = (self.shares[player], self.alone[player], self.last[player])
            share, alone, last = (f"{amount:+.4g}" for amount in amounts)
            rows.append((player, share, interval, alone, last))
        rows.append(("all together", f"{self.total - self.baseline:+.4g}", "", "", ""))
        return rows

    def __str__(self) -> str:
        return text_table(_HEADER, self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows())


_HEADER = ("player", "share", "95 % interval", "alone", "added last")


def coalitions(players: Sequence[str]) -> tuple[Coalition, ...]:
    """Return every team that the players can form, from nobody to all: what `shapley` needs the worth of."""
    names = _checked(players)
    return tuple(frozenset(team) for size in range(len(names) + 1) for team in combinations(names, size))


def shapley(
    players: Sequence[str],
    worth: Callable[[Coalition], Worth] | Mapping[Coalition, Worth],
    *,
    horizon: int = 1,
) -> ShapleyReport:
    """Share a result among the players who made it (Shapley, A value for n-person games, 1953), exactly.

    Parameters
    ----------
    players : sequence of str
        At most 12: each of the 2 ** n teams is asked for once.
    worth : callable or mapping
        Worth of a team, the empty one included: one number, or an array of one number a day, such as the
        daily rank IC of a Chief who hears only these agents. By day the shares get intervals. A mapping by
        frozenset serves where the worth takes an await; `coalitions` says which it must hold.
    horizon : int
        Days that each day's worth spans, for the intervals.

    Raises
    ------
    MissingDataError
        If a worth is not finite. Days on which any team's worth is NaN are left out.

    Examples
    --------
    A left glove and two right ones, of which a pair is worth 1:

    >>> pairs = lambda team: float("left" in team and len(team) > 1)
    >>> {name: round(share, 3) for name, share in shapley(("left", "right", "other"), pairs).shares.items()}
    {'left': 0.667, 'right': 0.167, 'other': 0.167}
    """
    names = _checked(players)
    teams = coalitions(names)
    ask = _asker(worth)
    given = [np.asarray(ask(team), dtype=np.float64) for team in teams]
    if len({value.shape for value in given}) != 1 or given[0].ndim > 1:
        raise AlignmentError(
            "The worth of every team must be one number, or one number for each of the same days; got shapes "
            f"{sorted({str(value.shape) for value in given})}."
        )
    table = np.stack([np.atleast_1d(value) for value in given])
    known = np.isfinite(table).all(axis=0)
    if not known.any():
        raise MissingDataError(
            "No day has a finite worth for every team. Give the empty team a worth too, such as 0."
        )
    table = np.where(known, table, 0.0)
    place = {team: k for k, team in enumerate(teams)}
    everyone, nobody = frozenset(names), frozenset[str]()
    by_day = {player: _share(player, names, teams, place, table) for player in names}
    mean = table.sum(axis=1) / np.count_nonzero(known)
    daily = {p: np.where(known, share, np.nan) for p, share in by_day.items()} if given[0].ndim else {}
    lags = lags_for(horizon, int(np.count_nonzero(known)))
    return ShapleyReport(
        players=names,
        shares={player: float(share[known].mean()) for player, share in by_day.items()},
        alone={p: float(mean[place[frozenset({p})]] - mean[place[nobody]]) for p in names},
        last={p: float(mean[place[everyone]] - mean[place[everyone - {p}]]) for p in names},
        total=float(mean[place[everyone]]),
        baseline=float(mean[place[nobody]]),
        daily=daily,
        estimates={player: newey_west(share, lags=lags) for player, share in daily.items()},
    )


def _share(
    player: str,
    names: tuple[str, ...],
    teams: tuple[Coalition, ...],
    place: Mapping[Coalition, int],
    table: FloatArray,
) -> FloatArray:
    """Return the player's weighted mean of what joining each team of others adds, by day."""
    n = len(names)
    without = [team for team in teams if player not in team]
    # Of all n! orders, those in which just this team comes before the player.
    weights = np.array(
        [factorial(len(team)) * factorial(n - len(team) - 1) / factorial(n) for team in without]
    )
    before = table[[place[team] for team in without]]
    after = table[[place[team | {player}] for team in without]]
    shared: FloatArray = weights @ (after - before)
    return shared


def _asker(worth: Callable[[Coalition], Worth] | Mapping[Coalition, Worth]) -> Callable[[Coalition], Worth]:
    """Return a function of the team, whichever way the worth is given."""
    if not isinstance(worth, Mapping):
        return worth

    def look_up(team: Coalition) -> Worth:
        try:
            return worth[team]
        except KeyError:
            raise MissingDataError(
                f"The worth of the team {sorted(team) or 'of nobody'} is missing; `coalitions(players)` "
                "lists all that are needed."
            ) from None

    return look_up


def _checked(players: Sequence[str]) -> tuple[str, ...]:
    names = (players,) if isinstance(players, str) else tuple(players)
    if not names:
        raise EmptySelectionError("No players given; name at least one, such as ('bull', 'bear').")
    if len(set(names)) != len(names):
        raise ParameterError(f"A player is named twice among {names}.", name="players", value=names)
    if len(names) > _MOST_PLAYERS:
        raise ParameterError(
            f"{len(names)} players form {2 ** len(names):,} teams; exact shares are for {_MOST_PLAYERS} "
            "players at most. Group some of them into one.",
            name="players",
            value=names,
        )
    return names
