"""Bus statistics: what the bus and each of its subscriptions have counted."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Literal

import msgspec

from vnquant.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("BusStatistics", "SubscriptionStatistics", "WhenFull")

_HEADER = ("name", "topic", "when full", "waiting", "delivered", "dropped", "conflated", "max lag")

WhenFull = Literal["block", "drop_oldest", "drop_newest", "conflate"]


class SubscriptionStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription's counters at one instant.

    `delivered + dropped + conflated + depth` is the number of events that matched it.
    """

    name: str
    """As given, or the topic and a number."""
    topic: str
    """Names of the event types."""
    when_full: WhenFull
    """What it does when `maxsize` events wait."""
    maxsize: int
    """Events that may wait."""
    depth: int
    """Events that wait now."""
    peak_depth: int
    """Most that ever waited."""
    delivered: int
    """Events that the reader has taken."""
    dropped: int
    """Events lost to a full line."""
    conflated: int
    """Events given up for a later one of the same key."""
    blocked_publishers: int
    """Publishers that wait for a place now."""
    lag_s: float
    """Age of the oldest event that waits, in loop seconds; 0 if none does."""
    last_lag_s: float
    """Time from publication to reading of the last event taken."""
    max_lag_s: float
    """The longest such time."""


class BusStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The bus's counters at one instant."""

    published: int
    """Events published."""
    delivered: int
    """Events taken by readers, over all subscriptions that there ever were."""
    dropped: int
    """Events lost to a full line, over all subscriptions that there ever were."""
    conflated: int
    """Events given up for a later one of the same key, likewise."""
    blocked_publishers: int
    """Publishers that wait for a place now."""
    backlog: int
    """Events that wait for `process_all_events`."""
    backlog_overwritten: int
    """Events that left the backlog unprocessed, because newer ones came."""
    subscriptions: tuple[SubscriptionStatistics, ...]
    """Those that are open, in order of subscription."""

    def __str__(self) -> str:
        return (
            f"{self.published:,} published, {self.delivered:,} delivered, {self.dropped:,} dropped, "
            f"{self.conflated:,} conflated, {self.blocked_publishers:,} publishers blocked"
        )

    def __repr__(self) -> str:
        if not self.subscriptions:
            return str(self)
        return f"{self}\n{text_table(_HEADER, self._rows(), left=(0, 1, 2))}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>{html_table(_HEADER, self._rows(), left=(0, 1, 2))}"

    def _rows(self) -> list[list[str]]:
        return [
            [
                one.name,
                one.topic,
                one.when_full,
                f"{one.depth:,} of {one.maxsize:,}",
                f"{one.delivered:,}",
                f"{one.dropped:,}",
                f"{one.conflated:,}",
                f"{one.max_lag_s:.3f} s",
            ]
            for one in self.subscriptions
        ]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a subscription."""
        import pandas as pd

        return pd.DataFrame(
            [msgspec.structs.asdict(one) for one in self.subscriptions],
            columns=list(SubscriptionStatistics.__struct_fields__),
        )
