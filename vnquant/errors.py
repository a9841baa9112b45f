"""Errors: every exception that VN-Quant raises on purpose, open to all rooms.

Each message says what happened, why, and what to do; the fields carry the same facts for programs.

::

    VnQuantError
    ├── InputError (ValueError)         an argument that cannot be right
    │   ├── UnknownSymbolError          a ticker outside the universe, with suggestions
    │   ├── EmptySelectionError         no symbols, no rows
    │   ├── DateRangeError              reversed, future or unreadable dates
    │   ├── ParameterError              a parameter out of its bounds, or misspelt
    │   ├── PresetError                 a file of agents' parameters that cannot be read or used
    │   ├── OrderError                  an order that no market could take: no price, no shares, a used id
    │   ├── UnknownOrderError           no order of this id
    │   └── AlignmentError              arrays whose shapes or labels differ
    ├── StateError                      the right call at the wrong time
    │   ├── BusFullError                nobody may wait, and a subscriber that loses nothing is full
    │   ├── ClosedError                 use after close
    │   ├── IllegalTransitionError      an order event that its status forbids, with the order's story
    │   ├── CancelRefusedError          an order that may not be taken back now
    │   ├── InsufficientCashError       money that is not there, or not there yet
    │   ├── InsufficientSharesError     shares that are not there, or may not be sold yet
    │   ├── UnbalancedBooksError        the double entry does not add up
    │   └── DeadlockError               every task of a virtual-time loop waits, and nothing will wake one
    ├── DataError
    │   ├── FileFormatError             a file that cannot be read as bars
    │   ├── RecordError                 one malformed record: symbol, field, value
    │   ├── MissingDataError            nothing there where something is needed
    │   │   └── StaleDataError          what is there is too old to judge on
    │   └── LookaheadError              a value that saw its own future
    ├── SourceError                     a data source did not answer as it should
    │   ├── SourceTimeoutError
    │   ├── SourceConnectionError       refused, reset, closed early
    │   ├── HttpStatusError             4xx or 5xx
    │   │   └── RateLimitedError        429, with retry_after_s
    │   ├── PayloadError                wrong content type, truncated, invalid JSON
    │   ├── EmptyAnswerError            a valid answer without content
    │   ├── CircuitOpenError            not asked: too many recent failures
    │   └── AllSourcesFailedError       each source in the order failed, with causes
    ├── ModelError                      training or prediction could not be done
    ├── AgentError                      an agent failed or returned something unusable
    ├── LedgerError                     the ledger could not be read or written; nothing was half-written
    │   ├── DatabaseLockedError         another program holds the database for too long
    │   ├── DatabaseReadOnlyError       the database may not be written here
    │   ├── DatabaseFullError           the disk, or the space allowed, is full
    │   ├── DatabaseUnavailableError    not reachable, or no answer in time
    │   ├── DatabaseFormatError         not a ledger, damaged, or of a newer VN-Quant
    │   ├── LedgerConflictError         the same id with other content, or an order that was never recorded
    │   ├── BooksError                  cash, shares and orders do not add up
    │   ├── LeaseHeldError              another orchestrator works on this ledger
    │   └── LeaseLostError              another orchestrator has taken this ledger over
    ├── BroadcastError                  the live page could not be served
    ├── ExportError                     a chart could not be made into a picture
    ├── OperationCancelledError         the cancel button of a progress bar was pressed
    └── ExchangeError                   the simulated exchange could not start
        └── PortInUseError
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

__all__ = (
    "AgentError",
    "AlignmentError",
    "AllSourcesFailedError",
    "BooksError",
    "BroadcastError",
    "BusFullError",
    "CancelRefusedError",
    "CircuitOpenError",
    "ClosedError",
    "DataError",
    "DatabaseFormatError",
    "DatabaseFullError",
    "DatabaseLockedError",
    "DatabaseReadOnlyError",
    "DatabaseUnavailableError",
    "DateRangeError",
    "DeadlockError",
    "EmptyAnswerError",
    "EmptySelectionError",
    "ExchangeError",
    "ExportError",
    "FileFormatError",
    "HttpStatusError",
    "IllegalTransitionError",
    "InputError",
    "InsufficientCashError",
    "InsufficientSharesError",
    "LeaseHeldError",
    "LeaseLostError",
    "LedgerConflictError",
    "LedgerError",
    "LookaheadError",
    "MissingDataError",
    "ModelError",
    "OperationCancelledError",
    "OrderError",
    "ParameterError",
    "PayloadError",
    "PortInUseError",
    "PresetError",
    "RateLimitedError",
    "RecordError",
    "SourceConnectionError",
    "SourceError",
    "SourceTimeoutError",
    "StaleDataError",
    "StateError",
    "UnbalancedBooksError",
    "UnknownOrderError",
    "UnknownSymbolError",
    "VnQuantError",
)


class VnQuantError(Exception):
    """Base of every error that VN-Quant raises on purpose."""


class InputError(VnQuantError, ValueError):
    """An argument that cannot be right, refused before anything is done with it."""


class UnknownSymbolError(InputError):
    """One or more tickers are not in the universe."""

    def __init__(self, unknown: Sequence[str], known: Iterable[str]) -> None:
        self.unknown = tuple(unknown)
        pool = sorted(known)
        self.suggestions = {
            name: tuple(difflib.get_close_matches(name.upper(), pool, n=3, cutoff=0.5)) for name in unknown
        }
        parts = [
            f"{name!r} (did you mean {', '.join(near)}?)" if near else repr(name)
            for name, near in self.suggestions.items()
        ]
        super().__init__(
            f"Unknown symbol {', '.join(parts)}: not among the {len(pool)} symbols here. "
            "List them with `bench.symbols`."
        )


class EmptySelectionError(InputError):
    """A selection without symbols or without rows."""


class DateRangeError(InputError):
    """Dates that are reversed, in the future, or unreadable."""


class ParameterError(InputError):
    """A parameter is out of its bounds, of the wrong type, or does not exist."""

    def __init__(self, message: str, *, name: str, value: Any = None) -> None:
        self.name = name
        self.value = value
        super().__init__(message)


class PresetError(InputError):
    """A file of agents' parameters cannot be read or used; `agent` is the one concerned, where it is one."""

    def __init__(self, message: str, *, path: str, agent: str = "") -> None:
        self.path = path
        self.agent = agent
        super().__init__(message)


class OrderError(InputError):
    """An order that no market could take as it is written; `field` says where."""

    def __init__(self, message: str, *, field: str) -> None:
        self.field = field
        super().__init__(message)


class UnknownOrderError(InputError):
    """No order of this client order id is known here."""

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        super().__init__(f"No order {client_order_id!r} is known here; submit it first, or check the id.")


class AlignmentError(InputError):
    """Arrays or frames that should share shape or labels do not."""


class StateError(VnQuantError):
    """The call is right, but not in the present state."""


class BusFullError(StateError):
    """An event that may not wait meets a full subscription that refuses to lose events."""

    def __init__(self, subscription: str, maxsize: int) -> None:
        self.subscription = subscription
        self.maxsize = maxsize
        super().__init__(
            f"Subscription {subscription!r} is full ({maxsize} events wait) and blocks instead of dropping, "
            "so the event was delivered to nobody. Use `await bus.publish(event)`, or subscribe with "
            "when_full='drop_oldest', 'drop_newest' or 'conflate'."
        )


class ClosedError(StateError):
    """Something was used after it was closed."""


class IllegalTransitionError(StateError):
    """An event that an order cannot take in its present status; `story` tells what happened to it so far."""

    def __init__(self, order: str, event: str, why: str, *, story: Sequence[str] = ()) -> None:
        self.order = order
        self.event = event
        self.story = tuple(story)
        told = "\n  ".join(story) or "nothing yet"
        super().__init__(f"{event} does not fit {order}: {why}. What happened to it:\n  {told}")


class CancelRefusedError(StateError):
    """An order may not be taken back at this moment."""

    def __init__(self, client_order_id: str, reason: str) -> None:
        self.client_order_id = client_order_id
        self.reason = reason
        super().__init__(f"Order {client_order_id} cannot be cancelled now: {reason}")


class InsufficientCashError(StateError):
    """A purchase costs more than the cash that has settled."""

    def __init__(self, message: str, *, needed_vnd: int, available_vnd: int) -> None:
        self.needed_vnd = needed_vnd
        self.available_vnd = available_vnd
        super().__init__(message)


class InsufficientSharesError(StateError):
    """A sale of shares that are not held, or that have not settled yet."""

    def __init__(self, message: str, *, symbol: str, asked: int, held: int, sellable: int) -> None:
        self.symbol = symbol
        self.asked = asked
        self.held = held
        self.sellable = sellable
        super().__init__(message)


class UnbalancedBooksError(StateError):
    """The double entry of a portfolio does not add up; `differences` names accounts and amounts in VND."""

    def __init__(self, message: str, *, differences: dict[str, int]) -> None:
        self.differences = differences
        super().__init__(message)


class DeadlockError(StateError):
    """Nothing can wake the tasks of a virtual-time loop any more; `tasks` says what each waits for."""

    def __init__(self, message: str, *, tasks: Sequence[str] = ()) -> None:
        self.tasks = tuple(tasks)
        super().__init__(message)


class DataError(VnQuantError):
    """Data is unreadable, malformed, missing or misused."""


class FileFormatError(DataError):
    """A file cannot be read as bars."""

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(message)


class RecordError(DataError):
    """One record is malformed; the others of the same answer are kept."""

    def __init__(self, symbol: str, field: str, value: Any, reason: str, *, source: str = "") -> None:
        self.symbol = symbol
        self.field = field
        self.value = value
        self.reason = reason
        self.source = source
        origin = f" from {source}" if source else ""
        super().__init__(f"{symbol or 'a record'}{origin}: field {field!r} = {value!r:.80}: {reason}")


class MissingDataError(DataError):
    """Nothing is there where something is needed."""


class StaleDataError(MissingDataError):
    """The newest data is too old to judge on."""


class LookaheadError(DataError):
    """A value changed when only its future changed; `column` names the output, `symbol` whose it was."""

    def __init__(self, message: str, *, column: str = "", symbol: str = "") -> None:
        self.column = column
        self.symbol = symbol
        super().__init__(message)


class SourceError(VnQuantError):
    """A data source did not answer as it should."""

    def __init__(self, message: str, *, source: str = "", symbol: str | None = None) -> None:
        self.source = source
        self.symbol = symbol
        super().__init__(message)


class SourceTimeoutError(SourceError):
    """No answer within the time allowed."""


class SourceConnectionError(SourceError):
    """The connection was refused, reset, or closed before the answer was complete."""


class HttpStatusError(SourceError):
    """The server answered with a status that is not success."""

    def __init__(self, message: str, *, status: int, source: str = "", symbol: str | None = None) -> None:
        self.status = status
        super().__init__(message, source=source, symbol=symbol)


class RateLimitedError(HttpStatusError):
    """The server asked to slow down (HTTP 429)."""

    def __init__(
        self, message: str, *, retry_after_s: float | None, source: str = "", symbol: str | None = None
    ) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, status=429, source=source, symbol=symbol)


class PayloadError(SourceError):
    """The body is not what the endpoint promises: content type, JSON, or shape."""


class EmptyAnswerError(SourceError):
    """The answer is valid and holds nothing."""


class CircuitOpenError(SourceError):
    """The source was not asked: it failed too often just now."""


class AllSourcesFailedError(SourceError):
    """Every source in the fallback order failed."""

    def __init__(self, causes: Sequence[SourceError], *, symbol: str | None = None) -> None:
        self.causes = tuple(causes)
        told = "; ".join(f"{type(c).__name__}: {c}" for c in causes)
        super().__init__(f"All {len(causes)} sources failed for {symbol}: {told}", symbol=symbol)


class ModelError(VnQuantError):
    """Training or prediction could not be done."""


class AgentError(VnQuantError):
    """An agent failed, or returned something that cannot be used."""


class LedgerError(VnQuantError):
    """The ledger could not be read or written. What was to be written is in no part written."""


class DatabaseLockedError(LedgerError):
    """Another program holds the database, for longer than the ledger may wait."""


class DatabaseReadOnlyError(LedgerError):
    """The database may be read and not written here."""


class DatabaseFullError(LedgerError):
    """The disk, or the space that the database may take, is full."""


class DatabaseUnavailableError(LedgerError):
    """The database cannot be reached, or did not answer in time."""


class DatabaseFormatError(LedgerError):
    """The database is not a ledger, is damaged, or was written by a newer VN-Quant."""


class LedgerConflictError(LedgerError):
    """The same id was recorded with other content, or an order was never recorded; `ids` are concerned."""

    def __init__(self, message: str, *, ids: Sequence[str] = ()) -> None:
        self.ids = tuple(ids)
        super().__init__(message)


class BooksError(LedgerError):
    """Cash, shares, fees, tax and orders do not add up to the đồng."""


class LeaseHeldError(LedgerError):
    """Another orchestrator works on this ledger: `holder`, until `expires_at` unless it renews."""

    def __init__(self, message: str, *, holder: str, expires_at: datetime) -> None:
        self.holder = holder
        self.expires_at = expires_at
        super().__init__(message)


class LeaseLostError(LedgerError):
    """The lease of this orchestrator has passed to `holder`, or was released; nothing was written."""

    def __init__(self, message: str, *, holder: str | None) -> None:
        self.holder = holder
        super().__init__(message)


class ExportError(VnQuantError):
    """A chart could not be made into a picture."""


class OperationCancelledError(VnQuantError):
    """The user pressed the cancel button of a progress bar; what was begun has been undone."""


class BroadcastError(VnQuantError):
    """The live page and its WebSockets could not be served."""


class ExchangeError(VnQuantError):
    """The simulated exchange could not start or serve."""


class PortInUseError(ExchangeError):
    """The port asked for is taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"Port {port} is in use on this machine, so the exchange cannot listen there. "
            "Choose another port, or port=0 for a free one."
        )
