"""A lab's settings and tries: turned, undone, reset, and counted once each."""

import numpy as np
import pytest

from vnquant.agents import Agent, BearAgent, BullAgent, Scores, parameter
from vnquant.errors import ParameterError
from vnquant.evaluation import SettingHistory, TrialBook


def test_a_drag_is_one_step_back() -> None:
    settings = SettingHistory(BullAgent())
    for step in range(10):
        assert settings.turn("momentum_days", 21 + step, at=0.1 * step)
    settings.turn("doubt", 0.7, at=1.05)
    settings.turn("doubt", 0.9, at=9.0)
    assert settings.undo()
    assert settings.values["doubt"] == 0.7
    assert settings.undo()
    assert (settings.values["doubt"], settings.values["momentum_days"]) == (0.5, 30)
    assert settings.undo()
    assert settings.values["momentum_days"] == 20
    assert not settings.undo()
    assert not settings.is_changed


def test_turning_to_the_same_value_is_nothing_to_undo() -> None:
    settings = SettingHistory(BullAgent())
    assert not settings.turn("doubt", 0.5, at=0.0)
    assert not settings.can_undo


def test_a_float_sliders_sum_of_steps_is_the_number_that_is_meant() -> None:
    settings = SettingHistory(BullAgent())
    settings.turn("trend_weight", 0.1 + 0.2, at=0.0)
    assert settings.agent.parameters["trend_weight"] == 0.3


def test_a_contradiction_is_kept_until_the_other_parameter_is_turned() -> None:
    settings = SettingHistory(BullAgent())
    settings.turn("fast_days", 60, at=0.0)
    assert settings.values["fast_days"] == 60
    assert settings.agent.parameters["fast_days"] == 20
    assert "fast average" in str(settings.problem)
    settings.turn("slow_days", 100, at=5.0)
    assert settings.problem is None
    assert repr(settings.agent) == "BullAgent(fast_days=60, slow_days=100)"


def test_a_value_out_of_bounds_and_an_unknown_name_change_nothing() -> None:
    settings = SettingHistory(BullAgent())
    with pytest.raises(ParameterError, match="out of bounds"):
        settings.turn("momentum_days", 4, at=0.0)
    with pytest.raises(ParameterError, match="Did you mean momentum_days"):
        settings.set({"momentum_day": 30})
    assert not settings.can_undo


def test_reset_goes_to_the_saved_setting_and_defaults_to_the_declared_ones() -> None:
    settings = SettingHistory(BullAgent(doubt=0.2))
    settings.set({"doubt": 0.9, "momentum_days": 30})
    settings.save(settings.agent)
    settings.set({"doubt": 0.4})
    assert settings.reset()
    assert settings.agent.parameters["doubt"] == 0.9
    assert not settings.reset()
    assert settings.defaults()
    assert settings.agent.parameters["doubt"] == 0.5
    assert settings.undo()
    assert settings.agent.parameters["doubt"] == 0.9


def test_a_setting_counts_once_however_often_it_is_seen() -> None:
    book = TrialBook()
    assert book.note("bull", BullAgent()) == 1
    assert book.note("bull", BullAgent(doubt=0.1)) == 2
    assert book.note("bull", BullAgent(doubt=0.5)) == 2
    assert book.count("bear") == 0
    assert book.note("bear", BearAgent()) == 1
    assert repr(book) == "TrialBook(bull: 2, bear: 1)"


def cell(body: str, helper: str = "0.5") -> Agent:
    """Run a cell that defines an agent, and return one of its kind."""
    space: dict[str, object] = {"Agent": Agent, "Scores": Scores, "np": np, "parameter": parameter}
    exec(
        "class GapAgent(Agent):\n"
        " days: int = parameter(20, 5, 60)\n"
        " @property\n"
        f" def sure(self): return {helper}\n"
        f" def score(self, panel): return Scores({body}, self.sure)\n",
        space,
    )
    return space["GapAgent"]()


def test_running_a_cell_again_is_no_new_try_and_rewriting_its_class_is() -> None:
    book = TrialBook()
    assert book.note("gap", cell("np.tanh(panel.close)")) == 1
    assert book.note("gap", cell("np.tanh(panel.close)")) == 1
    assert book.note("gap", cell("np.tanh(panel.open)")) == 2
    assert book.note("gap", cell("np.tanh(2.0 * panel.open)")) == 3
    assert book.note("gap", cell("np.tanh(2.0 * panel.open)", helper="0.9")) == 4
