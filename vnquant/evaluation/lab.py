"""Evaluation: one agent's settings under study: each is scored and measured on one panel, in milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from vnquant.agents import Agent, StudyPanel
from vnquant.errors import MissingDataError
from vnquant.evaluation.factor_report import Yardstick
from vnquant.evaluation.factor_result import FactorReport
from vnquant.evaluation.lookahead import LookaheadReport, check_lookahead
from vnquant.evaluation.ranking import Ranked
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("AgentStudy", "Assessment")

_DAYS = 1_250  # five years
_WARMUP = 300  # rows before them, so that the longest windows are filled on the first day
_GUARD_ROWS = 400
_GUARD_CUTS = 3


@dataclass(frozen=True, eq=False)
class Assessment:
    """What one setting of an agent said, and what that was worth.

    Attributes
    ----------
    agent : Agent
        The setting.
    score : float64, shape (T, N)
        Over the study's days.
    report : FactorReport
        With the overlap with the other agents.
    failures : mapping of str to str
        Other agents that could not be compared with, and why.
    """

    agent: Agent
    score: FloatArray
    report: FactorReport
    failures: Mapping[str, str] = field(default_factory=dict)


class AgentStudy:
    """Measures settings of one agent on the last days of a panel, one after the other.

    What does not depend on the setting is worked out once: the ranks of forward returns, the other agents'
    scores, and those observations whose parameters were not turned.

    Parameters
    ----------
    panel : BarPanel
        Of the whole universe.
    days : int
        Last rows that count; the rows before fill the agents' windows.
    horizons : tuple of int

    Attributes
    ----------
    panel : BarPanel
        The days that count.
    """

    def __init__(self, panel: BarPanel, *, days: int = _DAYS, horizons: tuple[int, ...] = (1, 5, 10)) -> None:
        if panel.shape[0] < 30 or panel.shape[1] < 5:
            raise MissingDataError(
                f"A study needs 30 rows of 5 symbols or more, these are {panel.shape[0]} of "
                f"{panel.shape[1]}. Load more history."
            )
        self._whole = panel.tail(days + _WARMUP)
        self._study = StudyPanel.of(self._whole)
        self.panel = panel.tail(days)
        self._yardstick = Yardstick(self.panel, horizons=horizons)
        self._others: dict[str, tuple[Agent, Ranked | str]] = {}
        # A cancelled wait leaves its thread at work: the next one waits, so that none works twice at once.
        self._one_at_a_time = threading.Lock()

    @property
    def horizons(self) -> tuple[int, ...]:
        """Rows ahead that forward returns are taken over."""
        return self._yardstick.horizons

    def assess(self, agent: Agent, others: Mapping[str, Agent] | None = None) -> Assessment:
        """Score and measure one setting. Takes tens of milliseconds: call it off the loop.

        Raises
        ------
        AgentError, MissingDataError
            If the scores do not fit the panel, or there are too few.
        """
        with self._one_at_a_time:
            score = agent.scored(self._study).score[-self.panel.shape[0] :]
            ranks: dict[str, Ranked] = {}
            failures: dict[str, str] = {}
            for name, other in (others or {}).items():
                found = self._other(name, other)
                if isinstance(found, str):
                    failures[name] = found
                else:
                    ranks[name] = found
            report = self._yardstick.report(score, others=ranks)
            report.findings  # noqa: B018 - made here, since what asks for them is on the loop
            return Assessment(agent, score, report, failures)

    def check_lookahead(self, agent: Agent) -> LookaheadReport:
        """Run the look-ahead guard on the last rows. Takes some tenths of a second: call it off the loop.

        Raises
        ------
        LookaheadError
            Naming the column that leaks.
        """
        rows = max(_GUARD_ROWS, 2 * agent.warmup_bars)
        return check_lookahead(agent, self._whole.tail(rows), points=_GUARD_CUTS)

    def _other(self, name: str, other: Agent) -> Ranked | str:
        """Return another agent's ranks, made once, or why there are none."""
        kept = self._others.get(name)
        if kept is None or kept[0] is not other:
            try:
                score = other.scored(self._study).score[-self.panel.shape[0] :]
                kept = other, self._yardstick.prepare(score)
            except Exception as exc:  # noqa: BLE001 - another agent's failure must not stop the study of this one
                kept = other, f"{type(exc).__name__}: {exc}"
            self._others[name] = kept
        return kept[1]
