"""Digest: one number for all that a ledger or its journal says, wherever and whenever it was written.

Two runs of one seed have equal digests, on SQLite and on PostgreSQL, also where one of them was killed and
resumed. What is not part of it: leases, kept states, and anything that counts rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Connection, Table, select, tuple_

from vnquant.trading.journal import canonical_json, market_time_text
from vnquant.trading.schema import (
    ACTIONS,
    ENTRIES,
    FILLS,
    JOURNAL,
    ORDER_EVENTS,
    ORDERS,
)

__all__ = ("journal_digest", "ledger_digest")

_LEDGER: tuple[tuple[Table, tuple[Column[Any], ...]], ...] = (
    (ORDERS, (ORDERS.c.client_order_id,)),
    (ORDER_EVENTS, (ORDER_EVENTS.c.client_order_id, ORDER_EVENTS.c.sequence)),
    (FILLS, (FILLS.c.fill_id,)),
    (ACTIONS, (ACTIONS.c.action_id,)),
    (ENTRIES, (ENTRIES.c.source_id, ENTRIES.c.account)),
)
_PAGE = 2_000


def ledger_digest(connection: Connection) -> str:
    """Return the digest of orders, their events, fills, actions and entries."""
    return _digest(connection, _LEDGER)


def journal_digest(connection: Connection) -> str:
    """Return the digest of the journal."""
    return _digest(connection, ((JOURNAL, (JOURNAL.c.entry_id,)),))


def _digest(connection: Connection, tables: Sequence[tuple[Table, tuple[Column[Any], ...]]]) -> str:
    whole = sha256()
    for table, key in tables:
        # `number` says in which order this run wrote; the order of events is in their times and sequences.
        names = [column.name for column in table.columns if column.name != "number"]
        whole.update(f"{table.name}({','.join(names)})\n".encode())
        for row in _rows(connection, table, names, key):
            values = [market_time_text(v) if isinstance(v, datetime) else v for v in row]
            whole.update(canonical_json(values).encode() + b"\n")
    return whole.hexdigest()


def _rows(
    connection: Connection, table: Table, names: Sequence[str], key: tuple[Column[Any], ...]
) -> Iterator[Sequence[Any]]:
    """Give all rows in order of the key, a page at a time: a year's journal takes much memory."""
    positions = [names.index(column.name) for column in key]
    query = select(*(table.c[name] for name in names)).order_by(*key).limit(_PAGE)
    page = connection.execute(query).all()
    while page:
        yield from page
        if len(page) < _PAGE:
            return
        last = tuple(page[-1][position] for position in positions)
        page = connection.execute(query.where(tuple_(*key) > tuple_(*last))).all()
