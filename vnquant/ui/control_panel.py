"""Control panel: the orchestrator under one's hands: its buttons, and everything that it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, time
from typing import Any

import msgspec

from vnquant.engine import AutonomousOrchestrator, EngineEvent, OrchestratorState
from vnquant.errors import LedgerError
from vnquant.runtime import ICT, Subscription, SupervisionEvent
from vnquant.sources import HttpClient
from vnquant.trading import Ledger
from vnquant.trading.reader import LedgerReader
from vnquant.ui.panel_control import ClockReading, Command, ControlReading
from vnquant.ui.panel_feed import FeedFilter, FeedGroup, FeedLine
from vnquant.ui.panel_health import LoopLag
from vnquant.ui.panel_html import account_html
from vnquant.ui.panel_picture import PanelPicture, take_picture
from vnquant.ui.panel_sections import SECTIONS
from vnquant.ui.panel_story import FEED_LINES, Story
from vnquant.ui.panel_widget import PanelWidget
from vnquant.ui.view import View

__all__ = ("ControlPanel",)

_FRAME_S = 0.25
_QUIET_S = 1.0  # ages and a slow clock move at least so often
_EVENTS_WAITING = 2_000


class ControlPanel(View):
    """Starts, pauses, resumes and cancels an orchestrator, and shows its state and its work, live.

    At most four repaints a second, of those sections only that have changed. While nobody looks it is silent;
    what was decided meanwhile it reads from the ledger when somebody looks again.

    Parameters
    ----------
    orchestrator : AutonomousOrchestrator
    loop : AbstractEventLoop
        The workbench's.
    client : HttpClient, optional
        Whose sources' latencies and breakers are shown.

    Examples
    --------
    ::

        panel = bench.control_panel()
        panel
        panel.snapshot()["control"]["state"]
    """

    widget: PanelWidget

    def __init__(
        self,
        orchestrator: AutonomousOrchestrator,
        *,
        loop: asyncio.AbstractEventLoop,
        client: HttpClient | None = None,
    ) -> None:
        super().__init__(loop, name="control_panel")
        self._orchestrator = orchestrator
        self._client = client
        self._story = Story()
        self._lag = LoopLag()
        self._wanted = FeedFilter()
        self._error = ""
        self._dismissed = ""
        self._left_at: datetime | None = None
        self._woken = asyncio.Event()
        self._shown: dict[str, object] = {}
        widget = PanelWidget()
        widget.on_msg(self._asked)
        self._begin(widget)
        loop.call_soon_threadsafe(self._paint)

    # -- for code -----------------------------------------------------------------------------------------

    def press(self, button: str) -> None:
        """Do what a click on a button does: start, pause, resume, cancel; from any thread."""
        self.errands.call(self._pressed, Command(button))

    def filter_feed(self, group: str | None = None, words: str = "") -> None:
        """Show only events of a group (decision, order, scan, system) and with all words; from any thread."""
        self.errands.call(self._filter, FeedFilter.read(group, words))

    def snapshot(self) -> Mapping[str, Any]:
        """Return everything that is shown, as it is now, as plain data; times are ISO text."""
        plain: dict[str, Any] = msgspec.to_builtins(self._picture())
        return plain

    def __repr__(self) -> str:
        return repr(self.widget)

    async def aclose(self) -> None:
        """End what keeps it fresh; it goes on showing the last state, without buttons."""
        await super().aclose()
        self._paint()

    # -- clicks -------------------------------------------------------------------------------------------

    def _asked(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        """Take a message of the front end, on whatever thread it comes."""
        match content:
            case {"do": "filter"}:
                wanted = FeedFilter.read(content.get("group"), content.get("words"))
                self.errands.call(self._filter, wanted)
            case {"do": "dismiss"}:
                self.errands.call(self._dismiss)
            case {"do": str(button)} if button in Command.__members__.values():
                self.press(button)

    def _pressed(self, button: Command) -> None:
        """Act on a button that has a meaning now: a second click, or another panel's, finds none."""
        if button not in self._picture().control.enabled:
            return
        self._error = self._dismissed = ""
        orchestrator = self._orchestrator
        if button is Command.START:
            self.errands.run(Command.START, orchestrator.start)
        elif button is Command.PAUSE:
            orchestrator.pause()
        elif button is Command.RESUME:
            orchestrator.resume()
        else:
            self.errands.cancel(Command.START)
            self.errands.run(Command.CANCEL, orchestrator.stop)
        self._woken.set()

    def _filter(self, wanted: FeedFilter) -> None:
        self._wanted = wanted
        self._woken.set()

    def _dismiss(self) -> None:
        self._dismissed = self._picture().alert
        self._woken.set()

    def _show_error(self, error: Exception) -> None:
        self._error = f"{type(error).__name__}: {error}"
        self.widget.alert = self._error  # at once: what paints may be what failed
        self._woken.set()

    # -- freshness ----------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Listen and paint, until nobody looks any more."""
        topic = (EngineEvent, SupervisionEvent)
        listening = self._orchestrator.bus.subscribe(
            topic, maxsize=_EVENTS_WAITING, when_full="drop_oldest", name="control panel"
        )
        try:
            async with listening, asyncio.TaskGroup() as tasks:
                await self._catch_up(listening)
                tasks.create_task(self._listen(listening), name="control_panel:listening")
                await self._keep_painting()
        finally:
            self._left_at = self._orchestrator.research.clock.now()

    async def _listen(self, events: Subscription[Any]) -> None:
        async for event in events:
            self._story.fold(event)
            self._woken.set()

    async def _keep_painting(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            self._paint()
            due_s = loop.time() + _FRAME_S
            await asyncio.sleep(_FRAME_S)
            self._lag.note(loop.time() - due_s)
            if self._orchestrator.research.clock.speed <= 1.0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_QUIET_S - _FRAME_S):
                        await self._woken.wait()

    async def _catch_up(self, events: Subscription[Any]) -> None:
        """Read from the ledger what was decided while nobody looked on; without one there was nothing."""
        left_at = self._left_at
        with suppress(LedgerError):
            async with self._ledger() as ledger:
                today = datetime.combine(self._orchestrator.research.clock.now().date(), time(), tzinfo=ICT)
                orders = await ledger.orders(since=today)
                entries = await ledger.journal(limit=FEED_LINES)
                self._story.recall(entries, orders, overlap=events.statistics().depth)
        if left_at is not None:
            text = f"nobody looked on since {left_at:%H:%M:%S}; decisions are read from the ledger"
            at = self._orchestrator.research.clock.now()
            self._story.add(FeedLine(at=at, group=FeedGroup.SYSTEM, kind="panel", text=text))

    @asynccontextmanager
    async def _ledger(self) -> AsyncIterator[LedgerReader]:
        """Yield the ledger to read: the running orchestrator's, else opened to look only."""
        orchestrator = self._orchestrator
        if orchestrator.state in (OrchestratorState.RUNNING, OrchestratorState.PAUSED):
            yield orchestrator.crew.record.ledger
        else:
            async with await Ledger.open(orchestrator.database, read_only=True) as ledger:
                yield ledger

    # -- painting -----------------------------------------------------------------------------------------

    def _picture(self) -> PanelPicture:
        picture = take_picture(
            self._orchestrator,
            self._story,
            client=self._client,
            lag=self._lag,
            wanted=self._wanted,
            error=self._error,
            is_open=self.errands.is_open,
        )
        if picture.alert == self._dismissed:
            picture = msgspec.structs.replace(picture, alert="")
        return picture

    def _paint(self) -> None:
        """Send what has changed since the last time, in one message."""
        picture = self._picture()
        widget = self.widget
        with widget.hold_sync():
            if self._is_new("control", picture.control):
                widget.control = _control(picture.control)
            if self._is_new("clock", clock := _clock(picture.clock)):
                widget.clock = clock
            if self._is_new("account", picture.account):
                widget.account = account_html(picture.account)
            if self._is_new("filter", picture.filter):
                widget.filter = msgspec.to_builtins(picture.filter)
            if widget.alert != picture.alert:
                widget.alert = picture.alert
            for name, section in SECTIONS.items():
                if self._is_new(name, section.reads(picture)):
                    widget.set_trait(name, {"note": section.note(picture), "html": section.html(picture)})

    def _is_new(self, part: str, content: object) -> bool:
        if part in self._shown and self._shown[part] == content:
            return False
        self._shown[part] = content
        return True


def _control(control: ControlReading) -> dict[str, Any]:
    since = "" if control.since is None else f"since {control.since:%H:%M:%S}"
    return {"state": control.state, "since": since, "why": control.why, "enabled": list(control.enabled)}


def _clock(clock: ClockReading) -> dict[str, str]:
    pace = {0.0: "frozen", 1.0: "real time"}.get(clock.speed, f"{clock.speed:g}×")
    return {
        "day": f"{clock.at:%a %d %b %Y}",
        "time": f"{clock.at:%H:%M:%S}",
        "pace": pace,
        "phase": clock.phase,
    }
