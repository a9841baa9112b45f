"""The newsroom: addresses and index levels, worked out once, are those of working each out alone."""

import re
import unicodedata
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnquant.simulation import SimulatedMarket
from vnquant.simulation.headlines import slug_of
from vnquant.simulation.process import RETURN_UNIT


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(7, start=date(2023, 1, 3))


def plain_slug(title: str) -> str:
    apart = unicodedata.normalize("NFD", title.lower().replace("đ", "d"))
    letters = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def test_addresses_of_headlines_are_their_letters_without_marks(market):
    printed = [h for n in range(150) for h in market.headlines_of(date(2024, 5, 1) + timedelta(days=n))]
    assert len(printed) > 2_000
    assert [h.slug for h in printed] == [plain_slug(h.title) for h in printed]


@given(st.text())
def test_any_title_makes_the_address_of_its_letters_without_marks(title):
    assert slug_of(title) == plain_slug(title)


def test_the_index_of_a_session_is_the_same_whatever_is_known_after_it(market):
    market.daily(date(2024, 12, 31))
    newsroom, returns = market._newsroom, market._made.path.returns
    for row in (0, 1, 7, 200, len(returns) - 1):
        seen = returns[: row + 1]
        moves = (seen @ newsroom._weight).astype(np.float64) * RETURN_UNIT / float(newsroom._weight.sum())
        levels = 1000.0 * np.cumprod(np.concatenate([[1.0], 1.0 + moves]))
        plain = (float(levels[-1]), float(levels[-2]))
        assert newsroom._index(returns, row) == newsroom._index(seen, row) == plain
