"""Prepared: statements compiled once for each kind of database, for what every transaction of a ledger does.

SQLAlchemy's usual way of executing a statement took more time than the database: without it the CPU time of a
transaction fell from 850 to 450 µs (mean of an intent alone and of acceptance, fill, portfolio and journal
together; SQLite 3.40), and where the driver is the standard library's, which needs no greenlet, by as much
again. The text is still SQLAlchemy's, so each database gets its own dialect. Values go to the driver as they
are: instants as the text that `market_time_text` makes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection, Delete, Insert, Table, TextClause, Update, insert
from sqlalchemy.exc import IntegrityError

__all__ = ("Prepared", "inserting")

Row: TypeAlias = dict[str, Any]


class Prepared:
    """One statement with named parameters.

    Parameters
    ----------
    statement : Insert or Update or Delete or TextClause
        With `bindparam` for each value.
    columns : sequence of str, optional
        For an insert, the columns that each row gives.
    """

    def __init__(
        self, statement: Insert | Update | Delete | TextClause, columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, tuple[str, Callable[[Row], tuple[Any, ...]]]] = {}

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Run the statement for each row; return the number of rows changed, meaningful for a single one."""
        if not rows:
            return 0
        sql, values_of = self._compiled.get(connection.dialect.name) or self._compile(connection)
        values = [values_of(row) for row in rows]
        driver: Any = connection.connection.dbapi_connection
        if not isinstance(driver, sqlite3.Connection):
            return connection.exec_driver_sql(sql, values if len(values) > 1 else values[0]).rowcount
        try:
            if len(values) > 1:
                return driver.executemany(sql, values).rowcount
            return driver.execute(sql, values[0]).rowcount
        except sqlite3.IntegrityError as exc:
            raise IntegrityError(sql, values, exc) from exc

    def _compile(self, connection: Connection) -> tuple[str, Callable[[Row], tuple[Any, ...]]]:
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=self._columns)
        names: Any = getattr(compiled, "positiontup", None)
        # Of a single name, `itemgetter` gives the value alone.
        ready = (str(compiled), itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],))
        self._compiled[connection.dialect.name] = ready
        return ready


def inserting(table: Table) -> Prepared:
    """Return the statement that inserts whole rows."""
    return Prepared(insert(table), [column.name for column in table.columns])
