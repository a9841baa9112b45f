"""The VPS board, recorded: both old layouts and the one since KRX."""

import json
from datetime import datetime

import pytest

from vnquant.errors import EmptyAnswerError, PayloadError
from vnquant.runtime.clock import ICT
from vnquant.sources.board import parse_board

AS_OF = datetime(2026, 5, 13, 10, 0, tzinfo=ICT)
KRX = (
    '{"id":2100,"boardId":"G1","marketId":"STO","sym":"VNM","symCode":"VN000000VNM8","lastPrice":59.1,'
    '"lastVolume":10,"lot":491960,"changePc":"1.66","avePrice":"59.24","highPrice":"60.1","lowPrice":"58.7",'
    '"g1":"59.0|5850|d","g4":"59.1|4960|d","fBVol":"22040","fBValue":"1.30593679E7","fSVolume":"89790",'
    '"fSValue":"5.328819E7","fRoom":"106771823.10","openPrice":"60.1","closePrice":"60100.0","side":"B","sType":"S"}'
)
OLD = (
    '{"id":2100,"sym":"AST","mc":"10","c":72.1,"f":62.7,"r":67.4,"lastPrice":67.4,"lastVolume":177,"lot":9945,'
    '"ot":"0.10","changePc":"0.15","avePrice":"67.60","highPrice":"68.00","lowPrice":"67.30","fBVol":"0",'
    '"fBValue":"0","fSVolume":"2356","fSValue":"0","fRoom":"918479","g1":"67.20|305|d","g2":"67.10|205|d",'
    '"g3":"67.00|1002|d","g4":"67.30|36|d","g5":"67.40|665|e","g6":"67.50|183|i","g7":"0|0|e","mp":"0%","color":"e"}'
)
OLD_WARRANT_FIELDS = (
    '{"id":2100,"sym":"BID","mc":"10","c":40.85,"f":35.55,"r":38.2,"lastPrice":37,"lastVolume":12270,"lot":157960,'
    '"ot":"1.20","changePc":"3.14","avePrice":"37.38","highPrice":"37.85","lowPrice":"37.00","fBVol":"2750",'
    '"fBValue":"0","fSVolume":"3830","fSValue":"0","fRoom":"667440491","g1":"37.00|5180|d","g2":"36.95|70|d",'
    '"g3":"36.90|420|d","g4":"37.05|1010|d","g5":"37.10|50|d","g6":"37.20|390|d","g7":"0|0|e","mp":"0%",'
    '"CWUnderlying":"        ","CWType":" ","CWExcersisePrice":"0.0000","CWListedShare":"763528520.00",'
    '"sType":"S","sBenefit":"0"}'
)


def board(*records, wanted=("VNM", "AST", "BID")):
    return parse_board(f"[{','.join(records)}]".encode(), wanted, as_of=AS_OF, source="vps")


def with_fields(record, **fields):
    changed = json.loads(record)
    changed.update(fields)
    return json.dumps({k: v for k, v in changed.items() if v is not ...})


def test_old_layout_with_band_levels_and_foreign_trade():
    quote = board(OLD).quotes["AST"]
    assert (quote.reference_price, quote.ceiling_price, quote.floor_price) == (67_400, 72_100, 62_700)
    assert quote.last_price == 67_400
    assert quote.change == 0
    assert (quote.last_volume, quote.total_volume) == (1_770, 99_450)
    assert quote.bids == ((67_200, 3_050), (67_100, 2_050), (67_000, 10_020))
    assert quote.asks == ((67_300, 360), (67_400, 6_650), (67_500, 1_830))
    assert (quote.foreign_buy_volume, quote.foreign_sell_volume, quote.foreign_room) == (0, 23_560, 9_184_790)
    assert quote.open_price is None
    assert quote.average_price == 67_600
    assert quote.as_of == AS_OF


def test_krx_layout_without_a_band_takes_it_from_the_previous_close():
    quote = board(KRX).quotes["VNM"]
    # 60,100 plus and minus 7 % on the tick of 100: 64,307 and 55,893.
    assert (quote.reference_price, quote.ceiling_price, quote.floor_price) == (60_100, 64_300, 55_900)
    assert quote.open_price == 60_100
    assert quote.foreign_room == pytest.approx(1_067_718_231)
    assert quote.bids == ((59_000, 58_500),)
    assert quote.change == -1_000  # the sign comes from the reference; changePc has none


def test_last_price_may_be_a_whole_number():
    quote = board(OLD_WARRANT_FIELDS).quotes["BID"]
    assert quote.last_price == 37_000
    assert quote.change == -1_200


def test_before_the_first_match_prices_are_unknown():
    quote = board(with_fields(OLD, lastPrice=0, highPrice="0.0", lowPrice="0", avePrice="0")).quotes["AST"]
    assert (
        quote.last_price is quote.high_price is quote.low_price is quote.average_price is quote.change is None
    )


def test_auction_orders_have_a_volume_and_no_price():
    quote = board(with_fields(OLD, g1="ATO|500|e", g4="ATC|20|e")).quotes["AST"]
    assert quote.bids[0] == (None, 5_000)
    assert quote.asks[0] == (None, 200)


def test_a_side_without_orders_is_empty():
    quote = board(with_fields(OLD, g4="0|0|e", g5="0|0|e", g6="")).quotes["AST"]
    assert quote.asks == ()


def test_symbols_not_asked_for_are_ignored():
    assert set(board(OLD, KRX, wanted=("AST",)).quotes) == {"AST"}


def test_a_known_record_gives_the_same_quote_with_its_own_time_and_is_not_read_again():
    known, later = {}, AS_OF.replace(minute=5)
    body = f"[{OLD},{with_fields(OLD, sym='VNM', lastPrice=-1)}]".encode()

    def read(as_of):
        return parse_board(body, ("AST", "VNM"), as_of=as_of, source="vps", known=known)

    first, second = read(AS_OF), read(later)
    assert second.quotes["AST"].as_of == later
    assert second.quotes["AST"] == parse_board(body, ("AST",), as_of=later, source="vps").quotes["AST"]
    assert first.quotes["AST"].as_of == AS_OF
    assert len(known) == 1  # what was malformed is told each time
    assert len(first.problems) == len(second.problems) == 1


def test_an_empty_list_is_an_empty_answer():
    with pytest.raises(EmptyAnswerError):
        board()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'[{"sym":', b"[1,2]", b""])
def test_what_is_no_board_is_a_payload_error(body):
    with pytest.raises(PayloadError):
        parse_board(body, ("VNM",), as_of=AS_OF, source="vps")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"lastPrice": -1}, "lastPrice"),
        ({"lastPrice": "n/a"}, "lastPrice"),
        ({"lastPrice": [1]}, "lastPrice"),
        ({"lastPrice": ...}, "record"),
        ({"lot": "1e999"}, "lot"),
        ({"g1": "67.2;305"}, "g1"),
        ({"g5": "-3|1|e"}, "g5"),
        ({"g6": 7}, "g6"),
        ({"r": None}, "r"),
        ({"r": 99.0}, "r"),
        ({"fRoom": {}}, "fRoom"),
    ],
)
def test_a_malformed_record_names_symbol_and_field_and_leaves_the_others(fields, field):
    told = board(with_fields(OLD, **fields), OLD_WARRANT_FIELDS)
    assert set(told.quotes) == {"BID"}
    (problem,) = told.problems
    assert (problem.symbol, problem.field) == ("AST", field)
