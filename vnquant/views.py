"""Views: the widgets of one workbench, made from its desk and closed with it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from vnquant.errors import StateError

if TYPE_CHECKING:
    from vnquant.agents import Agent
    from vnquant.desk import Desk
    from vnquant.engine import AutonomousOrchestrator
    from vnquant.evaluation import TrialBook
    from vnquant.market import BarPanel
    from vnquant.sources import QuoteSource
    from vnquant.ui.agent_lab import AgentLab
    from vnquant.ui.control_panel import ControlPanel
    from vnquant.ui.heatmap import Heatmap
    from vnquant.ui.live_chart import LiveChart
    from vnquant.ui.price_board import PriceBoard
    from vnquant.ui.view import View

__all__ = ("Views",)

_V = TypeVar("_V", bound="View")

_LIVE_CHART_SPAN = timedelta(days=250)  # days of the calendar that hold 120 sessions, Tet included


class Views:
    """Makes the widgets of a workbench, and knows those that live.

    Parameters
    ----------
    desk : Desk
    loop : AbstractEventLoop
        On which everything that a click asks for happens.
    """

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self._desk = desk
        self._loop = loop
        self._open: list[View] = []
        self._trials: TrialBook | None = None

    def control_panel(self, orchestrator: AutonomousOrchestrator) -> ControlPanel:
        """Return the panel of the orchestrator."""
        from vnquant.ui.control_panel import ControlPanel

        return self._keep(ControlPanel(orchestrator, loop=self._loop, client=self._desk.world.client))

    def agent_lab(
        self, agent: str | Agent | type[Agent], agents: dict[str, Agent], *, symbol: str | None
    ) -> AgentLab:
        """Return the lab of one agent; "apply" puts the changed agent into `agents`."""
        from vnquant.evaluation import TrialBook
        from vnquant.ui.agent_lab import AgentLab

        if self._trials is None:
            self._trials = TrialBook()
        return self._keep(
            AgentLab(
                agent,
                agents=agents,
                panel=self._desk.research_panel,
                symbol=symbol,
                loop=self._loop,
                trials=self._trials,
            )
        )

    def price_board(self) -> PriceBoard:
        """Return the live board."""
        from vnquant.ui.price_board import PriceBoard

        world = self._desk.world
        return self._keep(
            PriceBoard(self._quotes(), universe=world.universe, clock=world.clock, loop=self._loop)
        )

    def heatmap(self) -> Heatmap:
        """Return the market by sector and value traded."""
        from vnquant.ui.heatmap import Heatmap

        world = self._desk.world
        return self._keep(
            Heatmap(self._quotes(), universe=world.universe, clock=world.clock, loop=self._loop)
        )

    def live_chart(self, symbol: str) -> LiveChart:
        """Return a symbol's candles with the running bar live."""
        from vnquant.ui.live_chart import LiveChart

        world = self._desk.world

        async def panel() -> BarPanel:
            today = world.clock.now().date()
            return await self._desk.bars([symbol], today - _LIVE_CHART_SPAN, today, interval="1D")

        return self._keep(
            LiveChart(
                symbol,
                panel=panel,
                quotes=self._quotes(),
                universe=world.universe,
                clock=world.clock,
                loop=self._loop,
            )
        )

    async def aclose(self) -> None:
        """End what keeps the widgets fresh; they stay where they are and show their last state."""
        views, self._open = self._open, []
        for view in views:
            await view.aclose()

    def _quotes(self) -> QuoteSource:
        world = self._desk.world
        if world.quotes is None:
            raise StateError(
                f"There is no board behind {world.name}; a file holds bars only. Open a workbench on a "
                "simulated exchange or on live data."
            )
        return world.quotes

    def _keep(self, view: _V) -> _V:
        self._open = [v for v in self._open if v.errands.is_open]
        self._open.append(view)
        return view
