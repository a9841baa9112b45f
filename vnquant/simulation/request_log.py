"""Request log: what the simulated exchange was asked, and how it answered."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vnquant.simulation.faults import Fault

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("RequestLog", "RequestRecord")

# An exchange may serve for days; the log keeps the latest and goes on counting the rest.
_KEPT = 200_000


@dataclass(slots=True)
class RequestRecord:
    """One request.

    Attributes
    ----------
    number : int
        Order of arrival, from 0; never reset.
    kind : str
        "board", "history", "dchart", "cafef", "rss" or "other".
    symbols : tuple of str
        Symbols asked for, upper case; empty for feeds.
    path : str
    latency_s : float
        Latency drawn, without what a hang or a straggler adds.
    fault : Fault or None
    started_s, finished_s : float
        Loop time; `finished_s` is NaN while the request is in flight.
    status : int or None
        HTTP status sent; None while in flight and where none was sent (reset, hang, client gone).
    """

    number: int
    kind: str
    symbols: tuple[str, ...]
    path: str
    latency_s: float
    fault: Fault | None
    started_s: float
    finished_s: float = field(default=float("nan"))
    status: int | None = None

    @property
    def symbol(self) -> str | None:
        """The only symbol asked for, None where there are several or none."""
        return self.symbols[0] if len(self.symbols) == 1 else None

    @property
    def in_flight(self) -> bool:
        """Whether the answer is still to come."""
        return self.finished_s != self.finished_s


class RequestLog:
    """Records of requests in order of arrival: a sequence with counts by kind, symbol and fault."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=_KEPT)
        self._total = 0

    def append(self, record: RequestRecord) -> None:
        """Add a request that has just arrived."""
        self._records.append(record)
        self._total += 1

    def clear(self) -> None:
        """Forget all requests so far."""
        self._records.clear()
        self._total = 0

    @property
    def total(self) -> int:
        """Requests since the last `clear`, also those too old to be kept here."""
        return self._total

    @property
    def in_flight(self) -> int:
        """Requests that wait for their answer."""
        return sum(record.in_flight for record in self._records)

    def by_kind(self) -> Counter[str]:
        """Return the number of requests of each kind."""
        return Counter(record.kind for record in self._records)

    def by_symbol(self, kind: str | None = None) -> Counter[str]:
        """Return how often each symbol was asked for, in requests of one kind or of all."""
        return Counter(s for r in self._records if kind is None or r.kind == kind for s in r.symbols)

    def by_fault(self) -> Counter[str]:
        """Return the number of requests that met each fault; "none" for the sound ones."""
        return Counter("none" if record.fault is None else record.fault.value for record in self._records)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a request that is kept, in order of arrival."""
        import pandas as pd

        rows = [
            {
                "kind": r.kind,
                "symbols": " ".join(r.symbols),
                "path": r.path,
                "fault": "" if r.fault is None else r.fault.value,
                "status": r.status,
                "started_s": r.started_s,
                "finished_s": r.finished_s,
            }
            for r in self._records
        ]
        columns = ["kind", "symbols", "path", "fault", "status", "started_s", "finished_s"]
        return pd.DataFrame(rows, columns=columns)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(self._records)

    def __getitem__(self, index: int) -> RequestRecord:
        return self._records[index]

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.by_kind().most_common())
        return f"RequestLog({self._total} requests{': ' + kinds if kinds else ''})"
