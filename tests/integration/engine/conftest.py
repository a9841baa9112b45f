"""A street to trade on, and what goes wrong with a ledger's disk."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.ledger.conftest import database, pragmas, sqlite_url
from tests.integration.ledger.test_ledger_failures import tiny_disk
from tests.unit.engine.street import Street

__all__ = ("database", "pragmas", "sqlite_url", "tiny_disk")


@pytest.fixture
def small_disk(tiny_disk: Path) -> Path:
    """A file system of eight megabytes: a write-ahead log alone may take four."""
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny_disk)], check=True)
    return tiny_disk


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"
