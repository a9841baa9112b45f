"""Runtime: the async ground, which knows nothing of markets: time, bus, work queue, supervision, tasks."""

from vnquant.runtime.bus import EventBus
from vnquant.runtime.bus_statistics import BusStatistics, SubscriptionStatistics, WhenFull
from vnquant.runtime.clock import ICT, MarketClock, install_clock, now, wall_now
from vnquant.runtime.collector import rare_collections, short_collections
from vnquant.runtime.heartbeat import beat, current_component
from vnquant.runtime.holds import ClockHold, hold_clock
from vnquant.runtime.interrupts import wake_on_interrupt
from vnquant.runtime.restart import RestartPolicy
from vnquant.runtime.schedule import Overrun, Schedule, ScheduleStatistics, Sessions, Tick
from vnquant.runtime.stalls import Stall, StallWatch
from vnquant.runtime.subscription import Subscription
from vnquant.runtime.supervision import (
    ComponentState,
    ComponentStatus,
    Severity,
    SupervisionEvent,
    SupervisionKind,
)
from vnquant.runtime.supervisor import Supervisor
from vnquant.runtime.task_monitor import TaskMonitor, TaskRecord
from vnquant.runtime.timeouts import fetch_with_timeout, within
from vnquant.runtime.virtual import VirtualTimeLoop, run_virtual
from vnquant.runtime.window import Outcome, sliding_window
from vnquant.runtime.work_queue import WorkQueue
from vnquant.runtime.work_statistics import Admission, Discard, WorkQueueStatistics

__all__ = (
    "ICT",
    "Admission",
    "BusStatistics",
    "ClockHold",
    "ComponentState",
    "ComponentStatus",
    "Discard",
    "EventBus",
    "MarketClock",
    "Outcome",
    "Overrun",
    "RestartPolicy",
    "Schedule",
    "ScheduleStatistics",
    "Sessions",
    "Severity",
    "Stall",
    "StallWatch",
    "Subscription",
    "SubscriptionStatistics",
    "SupervisionEvent",
    "SupervisionKind",
    "Supervisor",
    "TaskMonitor",
    "TaskRecord",
    "Tick",
    "VirtualTimeLoop",
    "WhenFull",
    "WorkQueue",
    "WorkQueueStatistics",
    "beat",
    "current_component",
    "fetch_with_timeout",
    "hold_clock",
    "install_clock",
    "now",
    "rare_collections",
    "run_virtual",
    "short_collections",
    "sliding_window",
    "wake_on_interrupt",
    "wall_now",
    "within",
)
