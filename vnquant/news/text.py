"""Text: Vietnamese syllables, normalised so that one word has one spelling."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

__all__ = ("fold", "split_phrase", "split_syllables", "syllables")

_TOKEN = re.compile(r"[^\W_]+(?:[.,]\d+)*|[%?!,;:.…\-–—()]")
# The tone mark of oa, oe, uy is written on either vowel: "hoà" and "hòa" are one syllable. The older place,
# on the first vowel, is taken; after q, and where a final follows, only one place exists.
_TONES = {
    "oà": "òa", "oá": "óa", "oả": "ỏa", "oã": "õa", "oạ": "ọa", "oè": "òe", "oé": "óe", "oẻ": "ỏe",
    "oẽ": "õe",
    "oẹ": "ọe", "uỳ": "ùy", "uý": "úy", "uỷ": "ủy", "uỹ": "ũy", "uỵ": "ụy",
}  # fmt: skip
# The look back comes last, over the q and the two vowels, so that the search can leap from o to o and u to u.
_TONE = re.compile("(" + "|".join(_TONES) + r")(?<!q..)(?!\w)")


@lru_cache(maxsize=256)  # a headline is folded for its stocks, its words and its event
def fold(text: str) -> str:
    """Return the text in lower case, composed (NFC), with each tone mark in its older place."""
    lowered = unicodedata.normalize("NFC", text).lower()
    return _TONE.sub(lambda found: _TONES[found.group(1)], lowered)


def syllables(text: str) -> list[str]:
    """Return the folded syllables, numbers and punctuation marks of a text, in order."""
    return split_syllables(fold(text))


def split_syllables(folded: str) -> list[str]:
    """Return the syllables, numbers and punctuation marks of a folded text, in order."""
    return _TOKEN.findall(folded)


@cache
def split_phrase(phrase: str) -> tuple[str, ...]:
    """Return the syllables of a phrase from a word list."""
    return tuple(syllables(phrase))
