"""A kill without a process: at some commit all writing ends."""

import asyncio

import pytest

from vnquant.errors import DatabaseUnavailableError
from vnquant.trading import Batch, Ledger


class Killed:
    """Ends all writing at the n-th commit: before it is written, or before the writer hears of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commits = 0
        self.at: int | None = None
        self.unheard = False
        self.dead = asyncio.Event()
        write = Ledger.commit

        async def commit(ledger: Ledger, batch: Batch) -> None:
            if not batch:
                return
            self.commits += 1
            if self.at is None or self.commits < self.at:
                await write(ledger, batch)
                return
            if self.commits == self.at and self.unheard:
                await write(ledger, batch)
            self.dead.set()
            raise DatabaseUnavailableError("killed")

        monkeypatch.setattr(Ledger, "commit", commit)
