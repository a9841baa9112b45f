"""The board's JSON, held against the recorded answers of the VPS board."""

import json
from datetime import datetime

import pytest

from vnquant.market.bars import Quote
from vnquant.runtime.clock import ICT
from vnquant.simulation.wire import board_body, encode_board_record, java_double

# Recorded: new layout (VNM, 2026-05-13, abridged by its source) and both generations of the old one.
VNM_NEW = json.loads("""{"id":2100,"boardId":"G1","marketId":"STO","sym":"VNM","symCode":"VN000000VNM8",
"lastPrice":59.1,"lastVolume":10,"lot":491960,"changePc":"1.66","avePrice":"59.24",
"highPrice":"60.1","lowPrice":"58.7","g1":"59.0|5850|d","g4":"59.1|4960|d",
"fBVol":"22040","fBValue":"1.30593679E7","fSVolume":"89790","fSValue":"5.328819E7",
"fRoom":"106771823.10","openPrice":"60.1","closePrice":"60100.0","side":"B","sType":"S"}""")
AST_OLD = json.loads("""{"id":2100,"sym":"AST","mc":"10","c":72.1,"f":62.7,"r":67.4,
"lastPrice":67.4,"lastVolume":177,"lot":9945,"ot":"0.10","changePc":"0.15","avePrice":"67.60","highPrice":"68.00","lowPrice":"67.30","fBVol":"0",
"fBValue":"0","fSVolume":"2356","fSValue":"0","fRoom":"918479","g1":"67.20|305|d","g2":"67.10|205|d",
"g3":"67.00|1002|d","g4":"67.30|36|d","g5":"67.40|665|e","g6":"67.50|183|i","g7":"0|0|e","mp":"0%"}""")
BID_OLD = json.loads("""{"id":2100,"sym":"BID","mc":"10","c":40.85,"f":35.55,"r":38.2,
"lastPrice":37,"lastVolume":12270,"lot":157960,"ot":"1.20","changePc":"3.14","avePrice":"37.38","highPrice":"37.85","lowPrice":"37.00","fBVol":"2750",
"fBValue":"0","fSVolume":"3830","fSValue":"0","fRoom":"667440491","g1":"37.00|5180|d","g2":"36.95|70|d",
"g3":"36.90|420|d","g4":"37.05|1010|d","g5":"37.10|50|d","g6":"37.20|390|d","g7":"0|0|e","mp":"0%",
"CWUnderlying":"        ","CWIssuerName":"                         ","CWType":" ","CWMaturityDate":"        ",
"CWLastTradingDate":"        ","CWExcersisePrice":"0.0000","CWExerciseRatio":"           ",
"CWListedShare":"763528520.00","sType":"S","sBenefit":"0"}""")


@pytest.fixture
def vnm_quote() -> Quote:
    """Return the VNM record in VND and shares."""
    return Quote(
        symbol="VNM",
        as_of=datetime(2026, 5, 13, 14, 0, tzinfo=ICT),
        reference_price=60_100,
        ceiling_price=64_300,
        floor_price=55_900,
        last_price=59_100,
        last_volume=100,
        total_volume=4_919_600,
        open_price=60_100,
        high_price=60_100,
        low_price=58_700,
        average_price=59_240,
        bids=((59_000, 58_500), (58_900, 12_000)),
        asks=((59_100, 49_600),),
        foreign_buy_volume=220_400,
        foreign_sell_volume=897_900,
        foreign_room=1_067_718_231,
    )


def decoded(quote: Quote, exchange: str = "HOSE", **extra: float) -> dict[str, object]:
    record = json.loads(encode_board_record(quote, exchange, **extra))
    assert isinstance(record, dict)
    return record


def kind(value: object) -> type:
    return float if isinstance(value, int | float) else type(value)


@pytest.mark.parametrize("recorded", [VNM_NEW, AST_OLD, BID_OLD], ids=["new", "old", "old-2"])
def test_record_has_every_recorded_key_with_its_json_type(
    vnm_quote: Quote, recorded: dict[str, object]
) -> None:
    record = decoded(vnm_quote)
    assert recorded.keys() <= record.keys()
    assert {k: kind(record[k]) for k in recorded} == {k: kind(v) for k, v in recorded.items()}


def test_record_reproduces_the_recorded_values(vnm_quote: Quote) -> None:
    record = decoded(vnm_quote, previous_close=60_100)
    same = VNM_NEW.keys() - {"symCode", "fBValue", "fSValue"}  # check digit; value by each match's own price
    assert {k: record[k] for k in same} == {k: VNM_NEW[k] for k in same}
    assert float(str(record["fBValue"])) == pytest.approx(1.30593679e7, rel=1e-3)
    assert "E7" in str(record["fBValue"])


def test_warrant_padding_and_constants_are_those_recorded(vnm_quote: Quote) -> None:
    record = decoded(vnm_quote)
    same = [k for k in BID_OLD if k.startswith("CW") and k != "CWListedShare"] + [
        "g7",
        "mp",
        "sType",
        "sBenefit",
        "mc",
    ]
    assert {k: record[k] for k in same} == {k: BID_OLD[k] for k in same}


def test_changes_carry_no_sign(vnm_quote: Quote) -> None:
    record = decoded(vnm_quote)
    assert record["ot"] == "1.00"
    assert record["changePc"] == "1.66"


def test_whole_thousands_are_json_integers() -> None:
    quote = Quote(
        symbol="BID",
        as_of=datetime(2025, 6, 2, 10, tzinfo=ICT),
        reference_price=38_200,
        ceiling_price=40_850,
        floor_price=35_550,
        last_price=37_000,
    )
    text = encode_board_record(quote, "HOSE")
    assert b'"lastPrice":37,' in text
    assert b'"r":38.2,' in text
    assert b'"c":40.85,"f":35.55,' in text


def test_before_the_first_match_prices_are_zero_and_levels_show_the_auction() -> None:
    quote = Quote(
        symbol="FPT",
        as_of=datetime(2025, 6, 2, 9, 5, tzinfo=ICT),
        reference_price=118_000,
        ceiling_price=126_200,
        floor_price=109_800,
        last_price=None,
        bids=((None, 20_000), (118_000, 500)),
        asks=((None, 10_000),),
    )
    record = decoded(quote)
    assert record["lastPrice"] == 0
    assert (record["openPrice"], record["avePrice"], record["ot"]) == ("0.0", "0", "0.00")
    assert (record["g1"], record["g2"], record["g3"]) == ("ATO|2000|e", "118.0|50|e", "0|0|e")
    assert record["g4"] == "ATO|1000|e"


def test_afternoon_auction_is_called_atc() -> None:
    quote = Quote(
        symbol="FPT",
        as_of=datetime(2025, 6, 2, 14, 40, tzinfo=ICT),
        reference_price=118_000,
        ceiling_price=126_200,
        floor_price=109_800,
        last_price=119_000,
        bids=((None, 20_000),),
    )
    assert decoded(quote)["g1"] == "ATC|2000|e"


@pytest.mark.parametrize(("price", "flag"), [(59_000, "d"), (60_100, "e"), (60_200, "i")])
def test_level_flag_compares_with_the_reference(vnm_quote: Quote, price: int, flag: str) -> None:
    import msgspec

    quote = msgspec.structs.replace(vnm_quote, bids=((price, 1000),))
    assert str(decoded(quote)["g1"]).endswith(f"|100|{flag}")


@pytest.mark.parametrize(("exchange", "market"), [("HOSE", "STO"), ("HNX", "STX"), ("UPCOM", "UPX")])
def test_market_id_is_that_of_the_exchange(vnm_quote: Quote, exchange: str, market: str) -> None:
    assert decoded(vnm_quote, exchange)["marketId"] == market


def test_close_price_is_full_vnd(vnm_quote: Quote) -> None:
    assert decoded(vnm_quote, previous_close=60_500)["closePrice"] == "60500.0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0"),
        (59.0, "59.0"),
        (60.1, "60.1"),
        (60_100, "60100.0"),
        (5_328_819, "5328819.0"),
        (9_999_999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (13_059_367.9, "1.30593679E7"),
        (53_288_190, "5.328819E7"),
        (-12_345_678.25, "-1.234567825E7"),
        (1.5e11, "1.5E11"),
        (9.5e-4, "9.5E-4"),
        (0.001, "0.001"),
    ],
)
def test_java_double_prints_as_java(value: float, text: str) -> None:
    assert java_double(value) == text


def test_body_is_a_bare_array() -> None:
    assert board_body([]) == b"[]"
    assert json.loads(board_body([b'{"sym":"A"}', b'{"sym":"B"}'])) == [{"sym": "A"}, {"sym": "B"}]
