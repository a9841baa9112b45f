"""Chief: weighs the agents' signals into one verdict, and heeds the RiskDoctor's veto."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from vnquant.agents.analyst import AnalystAgent
from vnquant.agents.base import Agent
from vnquant.agents.bear import BearAgent
from vnquant.agents.bull import BullAgent
from vnquant.agents.parameters import parameter
from vnquant.agents.risk_doctor import RiskDoctorAgent
from vnquant.agents.scores import Note, Part, Scores
from vnquant.agents.scout import ScoutAgent
from vnquant.agents.signals import AgentSignal, StockData
from vnquant.agents.verdicts import PointVerdict, absences, reasons
from vnquant.errors import AgentError, InputError
from vnquant.market.actions import action_of
from vnquant.market.bars import FloatArray
from vnquant.market.panel import BarPanel

__all__ = ("ChiefAgent", "default_agents")

_VETOED_SCORE = 0.0  # 50 of 100, the middle: HOLD


def default_agents() -> tuple[Agent, ...]:
    """Return the five agents with their default parameters."""
    return (BullAgent(), BearAgent(), AnalystAgent(), ScoutAgent(), RiskDoctorAgent())


class _Verdict(NamedTuple):
    """The combined arrays."""

    score: FloatArray
    confidence: FloatArray
    contributions: dict[str, FloatArray]
    vetoed: Any
    before_veto: FloatArray


class ChiefAgent(Agent):
    """Combines signals: ``score = sum(w c s) / sum(w c)`` with weights w, confidences c and scores s.

    An agent that gave no signal is left out of both sums, named in the verdict, and lowers its confidence,
    ``sum(w c) / sum(w)`` over all agents that were expected. A veto takes whatever score above the middle the
    others reached back to HOLD; it never makes a sale.

    Parameters
    ----------
    agents : sequence of Agent, optional
        The agents that `score` and `analyze` ask; the five by default.
    **parameters
        The weights. An agent that is not one of the five weighs `other_weight`.
    """

    name = "chief"
    per_symbol = False

    bull_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of the Bull")
    bear_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of the Bear")
    analyst_weight: float = parameter(1.2, 0.0, 3.0, step=0.1, help="weight of the Analyst")
    scout_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of the Scout")
    risk_doctor_weight: float = parameter(0.8, 0.0, 3.0, step=0.1, help="weight of the RiskDoctor")
    other_weight: float = parameter(1.0, 0.0, 3.0, step=0.1, help="weight of each other agent")
    heed_veto: bool = parameter(True, help="whether the RiskDoctor may veto a buy")

    def __init__(self, agents: Sequence[Agent] | None = None, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.agents = default_agents() if agents is None else tuple(agents)
        check_names(agent.name for agent in self.agents)

    def with_parameters(self, **changes: Any) -> ChiefAgent:
        """Return a Chief of the same agents with some weights changed."""
        return ChiefAgent(self.agents, **{**self.parameters, **changes})

    def weight_of(self, agent: str) -> float:
        """Return the weight of an agent by name."""
        weight = self.parameters.get(f"{agent}_weight")
        return float(self.other_weight if weight is None else weight)

    def score(self, panel: BarPanel) -> Scores:
        """Return the verdict of the Chief's agents at every row and symbol."""
        return self.combine_scores({agent.name: agent.scored(panel) for agent in self.agents})

    def signal(self, data: StockData) -> AgentSignal:
        """Return the verdict on one stock, with the agents' signals in it."""
        signals = [agent.signal(data) for agent in self.agents]
        return self.combine(signals, expected=[agent.name for agent in self.agents])

    def combine_scores(
        self, scores: Mapping[str, Scores], *, expected: Iterable[str] | None = None
    ) -> Scores:
        """Combine whole arrays, by the agents' names.

        `expected` names the agents that should be there, by default those given.
        """
        if not scores:
            raise InputError(
                "No scores to combine: give at least one, such as {'bull': BullAgent().score(panel)}."
            )
        if len(shapes := {one.shape for one in scores.values()}) != 1:
            raise AgentError(
                f"Scores of different shapes cannot be combined: {sorted(shapes)}. Score one panel."
            )
        verdict = self._weigh(
            {name: one.score for name, one in scores.items()},
            {name: one.certainty for name, one in scores.items()},
            [one.veto for one in scores.values() if one.veto is not None],
            expected=tuple(scores) if expected is None else tuple(expected),
        )
        parts = {
            name: Part(
                verdict.contributions[name],
                name + " {score:+.2f}, confidence {confidence:.2f}",
                values={
                    "score": one.score,
                    "confidence": one.certainty,
                },
            )
            for name, one in scores.items()
        }
        note = Note(
            verdict.vetoed,
            "a buy is vetoed; the score would have been {points:.0f} of 100",
            values={"points": 50.0 * (verdict.before_veto + 1.0)},
            urgent=True,
        )
        sizes = [one.position_fraction for one in scores.values() if one.position_fraction is not None]
        return Scores(
            verdict.score,
            verdict.confidence,
            parts,
            notes=(note,),
            veto=verdict.vetoed,
            position_fraction=np.fmin.reduce(sizes) if sizes else None,
        )

    def combine(
        self,
        signals: Iterable[AgentSignal],
        *,
        symbol: str | None = None,
        as_of: datetime | None = None,
        expected: Iterable[str] | None = None,
        missing: Mapping[str, str] | None = None,
        coverage: str = "",
    ) -> AgentSignal:
        """Combine the signals of one stock into the verdict.

        Parameters
        ----------
        signals : iterable of AgentSignal
            One for each agent that gave one, all of the same stock.
        symbol, as_of
            Needed only where there may be no signal at all.
        expected : iterable of str
            Names of the agents that should have given one; the Chief's own agents by default.
        missing : mapping of str to str
            Why an expected agent gave none.
        coverage : str
            Passed on into the verdict.

        Raises
        ------
        InputError
            If the signals are of different stocks, or two are of one agent.
        """
        given = tuple(signals)
        stocks = {signal.symbol for signal in given} | ({symbol} if symbol is not None else set())
        if len(stocks) != 1:
            told = ", ".join(sorted(stocks)) or "none given"
            raise InputError(
                f"A verdict is about one stock, not {len(stocks)} ({told}): combine each stock by itself."
            )
        check_names(signal.agent for signal in given)
        when = as_of if as_of is not None else max((signal.as_of for signal in given), default=None)
        if when is None:
            raise InputError(
                f"Nothing was said about {stocks.pop()} and `as_of` is not given: pass as_of=...."
            )
        names = [agent.name for agent in self.agents] if expected is None else list(expected)
        heard = [signal for signal in given if signal.has_opinion]
        absent = absences(given, names, missing or {})
        extra = [signal.agent for signal in heard if signal.agent not in names]
        verdict = self._weigh_point(heard, expected=[*names, *extra])
        sizes = [signal.position_fraction for signal in heard if signal.position_fraction is not None]
        return AgentSignal(
            agent=self.name,
            symbol=stocks.pop(),
            as_of=when,
            action=action_of(verdict.score),
            score=verdict.score,
            confidence=verdict.confidence,
            reasons=reasons(heard, verdict),
            parameters=dict(self.parameters),
            contributions=verdict.contributions,
            components=given,
            missing=absent,
            vetoed=verdict.vetoed,
            position_fraction=min(sizes, default=None),
            coverage=coverage,
        )

    def _weigh(
        self,
        scores: Mapping[str, FloatArray],
        confidences: Mapping[str, FloatArray],
        vetoes: Sequence[Any],
        *,
        expected: Sequence[str],
    ) -> _Verdict:
        """Return the weighted mean over arrays."""
        shape = next((one.shape for one in scores.values()), (1, 1))
        total, amount = np.zeros(shape), np.zeros(shape)
        weighted: dict[str, FloatArray] = {}
        for name, score in scores.items():
            weight = np.where(np.isnan(score), 0.0, self.weight_of(name) * confidences[name])
            weighted[name] = weight * np.where(np.isnan(score), 0.0, score)
            total += weight
            amount += weighted[name]
        share = np.divide(1.0, total, out=np.full(shape, np.nan), where=total > 0.0)
        before = np.clip(amount * share, -1.0, 1.0)
        barred = np.zeros(shape, dtype=np.bool_)
        for veto in vetoes if self.heed_veto else ():
            barred |= veto
        vetoed = barred & (before > _VETOED_SCORE)
        whole = sum(self.weight_of(name) for name in expected)
        return _Verdict(
            np.where(vetoed, _VETOED_SCORE, before),
            np.minimum(total / whole, 1.0) if whole > 0.0 else np.zeros(shape),
            {name: one * share for name, one in weighted.items()},
            vetoed,
            before,
        )

    def _weigh_point(self, heard: Sequence[AgentSignal], *, expected: Sequence[str]) -> PointVerdict:
        """Return what `_weigh` does, of single opinions: in plain numbers it takes a tenth of the time."""
        total = amount = 0.0
        weighted: dict[str, float] = {}
        for signal in heard:
            weight = self.weight_of(signal.agent) * float(signal.confidence)
            weighted[signal.agent] = weight * float(signal.score)
            total += weight
            amount += weighted[signal.agent]
        share = 1.0 / total if total > 0.0 else math.nan
        before = min(max(amount * share, -1.0), 1.0)
        vetoed = self.heed_veto and before > _VETOED_SCORE and any(signal.vetoed for signal in heard)
        whole = sum(self.weight_of(name) for name in expected)
        return PointVerdict(
            _VETOED_SCORE if vetoed else before,
            min(total / whole, 1.0) if whole > 0.0 else 0.0,
            {name: one * share for name, one in weighted.items()},
            vetoed,
            before,
        )


def check_names(names: Iterable[str]) -> None:
    """Raise InputError where two agents bear one name: their signals could not be told apart."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"Two agents are called {name!r}; give one of them another `name`.")
        seen.add(name)
