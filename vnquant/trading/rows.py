"""Rows: orders, events, fills, actions and transactions as the ledger's tables keep them, and back."""

from __future__ import annotations

from datetime import datetime, time
from enum import Enum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from vnquant.runtime.clock import ICT
from vnquant.trading.accounting import Deposit
from vnquant.trading.batch import Action
from vnquant.trading.books import Account, Transaction
from vnquant.trading.journal import canonical_json, market_time_text
from vnquant.trading.order_events import Fill, OrderEvent, Side
from vnquant.trading.order_status import OrderType
from vnquant.trading.orders import Order, apply_all
from vnquant.trading.schema import FILLS, ORDER_EVENTS, ORDERS

__all__ = (
    "action_of",
    "action_row",
    "entry_rows",
    "event_row",
    "fill_of",
    "fill_row",
    "load_orders",
    "order_row",
    "progress_row",
)

_REQUEST = (
    "client_order_id",
    "symbol",
    "side",
    "type",
    "quantity",
    "limit_price_vnd",
    "created_at",
    "cause",
    "reason",
)
_PROGRESS = ("status", "status_reason", "filled_quantity", "filled_value_vnd", "fee_vnd", "tax_vnd")
_FILL = tuple(column.name for column in FILLS.columns if column.name != "number")
_events: msgspec.json.Decoder[OrderEvent] = msgspec.json.Decoder(OrderEvent)
_actions: msgspec.json.Decoder[Action] = msgspec.json.Decoder(Action)


def order_row(asked: Order, now: Order) -> dict[str, Any]:
    """Return the row of a new order: what was asked for, and where it stands."""
    return {name: _plain(getattr(asked, name)) for name in _REQUEST} | {
        name: _plain(getattr(now, name)) for name in _PROGRESS
    }


def progress_row(order: Order) -> dict[str, Any]:
    """Return what changes in the row of an order, with the id as `at_id`; new values as `new_...`."""
    row = {f"new_{name}": _plain(getattr(order, name)) for name in _PROGRESS}
    return {**row, "at_id": order.client_order_id}


def event_row(event: OrderEvent) -> dict[str, Any]:
    """Return the row of an order's event."""
    return {
        "client_order_id": event.client_order_id,
        "sequence": event.sequence,
        "at": market_time_text(event.at),
        "event": canonical_json(event),
    }


def fill_row(fill: Fill, number: int) -> dict[str, Any]:
    """Return the row of a fill."""
    return {name: _plain(getattr(fill, name)) for name in _FILL} | {"number": number}


def fill_of(row: Any) -> Fill:
    """Return the fill of a row."""
    fields = {name: row[name] for name in _FILL}
    return Fill(**{**fields, "side": Side(fields["side"])})


def action_row(action: Action, number: int) -> dict[str, Any]:
    """Return the row of a deposit or of what a company did."""
    if isinstance(action, Deposit):
        mark, at = action.deposit_id, action.at
    else:
        mark, at = action.action_id, datetime.combine(action.ex_date, time(), tzinfo=ICT)
    return {"action_id": mark, "number": number, "at": market_time_text(at), "action": canonical_json(action)}


def action_of(row: Any) -> Action:
    """Return the deposit of a row, or what a company did."""
    return _actions.decode(row["action"])


def entry_rows(transaction: Transaction) -> list[dict[str, Any]]:
    """Return the rows of a transaction, one an account that it moves, in the order of `Account`."""
    return [
        {
            "source_id": transaction.source_id,
            "account": account.value,
            "amount_vnd": transaction.entries[account],
            "symbol": transaction.symbol,
            "at": market_time_text(transaction.at),
            "note": transaction.note,
        }
        for account in Account
        if transaction.entries.get(account)
    ]


def load_orders(connection: Connection, which: ColumnElement[bool] | None = None) -> list[Order]:
    """Return orders with all that happened to them, oldest first; all of them where nothing is said."""
    wanted = select(*(ORDERS.c[name] for name in _REQUEST)).order_by(
        ORDERS.c.created_at, ORDERS.c.client_order_id
    )
    happened = select(ORDER_EVENTS.c.client_order_id, ORDER_EVENTS.c.event).order_by(
        ORDER_EVENTS.c.client_order_id, ORDER_EVENTS.c.sequence
    )
    if which is not None:
        wanted = wanted.where(which)
        happened = happened.join(ORDERS).where(which)
    orders = [_order_of(row) for row in connection.execute(wanted).mappings()]
    if not orders:
        return []
    events: dict[str, list[OrderEvent]] = {}
    for mark, payload in connection.execute(happened):
        events.setdefault(mark, []).append(_events.decode(payload))
    return [apply_all(order, events.get(order.client_order_id, ())) for order in orders]


def _order_of(row: Any) -> Order:
    return Order(**{**row, "side": Side(row["side"]), "type": OrderType(row["type"])})


def _plain(value: Any) -> Any:
    """Return what goes to the driver: the text of an enum or an instant, and anything else as it is."""
    if isinstance(value, Enum):
        return value.value
    return market_time_text(value) if isinstance(value, datetime) else value
