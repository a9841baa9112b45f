"""A board, orders and fills of FPT on 2025-06-02 and the days after, small enough to check by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from vnquant.market import Exchange, Quote, default_calendar
from vnquant.runtime import ICT
from vnquant.sources import QuoteBoard
from vnquant.trading import Fill, Order, OrderType, Side, fill_id

HOSE_DAYS = default_calendar(Exchange.HOSE)
# Reference 100,000 on HOSE: ceiling 107,000, floor 93,000, tick 100.
CEILING, FLOOR, REFERENCE = 107_000, 93_000, 100_000


def at(text: str, day: str = "2025-06-02") -> datetime:
    """Return a time of day in ICT."""
    return datetime.fromisoformat(f"{day}T{text}").replace(tzinfo=ICT)


def order(
    side: Side = Side.BUY,
    quantity: int = 500,
    limit: int | None = 100_500,
    *,
    kind: OrderType = OrderType.LO,
    symbol: str = "FPT",
    name: str = "order-1",
    when: datetime | None = None,
) -> Order:
    """Return an intent."""
    return Order(
        client_order_id=name,
        symbol=symbol,
        side=side,
        type=kind,
        quantity=quantity,
        limit_price_vnd=limit if kind is OrderType.LO else None,
        created_at=at("10:00") if when is None else when,
    )


def fill(
    side: Side = Side.BUY,
    quantity: int = 500,
    price: int = 100_000,
    *,
    symbol: str = "FPT",
    when: datetime | None = None,
    name: str = "order-1",
    sequence: int = 2,
) -> Fill:
    """Return a fill at the usual costs."""
    value = quantity * price
    return Fill(
        fill_id=fill_id(name, sequence),
        client_order_id=name,
        symbol=symbol,
        side=side,
        quantity=quantity,
        price_vnd=price,
        fee_vnd=value * 15 // 10_000,
        tax_vnd=value // 1_000 if side is Side.SELL else 0,
        filled_at=at("10:00") if when is None else when,
    )


def quote(
    when: datetime | None = None,
    *,
    symbol: str = "FPT",
    bids: Sequence[tuple[float | None, float]] = ((99_900.0, 5_000.0),),
    asks: Sequence[tuple[float | None, float]] = ((100_000.0, 5_000.0),),
    last: float | None = 100_000.0,
    opened: float | None = 100_000.0,
    volume: float = 1_000_000.0,
    band: tuple[int, int, int] = (REFERENCE, CEILING, FLOOR),
) -> Quote:
    """Return a board."""
    reference, ceiling, floor = band
    return Quote(
        symbol=symbol,
        as_of=at("10:00") if when is None else when,
        reference_price=reference,
        ceiling_price=ceiling,
        floor_price=floor,
        last_price=last,
        open_price=opened,
        total_volume=volume,
        bids=tuple(bids),
        asks=tuple(asks),
    )


class BoardSource:
    """A QuoteSource that shows what it is told, and counts how often it was asked."""

    name = "board"

    def __init__(self, *quotes: Quote) -> None:
        self.quotes_by_symbol: dict[str, Quote] = {one.symbol: one for one in quotes}
        self.asked: list[tuple[str, ...]] = []

    def show(self, *quotes: Quote) -> None:
        self.quotes_by_symbol.update({one.symbol: one for one in quotes})

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        self.asked.append(tuple(symbols))
        shown: Mapping[str, Quote] = {
            name: self.quotes_by_symbol[name] for name in symbols if name in self.quotes_by_symbol
        }
        return QuoteBoard(shown)
