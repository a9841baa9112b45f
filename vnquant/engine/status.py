"""Status: how an orchestrator is, at one instant, as text and as a table for a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

import msgspec

from vnquant.engine.crew import Crew
from vnquant.engine.events import HealthReported, OrchestratorState, StateChanged
from vnquant.runtime import ComponentStatus, WorkQueueStatistics, now

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("OrchestratorStatus", "status_of")


class OrchestratorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An orchestrator at one instant.

    Attributes
    ----------
    state : OrchestratorState
    at : datetime
        Market time.
    components : dict of str to ComponentStatus
        Each with `.state`, `.restarts`, `.last_error`, `.last_beat`.
    tasks : tuple of str
        Names of the tasks that belong to it.
    leads : WorkQueueStatistics or None
        None before the first start.
    positions, open_orders : int
    cash_vnd : int
        Settled or on its way.
    error : str
        Why it failed.
    health : HealthReported or None
        The last look.
    change : StateChanged or None
        Since when it is in this state, and why.
    """

    state: OrchestratorState
    at: datetime
    components: dict[str, ComponentStatus]
    tasks: tuple[str, ...]
    leads: WorkQueueStatistics | None = None
    positions: int = 0
    open_orders: int = 0
    cash_vnd: int = 0
    error: str = ""
    health: HealthReported | None = None
    change: StateChanged | None = None

    def __str__(self) -> str:
        lines = [
            f"Orchestrator {self.state} at {self.at:%Y-%m-%d %H:%M:%S} ICT"
            + (f": {self.error}" if self.error else ""),
            f"  {self.positions} positions, {self.open_orders} open orders, {self.cash_vnd:,} VND in cash"
            + ("" if self.leads is None else f", {self.leads.depth} leads waiting"),
        ]
        lines += [
            f"  {one.name:<16} {one.state:<9} restarts {one.restarts}"
            + (f"  last beat {one.last_beat:%H:%M:%S}" if one.last_beat else "")
            + (f"  {one.last_error}" if one.last_error else "")
            for one in self.components.values()
        ]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a component."""
        import pandas as pd

        columns = ["name", "state", "restarts", "last_beat", "last_error"]
        rows = [
            (one.name, str(one.state), one.restarts, one.last_beat, one.last_error or "")
            for one in self.components.values()
        ]
        return pd.DataFrame(rows, columns=columns).set_index("name")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(one.name)}</td><td>{one.state}</td>"
            f"<td>{one.restarts}</td><td>{f'{one.last_beat:%H:%M:%S}' if one.last_beat else ''}</td>"
            f"<td style='text-align:left'>{escape(one.last_error or '')}</td></tr>"
            for one in self.components.values()
        )
        head = "<br>".join(escape(line) for line in str(self).splitlines()[:2])
        return (
            f"<p>{head}</p><table><thead><tr><th>component</th><th>state</th><th>restarts</th>"
            f"<th>last beat</th><th>last error</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def status_of(
    state: OrchestratorState,
    *,
    components: dict[str, ComponentStatus],
    is_live: bool,
    error: str,
    crew: Crew | None,
    change: StateChanged | None = None,
) -> OrchestratorStatus:
    """Return the status of an orchestrator in a state, with the crew of its present or last run."""
    status = OrchestratorStatus(
        state=state,
        at=now(),
        components=components,
        tasks=_tasks_of(("orchestrator", *components)) if is_live else (),
        error=error,
        change=change,
    )
    if crew is None:
        return status
    portfolio = crew.record.portfolio.state
    return msgspec.structs.replace(
        status,
        leads=crew.inbox.statistics(),
        positions=len(portfolio.positions),
        open_orders=len(crew.record.open_orders),
        cash_vnd=portfolio.cash_vnd + sum(r.amount_vnd for r in portfolio.receivables),
        health=crew.health.last,
    )


def _tasks_of(owners: Collection[str]) -> tuple[str, ...]:
    running = (task.get_name() for task in asyncio.all_tasks())
    return tuple(sorted(name for name in running if name.partition(":")[0] in owners))
