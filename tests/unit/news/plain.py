"""The plain way to read a headline: each phrase and name is tried at each place, nothing is indexed."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence

from vnquant.market.symbols import Symbol
from vnquant.news import Sentiment, linking
from vnquant.news.lexicon import BURDENS, INTENSIFIERS, NEGATIONS, POLARITY, REDUCERS, RISERS, ROUTINE
from vnquant.news.sentiment import label_of
from vnquant.news.text import _TONES, syllables

TICKER = re.compile(r"(?<![\w.&-])[A-Z][A-Z0-9]{2}(?![\w&-])")
TONE = re.compile("(?<!q)(" + "|".join(_TONES) + r")(?!\w)")
BREAKS = set(",;:.…!?–—()")
KNOWN = {
    tuple(syllables(phrase)): (phrase, weight, directed)
    for words, directed in ((POLARITY, False), (RISERS, True), (REDUCERS, True))
    for phrase, weight in words.items()
}


def fold(text: str) -> str:
    lowered = unicodedata.normalize("NFC", text).lower()
    return TONE.sub(lambda found: _TONES[found.group()], lowered)


def link(text: str, universe: Mapping[str, Symbol]) -> tuple[str, ...]:
    composed = unicodedata.normalize("NFC", text)
    names, pattern = _names(universe)
    places: dict[str, int] = {}
    taken: set[int] = set()
    for found in pattern.finditer(fold(composed)):
        taken.update(range(*found.span()))
        if names[found.group()] in universe:
            places.setdefault(names[found.group()], found.start())
    for found in TICKER.finditer(composed):
        ticker, start = found.group(), found.start()
        if ticker in universe and start not in taken and linking._is_meant(ticker, composed):
            places[ticker] = min(places.get(ticker, start), start)
    return tuple(sorted(places, key=lambda ticker: places[ticker]))


def nameless(text: str, universe: Mapping[str, Symbol]) -> str:
    return _names(universe)[1].sub("công ty", fold(text))


def score(text: str) -> Sentiment:
    tokens = syllables(text)
    if not tokens or any(fold(phrase) in fold(text) for phrase in ROUTINE):
        return Sentiment(label="neutral", score=0.0)
    terms, at = [], 0
    while at < len(tokens):
        length = next((n for n in range(9, 0, -1) if tuple(tokens[at : at + n]) in KNOWN), 0)
        if length:
            phrase, weight, directed = KNOWN[tuple(tokens[at : at + length])]
            amount = _amount(phrase, weight, directed, tokens, at, at + length)
            if amount:
                terms.append((phrase, round(amount, 6)))
        at += length or 1
    total = math.fsum(amount for _, amount in terms) * (0.6 if tokens[-1] == "?" else 1.0)
    squashed = math.tanh(total / 2.0)
    return Sentiment(label=label_of(squashed), score=squashed, terms=tuple(terms))


def _amount(phrase: str, weight: float, directed: bool, tokens: list[str], start: int, end: int) -> float:
    before = [_clause(tokens[max(0, start - reach) : start][::-1])[::-1] for reach in range(5)]
    after = _clause(tokens[end : end + 3])
    amount = weight
    if directed and any(_stands(burden, part) for burden in BURDENS for part in (before[3], after)):
        amount = -amount
    if not directed and phrase in BURDENS and any(_stands(word, before[3] + after) for word in REDUCERS):
        return 0.0
    if directed and "%" in tokens[end : end + 3]:
        amount *= 1.5
    amount *= INTENSIFIERS.get(tokens[end], 1.0) if end < len(tokens) else 1.0
    return amount * -0.8 if any(_stands(word, before[4]) for word in NEGATIONS) else amount


def _clause(tokens: Sequence[str]) -> list[str]:
    ends = [place for place, token in enumerate(tokens) if token in BREAKS]
    return list(tokens[: ends[0]] if ends else tokens)


def _stands(phrase: str, tokens: list[str]) -> bool:
    return f" {' '.join(syllables(phrase))} " in f" {' '.join(tokens)} "


def _names(universe: Mapping[str, Symbol]) -> tuple[dict[str, str], re.Pattern[str]]:
    names, _ = linking._names(tuple(universe), tuple(one.company for one in universe.values()))
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return names, re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
