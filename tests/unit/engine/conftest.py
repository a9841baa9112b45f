"""Orchestrators on a street of six stocks, and what goes wrong there."""

from pathlib import Path

import pytest

from tests.unit.engine.killing import Killed
from tests.unit.engine.street import Street
from vnquant.engine import AutonomousOrchestrator
from vnquant.errors import SourceError, SourceTimeoutError


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def orchestrator(street: Street, ledger_path: Path) -> AutonomousOrchestrator:
    return AutonomousOrchestrator(street, database=ledger_path)


@pytest.fixture
def source_down() -> SourceError:
    return SourceTimeoutError("nobody answers", source="street")


@pytest.fixture
def new_street() -> type[Street]:
    return Street


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Killed:
    return Killed(monkeypatch)
