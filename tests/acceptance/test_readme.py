"""The README's tour does what it says."""

import ast
import re
from inspect import CO_COROUTINE
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


async def run_cell(source: str, names: dict[str, object]) -> None:
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if code.co_flags & CO_COROUTINE:
        await result


async def test_the_tour_and_the_agent_run_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VNQUANT_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # where the user's own ledger lies
    tour, background, agent = PYTHON
    assert len(tour.strip().splitlines()) <= 12
    names: dict[str, object] = {}
    before_closing, closing = tour.rsplit("await bench.close()", 1)
    await run_cell(before_closing, names)
    assert "102 of 102 fresh" in capsys.readouterr().out
    printed = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)[0].strip().splitlines()
    assert repr(names["result"]).splitlines()[: len(printed)] == [line.rstrip() for line in printed]
    await run_cell(background, names)
    assert names["bench"].orchestrator.state == "stopped"
    await run_cell("import numpy as np\nfrom vnquant.agents import Agent, Scores, parameter\n" + agent, names)
    await run_cell('verdict = await bench.discuss("CEO")\nassert verdict.component("gap")', names)
    await run_cell("await bench.close()" + closing, names)
