"""Sentiment: what a Vietnamese headline means to a holder, from a lexicon with negation and direction.

Syllables are grouped into the longest phrases that the lexicon knows (segmentation and look-up in one). A
word that says "rises" or "falls" is judged by what does: falling costs are good, rising bad debt is bad. A
negation turns what follows it in its clause. No English word counts.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import takewhile
from typing import Literal, NamedTuple

import msgspec

from vnquant.news.lexicon import BURDENS, INTENSIFIERS, NEGATIONS, POLARITY, REDUCERS, RISERS, ROUTINE
from vnquant.news.text import fold, split_phrase, syllables

__all__ = ("Sentiment", "SentimentLabel", "is_routine", "label_of", "score_sentiment")

SentimentLabel = Literal["negative", "neutral", "positive"]

_NEUTRAL_BELOW = 0.2
_NEGATION_REACH = 4  # syllables
_BURDEN_REACH = 3
_BREAKS = frozenset(",;:.…!?–—()")
_QUESTION_DAMPING = 0.6  # a question guesses


class Sentiment(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one text.

    `score` runs from -1 to 1, `label` is neutral within 0.2 of zero, and `terms` are the phrases that
    counted, each with its share before squashing.
    """

    label: SentimentLabel
    score: float
    terms: tuple[tuple[str, float], ...] = ()


class _Word(NamedTuple):
    """A matched phrase: its text, place among the syllables, weight, and whether it is a direction."""

    text: str
    start: int
    end: int
    weight: float
    directed: bool


def score_sentiment(text: str) -> Sentiment:
    """Return the sentiment of a Vietnamese text, best of a headline.

    Examples
    --------
    >>> str(score_sentiment("Lợi nhuận quý 3 giảm mạnh").label)
    'negative'
    >>> str(score_sentiment("Lãi ròng tăng gấp đôi, vượt kế hoạch").label)
    'positive'
    """
    tokens = syllables(text)
    if not tokens or is_routine(text):
        return Sentiment(label="neutral", score=0.0)
    terms = []
    for word in _words(tokens):
        amount = _amount(word, tokens)
        if amount:
            terms.append((word.text, round(amount, 6)))
    total = math.fsum(amount for _, amount in terms)
    if tokens[-1] == "?":
        total *= _QUESTION_DAMPING
    score = math.tanh(total / 2.0)
    return Sentiment(label=label_of(score), score=score, terms=tuple(terms))


def label_of(score: float) -> SentimentLabel:
    """Return the label of a score: neutral within 0.2 of zero."""
    if abs(score) < _NEUTRAL_BELOW:
        return "neutral"
    return "positive" if score > 0 else "negative"


def is_routine(text: str) -> bool:
    """Whether a text is a calendar or a list, which mentions everybody and judges nobody."""
    folded = fold(text)
    return any(fold(phrase) in folded for phrase in ROUTINE)


def _words(tokens: list[str]) -> list[_Word]:
    """Return the longest known phrases from left to right."""
    table, longest = _phrases()
    found, at = [], 0
    while at < len(tokens):
        for length in range(min(longest, len(tokens) - at), 0, -1):
            known = table.get(tuple(tokens[at : at + length]))
            if known is not None:
                found.append(_Word(known[0], at, at + length, known[1], known[2]))
                at += length
                break
        else:
            at += 1
    return found


def _amount(word: _Word, tokens: list[str]) -> float:
    """Return what a phrase adds, after its neighbours had their say."""
    amount = word.weight
    burdened = _near_burden(word, tokens)
    if word.directed and burdened:
        amount = -amount
    elif not word.directed and word.text in BURDENS and _reduced(word, tokens):
        return 0.0  # the word that reduces it says it all
    after = tokens[word.end : word.end + 3]
    if word.directed and "%" in after:
        amount *= 1.5
    amount *= INTENSIFIERS.get(tokens[word.end], 1.0) if word.end < len(tokens) else 1.0
    if _negated(word, tokens):
        amount *= -0.8
    return amount


def _clause_before(word: _Word, tokens: list[str], reach: int) -> list[str]:
    """Return up to `reach` syllables before a phrase, none from another clause."""
    start = word.start
    while start > 0 and word.start - start < reach and tokens[start - 1] not in _BREAKS:
        start -= 1
    return tokens[start : word.start]


def _clause_after(word: _Word, tokens: list[str], reach: int) -> list[str]:
    """Return up to `reach` syllables after a phrase, none from another clause."""
    return list(takewhile(lambda token: token not in _BREAKS, tokens[word.end : word.end + reach]))


def _near_burden(word: _Word, tokens: list[str]) -> bool:
    """Whether what rises or falls is a burden: it stands right before or right after."""
    after = _clause_after(word, tokens, _BURDEN_REACH)
    before = _clause_before(word, tokens, _BURDEN_REACH)
    return any(_contains(after, phrase) or _contains(before, phrase) for phrase in _burdens())


def _reduced(word: _Word, tokens: list[str]) -> bool:
    """Whether a bad thing is what becomes less: "giảm bán ròng", "nợ xấu giảm mạnh"."""
    around = [*_clause_before(word, tokens, 3), *_clause_after(word, tokens, 3)]
    return any(_contains(around, split_phrase(phrase)) for phrase in REDUCERS)


def _negated(word: _Word, tokens: list[str]) -> bool:
    """Whether a negation stands before a phrase in its clause."""
    before = _clause_before(word, tokens, _NEGATION_REACH)
    return any(_contains(before, split_phrase(negation)) for negation in NEGATIONS)


def _contains(tokens: list[str], phrase: tuple[str, ...]) -> bool:
    width = len(phrase)
    return any(tuple(tokens[i : i + width]) == phrase for i in range(len(tokens) - width + 1))


@cache
def _burdens() -> tuple[tuple[str, ...], ...]:
    return tuple(split_phrase(phrase) for phrase in sorted(BURDENS))


@cache
def _phrases() -> tuple[dict[tuple[str, ...], tuple[str, float, bool]], int]:
    """Return the lexicon by syllables, and the length of its longest phrase."""
    table: dict[tuple[str, ...], tuple[str, float, bool]] = {}
    for words, directed in ((POLARITY, False), (RISERS, True), (REDUCERS, True)):
        for phrase, weight in words.items():
            table[split_phrase(phrase)] = (phrase, weight, directed)
    return table, max(len(key) for key in table)
