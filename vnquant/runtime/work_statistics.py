"""Work statistics: what becomes of the items of a work queue, and how many there were of each."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from vnquant.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Admission", "Discard", "WorkQueueStatistics")


class Admission(StrEnum):
    """What became of an item that was put."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """Its key was accepted before, within the window."""
    EXPIRED = "expired"
    FULL = "full"
    """The queue is full of items at least as urgent."""


class Discard(StrEnum):
    """Why an accepted item never reached a worker."""

    EXPIRED = "expired"
    DISPLACED = "displaced"
    """A more urgent one needed its place."""


class WorkQueueStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The queue's counters at one instant.

    `accepted` is `handed_out + expired + displaced + depth`; what was refused on arrival is not in it.
    """

    depth: int
    """Items that wait."""
    in_hand: int
    """Items that workers have and are not done with."""
    accepted: int
    handed_out: int
    expired: int
    """Accepted, but too old before a worker was free."""
    displaced: int
    """Accepted, but given up for more urgent ones."""
    refused_duplicate: int
    refused_expired: int
    refused_full: int
    idle_workers: int
    """Workers that wait for an item."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row a counter."""
        import pandas as pd

        counts = msgspec.structs.asdict(self)
        return pd.DataFrame({"counter": list(counts), "count": list(counts.values())}).set_index("counter")

    def __repr__(self) -> str:
        return text_table(("counter", "count"), self._rows())

    def _repr_html_(self) -> str:
        return html_table(("counter", "count"), self._rows(), left=(0,))

    def _rows(self) -> list[tuple[str, str]]:
        return [(k.replace("_", " "), f"{n:,}") for k, n in msgspec.structs.asdict(self).items()]
