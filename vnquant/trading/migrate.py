"""Migrate: brings a ledger's tables to the form that this version works with, whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from vnquant.errors import DatabaseFormatError
from vnquant.trading.schema import METADATA

__all__ = ("HEAD", "apply_steps", "is_current", "migrate", "one_at_a_time")

HEAD = "0001"
"""The newest step in `migrations/versions`; kept here so that opening a current ledger needs no Alembic."""

_KNOWN = frozenset({HEAD})
# Alembic's own, as it makes it.
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_ADVISORY_LOCK = 0x564E51  # any number that other programs on the server are unlikely to choose
# Alembic keeps the migration at work in module globals, so one at a time in a process.
_alembic_lock = threading.Lock()


def is_current(connection: Connection) -> bool:
    """Return whether the tables are there in the form of this version.

    Raises
    ------
    DatabaseFormatError
        If the database is of a newer version, or holds tables of somebody else under our names.
    """
    version = _version(connection)
    if version is None:
        taken = sorted(set(inspect(connection).get_table_names()) & set(METADATA.tables))
        if taken:
            raise DatabaseFormatError(
                f"The database {_name(connection)} has tables named {', '.join(taken)} that are not a "
                "ledger's. Nothing was changed. Choose another file, schema or database for the ledger."
            )
        return False
    if version not in _KNOWN:
        raise DatabaseFormatError(
            f"The ledger {_name(connection)} is of version {version}, and this VN-Quant knows versions up to "
            f"{HEAD}. Nothing was changed. Upgrade VN-Quant, or choose another ledger."
        )
    return version == HEAD


def migrate(connection: Connection) -> None:
    """Build a new ledger, or apply the steps that an older one lacks, inside the connection's transaction.

    A new one is built from the schema as it is and marked with the last step, as Alembic's cookbook has it
    (https://alembic.sqlalchemy.org/en/latest/cookbook.html#building-uptodate). Alembic, with the templates
    and dialects that it brings, takes longer to import than the tables to build.
    """
    one_at_a_time(connection)
    if is_current(connection):
        return
    if _version(connection) is None:
        METADATA.create_all(connection)
        _VERSION.create(connection, checkfirst=True)
        connection.execute(_VERSION.insert().values(version_num=HEAD))
    else:
        apply_steps(connection)


def apply_steps(connection: Connection) -> None:
    """Apply the steps that are missing, all of them in an empty database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    # By its path: of "vnquant.trading:migrations" Alembic keeps an exit handler for ever, each time.
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _alembic_lock:
        command.upgrade(config, "head")


def one_at_a_time(connection: Connection) -> None:
    """Wait until no other transaction that asked for this is under way; until the end of the transaction.

    Two programs that open a new ledger at once: the second waits, and then finds it made and taken. On SQLite
    the write lock, which the transaction holds already, does the same.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.execute(_VERSION.select()).scalar()
    return found


def _name(connection: Connection) -> str:
    return connection.engine.url.render_as_string()
