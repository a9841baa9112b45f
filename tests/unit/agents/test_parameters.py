from __future__ import annotations

import numpy as np
import pytest

from vnquant.agents import Agent, BullAgent, ChiefAgent, Parameter, Scores, default_agents, parameter
from vnquant.errors import ParameterError
from vnquant.market.panel import BarPanel


class Tunable(Agent):
    days: int = parameter(20, 5, 60, step=5, unit="bars", help="window")
    share: float = parameter(0.5, 0.0, 1.0, step=0.25)
    robust: bool = parameter(False)
    mean: str = parameter("simple", choices=("simple", "exponential"))

    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.zeros(panel.shape), self.share)


def test_defaults_are_in_force_until_changed() -> None:
    agent = Tunable(days=10)
    assert (agent.days, agent.share, agent.robust, agent.mean) == (10, 0.5, False, "simple")
    assert dict(agent.parameters) == {"days": 10, "share": 0.5, "robust": False, "mean": "simple"}
    assert repr(agent) == "Tunable(days=10)"


def test_a_value_out_of_bounds_is_refused_with_the_bounds() -> None:
    with pytest.raises(
        ParameterError, match=r"days is out of bounds.*Allowed: 5 to 60 bars.*Default: 20"
    ) as told:
        Tunable(days=61)
    assert (told.value.name, told.value.value) == ("days", 61)


@pytest.mark.parametrize("value", [4, 61, 7.5, float("nan"), float("inf"), "20", True, None, [20]])
def test_a_whole_number_takes_no_other_value(value: object) -> None:
    with pytest.raises(ParameterError, match="days"):
        Tunable(days=value)


@pytest.mark.parametrize(
    ("name", "value"), [("robust", 1), ("mean", "median"), ("mean", 3), ("share", -0.01), ("share", "half")]
)
def test_every_kind_is_checked(name: str, value: object) -> None:
    with pytest.raises(ParameterError, match=name):
        Tunable(**{name: value})


def test_both_bounds_and_whole_floats_are_accepted() -> None:
    assert Tunable(days=5).days == 5
    assert Tunable(days=60.0).days == 60
    assert isinstance(Tunable(days=np.int64(7)).days, int)
    assert Tunable(share=1).share == 1.0


def test_a_misspelt_name_is_told_the_nearest_one() -> None:
    with pytest.raises(ParameterError, match=r"no parameter 'momentum_day'\. Did you mean momentum_days\?"):
        BullAgent(momentum_day=30)
    with pytest.raises(ParameterError, match="Its parameters: days, share, robust, mean"):
        Tunable(zzz=1)


def test_parameters_cannot_be_changed_afterwards() -> None:
    agent = Tunable()
    with pytest.raises(ParameterError, match=r"agent\.with_parameters\(days=30\)"):
        agent.days = 30
    changed = agent.with_parameters(days=30)
    assert (agent.days, changed.days, type(changed)) == (20, 30, Tunable)


def test_contradicting_parameters_are_refused() -> None:
    with pytest.raises(ParameterError, match="fast average must be shorter"):
        BullAgent(fast_days=60, slow_days=50)


def test_declarations_tell_sliders_and_sweeps_what_they_need() -> None:
    days, share, robust, mean = Tunable.declared()
    assert (days.name, days.kind, days.low, days.high, days.step, days.unit) == (
        "days",
        int,
        5,
        60,
        5,
        "bars",
    )
    assert days.grid() == tuple(range(5, 61, 5))
    assert share.grid() == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert robust.grid() == (False, True)
    assert mean.grid() == ("simple", "exponential")
    assert Tunable.days is days


def test_a_subclass_inherits_and_overrides_declarations() -> None:
    class Narrow(Tunable):
        days: int = parameter(10, 5, 20)
        share = 0.75  # fixed: no parameter any more

    assert [one.name for one in Narrow.declared()] == ["days", "robust", "mean"]
    assert Narrow().days == 10
    with pytest.raises(ParameterError):
        Narrow(share=0.5)


@pytest.mark.parametrize("bounds", [(None, None), (5, None), (60, 5), (5, 5)])
def test_a_number_without_real_bounds_cannot_be_declared(bounds: tuple[float | None, float | None]) -> None:
    with pytest.raises(ParameterError, match="bounds"):
        parameter(20, *bounds)


def test_a_default_out_of_its_own_bounds_cannot_be_declared() -> None:
    with pytest.raises(ParameterError, match="out of bounds"):

        class Wrong(Agent):
            days: int = parameter(3, 5, 60)

            def score(self, panel: BarPanel) -> Scores:
                return Scores(np.zeros(panel.shape), 0.5)


def test_all_shipped_agents_document_every_parameter() -> None:
    for agent in (*default_agents(), ChiefAgent()):
        for one in agent.declared():
            assert isinstance(one, Parameter)
            assert one.help, f"{agent.name}.{one.name} has no help"
            for value in (one.grid()[0], one.grid()[-1]):
                assert one.check(value, owner=agent.name) == value


def test_the_chief_keeps_its_agents_when_its_weights_change() -> None:
    chief = ChiefAgent([BullAgent(momentum_days=40)]).with_parameters(bull_weight=2.0)
    assert chief.agents[0].parameters["momentum_days"] == 40
    assert chief.weight_of("bull") == 2.0
    assert chief.weight_of("somebody_else") == 1.0
