"""Agent lab: turn an agent's parameters, and see at once what that does to its signals and its worth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from vnquant.agents import Agent
from vnquant.errors import ClosedError, VnQuantError
from vnquant.evaluation import Assessment, LabSession, TrialBook, compare
from vnquant.market import BarPanel
from vnquant.ui.lab_agent import chosen_agent
from vnquant.ui.lab_chart import LabLines, lab_lines, most_traded
from vnquant.ui.lab_page import LabPage
from vnquant.ui.lab_table import statistics_html
from vnquant.ui.view import View

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("AgentLab",)

_GUARD_PAUSE_S = 0.6  # the guard takes longer than a setting does, and waits until nobody turns anything


class AgentLab(View):
    """The widget of `bench.agent_lab(agent)`: sliders, chart, statistics, tries, look-ahead badge.

    A setting is scored and measured on a thread, one at a time; what is turned meanwhile is not queued, the
    newest setting is next. All methods are for cells, on the loop.

    Parameters
    ----------
    agent : str, Agent or Agent class
    agents : dict of str to Agent
        The workbench's own: `apply` puts the setting there.
    panel : callable
        Awaited once for the panel to study on, forecasts among its fields.
    symbol : str or None
        Whose chart is drawn; the most traded one where None.
    loop : AbstractEventLoop
    trials : TrialBook, optional
        Where settings are counted, beyond the life of this lab.
    """

    def __init__(
        self,
        agent: str | Agent | type[Agent],
        *,
        agents: dict[str, Agent],
        panel: Callable[[], Awaitable[BarPanel]],
        symbol: str | None,
        loop: asyncio.AbstractEventLoop,
        trials: TrialBook | None = None,
    ) -> None:
        self.name, chosen = chosen_agent(agent, agents)
        super().__init__(loop, name=f"lab:{self.name}")
        self._session = LabSession(
            self.name,
            chosen,
            agents=agents,
            panel=panel,
            trials=TrialBook() if trials is None else trials,
            on_measured=self._show,
            on_checked=self._show_badge,
        )
        self._settings = self._session.settings
        self._choice: dict[str, Any] = {"symbol": symbol, "horizon": 5, "sessions": 120}
        self._message = ""
        self._turned, self._unchecked = asyncio.Event(), asyncio.Event()
        call = self.errands.call
        self._page = LabPage(
            chosen,
            self.name,
            on_turn=lambda name, value: call(self._turn, name, value),
            on_press=self._pressed,
            on_choose=lambda kind, value: call(self._choose, kind, value),
        )
        self._show_badge()
        self._show_controls()
        self._say("Loading the market …")
        self._begin(self._page.widget)

    # -- for cells ----------------------------------------------------------------------------------------

    @property
    def agent(self) -> Agent:
        """The agent in the present setting."""
        return self._session.agent

    @property
    def trials(self) -> int:
        """How many settings of this agent were tried on this workbench."""
        return self._session.trials

    async def ready(self) -> Self:
        """Wait until what is shown is the present setting, checked by the guard; return the lab.

        Raises
        ------
        VnQuantError
            What loading the market or scoring the setting raised.
        """
        if not self.errands.is_open:
            raise ClosedError("This lab is closed. Make another: `bench.agent_lab(...)`.")
        await self._catch_up()
        await self._session.check()
        if self._session.failure is not None:
            raise self._session.failure
        return self

    def set(self, **parameters: Any) -> None:
        """Change parameters in one step, as the sliders do; `ready()` waits for what comes of it."""
        self._after(self._settings.set(parameters))

    def undo(self) -> None:
        """Go back to the setting before the last change."""
        self._after(self._settings.undo())

    def reset(self) -> None:
        """Go back to the saved setting."""
        self._after(self._settings.reset())

    def defaults(self) -> None:
        """Go to the defaults."""
        self._after(self._settings.defaults())

    def apply(self) -> None:
        """Let this setting take part in all discussions from now on, the running orchestrator's included."""
        self._session.apply()
        self._kept(f"{self.agent!r} takes part in all discussions from now on.")

    async def save(self, path: str | Path | None = None) -> Path:
        """Save this setting as a preset that `Workbench.open(agents=path)` loads; return its path."""
        file = await self._session.save(path or self._page.file or f"{self.name}.toml")
        self._kept(f"Saved to {file}.")
        return file

    def snapshot(self) -> dict[str, Any]:
        """Return what the lab shows, as plain data."""
        worths = self._session.worths(self._choice["horizon"])
        saved, now = worths or (None, None)
        lines = self._lines(self._session.now)
        is_loading = worths is None and self._session.failure is None
        return {
            "agent": self.name,
            "state": "loading" if is_loading else "ready",
            "parameters": dict(self._settings.values),
            "saved": dict(self._settings.saved.parameters),
            "can_undo": self._settings.can_undo,
            "trials": self.trials,
            "message": self._message,
            "lookahead": self._session.guard._asdict(),
            **self._choice,
            "statistics": msgspec.to_builtins(now),
            "statistics_saved": msgspec.to_builtins(saved),
            "comparison": [] if worths is None else msgspec.to_builtins(compare(*worths)),
            "buys": [] if lines is None else lines.buys.tolist(),
            "sells": [] if lines is None else lines.sells.tolist(),
            "score": [] if lines is None else lines.score.tolist(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the statistics of the saved and the present setting, as the lab shows them."""
        import pandas as pd

        worths = self._session.worths(self._choice["horizon"])
        rows = (
            []
            if worths is None
            else [(row.name, row.before, row.after, row.change) for row in compare(*worths)]
        )
        return pd.DataFrame(rows, columns=["statistic", "saved", "now", "change"]).set_index("statistic")

    def __repr__(self) -> str:
        changed = "changed" if self._settings.is_changed else "as saved"
        tried = f"{self.trials} setting{'' if self.trials == 1 else 's'} tried"
        return f"AgentLab({self.agent!r}, {changed}, {tried})"

    # -- what is asked for --------------------------------------------------------------------------------

    def _pressed(self, button: str) -> None:
        if button == "save":
            self.errands.run("save", self.save)
        else:
            self.errands.call(getattr(self, button))

    def _turn(self, name: str, value: Any) -> None:
        if self._settings.turn(name, value, at=self._loop.time()):
            self._wanted()

    def _choose(self, kind: str, value: Any) -> None:
        if value is not None and self._choice[kind] != value:
            self._choice[kind] = value
            self._show_symbol()
            self._show()

    def _after(self, is_changed: bool) -> None:
        if is_changed:
            self._page.controls.place(self._settings.values)
            self._wanted()

    def _wanted(self) -> None:
        """Take note of a new setting: what was measured before is shown until this one is."""
        problem = self._settings.problem
        self._say("" if problem is None else str(problem), is_error=problem is not None)
        self._show_controls()
        self._show_badge()
        self._turned.set()
        self._unchecked.set()

    def _kept(self, message: str) -> None:
        self._show_controls()
        self._say(message)
        self._turned.set()  # where the setting is not measured yet

    # -- what keeps it fresh ------------------------------------------------------------------------------

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_up(), name=f"lab:{self.name}:settings")
            group.create_task(self._keep_guard(), name=f"lab:{self.name}:guard")

    async def _keep_up(self) -> None:
        while True:
            self._turned.clear()
            try:
                await self._catch_up()
            except Exception as exc:  # noqa: BLE001 - shown in the widget; the next change tries again
                self._show_error(exc)
            await self._turned.wait()

    async def _keep_guard(self) -> None:
        self._unchecked.set()
        while True:
            await self._unchecked.wait()
            self._unchecked.clear()
            await asyncio.sleep(_GUARD_PAUSE_S)
            if self._session.study is not None and not self._unchecked.is_set():
                await self._session.check()

    async def _catch_up(self) -> None:
        is_new = self._session.study is None
        await self._session.load()
        if is_new:
            self._say("")
            self._show_symbol()
            self._unchecked.set()
        await self._session.measure()

    # -- what is shown ------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Draw what was measured; a few milliseconds on the loop."""
        if self._session.failure is not None:
            self._show_error(self._session.failure)
        worths = self._session.worths(self._choice["horizon"])
        now = self._lines(self._session.now)
        if worths is None or now is None:
            return
        self._page.show_statistics(statistics_html(compare(*worths), *worths), self.trials)
        is_saved = self._session.now is self._session.saved
        self._page.chart.show_lines(now, None if is_saved else self._lines(self._session.saved))

    def _show_symbol(self) -> None:
        study = self._session.study
        if study is None:
            return
        if self._choice["symbol"] not in study.panel.symbols:
            self._choice["symbol"] = most_traded(study.panel)
        self._page.offer(study.panel.symbols, study.horizons, self._choice)
        self._page.chart.show_symbol(study.panel, self._choice["symbol"], self._choice["sessions"])

    def _show_controls(self) -> None:
        is_sound = self._settings.problem is None
        self._page.controls.enable(
            undo=self._settings.can_undo, reset=self._settings.is_changed, save=is_sound, apply=is_sound
        )

    def _show_badge(self) -> None:
        self._page.show_badge(self._session.guard)

    def _show_error(self, error: Exception) -> None:
        # Our own errors say what to do; of others, such as one in a user's agent, the kind tells as much.
        kind = "" if isinstance(error, VnQuantError) else f"{type(error).__name__}: "
        self._say(f"{kind}{error}", is_error=True)

    def _say(self, text: str, *, is_error: bool = False) -> None:
        self._message = text
        self._page.show_message(text, is_error=is_error)

    def _lines(self, assessment: Assessment | None) -> LabLines | None:
        study = self._session.study
        if assessment is None or study is None:
            return None
        return lab_lines(study.panel, assessment.score, self._choice["symbol"], self._choice["sessions"])
