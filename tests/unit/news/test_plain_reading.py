"""Indexed reading finds in thousands of headlines what trying every phrase and name at every place finds."""

import random
from datetime import date, timedelta

import pytest

from tests.unit.news import plain
from vnquant.market import Universe, load_universe
from vnquant.news import article_from, lexicon, link_symbols, linking, score_sentiment
from vnquant.news.linking import without_names
from vnquant.news.text import fold
from vnquant.simulation import SimulatedMarket
from vnquant.sources import FeedItem

PHRASES = [
    *lexicon.POLARITY,
    *lexicon.RISERS,
    *lexicon.REDUCERS,
    *sorted(lexicon.BURDENS),
    *sorted(lexicon.NEGATIONS),
    *lexicon.INTENSIFIERS,
    *lexicon.ROUTINE,
    *linking._BRANDS,
    *(one.company for one in load_universe().values()),
    *load_universe().tickers,
    *",;:.…!?–—()%-/&",
    *("hoà", "quý", "thuý", "khoẻ", "qoà", "oà", "Σ", "İ", "ABC", "VN30", "1.200,5", "25", "\u0301", "“"),
]


@pytest.fixture(scope="module")
def names():
    return plain._names(load_universe())


@pytest.fixture(autouse=True)
def compiled_once(names, monkeypatch):
    monkeypatch.setattr(plain, "_names", lambda universe: names)


def assert_read_plainly(text: str) -> None:
    universe = load_universe()
    assert fold(text) == plain.fold(text)
    assert link_symbols(text) == plain.link(text, universe)
    bare = without_names(text)
    assert bare == plain.nameless(text, universe)
    assert score_sentiment(bare) == plain.score(bare)
    assert score_sentiment(text) == plain.score(text)


def test_four_months_of_the_newsroom():
    market = SimulatedMarket(7, start=date(2024, 1, 2))
    days = (date(2024, 6, 1) + timedelta(days=n) for n in range(120))
    printed = [story for day in days for story in market.headlines_of(day)]
    assert len(printed) > 1_500
    for story in printed:
        assert_read_plainly(story.title)
        assert_read_plainly(story.summary)


def test_phrases_thrown_together_in_any_case_and_spacing():
    drawn = random.Random(11)
    for _ in range(1_000):
        text = "".join(
            drawn.choice(PHRASES) + drawn.choice(("", " ", " ", " ", ", ", "\n"))
            for _ in range(drawn.randrange(20))
        )
        assert_read_plainly(drawn.choice((text, text, text, text.upper(), text.title())))


def test_names_are_those_of_the_universe_that_is_asked_for():
    item = FeedItem(title="FPT và Vinamilk báo lãi", summary="", url="", source="", published_at=None)
    whole, alone = load_universe(), Universe([load_universe()["FPT"]])
    own = {"FPT": whole["FPT"]}
    for _ in range(2):
        assert article_from(item, whole).symbols == ("FPT", "VNM")
        assert article_from(item, alone).symbols == ("FPT",)
        assert article_from(item, own).symbols == ("FPT",)
    own["VNM"] = whole["VNM"]
    assert article_from(item, own).symbols == ("FPT", "VNM")
