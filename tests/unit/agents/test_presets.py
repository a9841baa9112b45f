"""Presets: what is written can be read, by people and by load_preset; what is wrong is refused and named."""

from pathlib import Path

import numpy as np
import pytest

from vnquant import Workbench
from vnquant.agents import (
    Agent,
    BullAgent,
    ChiefAgent,
    RiskDoctorAgent,
    Scores,
    default_agents,
    load_preset,
    parameter,
    save_preset,
)
from vnquant.agents.presets import current_class
from vnquant.errors import PresetError
from vnquant.market import BarPanel


class OddAgent(Agent):
    name = 'odd "one"'
    fade: bool = parameter(False, help="bet against it,\n[agents.bull]\nfast_days = 7")
    style: str = parameter("straight", choices=("straight", 'with "quotes" \\ and \x7f'), unit="%")
    tiny: float = parameter(1e-7, 0.0, 1.0)

    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.zeros(panel.shape), 0.5)


@pytest.mark.parametrize("agent", default_agents(), ids=lambda agent: agent.name)
def test_each_agent_comes_back_as_it_was_saved(agent: Agent, tmp_path: Path) -> None:
    ends = {
        one.name: one.grid()[-1] for one in agent.declared() if one.name not in ("fast_days", "equity_mn")
    }
    saved = agent.with_parameters(**ends)
    (loaded,) = load_preset(save_preset(tmp_path / "one.toml", saved))
    assert type(loaded) is type(saved)
    assert dict(loaded.parameters) == dict(saved.parameters)


def test_names_texts_and_comments_cannot_break_out_of_their_line(tmp_path: Path) -> None:
    odd = OddAgent(fade=True, style='with "quotes" \\ and \x7f', tiny=3e-7)
    (loaded,) = load_preset(save_preset(tmp_path / "odd.toml", odd))
    assert dict(loaded.parameters) == dict(odd.parameters)


def test_a_preset_says_what_its_numbers_mean(tmp_path: Path) -> None:
    text = save_preset(tmp_path / "bull.toml", BullAgent(momentum_days=33)).read_text(encoding="utf-8")
    assert "momentum_days = 33 " in text
    assert "# bars, 5 to 120, default 20: days of the momentum return" in text
    assert 'Workbench.open(agents="bull.toml")' in text


def test_saving_one_agent_keeps_the_others_of_the_file(tmp_path: Path) -> None:
    file = save_preset(tmp_path / "all.toml", BullAgent(), RiskDoctorAgent(gap_days=65))
    save_preset(file, BullAgent(doubt=0.1))
    bull, doctor = load_preset(file)
    assert (bull.parameters["doubt"], doctor.parameters["gap_days"]) == (0.1, 65)
    assert [path.name for path in tmp_path.iterdir()] == ["all.toml"]


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text("vnquant_agents = 1\n[agents.bull]\nmomentum_days = 30\n[agents.bear]\n")
    assert repr(load_preset(file)) == "(BullAgent(momentum_days=30), BearAgent())"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("momentum_days: 20", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        ("[agents.bull]\n", "vnquant_agents = 1"),
        ("vnquant_agents = 2\n[agents.bull]\n", "has 2"),
        ("vnquant_agents = true\n[agents.bull]\n", "has True"),
        ("vnquant_agents = 1\n", "one at least"),
        ("vnquant_agents = 1\nagents = 3\n", "one at least"),
        ("vnquant_agents = 1\nspeed = 3\n[agents.bull]\n", "not 'speed'"),
        ("vnquant_agents = 1\n[agents]\nbull = 3\n", r"write a table \[agents.bull\]"),
        ("vnquant_agents = 1\n[agents.bul]\n", "Did you mean bull"),
        ("vnquant_agents = 1\n[agents.chief]\n", "no agent is called 'chief'"),
        ("vnquant_agents = 1\n[agents.bull]\nmomentum_days = 2\n", "out of bounds. Allowed: 5 to 120 bars"),
        ("vnquant_agents = 1\n[agents.bull]\nmomentum_days = '20'\n", "must be a whole number"),
        ("vnquant_agents = 1\n[agents.bull]\nmomentum = 20\n", "Did you mean momentum_days"),
        ("vnquant_agents = 1\n[agents.bull]\nfast_days = 60\n", "fast average must be shorter"),
        ("vnquant_agents = 1\n[agents.bull]\nfast_days = 2020-01-01\n", "must be a whole number"),
        ("#" * 1_000_001, "too large"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_its_path(
    text: str | bytes, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PresetError, match=told) as raised:
        load_preset(file)
    assert raised.value.path == str(file)
    assert "wrong.toml" in str(raised.value)


def test_a_missing_file_and_a_folder_are_no_presets(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="There is no preset"):
        load_preset(tmp_path / "none.toml")
    with pytest.raises(PresetError, match="cannot be read"):
        load_preset(tmp_path)


def test_what_cannot_be_saved_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="cannot be written"):
        save_preset(tmp_path / "nowhere" / "bull.toml", BullAgent())
    with pytest.raises(PresetError, match="no agent to save"):
        save_preset(tmp_path / "none.toml")
    with pytest.raises(PresetError, match="chief="):
        save_preset(tmp_path / "chief.toml", ChiefAgent())
    notes = tmp_path / "notes.txt"
    notes.write_text("buy milk")
    with pytest.raises(PresetError, match="not TOML"):
        save_preset(notes, BullAgent())
    assert notes.read_text() == "buy milk"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_class_that_was_defined_again_is_the_one_that_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space: dict[str, object] = {"__name__": __name__, "Agent": Agent, "parameter": parameter}
    cell = "class Redone(Agent):\n name = 'redone'\n days: int = parameter({}, 5, 60)\n score = None\n"
    exec(cell.format(20), space)
    old = space["Redone"]
    file = save_preset(tmp_path / "redone.toml", old())
    exec(cell.format(30), space)
    new = space["Redone"]
    monkeypatch.setitem(globals(), "Redone", new)
    assert current_class(old) is new
    (loaded,) = load_preset(file)
    assert type(loaded) is new
    assert loaded.parameters["days"] == 20


async def test_a_workbench_opens_with_a_preset(tmp_path: Path, panel: BarPanel) -> None:
    file = save_preset(tmp_path / "mine.toml", BullAgent(momentum_days=44))
    bars = panel.select(["FPT", "VCB", "HPG"]).to_frame()
    async with Workbench.open(bars, agents=str(file), cache_dir=tmp_path / "cache") as bench:
        assert bench.agents["bull"].parameters["momentum_days"] == 44
        assert list(bench.agents) == ["bull", "bear", "analyst", "scout", "risk_doctor"]
    with pytest.raises(PresetError):
        await Workbench.open(bars, agents=tmp_path / "none.toml")
