"""Board: quotes in the layout of the VPS board, old and new keys together.

Units, types and oddities are those of the recorded answers: prices in thousand VND except `closePrice`
(VND), volumes in tens of shares, numbers and numeric strings mixed, changes without a sign. A board of the
real endpoint names some facts that the simulation has no use for (ISIN, warrant fields); they are filled
with well-formed constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from typing import Any

import msgspec

from vnquant.market.bars import Quote

__all__ = ("board_body", "encode_board_record", "java_double")

# KRX market ids seen in payloads; `mc` "10" is HOSE, the other two codes are ours.
_MARKET_IDS: Mapping[str, str] = {"HOSE": "STO", "HNX": "STX", "UPCOM": "UPX"}
_MARKET_CODES: Mapping[str, str] = {"HOSE": "10", "HNX": "02", "UPCOM": "03"}
_WARRANT_FIELDS: Mapping[str, str] = {
    "CWUnderlying": " " * 8,
    "CWIssuerName": " " * 25,
    "CWType": " ",
    "CWMaturityDate": " " * 8,
    "CWLastTradingDate": " " * 8,
    "CWExcersisePrice": "0.0000",
    "CWExerciseRatio": " " * 11,
    "CWListedShare": "0.00",
}
_NO_LEVEL = "0|0|e"
_encoder = msgspec.json.Encoder()


def board_body(records: list[bytes]) -> bytes:
    """Return the bare JSON array of encoded records."""
    return b"[" + b",".join(records) + b"]"


def encode_board_record(quote: Quote, exchange: str, *, previous_close: float | None = None) -> bytes:
    """Return one symbol of the board as JSON.

    Parameters
    ----------
    quote : Quote
        Prices in VND, volumes in shares.
    exchange : str
        "HOSE", "HNX" or "UPCOM".
    previous_close : float, optional
        VND; the reference price where unknown (they differ on ex-dates and on UPCOM).
    """
    reference, last = quote.reference_price, quote.last_price
    change = 0.0 if last is None else abs(last - reference)
    average = quote.average_price
    record: dict[str, Any] = {
        "id": 2100,
        "boardId": "G1",
        "marketId": _MARKET_IDS.get(exchange, exchange),
        "sym": quote.symbol,
        "symCode": f"VN000000{quote.symbol}0",
        "mc": _MARKET_CODES.get(exchange, "10"),
        "c": _thousands(quote.ceiling_price),
        "f": _thousands(quote.floor_price),
        "r": _thousands(reference),
        "lastPrice": 0 if last is None else _thousands(last),
        "lastVolume": _tens(quote.last_volume),
        "lot": _tens(quote.total_volume),
        "ot": f"{change / 1000:.2f}",
        "changePc": f"{100.0 * change / reference:.2f}",
        "avePrice": "0" if average is None else f"{average / 1000:.2f}",
        "highPrice": _price_text(quote.high_price),
        "lowPrice": _price_text(quote.low_price),
        "fBVol": str(_tens(quote.foreign_buy_volume or 0.0)),
        "fBValue": _value_text(quote.foreign_buy_volume, average),
        "fSVolume": str(_tens(quote.foreign_sell_volume or 0.0)),
        "fSValue": _value_text(quote.foreign_sell_volume, average),
        "fRoom": f"{(quote.foreign_room or 0.0) / 10:.2f}",
    }
    auction = "ATO" if quote.as_of.time() < time(12) else "ATC"
    for first, levels in ((1, quote.bids), (4, quote.asks)):
        for place in range(3):
            record[f"g{first + place}"] = (
                _level_text(*levels[place], reference, auction) if place < len(levels) else _NO_LEVEL
            )
    record["g7"] = _NO_LEVEL
    record["mp"] = "0%"
    record["openPrice"] = _price_text(quote.open_price)
    record["closePrice"] = java_double(reference if previous_close is None else previous_close)
    record.update(_WARRANT_FIELDS)
    record["side"] = _last_side(quote)
    record["sType"] = "S"
    record["sBenefit"] = "0"
    return _encoder.encode(record)


def java_double(value: float) -> str:
    """Return a number as Java's Double.toString prints it: "60.1", "60100.0", "1.30593679E7"."""
    if value == 0.0:
        return "0.0"
    if 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}.{''.join(rest) or '0'}E{len(rest) + int(exponent)}"


def _thousands(price_vnd: float) -> int | float:
    """Return thousand VND, a JSON integer where it is whole (`37`), as the endpoint does."""
    price = round(price_vnd) / 1000
    return int(price) if price.is_integer() else price


def _tens(shares: float) -> int:
    return round(shares / 10)


def _price_text(price_vnd: float | None) -> str:
    return "0.0" if price_vnd is None else java_double(round(price_vnd) / 1000)


def _value_text(shares: float | None, average_vnd: float | None) -> str:
    """Return the value of foreign trades in thousand VND, "0" where there are none."""
    return "0" if not shares or average_vnd is None else java_double(round(shares * average_vnd) / 1000)


def _level_text(price_vnd: float | None, shares: float, reference_vnd: float, auction: str) -> str:
    if price_vnd is None:
        return f"{auction}|{_tens(shares)}|e"
    flag = "i" if price_vnd > reference_vnd else "d" if price_vnd < reference_vnd else "e"
    return f"{java_double(round(price_vnd) / 1000)}|{_tens(shares)}|{flag}"


def _last_side(quote: Quote) -> str:
    """Return "B" where the last match stands at the best ask or above, "S" at the best bid or below."""
    if quote.last_price is None:
        return ""
    best_ask = quote.asks[0][0] if quote.asks else None
    best_bid = quote.bids[0][0] if quote.bids else None
    if best_ask is None or best_bid is None:
        return "B" if best_ask is None else "S"
    return "B" if quote.last_price - best_bid >= best_ask - quote.last_price else "S"
