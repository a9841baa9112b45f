"""Routes: which paths the simulated exchange knows, and what a request asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from vnquant.simulation.wire import FEEDS

__all__ = ("Route", "date_of", "integer_of", "seconds_of")

_BOARD = "/getliststockdata/"
_EVENTS = "/corporate-events/"
_HISTORY = "/tradingview/history"
_DCHART = "/dchart/history"
_CAFEF = "/du-lieu/Ajax/PageNew/DataHistory/PriceHistory.ashx"
# Dates that `datetime` and the exchange can both hold; clients send from=0 and to=9999999999.
_LATEST_S = 4_000_000_000.0


class Route(msgspec.Struct, frozen=True):
    """What a request asks for: the kind of answer and the symbols, upper case and without repetition."""

    kind: str
    symbols: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str, query: Mapping[str, str]) -> Route:
        """Read a request's path (decoded) and query."""
        if path.startswith(_BOARD):
            return cls("board", _several(path[len(_BOARD) :]))
        if path.startswith(_EVENTS):
            return cls("events", _several(path[len(_EVENTS) :]))
        if path in FEEDS:
            return cls("rss")
        if path == _CAFEF:
            return cls("cafef", _one(query.get("Symbol", "")))
        if path in (_HISTORY, _DCHART):
            return cls("history" if path == _HISTORY else "dchart", _one(query.get("symbol", "")))
        return cls("other")


def seconds_of(text: str | None) -> float | None:
    """Return Unix seconds within the dates that exist here, None where the text is no number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return None if value != value else min(max(value, 0.0), _LATEST_S)


def integer_of(text: str | None, fallback: int) -> int:
    """Return a positive integer, `fallback` where the text is none."""
    readable = text is not None and text.isdecimal() and len(text) < 10
    return max(int(text or 0), 1) if readable else fallback


def date_of(text: str | None) -> date | None:
    """Return an ISO date, None where the text is none."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _several(names: str) -> tuple[str, ...]:
    cleaned = (name.strip().upper() for name in names.split(","))
    return tuple(dict.fromkeys(name for name in cleaned if name))


def _one(symbol: str) -> tuple[str, ...]:
    return (symbol.strip().upper(),) if symbol.strip() else ()
