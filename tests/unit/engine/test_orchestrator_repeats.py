"""Two runs are one run: the same span twice, and a run that was killed and resumed, leave equal ledgers."""

import asyncio
import contextlib
import os
import random
from datetime import datetime
from pathlib import Path

import pytest

from vnquant.engine import AutonomousOrchestrator, EngineConfig, RunSummary, run_span
from vnquant.errors import DatabaseUnavailableError
from vnquant.runtime import ICT, run_virtual

START = "2025-06-02 08:00"
UNTIL = datetime(2025, 6, 5, 0, 0, tzinfo=ICT)
CONFIG = EngineConfig(repeat_after_s=1_800.0, lease_term_s=86_400.0)

# 300 in a full run; fewer in CI, where a resumed span takes three seconds.
KILLS = 300 if os.environ.get("VNQUANT_BENCHMARK_SIZE") == "full" else 15


@pytest.fixture
def run(new_street):
    def over_the_span(database: Path, until: datetime = UNTIL) -> RunSummary:
        async def main() -> RunSummary:
            return await run_span(
                AutonomousOrchestrator(new_street(), database=database, config=CONFIG), until
            )

        return run_virtual(main(), start=START)

    return over_the_span


@pytest.fixture
def run_till_killed(new_street, killed):
    def till(database: Path, commit: int, *, unheard: bool) -> None:
        async def main() -> None:
            killed.commits, killed.at, killed.unheard = 0, commit, unheard
            killed.dead = asyncio.Event()
            orchestrator = AutonomousOrchestrator(new_street(), database=database, config=CONFIG)
            with contextlib.suppress(DatabaseUnavailableError):
                await orchestrator.start()
                await killed.dead.wait()
                await orchestrator.stop()
            killed.at = None

        run_virtual(main(), start=START)

    return till


def test_two_runs_of_one_span_leave_equal_ledgers_and_journals(run, tmp_path):
    first, second = run(tmp_path / "one.db"), run(tmp_path / "two.db")
    assert (first.ledger_digest, first.journal_digest) == (second.ledger_digest, second.journal_digest)
    assert first.equity_vnd == second.equity_vnd
    assert first.fills > 10


def test_a_span_in_two_parts_is_the_span_in_one(run, tmp_path):
    whole = run(tmp_path / "one.db")
    run(tmp_path / "two.db", datetime(2025, 6, 3, 10, 1, 30, tzinfo=ICT))
    parts = run(tmp_path / "two.db")
    assert (parts.ledger_digest, parts.journal_digest) == (whole.ledger_digest, whole.journal_digest)


@pytest.fixture
def whole(run, killed, tmp_path):
    summary = run(tmp_path / "whole.db")
    return summary, killed.commits


def check(whole, run, run_till_killed, tmp_path, points):
    summary, _ = whole
    for number, unheard in points:
        database = tmp_path / f"{number}-{unheard}.db"
        run_till_killed(database, number, unheard=unheard)
        resumed = run(database)
        told = f"killed at commit {number}, {'written' if unheard else 'not written'}"
        assert resumed.ledger_digest == summary.ledger_digest, told
        assert resumed.journal_digest == summary.journal_digest, told
        assert resumed.equity_vnd == summary.equity_vnd, told


@pytest.mark.no_cover
def test_a_run_that_was_killed_and_resumed_is_the_undisturbed_one(whole, run, run_till_killed, tmp_path):
    _, commits = whole
    rng = random.Random(7)
    points = [(rng.randrange(1, commits + 1), bool(rng.getrandbits(1))) for _ in range(4)]
    check(whole, run, run_till_killed, tmp_path, points)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_it_is_so_at_many_random_points(whole, run, run_till_killed, tmp_path):
    _, commits = whole
    points = [(number, unheard) for number in range(1, commits + 1) for unheard in (False, True)]
    check(whole, run, run_till_killed, tmp_path, sorted(random.Random(3).sample(points, KILLS)))
