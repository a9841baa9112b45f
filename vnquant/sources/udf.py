"""UDF: the TradingView history format, as VPS sends it and, in dialects, VNDIRECT and DNSE.

``{"symbol":"VNM","s":"ok","t":[...],"o":[...],"h":[...],"l":[...],"c":[...],"v":[...]}``: times in Unix
seconds, prices in thousand VND, volumes in shares. DNSE has no ``s``; VNDIRECT's is "ok" with empty arrays.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from vnquant.errors import EmptyAnswerError, PayloadError
from vnquant.market.bars import BarSeries
from vnquant.sources.ohlcv import clean_bars, ict_stamps
from vnquant.sources.wire_numbers import float_column, whole_vnd

__all__ = ("parse_history",)


class _Strict(msgspec.Struct):
    """What nearly every answer is; decoded three times faster than by way of Python objects."""

    t: list[float]
    o: list[float]
    h: list[float]
    l: list[float]  # noqa: E741 - the wire's name
    c: list[float]
    v: list[float]
    s: str | None = None
    symbol: str | None = None


class _Lenient(msgspec.Struct):
    """The same with columns that may be absent, null, or hold nulls and strings."""

    t: list[Any] | None = None
    o: list[Any] | None = None
    h: list[Any] | None = None
    l: list[Any] | None = None  # noqa: E741
    c: list[Any] | None = None
    v: list[Any] | None = None
    s: str | None = None
    symbol: str | None = None
    errmsg: str | None = None


_strict = msgspec.json.Decoder(_Strict)
_lenient = msgspec.json.Decoder(_Lenient)


def parse_history(body: bytes, symbol: str, *, source: str, daily: bool = True) -> BarSeries:
    """Return the bars of a UDF answer.

    Raises
    ------
    EmptyAnswerError
        If the answer holds no bars: unknown symbol, empty range, or a resolution that is not served. The
        feeds answer all three alike.
    PayloadError
        If it is not such an answer, says "error", belongs to another symbol, or holds no valid bar.
    """
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise PayloadError(
            f"{source} did not answer for {symbol} with a history but {body[:40]!r}: {exc}",
            source=source,
            symbol=symbol,
        ) from exc
    if answer.s == "error":
        told = answer.errmsg if isinstance(answer, _Lenient) else None
        raise PayloadError(f"{source} reports an error for {symbol}: {told}", source=source, symbol=symbol)
    if answer.symbol is not None and answer.symbol.upper() != symbol:
        # A cache on the way that ignores the query would otherwise give one company another's prices.
        raise PayloadError(
            f"{source} was asked for {symbol} and answered for {answer.symbol!r:.20}.",
            source=source,
            symbol=symbol,
        )
    if answer.s not in ("ok", None) or not answer.t:
        raise EmptyAnswerError(
            f"{source} has no bars for {symbol} in this range (s={answer.s!r:.20}).",
            source=source,
            symbol=symbol,
        )
    if isinstance(answer, _Strict):
        t, o, h, low, c, v = (
            np.array(x) for x in (answer.t, answer.o, answer.h, answer.l, answer.c, answer.v)
        )
    else:
        t, o, h, low, c, v = (
            float_column(x or ()) for x in (answer.t, answer.o, answer.h, answer.l, answer.c, answer.v)
        )
    prices = (whole_vnd(o), whole_vnd(h), whole_vnd(low), whole_vnd(c))
    return clean_bars(symbol, ict_stamps(t, daily=daily), (*prices, v), source=source)


def _decode(body: bytes) -> _Strict | _Lenient:
    try:
        return _strict.decode(body)
    except msgspec.ValidationError:
        return _lenient.decode(body)
