"""Discussion: the agents consider one opportunity in parallel, and the Chief gives the verdict."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from vnquant.agents.base import Agent
from vnquant.agents.chief import ChiefAgent, check_names
from vnquant.agents.signals import AgentSignal, StockData
from vnquant.errors import AgentError, InputError
from vnquant.market.panel import BarPanel

__all__ = ("Opportunity", "check_signal", "discuss_opportunity", "gone_without", "verdict_of", "who_is_asked")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Opportunity:
    """Something worth discussing, and what is known about it.

    Attributes
    ----------
    symbol : str
    panel : BarPanel
        Bars of the stock and its market up to now; the last row is the moment of the discussion.
    as_of : datetime or None
        When the panel was known; the time of its last row where None.
    expected_return, forecast_confidence : float or None
        The model's prediction as of now; written into the panel's last row where given.
    alert_level : str or None
        Level of the news alert that raised it ("CRITICAL" .. "LOW").
    headlines : tuple of str
        Titles behind the alert.
    coverage : str
        How complete the data was, such as "97 of 102 fresh"; passed on into the verdict.
    """

    symbol: str
    panel: BarPanel = field(repr=False)
    as_of: datetime | None = None
    expected_return: float | None = None
    forecast_confidence: float | None = None
    alert_level: str | None = None
    headlines: tuple[str, ...] = ()
    coverage: str = ""

    def stock_data(self) -> StockData:
        """Return the data that agents analyse, the prediction among the panel's fields."""
        known = {
            name: value
            for name in ("expected_return", "forecast_confidence")
            if (value := getattr(self, name)) is not None
        }
        data = StockData(self.panel, self.symbol, self.as_of)
        if not known:
            return data
        fields = {}
        for name, value in known.items():
            column = self.panel.get(name).copy()
            column[-1, data.column] = value
            fields[name] = column
        return StockData(self.panel.with_fields(**fields), self.symbol, self.as_of)


async def discuss_opportunity(
    opportunity: Opportunity,
    agents: Sequence[Agent] | None = None,
    chief: ChiefAgent | None = None,
    timeout_s: float = 5.0,
) -> AgentSignal:
    """Return the Chief's verdict on an opportunity, after all agents were asked at once.

    An agent that raises, is late, or returns something unusable is named in `missing` with the reason, and
    the verdict stands on the others. Cancelling ends all of them at once.

    Parameters
    ----------
    opportunity : Opportunity
    agents : sequence of Agent, optional
        The Chief's own agents by default.
    chief : ChiefAgent, optional
    timeout_s : float
        Time that each agent has, in seconds of the running loop.

    Raises
    ------
    InputError
        If no agent is given, two bear one name, or the time is not positive.
    """
    head, asked = who_is_asked(agents, chief)
    if not timeout_s > 0:
        raise InputError(f"timeout_s={timeout_s}: agents need some time, such as 5.0.")
    data = opportunity.stock_data()
    async with asyncio.TaskGroup() as group:
        tasks = {
            agent.name: group.create_task(
                _ask(agent, data, timeout_s), name=f"discussion:{data.symbol}:{agent.name}"
            )
            for agent in asked
        }
    # An agent that cancelled itself leaves a cancelled task, which has no result.
    answers = {
        name: "ended without an answer: it was cancelled from within" if task.cancelled() else task.result()
        for name, task in tasks.items()
    }
    return verdict_of(head, answers, data, opportunity.coverage)


def who_is_asked(
    agents: Sequence[Agent] | None, chief: ChiefAgent | None
) -> tuple[ChiefAgent, tuple[Agent, ...]]:
    """Return the Chief and who is asked, checked."""
    head = ChiefAgent() if chief is None else chief
    asked = head.agents if agents is None else tuple(agents)
    if not asked:
        raise InputError("A discussion needs at least one agent; leave `agents` out for the five.")
    check_names(agent.name for agent in asked)
    return head, asked


def verdict_of(
    head: ChiefAgent, answers: Mapping[str, AgentSignal | str], data: StockData, coverage: str
) -> AgentSignal:
    """Let the Chief combine signals, and name those who gave none with the reason."""
    return head.combine(
        [answer for answer in answers.values() if isinstance(answer, AgentSignal)],
        symbol=data.symbol,
        as_of=data.known_at,
        expected=list(answers),
        missing={name: answer for name, answer in answers.items() if isinstance(answer, str)},
        coverage=coverage,
    )


async def _ask(agent: Agent, data: StockData, timeout_s: float) -> AgentSignal | str:
    """Return the agent's signal, or why there is none."""
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            signal = await agent.analyze(data)
        check_signal(signal, agent, data)
    except Exception as exc:  # noqa: BLE001 - the border where one agent's failure must not become the others'
        if isinstance(exc, TimeoutError) and deadline.expired():
            reason = f"no answer within {timeout_s:g} s"
        else:
            reason = f"{type(exc).__name__}: {exc}"
        return gone_without(agent, data, reason)
    return signal


def gone_without(agent: Agent, data: StockData, reason: str) -> str:
    """Note that a discussion goes on without an agent, and return the reason."""
    logger.warning("discussion of %s goes on without %s: %s", data.symbol, agent.name, reason)
    return reason


def check_signal(signal: AgentSignal, agent: Agent, data: StockData) -> None:
    """Raise AgentError where an overridden `analyze` returned something the Chief cannot weigh."""
    if not isinstance(signal, AgentSignal):
        raise AgentError(f"analyze returned {type(signal).__name__}, not an AgentSignal")
    if signal.agent != agent.name or signal.symbol != data.symbol:
        raise AgentError(
            f"analyze returned a signal of {signal.agent} about {signal.symbol}, asked was {agent.name} "
            f"about {data.symbol}"
        )
    if not signal.has_opinion:
        return
    if not (
        -1.0 <= signal.score <= 1.0 and math.isfinite(signal.confidence) and 0.0 <= signal.confidence <= 1.0
    ):
        raise AgentError(
            f"score {signal.score:g} or confidence {signal.confidence:g} is out of bounds (-1..1 and 0..1)"
        )
