"""A writer killed with SIGKILL at random moments: nothing half-written, the end that of a quiet run."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

# 300 in a full run; fewer in CI, where both databases share two cores with everything else.
KILLS = 300 if os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full" else 60
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks its writers")

DRIVER = Path(__file__).with_name("kill_driver.py")


async def drive(database: str, *, orders: int, kills: int, seed: int) -> dict[str, Any]:
    driver = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DRIVER),
        database,
        *map(str, (orders, kills, seed)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await driver.communicate()
    assert driver.returncode == 0, told.decode()[-3000:]
    result: dict[str, Any] = json.loads(out)
    return result


def same_end(killed: dict[str, Any], quiet: dict[str, Any]) -> bool:
    return all(killed[name] == quiet[name] for name in ("orders", "fills", "ledger", "journal", "cash_vnd"))


async def test_a_writer_killed_again_and_again_ends_as_if_it_never_was(database: str, tmp_path: Path) -> None:
    killed = await drive(database, orders=400, kills=20, seed=11)
    quiet = await drive(f"sqlite:///{tmp_path / 'quiet.db'}", orders=400, kills=0, seed=11)
    assert killed["killed"] == 20
    assert killed["runs_with_progress"] >= 8
    assert killed["met_unanswered"] + killed["met_partly_filled"] >= 1  # it was hit in the middle of things
    assert same_end(killed, quiet)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_kills_at_random_points_lose_and_duplicate_nothing(database: str, tmp_path: Path) -> None:
    killed = await drive(database, orders=17 * KILLS, kills=KILLS, seed=5)
    quiet = await drive(f"sqlite:///{tmp_path / 'quiet.db'}", orders=17 * KILLS, kills=0, seed=5)
    assert killed["killed"] == KILLS
    assert killed["met_unanswered"] >= KILLS // 30
    assert killed["met_partly_filled"] >= KILLS // 30
    assert same_end(killed, quiet)
