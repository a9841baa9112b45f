"""Board: the records of the VPS board, in the layouts before and after the KRX system.

Numbers and numeric strings are mixed, prices are in thousand VND except ``closePrice`` (whole VND), and all
volumes are in tens of shares (checked against the foreign values: 22040 x 10 x 59,240 VND = fBValue).
"""

from __future__ import annotations

import math
from collections.abc import Collection, MutableMapping
from datetime import datetime

import msgspec

from vnquant.errors import EmptyAnswerError, PayloadError, RecordError
from vnquant.market import Exchange, load_universe, price_limits
from vnquant.market.bars import Quote
from vnquant.sources.base import QuoteBoard
from vnquant.sources.wire_numbers import THOUSAND, as_float

__all__ = ("parse_board",)

_VOLUME_UNIT = 10.0
# In thousand VND; the dearest share ever quoted stood below 2,000.
_ABSURD = 1e9
_MARKETS = {
    "STO": Exchange.HOSE,
    "10": Exchange.HOSE,
    "STX": Exchange.HNX,
    "HNO": Exchange.HNX,
    "UPX": Exchange.UPCOM,
}

Number = float | str | None


class _Record(msgspec.Struct):
    """The fields that are read; both layouts carry more."""

    sym: str
    lastPrice: Number
    lot: Number
    r: Number = None
    c: Number = None
    f: Number = None
    lastVolume: Number = None
    openPrice: Number = None
    highPrice: Number = None
    lowPrice: Number = None
    avePrice: Number = None
    closePrice: Number = None
    g1: str = ""
    g2: str = ""
    g3: str = ""
    g4: str = ""
    g5: str = ""
    g6: str = ""
    fBVol: Number = None
    fSVolume: Number = None
    fRoom: Number = None
    marketId: str | None = None
    mc: str | None = None


class _Name(msgspec.Struct):
    sym: str = ""


_answer = msgspec.json.Decoder(list[msgspec.Raw])
_record = msgspec.json.Decoder(_Record)
_name = msgspec.json.Decoder(_Name)


def parse_board(
    body: bytes,
    wanted: Collection[str],
    *,
    as_of: datetime,
    source: str,
    known: MutableMapping[bytes, Quote] | None = None,
) -> QuoteBoard:
    """Return the quotes of the wanted symbols; what else the answer holds is ignored.

    Parameters
    ----------
    body : bytes
    wanted : collection of str
    as_of : datetime
        Stamps the quotes.
    source : str
    known : mutable mapping, optional
        Records read earlier. From one board to the next most records stay as they were, and one that is
        known costs a thirtieth of one that is read.

    Raises
    ------
    EmptyAnswerError
        If the answer is an empty list, as for unknown symbols and now and then for known ones.
    PayloadError
        If it is not a list, or none of its records is valid.
    """
    try:
        records = _answer.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise PayloadError(
            f"{source} did not answer with a board but {body[:40]!r}: {exc}", source=source
        ) from exc
    if not records:
        raise EmptyAnswerError(f"{source} answered with an empty board.", source=source)
    quotes: dict[str, Quote] = {}
    problems: list[RecordError] = []
    for raw in records:
        text = bytes(raw)
        if known is not None and (before := known.get(text)) is not None:
            if before.symbol in wanted:
                quotes[before.symbol] = msgspec.structs.replace(before, as_of=as_of)
            continue
        try:
            record = _record.decode(raw)
            if record.sym in wanted:
                quote = quotes[record.sym] = _quote(record, as_of, source)
                if known is not None:
                    known[text] = quote
        except RecordError as exc:
            problems.append(exc)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            problems.append(_malformed(raw, exc, source))
    if problems and not quotes:
        raise PayloadError(f"{source} sent no usable record; the first: {problems[0]}", source=source)
    return QuoteBoard(quotes, tuple(problems))


def _quote(record: _Record, as_of: datetime, source: str) -> Quote:
    reference, ceiling, floor = _band(record, source)
    return Quote(
        symbol=record.sym,
        as_of=as_of,
        reference_price=reference,
        ceiling_price=ceiling,
        floor_price=floor,
        last_price=_price(record, "lastPrice", source),
        last_volume=_volume(record, "lastVolume", source) or 0.0,
        total_volume=_volume(record, "lot", source) or 0.0,
        open_price=_price(record, "openPrice", source),
        high_price=_price(record, "highPrice", source),
        low_price=_price(record, "lowPrice", source),
        average_price=_price(record, "avePrice", source),
        bids=_levels(record, ("g1", "g2", "g3"), source),
        asks=_levels(record, ("g4", "g5", "g6"), source),
        foreign_buy_volume=_volume(record, "fBVol", source),
        foreign_sell_volume=_volume(record, "fSVolume", source),
        foreign_room=_volume(record, "fRoom", source),
    )


def _band(record: _Record, source: str) -> tuple[float, float, float]:
    """Return reference, ceiling and floor; from the previous close where a record comes without them."""
    given = [_price(record, name, source) for name in ("r", "c", "f")]
    if given[0] is not None and given[1] is not None and given[2] is not None:
        reference, ceiling, floor = given[0], given[1], given[2]
    else:
        close = given[0] if given[0] is not None else as_float(record.closePrice)
        if not 1.0 <= close < _ABSURD * THOUSAND:
            raise RecordError(
                record.sym, "r", record.r, "no reference price and no previous close", source=source
            )
        limits = price_limits(close, _exchange(record))
        reference, ceiling, floor = float(limits.reference), float(limits.ceiling), float(limits.floor)
    if not floor <= reference <= ceiling:
        raise RecordError(
            record.sym, "r", record.r, f"outside its band {floor:,.0f} to {ceiling:,.0f} VND", source=source
        )
    return reference, ceiling, floor


def _exchange(record: _Record) -> Exchange:
    listed = load_universe().get(record.sym)
    if listed is not None:
        return listed.exchange
    return _MARKETS.get(record.marketId or record.mc or "", Exchange.HOSE)


def _price(record: _Record, name: str, source: str) -> float | None:
    """Return a field in VND, None where it is absent or 0, which stands for "not yet"."""
    given = getattr(record, name)
    if given is None or given == "":
        return None
    value = as_float(given)
    if not 0.0 <= value < _ABSURD:
        raise RecordError(record.sym, name, given, "a price must be a number of 0 or more", source=source)
    return float(round(value * THOUSAND)) if value > 0.0 else None


def _volume(record: _Record, name: str, source: str) -> float | None:
    given = getattr(record, name)
    if given is None or given == "":
        return None
    value = as_float(given)
    if not 0.0 <= value < math.inf:
        raise RecordError(record.sym, name, given, "a volume must be a number of 0 or more", source=source)
    return value * _VOLUME_UNIT


def _levels(record: _Record, names: tuple[str, ...], source: str) -> tuple[tuple[float | None, float], ...]:
    """Read `price|volume|flag` levels, best first; empty levels ("0|0|e") are left out."""
    levels: list[tuple[float | None, float]] = []
    for name in names:
        given = getattr(record, name)
        price_text, _, rest = given.partition("|")
        volume = as_float(rest.partition("|")[0] or 0)
        # In the auctions the best level is the text ATO or ATC: orders without a price.
        auction = price_text in ("ATO", "ATC")
        price = 0.0 if auction or not price_text else as_float(price_text)
        if not (0.0 <= price < _ABSURD and 0.0 <= volume < math.inf):
            raise RecordError(record.sym, name, given, "not price|volume|flag", source=source)
        if volume > 0.0 and (auction or price > 0.0):
            levels.append((None if auction else float(round(price * THOUSAND)), volume * _VOLUME_UNIT))
    return tuple(levels)


def _malformed(raw: msgspec.Raw, error: Exception, source: str) -> RecordError:
    """Name symbol and field of a record that could not be decoded, as far as they can be known."""
    try:
        symbol = _name.decode(raw).sym
    except (msgspec.MsgspecError, ValueError, RecursionError):
        symbol = ""
    _, _, path = str(error).partition(" - at `$.")
    return RecordError(symbol, path.rstrip("`") or "record", bytes(raw)[:60], str(error), source=source)
