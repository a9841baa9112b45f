"""The board's numbers: what changes, how it is written, in which order, and what a frame carries."""

import math
from datetime import timedelta

import numpy as np
import pytest

from tests.unit.ui.board_quotes import AT, UNIVERSE, board, flat_board, quote
from vnquant.errors import AlignmentError
from vnquant.ui.board_book import ABSENT, ATC, ATO, PRICES, VOLUMES, BoardBook, Freshness
from vnquant.ui.board_columns import COLUMN_KEYS, COLUMNS
from vnquant.ui.board_frame import decode_frame, encode_frame
from vnquant.ui.board_rows import Arrangement, arrange, breadth, cell_texts, state_of_row
from vnquant.ui.board_table import board_table, shown_row
from vnquant.ui.theme import PriceState


@pytest.fixture
def book() -> BoardBook:
    filled = BoardBook(UNIVERSE)
    filled.take(flat_board().quotes)
    return filled


def order(book: BoardBook, **wish) -> list[str]:
    return [book.symbols[row] for row in arrange(book, UNIVERSE, Arrangement(**wish))]


def test_the_first_board_changes_all_rows_and_the_same_again_none():
    book = BoardBook(UNIVERSE)
    assert book.take(flat_board().quotes) == [0, 1, 2, 3, 4]
    assert book.take(flat_board().quotes) == []


def test_a_later_quote_without_news_changes_nothing(book):
    later = quote("FPT", as_of=AT + timedelta(minutes=3))
    assert book.take({**flat_board().quotes, "FPT": later}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"last_price": 20_050.0},
        {"bids": ((19_950.0, 100.0),)},
        {"asks": ((20_000.0, 100.0), (20_050.0, 300.0), (20_100.0, 10.0))},
        {"foreign_buy_volume": 0.0},
        {"total_volume": 1_234_600.0},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_any_number_that_moves_changes_its_row_alone(book, fields):
    given = {"last": 20_000.0} | {k.replace("last_price", "last"): v for k, v in fields.items()}
    assert book.take({**flat_board().quotes, "VND": quote("VND", **given)}) == [2]


def test_a_symbol_missing_from_the_board_keeps_its_price_and_turns_stale_once(book):
    rest = {s: q for s, q in flat_board().quotes.items() if s != "SHS"}
    assert book.take(rest) == [3]
    assert book.freshness.tolist() == [1, 1, 1, Freshness.STALE, 1]
    assert cell_texts(book, 3)["last_price"] == "20.00"
    assert book.take(rest) == []
    assert book.take(flat_board().quotes) == [3]
    assert book.freshness[3] == Freshness.FRESH


def test_a_symbol_that_is_not_on_the_board_is_ignored(book):
    assert book.take({**flat_board().quotes, "XYZ": quote("XYZ", 1.0)}) == []


def test_a_price_that_no_array_holds_does_not_break_the_board(book):
    book.take({**flat_board().quotes, "FPT": quote("FPT", 1e15)})
    assert book.price("last_price")[0] == 2**31 - 1


def test_prices_are_written_in_thousands_and_volumes_in_tens(book):
    book.take(
        board(
            quote(
                "FPT",
                67_400.0,
                reference_price=66_200.0,
                ceiling_price=70_800.0,
                floor_price=61_600.0,
                last_volume=1_500.0,
                total_volume=4_919_600.0,
                average_price=67_123.0,
                bids=((67_300.0, 58_500.0), (67_200.0, 900.0)),
                asks=((67_400.0, 49_600.0),),
                foreign_buy_volume=220_400.0,
                foreign_sell_volume=897_900.0,
            )
        ).quotes
    )
    texts = cell_texts(book, 0)
    assert tuple(texts) == COLUMN_KEYS
    assert {key: text for key, text in texts.items() if text} == {
        "symbol": "FPT",
        "ceiling_price": "70.80",
        "floor_price": "61.60",
        "reference_price": "66.20",
        "bid_price_2": "67.20",
        "bid_volume_2": "90",
        "bid_price_1": "67.30",
        "bid_volume_1": "5,850",
        "last_price": "67.40",
        "last_volume": "150",
        "change": "▲ 1.20",
        "change_pct": "+1.81",
        "ask_price_1": "67.40",
        "ask_volume_1": "4,960",
        "total_volume": "491,960",
        "average_price": "67.123",
        "foreign_buy_volume": "22,040",
        "foreign_sell_volume": "89,790",
        "foreign_net": "-67,750",
    }


@pytest.mark.parametrize(
    ("last", "state", "change", "per_cent"),
    [
        (21_400.0, PriceState.CEILING, "▲▲ 1.40", "+7.00"),
        (20_050.0, PriceState.UP, "▲ 0.05", "+0.25"),
        (20_000.0, PriceState.REFERENCE, "■ 0.00", "0.00"),
        (19_950.0, PriceState.DOWN, "▼ 0.05", "-0.25"),
        (18_600.0, PriceState.FLOOR, "▼▼ 1.40", "-7.00"),
        (None, None, "", ""),
    ],
)
def test_a_price_has_a_sign_besides_its_colour(book, last, state, change, per_cent):
    book.take(board(quote("FPT", last)).quotes)
    texts = cell_texts(book, 0)
    assert (state_of_row(book, 0), texts["change"], texts["change_pct"]) == (state, change, per_cent)


def test_orders_of_an_auction_are_named_for_it(book):
    book.take(board(quote("FPT", None, bids=((None, 700.0), (20_000.0, 100.0)))).quotes)
    assert cell_texts(book, 0)["bid_price_1"] == "ATO"
    assert book.price("bid_price_1")[0] == ATO
    late = AT.replace(hour=14, minute=35)
    book.take(board(quote("FPT", asks=((None, 700.0),), as_of=late)).quotes)
    assert cell_texts(book, 0)["ask_price_1"] == "ATC"
    assert book.price("ask_price_1")[0] == ATC


def test_sorting_puts_rows_without_a_value_last_both_ways(book):
    prices = {"FPT": 19_000.0, "VCB": None, "VND": 21_000.0, "SHS": 19_000.0, "ACV": 20_000.0}
    book.take({s: quote(s, p) for s, p in prices.items()})
    assert order(book, sort_by="change_pct") == ["VND", "ACV", "FPT", "SHS", "VCB"]
    assert order(book, sort_by="change_pct", descending=False) == ["FPT", "SHS", "ACV", "VND", "VCB"]
    assert order(book, sort_by="symbol", descending=False) == ["ACV", "FPT", "SHS", "VCB", "VND"]
    assert order(book) == list(UNIVERSE)


@pytest.mark.parametrize("key", COLUMN_KEYS)
@pytest.mark.parametrize("descending", [True, False])
def test_every_column_can_be_sorted_by(book, key, descending):
    assert sorted(order(book, sort_by=key, descending=descending)) == sorted(UNIVERSE)


def test_filters_join(book):
    assert order(book, exchange="HOSE") == ["FPT", "VCB", "VND"]
    assert order(book, sector="Financial Services") == ["VND", "SHS"]
    assert order(book, sector="Financial Services", exchange="HNX") == ["SHS"]
    assert order(book, typed="fpt, v") == ["FPT", "VCB", "VND"]
    assert order(book, typed="v", exchange="UPCOM") == []
    assert order(book, typed=" ,; ") == list(UNIVERSE)


def test_breadth_counts_each_symbol_once(book):
    prices = {"FPT": 21_400.0, "VCB": None, "VND": 20_050.0, "SHS": 18_600.0, "ACV": 19_000.0}
    book.take({s: quote(s, p) for s, p in prices.items()})
    assert breadth(book) == {
        "ceiling": 1, "up": 1, "reference": 0, "down": 1, "floor": 1, "unmatched": 1,
    }  # fmt: skip


def test_a_frame_decodes_to_what_the_book_holds(book):
    book.take(board(quote("VCB", 19_000.0, foreign_buy_volume=3_500_000_000.0)).quotes)
    frame = decode_frame(encode_frame(book, [1, 4]))
    assert frame.rows.tolist() == [1, 4]
    assert frame.freshness.tolist() == book.freshness[[1, 4]].tolist()
    np.testing.assert_array_equal(frame.prices, book.prices[[1, 4]])
    np.testing.assert_array_equal(frame.volumes, book.volumes[[1, 4]])
    assert frame.volumes[0, VOLUMES.index("foreign_buy_volume")] == 3.5e9
    assert frame.prices[0, PRICES.index("bid_price_1")] == ABSENT


def test_an_empty_frame_is_four_empty_buffers(book):
    assert [len(b) for b in encode_frame(book, [])] == [0, 0, 0, 0]
    assert len(decode_frame(encode_frame(book, [])).rows) == 0


def test_buffers_that_do_not_belong_together_are_refused(book):
    one, two = encode_frame(book, [0]), encode_frame(book, [0, 1])
    with pytest.raises(AlignmentError, match="A frame of 1 rows needs"):
        decode_frame([*one[:2], *two[2:]])


def test_the_table_has_numbers_and_the_row_what_is_written(book):
    book.take(board(quote("FPT", 21_400.0)).quotes)
    frame = board_table(book, UNIVERSE, [1, 0])
    assert list(frame.index) == ["VCB", "FPT"]
    assert frame.loc["FPT", ["exchange", "last_price", "change", "change_pct"]].tolist() == [
        "HOSE", 21_400.0, 1_400.0, pytest.approx(7.0),
    ]  # fmt: skip
    assert math.isnan(frame.loc["FPT", "bid_price_1"])
    row = shown_row(book, 0)
    assert (row["state"], row["freshness"], row["last_price"]) == ("ceiling", "fresh", "21.40")


def test_columns_of_a_group_stand_together_and_have_both_headings():
    groups = [c.group for c in COLUMNS]
    assert len(dict.fromkeys(groups)) == sum(a != b for a, b in zip(groups, ["", *groups], strict=False))
    assert all(c.heading[lang] and c.told[lang] for c in COLUMNS for lang in ("en", "vi"))
    assert len(set(COLUMN_KEYS)) == len(COLUMN_KEYS)
