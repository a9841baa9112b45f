"""A trading day killed with SIGKILL at random points, on both databases, ends as the undisturbed one."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

# 300 in a full run; in CI a handful on each database.
KILLS = 300 if os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full" else 3
ROOT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3_600),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks its runs"),
]


async def test_a_day_that_is_killed_again_and_again_ends_as_the_undisturbed_one(
    request, database_kind, tmp_path, capsys
):
    where = tmp_path if database_kind == "sqlite" else request.getfixturevalue("postgres_server")
    driver = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.engine.killed_days", str(where), str(KILLS), "5"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, told = await driver.communicate()
    except BaseException:
        driver.kill()
        raise
    assert driver.returncode == 0, told.decode()[-3_000:]
    found = json.loads(out)
    with capsys.disabled():
        print(json.dumps({"benchmark": "days killed with SIGKILL", "database": database_kind, **found}))
    assert found["kills"] == KILLS
    assert found["orders"] >= 50
    if KILLS >= 100:  # it was hit in the middle of things, all over the day
        assert min(found["met"].values()) >= KILLS // 20
        assert set(found["ledger_ended_in_hour"]) >= {"09", "10", "11", "13", "14"}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind
