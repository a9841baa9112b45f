"""Keeping: writes a batch's journal and the values that a restart needs, in the ledger's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text

from vnquant.errors import LedgerConflictError
from vnquant.trading.batch import Batch
from vnquant.trading.journal import market_time_text
from vnquant.trading.prepared import Prepared, inserting
from vnquant.trading.schema import JOURNAL, STATES

__all__ = ("conflict", "write_journal", "write_states")

# Both databases read this form of it.
_KEEP = Prepared(
    text(
        "INSERT INTO states (scope, name, value) VALUES (:scope, :name, :value) "
        "ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value"
    )
)
_FORGET = Prepared(
    delete(STATES).where(STATES.c.scope == bindparam("at_scope"), STATES.c.name == bindparam("at_name"))
)
_CLEAR = Prepared(delete(STATES).where(STATES.c.scope == bindparam("at_scope")))
_INSERT_JOURNAL = inserting(JOURNAL)


def write_journal(connection: Connection, entries: Sequence[dict[str, Any]], *, careful: bool) -> None:
    """Write journal rows; looking first, if careful, which of them are there already."""
    if not entries:
        return
    rows = list(entries)
    if careful:
        found = {
            row["entry_id"]: {**row, "at": market_time_text(row["at"])}
            for row in connection.execute(
                select(JOURNAL).where(JOURNAL.c.entry_id.in_([row["entry_id"] for row in rows]))
            ).mappings()
        }
        fresh: dict[str, dict[str, Any]] = {}
        for row in rows:
            known = found.get(row["entry_id"]) or fresh.get(row["entry_id"])
            if known is None:
                fresh[row["entry_id"]] = row
            elif known != row:
                raise conflict("journal entry", row["entry_id"])
        rows = list(fresh.values())
    _INSERT_JOURNAL(connection, rows)


def write_states(connection: Connection, batch: Batch) -> None:
    """Put the batch's values in place of those before."""
    if batch.cleared:
        _CLEAR(connection, [{"at_scope": scope} for scope in sorted(batch.cleared)])
    kept: list[dict[str, Any]] = []
    forgotten: list[dict[str, Any]] = []
    for (scope, name), value in batch.states.items():
        if value is None:
            forgotten.append({"at_scope": scope, "at_name": name})
        else:
            kept.append({"scope": scope, "name": name, "value": value})
    _KEEP(connection, kept)
    if forgotten:
        _FORGET(connection, forgotten)


def conflict(what: str, mark: str) -> LedgerConflictError:
    """Return the error for one id with two contents."""
    return LedgerConflictError(
        f"The ledger has another {what} under the id {mark!r}. What is recorded stays; give the new one an "
        "id of its own, or find out why the same thing was told differently.",
        ids=(mark,),
    )
