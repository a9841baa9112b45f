"""Quotes drawn one by one, and a session seen at its minutes, are those of all symbols drawn at once."""

import random
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from tests.unit.simulation import plain_board
from vnquant.market import OHLCV
from vnquant.runtime import ICT
from vnquant.simulation import SimulatedMarket
from vnquant.simulation.film import FILM_MINUTES
from vnquant.simulation.randomness import RowLanes, Stream, lanes


@pytest.fixture(scope="module")
def market():
    return SimulatedMarket(11, start=date(2024, 1, 2))


def test_quotes_are_those_of_the_board_drawn_whole(market):
    drawn, at_limits, auctions = random.Random(2), 0, 0
    sessions = market.daily(date(2024, 12, 31)).sessions
    for _ in range(120):
        row = drawn.choice((0, drawn.randrange(len(sessions) - 1)))
        opened = datetime.combine(sessions[row].item(), datetime.min.time(), tzinfo=ICT)
        late = (sessions[row + 1] - sessions[row]).item() + timedelta(hours=8)
        minute = drawn.choice(
            (drawn.randrange(510, 906), drawn.randrange(885, 901), drawn.randrange(540, 556))
        )
        at = opened + drawn.choice((timedelta(minutes=minute), drawn.uniform(0.7, 1.0) * late))
        found = market.quotes_at(at)
        assert found == plain_board.quotes(market, row, at)
        assert list(found) == list(market.symbols)
        at_limits += sum(not quote.asks or not quote.bids for quote in found.values())
        auctions += any(quote.bids and quote.bids[0][0] is None for quote in found.values())
    assert at_limits > 100
    assert auctions > 10


def test_a_film_shows_at_each_minute_what_the_market_shows(market):
    film = market.film(date(2024, 5, 6), rows=40)
    opened = datetime(2024, 5, 6, tzinfo=ICT)
    for minute in (510, 539, 540, 541, 600, 700, 780, 884, 885, 886, 899, 900, 901, 904, 1_200):
        at = opened + timedelta(minutes=minute)
        place, quotes = film.place(at), market.quotes_at(at)
        assert film.shows(at)
        assert FILM_MINUTES[place] == min(minute, 900)
        for column, symbol in enumerate(market.symbols):
            assert film.quote(column, at) == quotes[symbol]
            last = quotes[symbol].last_price
            assert film.last_prices[column][place] == last
            assert film.prices[column][place] == (quotes[symbol].reference_price if last is None else last)
        bars = plain_board.bars(market, market._row_of(film.day), at)
        for name in OHLCV:
            expected = bars[name] if minute < 900 else getattr(market.panel(film.day), name)[-1]
            np.testing.assert_array_equal(getattr(film.running, name)[place], expected)
    assert not film.shows(opened + timedelta(minutes=509))
    assert not film.shows(opened + timedelta(days=1))
    assert film.place(opened + timedelta(days=1, hours=2)) == len(FILM_MINUTES) - 1


def test_bars_at_an_instant_are_those_of_the_sessions_before_and_what_has_matched(market):
    sessions = market.daily(date(2024, 2, 29)).sessions
    for row in (0, 1, 30):
        day = sessions[row].item()
        whole, opened = market.panel(day), datetime.combine(day, datetime.min.time(), tzinfo=ICT)
        for minute in (510, 540, 550, 600, 700, 885, 899, 900, 1_200):
            at = opened + timedelta(minutes=minute, seconds=30)
            seen, now = market.panel_at(at), plain_board.bars(market, row, at)
            complete = row if minute < 900 else row + 1
            started = minute >= 900 or np.isfinite(now["close"]).any()
            assert len(seen.timestamps) == (row + 1 if started else row)
            for name in OHLCV:
                theirs = getattr(seen, name)
                np.testing.assert_array_equal(theirs[:complete], getattr(whole, name)[:complete])
                if started and minute < 900:
                    np.testing.assert_array_equal(theirs[-1], now[name])


def test_rows_of_lanes_are_the_same_in_any_order():
    rows, drawn = RowLanes(7, Stream.BOARD), random.Random(4)
    for index, count in [(drawn.randrange(5_000_000), drawn.randrange(1, 900)) for _ in range(200)]:
        np.testing.assert_array_equal(rows.row(index, count), lanes(7, Stream.BOARD, index, count))
