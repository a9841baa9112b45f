"""The lab without a browser, on virtual time: what is turned, pressed and chosen, and what is shown."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import ipywidgets
import numpy as np
import pytest

from tests.unit.ui.front_end import say
from vnquant.agents import Agent, BearAgent, BullAgent, Scores, default_agents, parameter
from vnquant.errors import ClosedError, InputError, SourceError
from vnquant.evaluation import GuardFinding, TrialBook
from vnquant.market import BarPanel
from vnquant.ui import lab_agent
from vnquant.ui.agent_lab import AgentLab
from vnquant.ui.lab_agent import chosen_agent
from vnquant.ui.lab_table import badge_html

pytestmark = pytest.mark.virtual(start="2025-06-02 09:00")

SYMBOLS = ("FPT", "VCB", "HPG", "VNM", "SHS", "ACV")


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    rng = np.random.default_rng(4)
    shape = (400, len(SYMBOLS))
    close = 20_000.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, shape), axis=0))
    close[50:60, 1] = np.nan
    opened = close * np.exp(rng.normal(0.0, 0.005, shape))
    high, low = np.maximum(opened, close) * 1.005, np.minimum(opened, close) * 0.995
    days = np.datetime64("2024-04-29", "s") + np.arange(shape[0]) * np.timedelta64(86_400, "s")
    volume = np.round(rng.lognormal(12.0, 0.5, shape)) * np.linspace(1.0, 2.0, shape[1])
    return BarPanel(SYMBOLS, days, opened, high, low, close, volume)


class StyledAgent(Agent):
    """One parameter of each kind."""

    name = "styled"
    days: int = parameter(5, 1, 60, unit="bars", help="days of the move")
    gain: float = parameter(5.0, 0.5, 20.0, step=0.5, help="how loud it speaks")
    fade: bool = parameter(False, help="bet against <the> move")
    style: str = parameter("move", choices=("move", "gap"))

    def score(self, panel: BarPanel) -> Scores:
        base = panel.open if self.style == "gap" else panel.close
        moved = np.full(panel.shape, np.nan)
        moved[self.days :] = base[self.days :] / panel.close[: -self.days] - 1.0
        return Scores((-1.0 if self.fade else 1.0) * np.tanh(self.gain * moved), 0.5)


class SilentAgent(Agent):
    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.sin(panel.close), 0.5)


def lab_of(
    agent: str | Agent | type[Agent],
    panel: BarPanel,
    *,
    agents: dict[str, Agent] | None = None,
    load: Callable[[], Awaitable[BarPanel]] | None = None,
    symbol: str | None = "FPT",
    trials: TrialBook | None = None,
) -> AgentLab:
    async def loaded() -> BarPanel:
        await asyncio.sleep(3.0)
        return panel

    return AgentLab(
        agent,
        agents={each.name: each for each in default_agents()} if agents is None else agents,
        panel=load or loaded,
        symbol=symbol,
        loop=asyncio.get_running_loop(),
        trials=trials,
    )


def press(lab: AgentLab, button: str) -> None:
    lab._page.controls.buttons[button].click()


def trace(lab: AgentLab, name: str):
    return next(one for one in lab._page.chart.figure.data if one.name == name)


async def test_it_says_loading_until_the_market_is_there_and_then_shows_it(panel: BarPanel) -> None:
    lab = lab_of("bull", panel)
    assert lab.snapshot()["state"] == "loading"
    assert lab.snapshot()["message"] == "Loading the market …"
    assert lab.snapshot()["statistics"] is None
    await asyncio.sleep(2.0)
    assert lab.snapshot()["state"] == "loading"
    await asyncio.sleep(2.0)
    shown = lab.snapshot()
    assert (shown["state"], shown["message"], shown["trials"]) == ("ready", "", 1)
    assert shown["statistics"] == shown["statistics_saved"]
    assert shown["lookahead"]["state"] == "passed"
    assert "no look-ahead" in lab._page._badge.value
    await lab.aclose()


async def test_a_slider_changes_score_and_statistics_and_counts_a_try(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    before, drawn = lab.snapshot(), trace(lab, "score, now").y
    lab._page.controls.turns["momentum_days"].value = 40
    await asyncio.sleep(1.0)
    after = lab.snapshot()
    assert after["parameters"]["momentum_days"] == 40
    assert after["saved"]["momentum_days"] == 20
    assert after["trials"] == 2
    assert after["score"] != before["score"]
    assert after["statistics"]["rank_ic"] != before["statistics"]["rank_ic"]
    assert after["statistics_saved"]["rank_ic"] == before["statistics"]["rank_ic"]
    assert not np.array_equal(trace(lab, "score, now").y, drawn)
    np.testing.assert_array_equal(trace(lab, "score, saved").y, drawn)
    assert "<b>2</b> settings tried" in lab._page._tries.value
    assert any(row["direction"] for row in after["comparison"])
    await lab.aclose()


async def test_undo_moves_the_slider_back_and_keeps_the_count(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    slider, undo = lab._page.controls.turns["doubt"], lab._page.controls.buttons["undo"]
    assert undo.disabled
    slider.value = 0.8
    await asyncio.sleep(2.0)
    assert not undo.disabled
    press(lab, "undo")
    await asyncio.sleep(2.0)
    assert slider.value == 0.5
    assert undo.disabled
    assert lab.trials == 2
    assert lab.snapshot()["statistics"] == lab.snapshot()["statistics_saved"]
    await lab.aclose()


async def test_buttons_reset_to_the_saved_setting_and_to_the_defaults(panel: BarPanel) -> None:
    lab = await lab_of(BullAgent(doubt=0.1), panel).ready()
    sliders = lab._page.controls.turns
    sliders["doubt"].value = 0.3
    await asyncio.sleep(1.0)
    press(lab, "defaults")
    await asyncio.sleep(1.0)
    assert sliders["doubt"].value == 0.5
    press(lab, "reset")
    await asyncio.sleep(1.0)
    assert sliders["doubt"].value == 0.1
    assert not lab._settings.is_changed
    await lab.aclose()


async def test_apply_and_save_do_what_they_say(panel: BarPanel, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    agents: dict[str, Agent] = {"bull": BullAgent()}
    lab = await lab_of("bull", panel, agents=agents).ready()
    lab.set(doubt=0.9)
    press(lab, "apply")
    await asyncio.sleep(1.0)
    assert agents["bull"].parameters["doubt"] == 0.9
    assert "takes part in all discussions" in lab.snapshot()["message"]
    lab.set(doubt=0.8)
    press(lab, "save")
    press(lab, "save")  # a double click is harmless
    await asyncio.sleep(1.0)
    assert lab.snapshot()["message"] == "Saved to bull.toml."
    assert "doubt = 0.8" in (tmp_path / "bull.toml").read_text()
    assert lab.snapshot()["saved"]["doubt"] == 0.8
    lab._page.controls.file.value = "nowhere/bull.toml"
    press(lab, "save")
    await asyncio.sleep(1.0)
    assert "cannot be written" in lab.snapshot()["message"]
    assert "role='alert'" in lab._page._message.value
    await lab.aclose()


async def test_a_contradiction_is_told_and_nothing_can_be_saved_until_it_is_gone(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    lab._page.controls.turns["fast_days"].value = 60
    await asyncio.sleep(1.0)
    assert "fast average must be shorter" in lab.snapshot()["message"]
    assert lab._page.controls.buttons["apply"].disabled
    lab._page.controls.turns["slow_days"].value = 100
    await asyncio.sleep(1.0)
    assert lab.snapshot()["message"] == ""
    assert not lab._page.controls.buttons["apply"].disabled
    assert lab.trials == 2
    await lab.aclose()


async def test_a_front_end_on_another_thread_turns_it_on_the_loop(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    threads: list[str] = []
    turn = lab._settings.turn

    def noted(*args, **kwargs):
        threads.append(threading.current_thread().name)
        return turn(*args, **kwargs)

    lab._settings.turn = noted
    slider = lab._page.controls.turns["momentum_days"]
    await asyncio.to_thread(setattr, slider, "value", 30)
    await asyncio.sleep(1.0)
    assert threads == [threading.main_thread().name]
    assert lab.snapshot()["parameters"]["momentum_days"] == 30
    await lab.aclose()


async def test_what_fails_to_load_is_shown_raised_and_tried_again(panel: BarPanel) -> None:
    answers: list[BarPanel | Exception] = [SourceError("The feed is down."), SourceError("Still."), panel]

    async def load() -> BarPanel:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lab = lab_of("bull", panel, load=load)
    await asyncio.sleep(1.0)
    assert lab.snapshot()["message"] == "The feed is down."
    with pytest.raises(SourceError, match="Still"):
        await lab.ready()
    lab._page.controls.turns["doubt"].value = 0.7
    await asyncio.sleep(1.0)
    assert (lab.snapshot()["message"], lab.trials) == ("", 2)
    await lab.aclose()


async def test_an_agent_that_raises_is_told_with_its_kind(panel: BarPanel) -> None:
    class Broken(Agent):
        def score(self, panel: BarPanel) -> Scores:
            return 1 / 0

    lab = lab_of(Broken(), panel)
    with pytest.raises(ZeroDivisionError):
        await lab.ready()
    assert lab.snapshot()["message"] == "ZeroDivisionError: division by zero"
    assert lab.snapshot()["lookahead"]["state"] == "failed"
    assert repr(lab) == "AgentLab(Broken(), as saved, 0 settings tried)"
    await lab.aclose()


async def test_it_rests_while_nobody_looks_and_catches_up_when_somebody_does(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    say(lab, "hello")
    await asyncio.sleep(1.0)
    say(lab, "bye")
    await asyncio.sleep(1.0)
    assert not lab.is_live
    lab.set(doubt=0.9)
    await asyncio.sleep(5.0)
    assert lab.trials == 1
    say(lab, "hello")
    await asyncio.sleep(2.0)
    assert lab.is_live
    assert lab.trials == 2
    assert lab.snapshot()["lookahead"]["state"] == "passed"
    await lab.aclose()


async def test_ready_works_while_nobody_looks_and_says_when_it_is_closed(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    lab.errands.cancel("live")
    await asyncio.sleep(0.1)
    lab.set(doubt=0.9)
    assert (await lab.ready()).trials == 2
    await lab.aclose()
    with pytest.raises(ClosedError, match="Make another"):
        await lab.ready()


async def test_closing_in_the_middle_of_loading_leaves_nothing(panel: BarPanel) -> None:
    lab = lab_of("bull", panel)
    await asyncio.sleep(1.0)
    await lab.aclose()
    assert not lab.is_live


async def test_symbol_horizon_and_sessions_can_be_chosen(panel: BarPanel) -> None:
    lab = await lab_of("bear", panel, symbol=None).ready()
    first = lab.snapshot()
    assert first["symbol"] in SYMBOLS  # the most traded one
    lists = lab._page._choices
    assert tuple(lists["symbol"].options) == SYMBOLS
    lists["symbol"].value, lists["horizon"].value, lists["sessions"].value = "VCB", 1, 250
    await asyncio.sleep(1.0)
    shown = lab.snapshot()
    assert (shown["symbol"], shown["horizon"], shown["sessions"]) == ("VCB", 1, 250)
    assert len(shown["score"]) == 250
    assert shown["statistics"]["horizon"] == 1
    assert shown["trials"] == 1
    assert "VCB" in lab._page.chart.figure.layout.title.text
    candles = [one for one in lab._page.chart.figure.data if one.type == "candlestick"]
    assert sum(len(one.x) for one in candles) == 250
    # Days in plotly's own form would make a date axis of it, with holes for Tet.
    assert not any(str(day)[:4].isdigit() for one in candles for day in one.x)
    await lab.aclose()


async def test_marks_stand_where_the_advice_turns(panel: BarPanel) -> None:
    lab = await lab_of(StyledAgent(gain=20.0), panel).ready()
    shown = lab.snapshot()
    assert shown["buys"]
    assert shown["sells"]
    assert len(trace(lab, "turns to buy").x) == len(shown["buys"])
    assert len(trace(lab, "turns to sell").x) == len(shown["sells"])
    await lab.aclose()


async def test_each_kind_of_parameter_gets_its_control(panel: BarPanel) -> None:
    lab = await lab_of(StyledAgent, panel).ready()
    controls = lab._page.controls.turns
    kinds = {name: type(control) for name, control in controls.items()}
    assert kinds == {
        "days": ipywidgets.IntSlider,
        "gain": ipywidgets.FloatSlider,
        "fade": ipywidgets.Checkbox,
        "style": ipywidgets.Dropdown,
    }
    days, gain = controls["days"], controls["gain"]
    assert (days.min, days.max, days.step, days.description) == (1, 60, 1, "days (bars)")
    assert (gain.min, gain.max, gain.step, gain.readout_format) == (0.5, 20.0, 0.5, ".1f")
    assert days.tooltip == "days of the move; 1 to 60, default 5"
    assert lab._page.controls.sliders == 2
    assert "bet against &lt;the&gt; move" in lab._page.controls.box.children[-1].value
    controls["fade"].value, controls["style"].value = True, "gap"
    await asyncio.sleep(1.0)
    assert lab.agent.parameters == {"days": 5, "gain": 5.0, "fade": True, "style": "gap"}
    await lab.aclose()


async def test_an_agent_without_parameters_has_a_lab_too(panel: BarPanel) -> None:
    lab = await lab_of(SilentAgent, panel).ready()
    assert "nothing to turn" in lab._page.controls.box.children[0].value
    assert repr(lab) == "AgentLab(SilentAgent(), as saved, 1 setting tried)"
    await lab.aclose()


async def test_its_text_is_the_same_each_time(panel: BarPanel) -> None:
    lab = await lab_of("bull", panel).ready()
    lab.set(doubt=0.25)
    await lab.ready()
    assert repr(lab) == "AgentLab(BullAgent(doubt=0.25), changed, 2 settings tried)"
    assert lab._repr_mimebundle_()[0]["text/plain"] == repr(lab)
    frame = lab.to_frame()
    assert list(frame.columns) == ["saved", "now", "change"]
    assert frame.index[0] == "Rank IC, 5 sessions ahead"
    await lab.aclose()


async def test_tries_survive_the_lab(panel: BarPanel) -> None:
    book = TrialBook()
    for doubt in (0.1, 0.2):
        lab = await lab_of("bull", panel, trials=book).ready()
        lab.set(doubt=doubt)
        await lab.ready()
        await lab.aclose()
    assert book.count("bull") == 3


def test_badges_tell_by_sign_and_word_and_hide_nothing_unescaped() -> None:
    assert "✓" in badge_html(GuardFinding("passed", "fine"))
    leak = badge_html(GuardFinding("leaks", "eager looks ahead: <b>", "parts.<i>"))
    assert "✗" in leak
    assert "looks ahead: parts.&lt;i&gt;" in leak
    assert "<b>\n" not in leak
    assert "&lt;b&gt;" in leak


def test_an_agent_is_chosen_by_name_instance_or_class() -> None:
    agents: dict[str, Agent] = {"bull": BullAgent(doubt=0.1)}
    assert chosen_agent("bull", agents) == ("bull", agents["bull"])
    bear = BearAgent()
    assert chosen_agent(bear, agents) == ("bear", bear)
    assert repr(chosen_agent(StyledAgent, agents)) == "('styled', StyledAgent())"
    with pytest.raises(InputError, match="Did you mean bull"):
        chosen_agent("bul", agents)
    with pytest.raises(InputError, match="not of a int"):
        chosen_agent(3, agents)


def test_a_class_that_was_defined_again_replaces_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def define(bounds: str) -> type[Agent]:
        space: dict[str, object] = {"__name__": __name__, "Agent": Agent, "parameter": parameter}
        exec(f"class Redone(Agent):\n days: int = parameter({bounds})\n score = None\n", space)
        return space["Redone"]

    old = define("20, 5, 60")
    held = old(days=50)
    new = define("10, 5, 40")
    monkeypatch.setitem(globals(), "Redone", new)
    for name, agent in (chosen_agent(held, {}), chosen_agent("mine", {"mine": held}), chosen_agent(old, {})):
        assert type(agent) is new, name
        assert agent.parameters == {"days": 10}  # 50 is out of the new bounds
    _, kept = chosen_agent(old(days=30), {})
    assert kept.parameters == {"days": 30}
    assert lab_agent.current_class(new) is new
