"""Sentiment: what a Vietnamese headline means to a holder, from a lexicon with negation and direction.

Syllables are grouped into the longest phrases that the lexicon knows (segmentation and look-up in one). A
word that says "rises" or "falls" is judged by what does: falling costs are good, rising bad debt is bad. A
negation turns what follows it in its clause. No English word counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

import msgspec

from vnquant.news.lexicon import BURDENS, INTENSIFIERS, NEGATIONS, POLARITY, REDUCERS, RISERS, ROUTINE
from vnquant.news.text import fold, split_phrase, split_syllables

__all__ = ("Sentiment", "SentimentLabel", "is_routine", "label_of", "score_sentiment")

SentimentLabel = Literal["negative", "neutral", "positive"]

_NEUTRAL_BELOW = 0.2
_NEGATION_REACH = 4  # syllables
_BURDEN_REACH = 3
_BREAKS = frozenset(",;:.…!?–—()")
_QUESTION_DAMPING = 0.6  # a question guesses

# A phrase of the lexicon: its text, weight, and whether it is a direction.
_Meaning = tuple[str, float, bool]
# Phrases by their first syllable.
_Phrases = Mapping[str, Sequence[tuple[str, ...]]]


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
    folded = fold(text)
    tokens = split_syllables(folded)
    if not tokens or _names_routine(folded):
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
    return _names_routine(fold(text))


def _names_routine(folded: str) -> bool:
    return any(map(folded.__contains__, _routines()))


def _words(tokens: list[str]) -> list[_Word]:
    """Return the longest known phrases from left to right."""
    lexicon = _lexicon()
    found, free = [], 0
    for at, token in enumerate(tokens):
        if token not in lexicon or at < free:
            continue
        alone, longer = lexicon[token]
        known = alone
        # The next syllable tells which of its phrases may stand here: mostly none.
        for phrase, meaning in longer.get(tokens[at + 1], ()) if at + 1 < len(tokens) else ():
            if len(phrase) == 2 or tuple(tokens[at : at + len(phrase)]) == phrase:
                known = meaning
                free = at + len(phrase)
                break
        if known is not None:
            free = max(free, at + 1)
            found.append(_Word(known[0], at, free, known[1], known[2]))
    return found


def _amount(word: _Word, tokens: list[str]) -> float:
    """Return what a phrase adds, after its neighbours had their say."""
    amount = word.weight
    if word.directed:
        if _near_burden(word, tokens):
            amount = -amount
        if "%" in tokens[word.end : word.end + 3]:
            amount *= 1.5
    elif word.text in BURDENS and _reduced(word, tokens):
        return 0.0  # the word that reduces it says it all
    amount *= INTENSIFIERS.get(tokens[word.end], 1.0) if word.end < len(tokens) else 1.0
    if _negated(word, tokens):
        amount *= -0.8
    return amount


def _clause_before(word: _Word, tokens: list[str], reach: int) -> list[str]:
    """Return up to `reach` syllables before a phrase, none from another clause."""
    first = start = word.start
    while start > 0 and first - start < reach and tokens[start - 1] not in _BREAKS:
        start -= 1
    return tokens[start:first]


def _clause_after(word: _Word, tokens: list[str], reach: int) -> list[str]:
    """Return up to `reach` syllables after a phrase, none from another clause."""
    after = tokens[word.end : word.end + reach]
    for place, token in enumerate(after):
        if token in _BREAKS:
            return after[:place]
    return after


def _near_burden(word: _Word, tokens: list[str]) -> bool:
    """Whether what rises or falls is a burden: it stands right before or right after."""
    after = _clause_after(word, tokens, _BURDEN_REACH)
    before = _clause_before(word, tokens, _BURDEN_REACH)
    return _names_any(after, _burdens()) or _names_any(before, _burdens())


def _reduced(word: _Word, tokens: list[str]) -> bool:
    """Whether a bad thing is what becomes less: "giảm bán ròng", "nợ xấu giảm mạnh"."""
    around = [*_clause_before(word, tokens, 3), *_clause_after(word, tokens, 3)]
    return _names_any(around, _reducers())


def _negated(word: _Word, tokens: list[str]) -> bool:
    """Whether a negation stands before a phrase in its clause."""
    return _names_any(_clause_before(word, tokens, _NEGATION_REACH), _negations())


def _names_any(tokens: list[str], phrases: _Phrases) -> bool:
    """Whether one of the phrases stands among the syllables."""
    for at, token in enumerate(tokens):
        for phrase in phrases.get(token, ()):
            if len(phrase) == 1 or tuple(tokens[at : at + len(phrase)]) == phrase:
                return True
    return False


def _by_first_syllable(phrases: Iterable[str]) -> _Phrases:
    """Return phrases by their first syllable, which most texts do not have."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in map(split_phrase, phrases):
        found.setdefault(phrase[0], []).append(phrase)
    return found


@cache
def _burdens() -> _Phrases:
    return _by_first_syllable(sorted(BURDENS))


@cache
def _reducers() -> _Phrases:
    return _by_first_syllable(REDUCERS)


@cache
def _negations() -> _Phrases:
    return _by_first_syllable(sorted(NEGATIONS))


@cache
def _routines() -> tuple[str, ...]:
    return tuple(fold(phrase) for phrase in ROUTINE)


@cache
def _lexicon() -> dict[str, tuple[_Meaning | None, dict[str, list[tuple[tuple[str, ...], _Meaning]]]]]:
    """Return what is known of phrases by their first syllable.

    That is what it means alone, and the longer ones by their second syllable, the longest first.
    """
    table: dict[tuple[str, ...], _Meaning] = {}
    for words, directed in ((POLARITY, False), (RISERS, True), (REDUCERS, True)):
        for phrase, weight in words.items():
            table[split_phrase(phrase)] = (phrase, weight, directed)
    found: dict[str, tuple[_Meaning | None, dict[str, list[tuple[tuple[str, ...], _Meaning]]]]] = {
        parts[0]: (table.get(parts[:1]), {}) for parts in table
    }
    for parts in sorted(table, key=len, reverse=True):
        if len(parts) > 1:
            found[parts[0]][1].setdefault(parts[1], []).append((parts, table[parts]))
    return found
