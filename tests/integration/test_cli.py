"""The command line, each command in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(480)


def vnquant(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vnquant", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"VNQUANT_CACHE_DIR": str(cache)},
        check=False,
    )


def test_the_exchange_serves_on_loopback_until_it_is_told_to_stop():
    command = [
        sys.executable,
        "-m",
        "vnquant",
        "exchange",
        "--port",
        "0",
        "--speed",
        "0",
        "--fault",
        "stale=0.0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline() + process.stdout.readline()
        url = told.split("Listening on ")[1].split(";")[0]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/getliststockdata/FPT,VCB", timeout=10) as answer:
            assert {record["sym"] for record in json.load(answer)} == {"FPT", "VCB"}
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_mistake_is_told_in_one_line_and_exits_with_1(tmp_path):
    for arguments, told in (
        (("exchange", "--fault", "nonsense=1"), "No fault is called 'nonsense'"),
        (("exchange", "--fault", "hang=often"), "write NAME=NUMBER"),
        (("scan", "--source", "nowhere.parquet"), "nowhere.parquet"),
        (("discuss", "FPTT"), "did you mean FPT"),
    ):
        done = vnquant(*arguments, cache=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("vnquant: ")
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_the_doctor_tells_versions_and_tries_the_exchange(tmp_path):
    done = vnquant("doctor", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lightgbm" in done.stdout
    assert "102 of 102 symbols quoted" in done.stdout
