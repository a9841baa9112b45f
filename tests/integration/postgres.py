"""A private PostgreSQL cluster for the tests of a run: fixtures `postgres_server` and `postgres_url`.

Hook it into a conftest with `pytest_plugins` (top folder) or by importing both fixtures. Where the server's
programs are not installed, or will not start, tests that ask for it are skipped and say why.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

_databases = count(1)
_UNPRIVILEGED = ("postgres", "nobody")


def _programs() -> Path | None:
    """Return the folder with initdb and pg_ctl, newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    for name in ("initdb", "pg_ctl"):
        if program := shutil.which(name):
            found.insert(0, Path(program).resolve().parent)
    return next((f for f in found if all((f / n).exists() for n in ("initdb", "pg_ctl", "postgres"))), None)


def _user() -> str | None:
    """Return whom the server must run as; None is who runs the tests, since it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _UNPRIVILEGED if name in names), None)


def _run(user: str | None, *command: str | Path) -> None:
    words = [str(word) for word in command]
    if user is not None:
        words = ["runuser", "-u", user, "--", *words]
    done = subprocess.run(
        words,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    if done.returncode:
        raise RuntimeError(f"{words[-1] if user is None else words[4]}: {done.stdout.strip()[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a cluster that only this run uses, and give its URL without a database name."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL here: initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql")
    user = _user()
    if user is None and os.geteuid() == 0:
        pytest.skip(f"PostgreSQL does not run as root, and there is none of the users {_UNPRIVILEGED}")
    # Not pytest's folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="vnquant-pg-"))
    data, port = folder / "data", _free_port()
    try:
        if user is not None:
            shutil.chown(folder, user)
        options = f"-p {port} -h 127.0.0.1 -k {folder} -c max_connections=50 -c shared_buffers=16MB"
        # Writers are killed here, and never the machine: nothing has to reach the disk.
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        try:
            _run(user, programs / "initdb", "-D", data, "-U", "vnquant", "-A", "trust", "-N", "-E", "UTF8")
            log = folder / "log"
            _run(user, programs / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "30", "start")
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as exc:
            pytest.skip(f"PostgreSQL is here and does not start: {exc}")
        try:
            yield f"postgresql+asyncpg://vnquant@127.0.0.1:{port}"
        finally:
            _run(user, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def postgres_url(postgres_server: str) -> str:
    """Return the URL of an empty database of this test's own."""
    import asyncpg

    name = f"t{next(_databases)}_{os.getpid()}"
    plain = postgres_server.replace("+asyncpg", "")
    connection = await asyncpg.connect(f"{plain}/postgres", timeout=20)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"{postgres_server}/{name}"
