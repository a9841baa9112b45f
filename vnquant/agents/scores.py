"""Scores: what an agent thinks of every symbol at every time, and the parts its opinion is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vnquant.errors import AgentError
from vnquant.market.bars import FloatArray

__all__ = ("BoolArray", "Note", "Part", "Point", "Said", "Scores", "ScoresAt", "in_words", "within_point")

Value = FloatArray | float | Callable[[], FloatArray | float]
BoolArray = npt.NDArray[np.bool_]
Said = tuple[float, str, Callable[[], str]]

# Rounding in a weighted sum may step over a bound by a few ulp; anything more is a mistake of the agent.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Part:
    """One line of an agent's reasoning: what it adds to the score, and the numbers that say why.

    Attributes
    ----------
    contribution : float64, shape (T, N)
        Share of the score; the contributions of all parts add up to the score. NaN where it has no say.
    text : str
        Format string of `values`, such as "{days:.0f}-day return {change:+.1f} %".
    values : mapping of str to float64 array of shape (T, N)
        Given as arrays, as plain numbers that hold everywhere, or as functions without arguments that return
        either: few points are ever told, so an array may be left to be made when one is.
    against : str
        Format string used where the contribution is negative; `text` where left empty.
    absent : str
        What to say where the contribution is NaN; nothing where left empty.
    """

    contribution: FloatArray
    text: str
    values: Mapping[str, Value] = field(default_factory=dict)
    against: str = ""
    absent: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _Arrays(self.values, np.shape(self.contribution)))

    def at(self, row: int, column: int) -> float:
        """Return the contribution at one point."""
        return float(self.contribution[row, column])

    def describe(self, row: int, column: int) -> str:
        """Return the text with the numbers of one point, "" where there is nothing to say."""
        amount = self.at(row, column)
        if not math.isfinite(amount):
            return self.absent
        return _fill(self.against if amount < 0 and self.against else self.text, self.values, row, column)


@dataclass(frozen=True, eq=False)
class Note:
    """A remark that adds nothing to the score, such as a veto or a position size.

    Attributes
    ----------
    where : bool, shape (T, N)
        The points that it is true of.
    text, values
        As in `Part`.
    urgent : bool
        Whether it comes before the parts, or after them.
    """

    where: BoolArray
    text: str
    values: Mapping[str, Value] = field(default_factory=dict)
    urgent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _Arrays(self.values, self.where.shape))

    def describe(self, row: int, column: int) -> str:
        """Return the text with the numbers of one point, "" where the note is not true."""
        return _fill(self.text, self.values, row, column) if self.where[row, column] else ""


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Opinions of one agent on a panel, checked on construction.

    Attributes
    ----------
    score : float64, shape (T, N)
        From -1 (sell) to 1 (buy); NaN says that the agent has no opinion there.
    confidence : float64, shape (T, N), or a number for all
        From 0 to 1; set to 0 wherever the score is NaN.
    parts : mapping of str to Part
        Optional: the reasoning, largest contributions first when it is told.
    notes : tuple of Note
        Optional: remarks that add nothing to the score.
    veto : bool, shape (T, N), or None
        Where a buy is barred, whatever the others say.
    position_fraction : float64, shape (T, N), or None
        Largest share of equity that a position should take.

    Raises
    ------
    AgentError
        If shapes differ, a score leaves [-1, 1], or a confidence leaves [0, 1].
    """

    score: FloatArray
    confidence: FloatArray | float
    parts: Mapping[str, Part] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    veto: BoolArray | None = None
    position_fraction: FloatArray | None = None

    def __post_init__(self) -> None:
        score = _within(self.score, -1.0, "score")
        silent = np.isnan(score)
        confidence = np.asarray(self.confidence, dtype=np.float64)
        if confidence.ndim == 0:
            confidence = np.full(score.shape, float(confidence))
        if confidence.shape != score.shape:
            raise AgentError(
                f"confidence has shape {confidence.shape}, score {score.shape}; they must be equal"
            )
        confidence = np.where(silent, 0.0, confidence)
        if np.isnan(confidence).any():
            raise AgentError("confidence is NaN where the score is not; give 0 where the agent is unsure")
        for name, extra in (("veto", self.veto), ("position_fraction", self.position_fraction)):
            if extra is not None and np.shape(extra) != score.shape:
                raise AgentError(
                    f"{name} has shape {np.shape(extra)}, score {score.shape}; they must be equal"
                )
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "confidence", _within(confidence, 0.0, "confidence"))
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, N)."""
        return self.score.shape

    def column(self, which: int) -> Scores:
        """Return the opinions on one symbol, shape (T, 1), without the reasoning."""
        one = slice(which, which + 1)
        return Scores(
            self.score[:, one],
            self.certainty[:, one],
            veto=None if self.veto is None else self.veto[:, one],
        )

    @property
    def certainty(self) -> FloatArray:
        """The confidence as an array, which it always is after construction."""
        return np.asarray(self.confidence)

    def reasons(self, row: int, column: int, *, at_least: float = 0.005) -> tuple[str, ...]:
        """Return the parts in words at one point, weightiest first, then what is absent, amid the notes."""
        said = [
            (part.at(row, column), part.absent, partial(part.describe, row, column))
            for part in self.parts.values()
        ]
        return in_words(said, self.remarks(row, column), at_least=at_least)

    def remarks(self, row: int, column: int) -> list[tuple[bool, str]]:
        """Return the notes in words at one point, "" where one is not true, each with its urgency."""
        return [(note.urgent, note.describe(row, column)) for note in self.notes]

    def point(self, row: int, column: int) -> Point:
        """Return all that is said at one point."""
        score = float(self.score[row, column])
        amounts = {name: part.at(row, column) for name, part in self.parts.items()}
        return Point(
            score,
            float(self.certainty[row, column]),
            {name: amount for name, amount in amounts.items() if math.isfinite(amount)},
            () if math.isnan(score) else self.reasons(row, column),
        )

    def __repr__(self) -> str:
        known = np.isfinite(self.score)
        share = float(known.mean()) if known.size else 0.0
        mean = float(self.score[known].mean()) if known.any() else float("nan")
        return f"Scores({' x '.join(map(str, self.shape))}, opinion on {share:.0%}, mean {mean:+.3f})"


class Point(NamedTuple):
    """What scores say at one point: the parts that have a say there, and in words where there is a score."""

    score: float
    confidence: float
    contributions: dict[str, float]
    reasons: tuple[str, ...]


class ScoresAt(NamedTuple):
    """One point of some scores: a stock at an instant."""

    scores: Scores
    row: int
    column: int


def in_words(
    said: Sequence[Said], remarks: Sequence[tuple[bool, str]], *, at_least: float = 0.005
) -> tuple[str, ...]:
    """Return parts in words, weightiest first, then what is absent, amid the notes.

    Parameters
    ----------
    said : sequence of Said
        Of each part its contribution, what to say where that is NaN, and its description.
    remarks : sequence of (bool, str)
        Of each note whether it is urgent, and its text.
    at_least : float
        What a part has to weigh to be told.
    """
    heard = sorted((one for one in said if math.isfinite(one[0])), key=lambda one: -abs(one[0]))
    told: list[str] = []
    # Where nothing weighs enough, the weightiest part still says what was looked at.
    for amount, _, describe in heard:
        if told and abs(amount) < at_least:
            break
        if text := describe():
            told.append(text)
    told += [absent for amount, absent, _ in said if absent and math.isnan(amount)]
    return (
        *(text for urgent, text in remarks if urgent and text),
        *told,
        *(text for urgent, text in remarks if not urgent and text),
    )


class _Arrays(Mapping[str, FloatArray]):
    """Values as arrays of one shape, each made when it is asked for."""

    def __init__(self, values: Mapping[str, Value], shape: tuple[int, ...]) -> None:
        self._values = dict(values)
        self._shape = shape

    def __getitem__(self, name: str) -> FloatArray:
        value = self._values[name]
        return np.broadcast_to(
            np.asarray(value() if callable(value) else value, dtype=np.float64), self._shape
        )

    def at(self, name: str, row: int, column: int) -> float:
        """Return one value at one point, without an array of the others."""
        value = self._values[name]
        array = np.asarray(value() if callable(value) else value)
        if array.shape == self._shape:
            return float(array[row, column])
        return float(np.broadcast_to(array, self._shape)[row, column] if array.ndim else array)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _fill(text: str, values: Mapping[str, Value], row: int, column: int) -> str:
    """Return the format string with the numbers of one point."""
    assert isinstance(values, _Arrays)  # parts and notes make their values so
    return text.format(**{name: values.at(name, row, column) for name in values})


def _within(values: Any, low: float, name: str) -> FloatArray:
    """Return the values as float64, clipped where rounding stepped over a bound, refused beyond that."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return array
    smallest, largest = np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
    if smallest >= low and largest <= 1.0:
        return array
    if smallest < low - _ROUNDING or largest > 1.0 + _ROUNDING:
        raise AgentError(
            f"{name} runs from {smallest:.6g} to {largest:.6g}, allowed is {low:g} to 1. "
            "Bring it into range, for example with numpy.tanh or numpy.clip."
        )
    return np.clip(array, low, 1.0)


def within_point(value: float, low: float, name: str) -> float:
    """Return one value as `Scores` keeps it: clipped or refused where it steps over a bound."""
    return value if low <= value <= 1.0 else float(_within(value, low, name))
