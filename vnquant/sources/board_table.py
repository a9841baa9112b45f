"""Board table: quotes by symbol as a table."""

from __future__ import annotations

from vnquant.market.bars import Quote
from vnquant.tables import Column, Table

__all__ = ("QuoteTable",)


class QuoteTable(Table[Quote]):
    """A list of `Quote` that shows itself as a table."""

    noun = ("quote", "quotes")
    columns = (
        Column("symbol", lambda q: q.symbol, left=True),
        Column("as_of", lambda q: q.as_of, lambda at: f"{at:%H:%M:%S}", left=True),
        Column("reference_price", lambda q: q.reference_price, lambda vnd: _vnd(vnd)),
        Column("ceiling_price", lambda q: q.ceiling_price, lambda vnd: _vnd(vnd)),
        Column("floor_price", lambda q: q.floor_price, lambda vnd: _vnd(vnd)),
        Column("last_price", lambda q: q.last_price, lambda vnd: _vnd(vnd)),
        Column("change", lambda q: q.change, lambda vnd: _change(vnd)),
        Column("total_volume", lambda q: q.total_volume, lambda n: f"{n:,.0f}"),
        Column("bid", lambda q: q.bids[0][0] if q.bids else None, lambda vnd: _vnd(vnd)),
        Column("ask", lambda q: q.asks[0][0] if q.asks else None, lambda vnd: _vnd(vnd)),
        Column("foreign_net", lambda q: _foreign_net(q), lambda n: "" if n is None else f"{n:+,.0f}"),
    )


def _foreign_net(quote: Quote) -> float | None:
    bought, sold = quote.foreign_buy_volume, quote.foreign_sell_volume
    return None if bought is None or sold is None else bought - sold


def _vnd(amount: float | None) -> str:
    return "" if amount is None else f"{amount:,.0f}"


def _change(amount: float | None) -> str:
    if amount is None:
        return ""
    return f"{'▲' if amount > 0 else '▼' if amount < 0 else '■'} {amount:+,.0f}"
