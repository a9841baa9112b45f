"""A few symbols, quotes of them by hand, a source that answers as it is told, and a browser's ear."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from vnquant.market import Exchange, Quote, Symbol, Universe
from vnquant.runtime import ICT
from vnquant.sources import QuoteBoard
from vnquant.ui.price_board import PriceBoard

AT = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)
UNIVERSE = Universe(
    Symbol(ticker=ticker, exchange=exchange, sector=sector, company=f"Company {ticker}")
    for ticker, exchange, sector in (
        ("FPT", Exchange.HOSE, "Technology"),
        ("VCB", Exchange.HOSE, "Banks"),
        ("VND", Exchange.HOSE, "Financial Services"),
        ("SHS", Exchange.HNX, "Financial Services"),
        ("ACV", Exchange.UPCOM, "Industrial Goods & Services"),
    )
)


def quote(symbol: str, last: float | None = 20_000.0, **fields: Any) -> Quote:
    """Return a quote with reference 20,000, ceiling 21,400 and floor 18,600 VND unless told otherwise."""
    known: dict[str, Any] = {
        "symbol": symbol,
        "as_of": AT,
        "reference_price": 20_000.0,
        "ceiling_price": 21_400.0,
        "floor_price": 18_600.0,
        "last_price": last,
        "total_volume": 0.0 if last is None else 1_234_500.0,
        "average_price": last,
    }
    return Quote(**(known | fields))


def board(*quotes: Quote) -> QuoteBoard:
    return QuoteBoard({q.symbol: q for q in quotes})


def flat_board() -> QuoteBoard:
    """Return all symbols at their reference."""
    return board(*(quote(symbol) for symbol in UNIVERSE))


class ScriptedQuotes:
    """A source of quotes that gives `answer`: a board, an error to raise, or something to await for it."""

    name = "scripted"

    def __init__(self, answer: QuoteBoard | Exception | Callable[[], Awaitable[QuoteBoard]]) -> None:
        self.answer = answer
        self.asked_at: list[float] = []

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        self.asked_at.append(asyncio.get_running_loop().time())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, QuoteBoard) else await self.answer()


class Ear:
    """In place of a widget's comm: keeps the messages that a browser would get, and speaks for its views."""

    kernel = None

    def __init__(self, shown: PriceBoard) -> None:
        self._board = shown
        self.frames: list[tuple[dict[str, Any], list[bytes]]] = []
        self.states: list[dict[str, Any]] = []
        self._send, shown.widget._send = shown.widget._send, self._hear

    def _hear(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        if message.get("method") == "custom":
            self.frames.append((message["content"], buffers or []))
        else:
            self.states.append(message)

    def say(self, kind: str, view: str = "a") -> None:
        self._board.widget._handle_custom_msg({"kind": kind, "view": view}, [])
