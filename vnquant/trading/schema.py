"""Schema: the tables of the ledger, the same on SQLite and PostgreSQL. `migrations` brings older ones here.

Money is whole VND in BIGINT. Instants are text, ISO 8601 in ICT with microseconds, which sorts by time and
reads the same in every database; the market's time, never the machine's. What has no column of its own is
JSON in a canonical form, so that equal things are equal bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from vnquant.runtime.clock import ICT
from vnquant.trading.journal import market_time_text

__all__ = (
    "ACTIONS",
    "ENTRIES",
    "FILLS",
    "JOURNAL",
    "LEASES",
    "METADATA",
    "ORDERS",
    "ORDER_EVENTS",
    "STATES",
    "MarketTime",
)


class MarketTime(TypeDecorator[datetime]):
    """An aware datetime, kept as text."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write an instant."""
        return None if value is None else market_time_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read an instant back, in ICT."""
        return None if value is None else datetime.fromisoformat(value).replace(tzinfo=ICT)


# Ids sort by their bytes on both databases; otherwise a server's language would decide the order.
_Key = String().with_variant(String(collation="C"), "postgresql")
METADATA = MetaData()

# One row an order. What it is asked for never changes; the second half is what its events add up to.
ORDERS = Table(
    "orders",
    METADATA,
    Column("client_order_id", _Key, primary_key=True),
    Column("symbol", String(16), nullable=False),
    Column("side", String(8), nullable=False),
    Column("type", String(8), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("limit_price_vnd", BigInteger),
    Column("created_at", MarketTime, nullable=False),
    Column("cause", _Key, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("status_reason", Text, nullable=False),
    Column("filled_quantity", BigInteger, nullable=False),
    Column("filled_value_vnd", BigInteger, nullable=False),
    Column("fee_vnd", BigInteger, nullable=False),
    Column("tax_vnd", BigInteger, nullable=False),
    Index("ix_orders_status", "status"),
    Index("ix_orders_created_at", "created_at"),
)

ORDER_EVENTS = Table(
    "order_events",
    METADATA,
    Column("client_order_id", _Key, ForeignKey("orders.client_order_id"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", MarketTime, nullable=False),
    Column("event", Text, nullable=False),
)

# `number` counts what changed the portfolio, fills and actions together, in the order in which it did.
FILLS = Table(
    "fills",
    METADATA,
    Column("fill_id", _Key, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("client_order_id", _Key, ForeignKey("orders.client_order_id"), nullable=False),
    Column("symbol", String(16), nullable=False),
    Column("side", String(8), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("price_vnd", BigInteger, nullable=False),
    Column("fee_vnd", BigInteger, nullable=False),
    Column("tax_vnd", BigInteger, nullable=False),
    Column("quoted_price_vnd", BigInteger),
    Column("filled_at", MarketTime, nullable=False),
    Index("ix_fills_client_order_id", "client_order_id"),
)

# Deposits, dividends and splits.
ACTIONS = Table(
    "actions",
    METADATA,
    Column("action_id", _Key, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("at", MarketTime, nullable=False),
    Column("action", Text, nullable=False),
)

# Double entry: the amounts of one source add up to nothing.
ENTRIES = Table(
    "entries",
    METADATA,
    Column("source_id", _Key, primary_key=True),
    Column("account", String(16), primary_key=True),
    Column("amount_vnd", BigInteger, nullable=False),
    Column("symbol", String(16), nullable=False),
    Column("at", MarketTime, nullable=False),
    Column("note", Text, nullable=False),
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("entry_id", _Key, primary_key=True),
    Column("at", MarketTime, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("symbol", String(16), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("cause", _Key, nullable=False),
    Column("client_order_id", _Key, nullable=False),
    Column("seen", Text, nullable=False),
    Index("ix_journal_at", "at", "entry_id"),
    Index("ix_journal_client_order_id", "client_order_id"),
)

# What a restart needs and history does not: the portfolio as it stands, recent keys, schedules.
STATES = Table(
    "states",
    METADATA,
    Column("scope", String(32), primary_key=True),
    Column("name", _Key, primary_key=True),
    Column("value", Text, nullable=False),
)

# Who may write. The row stays when a lease is released, since `wrote_at` says where the ledger ends.
LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("token", String(64), nullable=False),
    Column("holder", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", String(32), nullable=False),
    Column("acquired_at", MarketTime, nullable=False),
    Column("expires_at", MarketTime, nullable=False),
    Column("wrote_at", MarketTime),
)
