"""Panel control: the state in words, why it is so, what may be clicked, and the market's clock."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from vnquant.engine import OrchestratorState, OrchestratorStatus, StateChanged
from vnquant.engine.grid import next_opening
from vnquant.errors import DateRangeError
from vnquant.market import Exchange, Phase, TradingCalendar, phase_at
from vnquant.runtime import MarketClock

__all__ = ("ClockReading", "Command", "ControlReading", "clock_reading", "control_reading")

_State = OrchestratorState
STARTING = "starting"


class Command(StrEnum):
    """What the buttons ask for."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


class ControlReading(msgspec.Struct, frozen=True, kw_only=True):
    """The state, and what may be clicked in it."""

    state: str
    """As the orchestrator says, or "starting"."""
    since: datetime | None
    why: str
    enabled: tuple[Command, ...]


class ClockReading(msgspec.Struct, frozen=True, kw_only=True):
    """The market's time."""

    at: datetime
    speed: float
    """Market seconds a second; 0 stands still."""
    phase: str
    """What the exchange does, in words, with the next opening where it is shut."""


def control_reading(status: OrchestratorStatus, *, is_open: bool) -> ControlReading:
    """Return the state in words.

    Parameters
    ----------
    status : OrchestratorStatus
    is_open : bool
        False once the workbench is closed: nothing can be clicked any more.
    """
    state = _shown_state(status)
    change = status.change
    return ControlReading(
        state=state,
        since=None if change is None or state == STARTING else change.at,
        why=_why(state, change) if is_open else "The workbench is closed; open another to go on.",
        enabled=_ENABLED.get(state, ()) if is_open else (),
    )


def clock_reading(clock: MarketClock, calendar: TradingCalendar) -> ClockReading:
    """Read the market's clock."""
    at = clock.now()
    return ClockReading(at=at, speed=clock.speed, phase=_phase(at, calendar))


_ENABLED: dict[str, tuple[Command, ...]] = {
    _State.NEW: (Command.START,),
    STARTING: (Command.CANCEL,),
    _State.RUNNING: (Command.PAUSE, Command.CANCEL),
    _State.PAUSED: (Command.RESUME, Command.CANCEL),
    _State.STOPPED: (Command.START,),
    _State.FAILED: (Command.START,),
}
_WHY: dict[str, str] = {
    _State.NEW: "Not started yet. Start opens the ledger and goes on where it ends.",
    STARTING: "Opening the ledger and answering for its orders.",
    _State.RUNNING: "Scans, discusses and trades on paper.",
    _State.PAUSED: "No new scans and discussions; positions are watched, and exits still sold.",
    _State.STOPPING: "Cancelling its tasks and closing the ledger.",
    _State.STOPPED: "Nothing runs; the ledger is closed. Start goes on where it ends.",
    _State.FAILED: "Nothing runs. Start tries again.",
}


def _shown_state(status: OrchestratorStatus) -> str:
    """Return the state; that it is starting shows in the root task, which has no state of its own yet."""
    if status.tasks and status.state in (_State.NEW, _State.STOPPED, _State.FAILED):
        return STARTING
    return status.state.value


def _why(state: str, change: StateChanged | None) -> str:
    told = "" if change is None or state != change.state.value else change.reason
    # The reason of a failure is an error with its advice: the panel shows it on a line of its own.
    if not told or state == _State.FAILED:
        return _WHY[state]
    return f"{told[:1].upper()}{told[1:]}. {_WHY[state]}"


def _phase(at: datetime, calendar: TradingCalendar) -> str:
    try:
        phase = phase_at(at, Exchange.HOSE, calendar)
        opens = next_opening(at, calendar) if phase in _SHUT else None
    except DateRangeError:
        return "outside the trading calendar"
    if opens is None:
        return _PHASES[phase]
    return f"{_PHASES[phase]}, trades from {opens:%H:%M}" + (
        "" if opens.date() == at.date() else f" {opens:%a %d %b}"
    )


_SHUT = frozenset({Phase.CLOSED, Phase.LUNCH, Phase.PUT_THROUGH, Phase.PRE_OPEN})
_PHASES = {
    Phase.CLOSED: "closed",
    Phase.PRE_OPEN: "before the open",
    Phase.ATO: "opening auction",
    Phase.CONTINUOUS: "continuous trading",
    Phase.LUNCH: "lunch",
    Phase.ATC: "closing auction",
    Phase.PUT_THROUGH: "put-through",
}
