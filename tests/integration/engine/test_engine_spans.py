"""The whole engine on the simulated exchange: a morning twice, and a morning that is killed with SIGKILL."""

import asyncio
import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from vnquant.trading import Audit, Ledger

DRIVER = Path(__file__).with_name("span_driver.py")
SPAN = ("2025-06-02 09:00", "2025-06-02 09:50")


def command(database: Path | str, cache: Path) -> list[str]:
    return [sys.executable, str(DRIVER), str(database), *SPAN, str(cache)]


def run(database: Path | str, cache: Path) -> dict[str, object]:
    done = subprocess.run(command(database, cache), capture_output=True, text=True, check=True, timeout=240)
    summary: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return summary


def digests(summary: dict[str, object]) -> tuple[object, ...]:
    return tuple(
        summary[name] for name in ("ledger_digest", "journal_digest", "equity_vnd", "orders", "fills")
    )


def begun(database: Path, cache: Path) -> subprocess.Popen[bytes]:
    """Start a run, and return once it has the ledger's lease: what comes before is imports and history."""
    child = subprocess.Popen(command(database, cache), stdout=subprocess.DEVNULL)
    while child.poll() is None and pid_of_holder(database) != child.pid:
        time.sleep(0.02)
    return child


def pid_of_holder(database: Path) -> int | None:
    """Return which process holds a ledger's lease, if any."""
    if not database.exists():
        return None
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT pid FROM leases WHERE token <> ''").fetchone()
        except sqlite3.OperationalError:  # the tables are being made
            return None
    return None if row is None else int(row[0])


@dataclass(frozen=True)
class Morning:
    """What an undisturbed run comes to, and how long one takes in all and once it has its ledger."""

    end: dict[str, object]
    takes_s: float
    trades_s: float


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Morning:
    """A morning, run twice: the second has a warm cache, and is the one that is timed."""
    folder = tmp_path_factory.mktemp("whole")
    end = run(folder / "whole.db", model_cache)
    again = folder / "again.db"
    began = time.monotonic()
    child = begun(again, model_cache)
    opened = time.monotonic()
    assert child.wait() == 0
    ended = time.monotonic()
    assert digests(run(again, model_cache)) == digests(end)
    return Morning(end, ended - began, ended - opened)


async def reconciled(database: Path) -> Audit:
    async with await Ledger.open(database, read_only=True) as ledger:
        return await ledger.reconcile()


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_morning_on_the_simulated_exchange_repeats_and_survives_sigkill(tmp_path, model_cache, whole):
    assert whole.end["fills"] >= 3
    database, rng, kills = tmp_path / "killed.db", random.Random(11), 0
    for _ in range(5):
        child = begun(database, model_cache)
        try:
            child.wait(timeout=whole.trades_s * rng.uniform(0.0, 0.3))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
    assert kills >= 3
    assert digests(run(database, model_cache)) == digests(whole.end)
    audit = asyncio.run(reconciled(database))
    assert audit.fills == whole.end["fills"]


def run_killed(database: str, cache: Path, after_s: float) -> bool:
    """Kill a run after some seconds, and return whether it still ran then."""
    child = subprocess.Popen(command(database, cache), stdout=subprocess.DEVNULL)
    try:
        child.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_a_killed_morning_on_postgresql_is_the_undisturbed_one_on_sqlite(
    model_cache, postgres_url, whole
):
    killed = [
        await asyncio.to_thread(run_killed, postgres_url, model_cache, whole.takes_s * share)
        for share in (0.6, 0.7, 0.8)
    ]
    assert any(killed)
    assert digests(await asyncio.to_thread(run, postgres_url, model_cache)) == digests(whole.end)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_line_runs_a_span_and_prints_a_summary(tmp_path):
    arguments = ["run", "--virtual", "--from", SPAN[0], "--to", "2025-06-02 09:20", "--seed", "5"]
    done = subprocess.run(
        [sys.executable, "-m", "vnquant", *arguments, "--database", str(tmp_path / "ledger.db")],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
        env={"PATH": "/usr/bin:/bin", "VNQUANT_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)},
    )
    summary = json.loads(done.stdout.splitlines()[-1])
    assert set(summary) >= {"orders", "fills", "equity_vnd", "ledger_digest", "journal_digest"}


def test_the_command_line_says_what_a_span_needs(capsys):
    from vnquant.cli import main

    assert main(["run", "--virtual", "--from", "2025-06-02"]) == 1
    assert "--to" in capsys.readouterr().err
    assert main(["run", "--virtual", "--from", "yesterday", "--to", "2025-06-02"]) == 1
    assert "2025-06-02" in capsys.readouterr().err
    assert main(["run", "--virtual", "--from", "2025-06-05", "--to", "2025-06-02"]) == 1
    assert "backwards" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_the_running_engine_serves_its_page_and_ends_cleanly_on_sigterm(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-m", "vnquant", "run", "--database", str(tmp_path / "ledger.db"), "--speed", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert "http://127.0.0.1:" in child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        _, told = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == 0, told
    assert "Traceback" not in told
