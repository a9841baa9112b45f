"""Evaluation: one agent's lab without a widget: settings turned, measured newest first, counted, guarded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vnquant.agents import Agent, ChiefAgent, save_preset
from vnquant.errors import InputError, LookaheadError
from vnquant.evaluation.lab import AgentStudy, Assessment
from vnquant.evaluation.lab_settings import SettingHistory
from vnquant.evaluation.lab_worth import Worth, worth_of
from vnquant.evaluation.trials import TrialBook
from vnquant.market.panel import BarPanel

__all__ = ("GuardFinding", "LabSession")


class GuardFinding(NamedTuple):
    """What the look-ahead guard says.

    Attributes
    ----------
    state : {"checking", "passed", "leaks", "failed"}
    text : str
    column : str
        The output that leaks.
    """

    state: str
    text: str = ""
    column: str = ""


_CHECKING = GuardFinding("checking")


class LabSession:
    """Measures the newest setting of an agent, off the loop, one at a time; nothing turned queues up.

    Parameters
    ----------
    name : str
        What the workbench calls the agent.
    agent : Agent
        The setting to begin with.
    agents : dict of str to Agent
        The workbench's own: overlaps are told with them, and `apply` puts the setting there.
    panel : callable
        Awaited once for the panel to study on.
    trials : TrialBook
        Where settings are counted, beyond the life of this session.
    on_measured, on_checked : callable
        Called on the loop when there is something new to show.

    Attributes
    ----------
    settings : SettingHistory
    study : AgentStudy or None
        None until the panel is there.
    now, saved : Assessment or None
        Of the newest setting that was measured, and of the saved one.
    failure : Exception or None
        What the newest setting raised, in place of an assessment.
    """

    def __init__(
        self,
        name: str,
        agent: Agent,
        *,
        agents: dict[str, Agent],
        panel: Callable[[], Awaitable[BarPanel]],
        trials: TrialBook,
        on_measured: Callable[[], None],
        on_checked: Callable[[], None],
    ) -> None:
        self.name = name
        self.settings = SettingHistory(agent)
        self.study: AgentStudy | None = None
        self.now: Assessment | None = None
        self.saved: Assessment | None = None
        self.failure: Exception | None = None
        self._agents = agents
        self._load_panel = panel
        self._trials = trials
        self._on_measured = on_measured
        self._on_checked = on_checked
        self._tried: Agent | None = None
        self._guarded: tuple[Agent | None, GuardFinding] = (None, _CHECKING)
        self._measuring, self._checking = asyncio.Lock(), asyncio.Lock()

    @property
    def agent(self) -> Agent:
        """The agent in the newest setting that makes sense."""
        return self.settings.agent

    @property
    def trials(self) -> int:
        """How many settings of this agent were tried on this workbench."""
        return self._trials.count(self.name)

    @property
    def guard(self) -> GuardFinding:
        """What the look-ahead guard says of the newest setting."""
        checked, finding = self._guarded
        return finding if checked is self.agent else _CHECKING

    def worths(self, horizon: int) -> tuple[Worth, Worth] | None:
        """Return what the saved and the newest setting are worth, None before they are measured."""
        if self.saved is None or self.now is None:
            return None
        before = worth_of(self.saved, horizon=horizon, trials=self.trials)
        if self.now is self.saved:
            return before, before
        return before, worth_of(self.now, horizon=horizon, trials=self.trials)

    async def load(self) -> AgentStudy:
        """Return the study, made of the panel when first asked for."""
        async with self._measuring:
            if self.study is None:
                panel = await self._load_panel()
                self.study = await asyncio.to_thread(AgentStudy, panel)
            return self.study

    async def measure(self) -> None:
        """Measure the newest setting, and the newest of then if there is one, until there is none.

        What an agent raises is kept in `failure`; what loading the panel raises is raised.
        """
        study = await self.load()
        async with self._measuring:
            while (agent := self.agent) is not self._tried:
                try:
                    await self._measure(study, agent)
                    self.failure = None
                except Exception as exc:  # noqa: BLE001 - an agent may raise anything, and is turned further
                    self.failure = exc
                self._tried = agent
                self._on_measured()

    async def check(self) -> None:
        """Run the look-ahead guard on the newest setting, unless it was."""
        study = await self.load()
        async with self._checking:
            agent = self.agent
            if self._guarded[0] is agent:
                return
            try:
                report = await asyncio.to_thread(study.check_lookahead, agent)
                finding = GuardFinding("passed", str(report))
            except LookaheadError as exc:
                finding = GuardFinding("leaks", str(exc), exc.column)
            except Exception as exc:  # noqa: BLE001 - an agent may raise anything; the finding says so
                finding = GuardFinding("failed", f"{type(exc).__name__}: {exc}")
            self._guarded = agent, finding
            self._on_checked()

    def apply(self) -> None:
        """Put the setting among the workbench's agents, which each discussion asks, and count it as saved."""
        agent = self._sound()
        if isinstance(agent, ChiefAgent):
            raise InputError("The Chief is not one of the agents: write `bench.chief = lab.agent` instead.")
        self._agents[self.name] = agent
        self._keep(agent)

    async def save(self, path: str | Path) -> Path:
        """Write the setting into a preset, and count it as saved."""
        agent = self._sound()
        file = await asyncio.to_thread(save_preset, path, agent)
        self._keep(agent)
        return file

    def _sound(self) -> Agent:
        """Return the setting, or raise why it is none."""
        if self.settings.problem is not None:
            raise self.settings.problem
        return self.agent

    def _keep(self, agent: Agent) -> None:
        self.settings.save(agent)
        if self.now is not None and _is_same(self.now.agent, agent):
            self.saved = self.now
            self._on_measured()
        else:
            self._tried = None  # measured again, with the new one to compare with

    async def _measure(self, study: AgentStudy, agent: Agent) -> None:
        others: Mapping[str, Agent] = {
            name: other for name, other in self._agents.items() if name != self.name
        }
        saved = self.settings.saved
        if self.saved is None or not _is_same(self.saved.agent, saved):
            self.saved = await asyncio.to_thread(study.assess, saved, others)
            self._trials.note(self.name, saved)
        if _is_same(agent, saved):
            self.now = self.saved
        else:
            self.now = await asyncio.to_thread(study.assess, agent, others)
            self._trials.note(self.name, agent)


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two agents are one setting."""
    return type(one) is type(other) and one.parameters == other.parameters
