"""Web statistics: what the broadcaster and each of its clients have counted."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import msgspec

from vnquant.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("BroadcastStatistics", "ClientStatistics")

_HEADER = ("client", "state", "messages behind", "bytes sent", "stalled")


class ClientStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One client's counters at one instant."""

    client: int
    """Its number, by order of connection."""
    remote: str
    """The peer's address."""
    live: bool
    """It has taken everything that was written to it."""
    messages_behind: int
    """Messages not written to it yet."""
    delivered: int
    """Messages written to it as deltas."""
    conflated: int
    """Messages given up for a later one of the same key."""
    sent_bytes: int
    """Bytes written to it, snapshots and pings included."""
    buffered_bytes: int
    """Bytes that wait for it in this process."""
    connected_s: float
    """Loop seconds since it came."""
    stalled_s: float
    """Loop seconds since something was last written to it, while more waits; 0 for a live client."""
    quiet_s: float
    """Loop seconds since it was last heard."""


class BroadcastStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The broadcaster's counters at one instant."""

    published: int
    """Messages broadcast, which is also the last sequence number."""
    delivered: int
    """Messages written as deltas, over all clients that there ever were."""
    conflated: int
    """Messages given up for a later one of the same key, likewise."""
    connected: int
    """Clients that ever connected."""
    resumed: int
    """Those of them that went on where they had been."""
    snapshots: int
    """Snapshots sent."""
    gone: Mapping[str, int]
    """Clients that are gone, by reason (see `Departure`)."""
    refused: Mapping[str, int]
    """Requests refused, by reason (see `Refusal`)."""
    backlog: int
    """Messages not written to the live clients yet."""
    log_messages: int
    """Messages in the replay buffer."""
    log_bytes: int
    """Their size."""
    buffered_bytes: int
    """Bytes that wait for clients in this process, beside the replay buffer."""
    clients: tuple[ClientStatistics, ...]
    """Those that are connected, in order of connection."""

    def __repr__(self) -> str:
        return f"{self._told()}\n{text_table(_HEADER, self._rows())}" if self.clients else self._told()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._told())}</p>{html_table(_HEADER, self._rows(), left=(0,))}"

    def _told(self) -> str:
        return (
            f"{self.published:,} published to {len(self.clients):,} clients, {self.delivered:,} delivered, "
            f"{self.conflated:,} conflated, {self.snapshots:,} snapshots, {self.connected:,} ever connected"
        )

    def _rows(self) -> list[list[str]]:
        return [
            [
                f"{one.client} ({one.remote})",
                "live" if one.live else "behind",
                f"{one.messages_behind:,}",
                f"{one.sent_bytes:,}",
                f"{one.stalled_s:.1f} s",
            ]
            for one in self.clients
        ]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a client."""
        import pandas as pd

        return pd.DataFrame(
            [msgspec.structs.asdict(one) for one in self.clients],
            columns=list(ClientStatistics.__struct_fields__),
        )
