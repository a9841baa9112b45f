"""Hearing: discussions computed here and now, one agent after the other, for replays, where nobody waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property

import numpy as np

from vnquant.agents.base import Agent
from vnquant.agents.chief import ChiefAgent
from vnquant.agents.discussion import check_signal, gone_without, verdict_of, who_is_asked
from vnquant.agents.evidence import Bars
from vnquant.agents.latest import LastBars, score_latest
from vnquant.agents.moment import Moment, SeenStock
from vnquant.agents.scores import Scores, ScoresAt
from vnquant.agents.signals import AgentSignal, StockData
from vnquant.agents.study import SharedPanel
from vnquant.errors import InputError
from vnquant.market.panel import BarPanel

__all__ = ("Hearing",)

Scored = Callable[[Agent], ScoresAt | None]


class Hearing:
    """Discussions of stocks at the moments of a session, without threads and time limits.

    The verdicts are those of `discuss_opportunity`. Agents that look at the whole market judge each moment
    once, whichever stocks are discussed there. An agent that overrides `analyze` needs `discuss_opportunity`.
    """

    def __init__(self) -> None:
        self._moment: Moment | None = None
        self._judged: dict[Agent, tuple[StockData, Scores]] = {}
        self._latest: dict[Agent, Scores | None] = {}
        self._complete: BarPanel | None = None
        self._pasts: dict[tuple[bool, int], Bars | None] = {}

    def discuss(
        self,
        symbol: str,
        moment: Moment,
        agents: Sequence[Agent] | None = None,
        chief: ChiefAgent | None = None,
        *,
        as_of: datetime | None = None,
        coverage: str = "",
        scored: Scored = lambda agent: None,
    ) -> AgentSignal:
        """Return the Chief's verdict on a stock at a moment.

        Parameters
        ----------
        symbol : str
        moment : Moment
        agents : sequence of Agent, optional
            The Chief's own agents by default.
        chief : ChiefAgent, optional
        as_of : datetime or None
            When the moment was known; the time of its last row where None.
        coverage : str
            As in `Opportunity`.
        scored : callable, optional
            Returns scores of an agent that are known already, and where in them this case stands; None where
            they are not.

        Raises
        ------
        InputError
            If no agent is given, or two bear one name.
        """
        head, asked = who_is_asked(agents, chief)
        if moment is not self._moment:
            self._moment, self._judged, self._latest = moment, {}, {}
        case = _Case(moment, symbol, as_of)
        answers: dict[str, AgentSignal | str] = {}
        for agent in asked:
            try:
                signal = self._signal(agent, case, scored)
                check_signal(signal, agent, case.stock)
            except Exception as exc:  # noqa: BLE001 - one agent's failure must not become the others'
                answers[agent.name] = gone_without(agent, case.stock, f"{type(exc).__name__}: {exc}")
            else:
                answers[agent.name] = signal
        return verdict_of(head, answers, case.stock, coverage)

    def _signal(self, agent: Agent, case: _Case, scored: Scored) -> AgentSignal:
        known = scored(agent)
        if known is not None:
            return agent.signal_at(known, case.stock, parameters=dict(agent.parameters))
        if agent.per_symbol:
            bars = case.last_bars if agent.judges_latest else None
            if bars is None:
                return agent.signal(case.alone())
            here = ScoresAt(score_latest(agent, bars), 0, 0)
            return agent.signal_at(here, case.stock, parameters=dict(agent.parameters))
        if agent.judges_latest and (scores := self._latest_of(agent, case.moment)) is not None:
            here = ScoresAt(scores, 0, case.moment.column(case.stock.symbol))
            signal = agent.signal_at(here, case.stock, parameters=dict(agent.parameters))
            if signal.has_opinion:
                return signal
            # It says for how many bars it looked in vain: of those that it would have been shown.
            shown = agent.needed(case.in_market())
            return agent.signal_at(here, shown, parameters=dict(agent.parameters))
        if agent not in self._judged:
            seen = agent.needed(case.in_market())
            self._judged[agent] = (seen, agent.scored(seen.panel))
        seen, scores = self._judged[agent]
        in_market = StockData(seen.panel, case.stock.symbol, case.stock.as_of)
        here = ScoresAt(scores, -1, in_market.column)
        return agent.signal_at(here, in_market, parameters=dict(agent.parameters))

    def _latest_of(self, agent: Agent, moment: Moment) -> Scores | None:
        """Return the scores of a moment's last row, None where they take more than that row."""
        if agent not in self._latest:
            past = self._past(moment, agent.warmup_bars - 1)
            try:
                self._latest[agent] = None if past is None else score_latest(agent, moment.latest(past))
            except InputError:
                self._latest[agent] = None
        return self._latest[agent]

    def _past(self, moment: Moment, rows: int) -> Bars | None:
        """Return the bars of so many rows before a moment's last, None where they have gaps."""
        if moment.complete is not self._complete:
            self._complete, self._pasts = moment.complete, {}
        key = (moment.is_matched, rows)
        if key not in self._pasts:
            before = moment.complete if moment.is_matched else moment.complete.rows(slice(0, -1))
            seen = before.tail(rows)
            whole = rows > 0 and len(seen.timestamps) and bool(np.isfinite(seen.close).all())
            self._pasts[key] = Bars(seen) if whole else None
        return self._pasts[key]


class _Case:
    """One stock at a moment, by itself and in its market."""

    def __init__(self, moment: Moment, symbol: str, as_of: datetime | None) -> None:
        self.moment = moment
        self.stock = SeenStock(moment, symbol, as_of)
        self._alone: StockData | None = None

    def alone(self) -> StockData:
        """Return the stock on a panel where agents share what they work out on it."""
        if self._alone is None:
            self._alone = StockData(SharedPanel.of(self.stock.panel), self.stock.symbol, self.stock.as_of)
        return self._alone

    @cached_property
    def last_bars(self) -> LastBars | None:
        """The stock's bars to be judged at their last row, None where they have gaps."""
        try:
            return LastBars(self.stock.panel)
        except InputError:
            return None

    def in_market(self) -> StockData:
        """Return the stock with the market around it."""
        return StockData(self.moment.panel, self.stock.symbol, self.stock.as_of)
