"""Order lists: orders, fills and journal entries as tables."""

from __future__ import annotations

from datetime import datetime

from vnquant.tables import Column, Table
from vnquant.trading.journal import JournalEntry
from vnquant.trading.order_events import Fill
from vnquant.trading.orders import Order

__all__ = ("Fills", "Journal", "Orders")

_OUTCOME_LENGTH = 90


class Orders(Table[Order]):
    """A list of `Order` that shows itself as a table."""

    noun = ("order", "orders")
    columns = (
        Column("created_at", lambda o: o.created_at, lambda at: _time_text(at), left=True),
        Column("symbol", lambda o: o.symbol, left=True),
        Column("side", lambda o: str(o.side), left=True),
        Column("type", lambda o: str(o.type), left=True),
        Column("quantity", lambda o: o.quantity, lambda n: f"{n:,}"),
        Column("limit_price_vnd", lambda o: o.limit_price_vnd, lambda vnd: _vnd(vnd)),
        Column("filled_quantity", lambda o: o.filled_quantity, lambda n: f"{n:,}"),
        Column("average_price_vnd", lambda o: o.average_price_vnd, lambda vnd: _vnd(vnd)),
        Column("status", lambda o: str(o.status), left=True),
        Column("reason", lambda o: o.status_reason or o.reason, lambda text: _short(text), left=True),
        Column("client_order_id", lambda o: o.client_order_id, left=True),
    )


class Fills(Table[Fill]):
    """A list of `Fill` that shows itself as a table."""

    noun = ("fill", "fills")
    columns = (
        Column("filled_at", lambda f: f.filled_at, lambda at: _time_text(at), left=True),
        Column("symbol", lambda f: f.symbol, left=True),
        Column("side", lambda f: str(f.side), left=True),
        Column("quantity", lambda f: f.quantity, lambda n: f"{n:,}"),
        Column("price_vnd", lambda f: f.price_vnd, lambda vnd: _vnd(vnd)),
        Column("value_vnd", lambda f: f.value_vnd, lambda vnd: _vnd(vnd)),
        Column("fee_vnd", lambda f: f.fee_vnd, lambda vnd: _vnd(vnd)),
        Column("tax_vnd", lambda f: f.tax_vnd, lambda vnd: _vnd(vnd)),
        Column("client_order_id", lambda f: f.client_order_id, left=True),
    )


class Journal(Table[JournalEntry]):
    """A list of `JournalEntry` that shows itself as a table."""

    noun = ("decision", "decisions")
    columns = (
        Column("at", lambda e: e.at, lambda at: _time_text(at), left=True),
        Column("kind", lambda e: e.kind, left=True),
        Column("symbol", lambda e: e.symbol, left=True),
        Column("outcome", lambda e: e.outcome, lambda text: _short(text), left=True),
        Column("client_order_id", lambda e: e.client_order_id, left=True),
    )


def _time_text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _vnd(amount: float | None) -> str:
    return "" if amount is None else f"{amount:,.0f}"


def _short(text: str) -> str:
    return text if len(text) <= _OUTCOME_LENGTH else text[: _OUTCOME_LENGTH - 1] + "…"
