"""PostgreSQL session: what lives in a ledger's thread where the driver is async, with a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from vnquant.trading.async_engines import open_async_engine

__all__ = ("PostgresSession",)

T = TypeVar("T")


class PostgresSession:
    """The connection, its engine and the loop that both belong to; opened by the first transaction."""

    def __init__(self, url: URL, *, read_only: bool, lock_timeout_s: float, answer_timeout_s: float) -> None:
        self._open = partial(
            open_async_engine,
            url,
            read_only=read_only,
            lock_timeout_s=lock_timeout_s,
            answer_timeout_s=answer_timeout_s,
        )
        self._engine: AsyncEngine | None = None
        self._runner: asyncio.Runner | None = None

    @property
    def answers_at_once(self) -> bool:
        """Never: a server is asked."""
        return False

    def transact(self, work: Callable[[Connection], T], *, writes: bool, waits: bool) -> T:
        """Run work in a transaction."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._transact(work, writes=writes))

    async def _transact(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        if self._engine is None:
            self._engine = self._open()
        async with self._engine.connect() as connection:
            if not writes:
                # One view for several statements; the default looks anew at each.
                await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            async with connection.begin():
                result: T = await connection.run_sync(work)
                return result

    def close(self, *, waits: bool) -> None:
        """Close the connection and the loop."""
        if self._runner is None:
            return
        try:
            if self._engine is not None:
                self._runner.run(self._engine.dispose())
        finally:
            self._runner.close()
