"""A lab's session on virtual time: measured newest first and one at a time, counted, compared, guarded."""

import asyncio
import os
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

from vnquant.agents import Agent, BearAgent, BullAgent, ChiefAgent, Scores, load_preset, parameter
from vnquant.errors import InputError, MissingDataError, ParameterError, SourceError
from vnquant.evaluation import (
    AgentStudy,
    LabSession,
    TrialBook,
    compare,
    factor_report,
    worth_of,
)
from vnquant.market import BarPanel

pytestmark = pytest.mark.virtual(start="2025-06-02 09:00")


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    rng = np.random.default_rng(4)
    shape = (500, 12)
    close = 20_000.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, shape), axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.005, shape))
    high, low = np.maximum(opened, close) * 1.005, np.minimum(opened, close) * 0.995
    days = np.datetime64("2023-01-02", "s") + np.arange(shape[0]) * np.timedelta64(86_400, "s")
    volume = np.round(rng.lognormal(12.0, 0.5, shape))
    return BarPanel(tuple(f"S{n:02}" for n in range(12)), days, opened, high, low, close, volume)


class PlainAgent(Agent):
    """Says yesterday's move; may be made slow, wrong or failing."""

    name = "plain"
    days: int = parameter(1, 1, 100)

    def score(self, panel: BarPanel) -> Scores:
        if self.days == 99:
            raise ZeroDivisionError("nothing to divide by")
        moved = np.full(panel.shape, np.nan)
        moved[self.days :] = panel.close[self.days :] / panel.close[: -self.days] - 1.0
        return Scores(np.tanh(5.0 * moved), 0.5)


class EagerAgent(Agent):
    name = "eager"

    def score(self, panel: BarPanel) -> Scores:
        return Scores(np.tanh(np.vstack([panel.close[1:], panel.close[-1:]]) / panel.close - 1.0), 0.5)


def session_of(
    agent: Agent,
    panel: BarPanel,
    agents: dict[str, Agent] | None = None,
    trials: TrialBook | None = None,
    measured: list[int] | None = None,
) -> LabSession:
    async def load() -> BarPanel:
        await asyncio.sleep(2.0)
        return panel

    seen: list[int] = [] if measured is None else measured
    return LabSession(
        agent.name,
        agent,
        agents={} if agents is None else agents,
        panel=load,
        trials=TrialBook() if trials is None else trials,
        on_measured=lambda: seen.append(1),
        on_checked=lambda: None,
    )


async def test_the_first_setting_is_both_saved_and_now_and_one_try(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel)
    assert session.worths(5) is None
    await session.measure()
    assert session.now is session.saved
    assert session.trials == 1
    before, after = session.worths(5)
    assert before == after
    assert (after.luck, after.trials) == (0.0, 1)


async def test_statistics_are_those_of_the_factor_report(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel, {"bull": BullAgent(), "bear": BearAgent()})
    session.settings.set({"days": 3})
    await session.measure()
    _, now = session.worths(5)
    others = {"bull": BullAgent().score(panel), "bear": BearAgent().score(panel)}
    report = factor_report(PlainAgent(days=3).score(panel), panel, others=others)
    found = report.at(5)
    assert (now.rank_ic, now.rank_ic_low, now.days) == (
        found.rank_ic.mean,
        found.rank_ic.low,
        found.rank_ic.count,
    )
    assert now.quantile_returns == tuple(q.excess.mean for q in found.quantiles)
    assert now.turnover == found.quantiles[-1].turnover
    assert now.overlap == pytest.approx(report.overlap.mean().to_dict())
    sharpe = report.sharpe(trials=2, horizon=5)
    assert (now.sharpe, now.luck, now.above_luck) == (sharpe.annual, sharpe.annual_luck, sharpe.deflated)


async def test_more_tries_leave_less_of_the_same_sharpe_ratio(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel)
    await session.measure()
    first = session.worths(5)[1]
    for days in range(2, 12):
        session.settings.set({"days": days})
        await session.measure()
    session.settings.reset()
    await session.measure()
    last = session.worths(5)[1]
    assert session.trials == 11
    assert last.sharpe == first.sharpe
    assert last.luck > first.luck
    assert last.above_luck < first.above_luck


async def test_tries_survive_the_session(panel: BarPanel) -> None:
    book = TrialBook()
    for days in (2, 3):
        session = session_of(PlainAgent(), panel, trials=book)
        session.settings.set({"days": days})
        await session.measure()
    assert book.count("plain") == 3


async def test_the_newest_setting_wins_and_nothing_in_between_is_measured(panel: BarPanel) -> None:
    at_work, go_on, scored = threading.Event(), threading.Event(), []

    class SlowAgent(PlainAgent):
        def score(self, panel: BarPanel) -> Scores:
            scored.append(self.days)
            if self.days == 2:
                at_work.set()
                assert go_on.wait(20)
            return super().score(panel)

    measured: list[int] = []
    session = session_of(SlowAgent(), panel, measured=measured)
    await session.measure()
    scored.clear()
    session.settings.turn("days", 2, at=0.0)
    work = asyncio.create_task(session.measure(), name="measure")
    await asyncio.to_thread(at_work.wait, 20)
    for days in range(3, 60):
        session.settings.turn("days", days, at=0.0)
    go_on.set()
    await work
    assert scored == [2, 59]
    assert session.now.agent.parameters["days"] == 59
    assert session.trials == 3
    assert len(measured) == 3


async def test_two_that_wait_do_not_measure_twice(panel: BarPanel) -> None:
    measured: list[int] = []
    session = session_of(PlainAgent(), panel, measured=measured)
    await asyncio.gather(session.measure(), session.measure())
    assert len(measured) == 1


async def test_a_cancelled_measurement_is_made_again(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel)
    task = asyncio.create_task(session.measure(), name="measure")
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await session.measure()
    assert session.trials == 1


async def test_an_agent_that_raises_is_told_and_can_be_turned_further(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel)
    session.settings.set({"days": 99})
    await session.measure()
    assert isinstance(session.failure, ZeroDivisionError)
    assert session.trials == 1  # the saved one; a setting that gave nothing was not seen
    session.settings.set({"days": 2})
    await session.measure()
    assert session.failure is None
    assert session.trials == 2


async def test_another_agent_that_raises_is_left_out_of_the_overlap(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel, {"bull": BullAgent(), "broken": PlainAgent(days=99)})
    await session.measure()
    assert list(session.worths(5)[1].overlap) == ["bull"]
    assert session.now.failures == {"broken": "ZeroDivisionError: nothing to divide by"}


async def test_loading_that_fails_is_raised_and_tried_again(panel: BarPanel) -> None:
    answers: list[BarPanel | Exception] = [SourceError("no answer"), panel]

    async def load() -> BarPanel:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    session = session_of(PlainAgent(), panel)
    session._load_panel = load
    with pytest.raises(SourceError):
        await session.measure()
    await session.measure()
    assert session.trials == 1


async def test_applying_puts_the_setting_among_the_agents_and_makes_it_the_saved_one(panel: BarPanel) -> None:
    agents: dict[str, Agent] = {"plain": PlainAgent(), "bull": BullAgent()}
    session = session_of(agents["plain"], panel, agents)
    session.settings.set({"days": 4})
    await session.measure()
    session.apply()
    assert agents["plain"].parameters["days"] == 4
    assert session.saved is session.now
    assert not session.settings.is_changed


async def test_applying_before_it_is_measured_compares_with_it_all_the_same(panel: BarPanel) -> None:
    session = session_of(PlainAgent(), panel)
    await session.measure()
    session.settings.set({"days": 4})
    session.apply()
    await session.measure()
    assert session.saved.agent.parameters["days"] == 4
    assert session.now is session.saved


async def test_what_makes_no_sense_is_neither_applied_nor_saved(panel: BarPanel, tmp_path: Path) -> None:
    session = session_of(BullAgent(), panel, agents := {})
    session.settings.set({"fast_days": 60})
    with pytest.raises(ParameterError, match="fast average"):
        session.apply()
    with pytest.raises(ParameterError, match="fast average"):
        await session.save(tmp_path / "bull.toml")
    assert agents == {}
    assert os.listdir(tmp_path) == []
    with pytest.raises(InputError, match=r"bench\.chief = "):
        session_of(ChiefAgent(), panel).apply()


async def test_a_saved_setting_can_be_loaded(panel: BarPanel, tmp_path: Path) -> None:
    session = session_of(BullAgent(), panel)
    session.settings.set({"doubt": 0.75})
    file = await session.save(tmp_path / "bull.toml")
    assert repr(load_preset(file)) == "(BullAgent(doubt=0.75),)"
    assert session.settings.saved.parameters["doubt"] == 0.75


async def test_the_guard_passes_an_honest_agent_and_names_the_column_of_one_that_leaks(
    panel: BarPanel,
) -> None:
    honest, eager = session_of(PlainAgent(), panel), session_of(EagerAgent(), panel)
    failing = session_of(PlainAgent(days=99), panel)
    assert honest.guard.state == "checking"
    for session in (honest, eager, failing):
        await session.check()
    assert honest.guard.state == "passed"
    assert (eager.guard.state, eager.guard.column) == ("leaks", "score")
    assert "looks ahead: 'score'" in eager.guard.text
    assert (failing.guard.state, failing.guard.text) == ("failed", "ZeroDivisionError: nothing to divide by")
    honest.settings.set({"days": 2})
    assert honest.guard.state == "checking"


def test_a_study_needs_a_market(panel: BarPanel) -> None:
    with pytest.raises(MissingDataError, match="30 rows of 5 symbols"):
        AgentStudy(panel.tail(20))
    with pytest.raises(MissingDataError, match="30 rows of 5 symbols"):
        AgentStudy(panel.select(["S00", "S01"]))


def test_the_rows_before_the_days_that_count_fill_the_windows(panel: BarPanel) -> None:
    study = AgentStudy(panel, days=150)
    found = study.assess(BullAgent())
    assert found.score.shape == (150, 12)
    assert np.isfinite(found.score).all()


def test_changes_are_called_better_or_worse_by_what_they_mean(panel: BarPanel) -> None:
    worth = worth_of(AgentStudy(panel).assess(PlainAgent(), {"bull": BullAgent()}), horizon=5, trials=1)
    other = msgspec.structs.replace(
        worth, rank_ic=worth.rank_ic + 0.01, turnover=worth.turnover + 0.1, overlap={"bull": 0.9}
    )
    rows = {row.name: row for row in compare(worth, other)}
    assert rows["Rank IC, 5 sessions ahead"].better is True
    assert rows["Rank IC, 5 sessions ahead"].change == "+0.0100"
    assert (rows["Turnover in 5 sessions"].direction, rows["Turnover in 5 sessions"].better) == (1, False)
    assert (rows["Overlap with bull"].direction, rows["Overlap with bull"].better) == (1, None)
    same = compare(worth, worth)
    assert all(row.direction == 0 and row.change == "" and row.better is None for row in same)


def test_a_score_that_never_differs_has_no_sharpe_ratio(panel: BarPanel) -> None:
    class FlatAgent(Agent):
        def score(self, panel: BarPanel) -> Scores:
            return Scores(np.full(panel.shape, 0.2), 0.5)

    worth = worth_of(AgentStudy(panel).assess(FlatAgent()), horizon=5, trials=3)
    assert (worth.sharpe, worth.luck, worth.above_luck) == (None, None, None)
    assert {row.after for row in compare(worth, worth) if "Sharpe" in row.name} == {"–"}
