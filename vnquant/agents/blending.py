"""Blending: from evidence to scores, over whole arrays or at single points.

The score is the weighted mean of the evidence that is there; the confidence grows with its strength and
agreement and shrinks with what is missing. With weights w and strengths e over what is there, ::

    score      = sum(w e) / sum(w)
    confidence = coverage x (0.2 + 0.4 sum(w |e|) / sum(w) + 0.4 |score|)

where coverage is the share of the weight of required evidence that could be observed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, partial

import numpy as np

from vnquant.agents.evidence import Bars, Evidence
from vnquant.agents.scores import BoolArray, Note, Part, Point, Said, Scores, in_words, within_point
from vnquant.market.bars import FloatArray

__all__ = ("blend",)

# Confidence of evidence that says nothing either way, and what strength and agreement add to it.
_CONFIDENCE_BASE = 0.2
_CONFIDENCE_STRENGTH = 0.4
_CONFIDENCE_AGREEMENT = 0.4


def blend(
    bars: Bars,
    evidence: Mapping[str, Evidence],
    *,
    notes: tuple[Note, ...] = (),
    veto: BoolArray | None = None,
    position_fraction: FloatArray | None = None,
) -> Scores:
    """Return the weighted mean of the evidence, with a confidence and a part for each.

    Parameters
    ----------
    bars : Bars
    evidence : mapping of str to Evidence
    notes, veto, position_fraction
        As in `Scores`.
    """
    make = _LateScores.of if bars.by_point else _scores_of
    return make(bars, evidence, notes, veto, position_fraction)


def _scores_of(
    bars: Bars,
    evidence: Mapping[str, Evidence],
    notes: tuple[Note, ...],
    veto: BoolArray | None,
    position_fraction: FloatArray | None,
) -> Scores:
    shape = bars.shape
    total, score, strength = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    beyond = np.zeros(shape)
    wanted: FloatArray | float = 0.0
    amounts: dict[str, FloatArray] = {}
    for name, one in evidence.items():
        observed = bars.final(one.strength)
        said = one.weight if isinstance(one.weight, int | float) else bars.final(one.weight)
        there = ~np.isnan(observed)
        weight = said * there
        amounts[name] = said * observed
        heard = np.where(there, amounts[name], 0.0)
        total += weight
        score += heard
        strength += np.abs(heard, out=heard)
        if one.optional:
            beyond += weight
        else:
            wanted = wanted + said
    share = np.divide(1.0, total, out=np.full(shape, np.nan), where=total > 0.0)
    score *= share
    strength *= share
    confidence = _CONFIDENCE_BASE + _CONFIDENCE_STRENGTH * strength + _CONFIDENCE_AGREEMENT * np.abs(score)
    confidence *= np.divide(total - beyond, wanted, out=np.ones(shape), where=np.asarray(wanted) > 0.0)
    final = bars.spread(score)
    parts = {
        name: Part(
            bars.spread(np.multiply(amounts[name], share, out=amounts[name])),
            one.text,
            values={key: partial(bars.spread_value, value) for key, value in one.values.items()},
            against=one.against,
            absent=one.absent,
        )
        for name, one in evidence.items()
    }
    confidence = np.where(np.isnan(final), 0.0, bars.spread(confidence))
    return Scores(final, confidence, parts, notes, veto, position_fraction)


class _LateScores(Scores):
    """Scores whose arrays are made when somebody asks for them; a point is told without.

    A replay asks for a point or a dozen of each. In plain numbers that takes a tenth of the arrays' time.
    """

    _basis: tuple[Bars, Mapping[str, Evidence]] | None = None

    @classmethod
    def of(
        cls,
        bars: Bars,
        evidence: Mapping[str, Evidence],
        notes: tuple[Note, ...],
        veto: BoolArray | None,
        position_fraction: FloatArray | None,
    ) -> Scores:
        """Return the scores that the evidence makes."""
        scores = object.__new__(cls)
        vars(scores).update(
            _basis=(bars, evidence), notes=notes, veto=veto, position_fraction=position_fraction
        )
        return scores

    @cached_property
    def _whole(self) -> Scores:
        assert self._basis is not None  # else the arrays were given, and nobody asks here
        return _scores_of(*self._basis, self.notes, self.veto, self.position_fraction)

    @cached_property
    def score(self) -> FloatArray:
        """As of `Scores`."""
        return self._whole.score

    @cached_property
    def confidence(self) -> FloatArray:
        """As of `Scores`."""
        return self._whole.certainty

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        """As of `Scores`."""
        return self._whole.parts

    @cached_property
    def _lines(self) -> list[_Line]:
        assert self._basis is not None  # as above
        bars, evidence = self._basis
        return [_Line(bars, name, one) for name, one in evidence.items()]

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, N)."""
        return super().shape if self._basis is None else self._basis[0].shape

    def point(self, row: int, column: int) -> Point:
        """Return all that is said at one point: what `_scores_of` makes of it, number by number."""
        if self._basis is None:
            return super().point(row, column)
        total = score = strength = beyond = wanted = 0.0
        told: list[tuple[_Line, float]] = []
        for line in self._lines:
            observed, said = line.strength, line.weight
            if not isinstance(observed, float):
                observed = _at(observed, row, column)
            if not isinstance(said, float):
                said = _at(said, row, column)
            amount = said * observed
            told.append((line, amount))
            if there := observed == observed:
                total += said
                score += amount
                strength += abs(amount)
            if not line.optional:
                wanted += said
            elif there:
                beyond += said
        if not total > 0.0:
            return Point(math.nan, 0.0, {}, ())
        share = 1.0 / total
        score *= share
        strength *= share
        confidence = _CONFIDENCE_BASE + _CONFIDENCE_STRENGTH * strength + _CONFIDENCE_AGREEMENT * abs(score)
        if wanted > 0.0:
            confidence *= (total - beyond) / wanted
        contributions: dict[str, float] = {}
        said_of: list[Said] = []
        for line, weighed in told:
            amount = weighed * share
            if math.isfinite(amount):
                contributions[line.name] = amount
            said_of.append((amount, line.absent, partial(line.describe, amount < 0.0, row, column)))
        return Point(
            within_point(score, -1.0, "score"),
            within_point(confidence, 0.0, "confidence"),
            contributions,
            in_words(said_of, self.remarks(row, column)),
        )


class _Line:
    """One observation, to be looked up at points."""

    __slots__ = (
        "_bars",
        "_evidence",
        "_fixed",
        "_varying",
        "absent",
        "name",
        "optional",
        "strength",
        "weight",
    )

    def __init__(self, bars: Bars, name: str, evidence: Evidence) -> None:
        self.name = name
        self.absent, self.optional = evidence.absent, evidence.optional
        self.strength, self.weight = _cells(bars, evidence.strength), _cells(bars, evidence.weight)
        self._bars = bars
        self._evidence = evidence
        self._fixed: dict[str, float] | None = None
        self._varying: list[tuple[str, FloatArray]] = []

    def describe(self, against: bool, row: int, column: int) -> str:
        """Return it in words."""
        if self._fixed is None:
            self._fixed = self._sorted_out()
        values = self._fixed.copy()
        for name, cells in self._varying:
            values[name] = _at(cells, row, column)
        evidence = self._evidence
        return (evidence.against if against and evidence.against else evidence.text).format_map(values)

    def _sorted_out(self) -> dict[str, float]:
        """Return the values that are the same at all points, after setting the others aside."""
        fixed: dict[str, float] = {}
        for name, value in self._evidence.values.items():
            cells = _cells(self._bars, value)
            if isinstance(cells, float):
                fixed[name] = cells
            else:
                self._varying.append((name, cells))
        return fixed


def _cells(bars: Bars, x: FloatArray | float) -> FloatArray | float:
    cells = bars.cells(x)
    return cells if isinstance(cells, np.ndarray) else float(cells)


def _at(cells: FloatArray, row: int, column: int) -> float:
    """Return one point of the arrays that `Bars.cells` gives."""
    value: float = cells.item(row if len(cells) > 1 else 0, column)
    return value
