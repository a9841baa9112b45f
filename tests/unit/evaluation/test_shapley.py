"""Shapley shares: known games by hand, the axioms, and agents' shares of a combined rank IC."""

from itertools import permutations

import numpy as np
import pytest

from vnquant.errors import AlignmentError, EmptySelectionError, MissingDataError, ParameterError
from vnquant.evaluation import coalitions, newey_west, shapley

GLOVES = ("left", "right", "other right")


def pairs_of_gloves(team: frozenset[str]) -> float:
    return float("left" in team and len(team) > 1)


def test_the_glove_game():
    """Textbook game: the only left glove is worth 2/3 of a pair, each of two right ones 1/6."""
    report = shapley(GLOVES, pairs_of_gloves)
    assert report.shares == pytest.approx({"left": 2 / 3, "right": 1 / 6, "other right": 1 / 6})
    assert report.alone == {"left": 0.0, "right": 0.0, "other right": 0.0}
    assert report.last == {"left": 1.0, "right": 0.0, "other right": 0.0}
    assert report["left"] == report.shares["left"]


def test_the_airport_game():
    """Littlechild and Owen (1973): a runway as long as the largest plane needs; users share each stretch."""
    needs = {"small": 8.0, "middle": 11.0, "large": 18.0}
    report = shapley(tuple(needs), lambda team: max((needs[p] for p in team), default=0.0))
    assert report.shares == pytest.approx(
        {"small": 8 / 3, "middle": 8 / 3 + 3 / 2, "large": 8 / 3 + 3 / 2 + 7}
    )


def random_game(players: tuple[str, ...], seed: int) -> dict[frozenset[str], float]:
    rng = np.random.default_rng(seed)
    return {team: float(rng.normal()) for team in coalitions(players)}


def test_shares_are_the_mean_over_all_orders_of_joining():
    players = ("a", "b", "c", "d", "e")
    worth = random_game(players, 1)
    want = dict.fromkeys(players, 0.0)
    orders = list(permutations(players))
    for order in orders:
        for k, player in enumerate(order):
            want[player] += worth[frozenset(order[: k + 1])] - worth[frozenset(order[:k])]
    report = shapley(players, worth)
    assert report.shares == pytest.approx({p: total / len(orders) for p, total in want.items()}, abs=1e-9)


def test_shares_add_up_to_the_whole_and_whoever_adds_nothing_gets_nothing():
    players = tuple("abcdefgh")
    worth = random_game(players[:-1], 2)
    report = shapley(players, lambda team: worth[team - {"h"}])
    assert sum(report.shares.values()) == pytest.approx(report.total - report.baseline, abs=1e-9)
    assert report["h"] == pytest.approx(0.0, abs=1e-12)


def test_each_team_is_asked_for_once():
    asked = []

    def worth(team: frozenset[str]) -> float:
        asked.append(team)
        return float(len(team))

    report = shapley(("a", "b", "c", "d"), worth)
    assert sorted(map(sorted, asked)) == sorted(map(sorted, coalitions(("a", "b", "c", "d"))))
    assert len(asked) == 16
    assert set(report.shares.values()) == {1.0}


def test_worth_by_day_gives_shares_by_day_with_intervals():
    rng = np.random.default_rng(3)
    gains = {"good": rng.normal(0.02, 0.05, size=400), "idle": rng.normal(0.0, 0.05, size=400)}

    def worth(team: frozenset[str]) -> np.ndarray:
        return sum((gains[p] for p in team), np.zeros(400))

    report = shapley(("good", "idle"), worth)
    np.testing.assert_allclose(report.daily["good"], gains["good"])
    assert report["good"] == pytest.approx(gains["good"].mean())
    assert report.estimates["good"].low > 0.0
    assert report.estimates["idle"].is_zero
    assert report.estimates["idle"] == newey_west(report.daily["idle"], lags=5)
    assert report.to_frame().index.tolist() == ["good", "idle"]


def test_days_that_a_team_lacks_are_left_out_for_all():
    def worth(team: frozenset[str]) -> np.ndarray:
        by_day = np.arange(20.0) * len(team)
        if team == {"a"}:
            by_day[3] = np.nan
        return by_day

    report = shapley(("a", "b"), worth)
    assert np.isnan(report.daily["b"][3])
    assert report["a"] == pytest.approx(np.delete(np.arange(20.0), 3).mean())
    assert report.total - report.baseline == pytest.approx(report["a"] + report["b"])


def test_the_report_is_shown_in_text_and_html():
    report = shapley(GLOVES, pairs_of_gloves)
    assert str(report).splitlines()[1].split() == ["left", "+0.6667", "+0", "+1"]
    assert report._repr_html_().count("<tr>") == 5
    assert report.to_frame()["share"].tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_wrong_arguments_are_refused_with_what_to_do():
    with pytest.raises(EmptySelectionError, match="at least one"):
        shapley((), pairs_of_gloves)
    with pytest.raises(ParameterError, match="twice"):
        shapley(("a", "a"), pairs_of_gloves)
    with pytest.raises(ParameterError, match="8,192 teams"):
        shapley(tuple("abcdefghijklm"), pairs_of_gloves)
    with pytest.raises(MissingDataError, match="coalitions"):
        shapley(("a", "b"), {frozenset(): 0.0})
    with pytest.raises(MissingDataError, match="such as 0"):
        shapley(("a",), lambda team: float("nan") if not team else 1.0)
    with pytest.raises(AlignmentError, match="same days"):
        shapley(("a", "b"), lambda team: np.zeros(len(team) + 1))
