"""Journal: every decision with what it saw, so that each order leads back to its reasons."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from vnquant.errors import InputError
from vnquant.runtime.clock import ICT

__all__ = ("JournalEntry", "canonical_json", "market_time_text")

_SECONDS = len("2025-06-02T09:15:00")


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: to trade, to leave it, to wait, to stop.

    Attributes
    ----------
    at : datetime
        Market time; aware.
    kind : str
        What sort of decision, such as "verdict", "refusal", "exit".
    outcome : str
        What was decided and why, in words.
    symbol : str
        Empty where it concerns no single stock.
    cause : str
        Id of what led to it: another entry, an alert, a scan.
    client_order_id : str
        The order that came of it; empty where none did.
    seen : object
        All that the decision rests on: signals, features, parameters, bars, articles. Anything msgspec can
        encode, numpy numbers and arrays as well; NaN becomes null. Read back as plain dicts and lists.
    entry_id : str
        Unique for ever. Left out, it is made of the content, so that a decision told twice is one entry.
    """

    at: datetime
    kind: str
    outcome: str
    symbol: str = ""
    cause: str = ""
    client_order_id: str = ""
    seen: Any = None
    entry_id: str = ""

    def row(self) -> dict[str, Any]:
        """Return the entry as the journal's table keeps it."""
        row = {
            "at": market_time_text(self.at),
            "kind": self.kind,
            "symbol": self.symbol,
            "outcome": self.outcome,
            "cause": self.cause,
            "client_order_id": self.client_order_id,
            "seen": canonical_json(self.seen),
        }
        mark = self.entry_id or blake2b(canonical_json(row).encode(), digest_size=16).hexdigest()
        return {"entry_id": mark, **row}

    @classmethod
    def of(cls, row: Any) -> JournalEntry:
        """Return the entry that a row of the table holds."""
        return cls(**{**row, "seen": msgspec.json.decode(row["seen"])})


def market_time_text(at: datetime) -> str:
    """Return an aware instant as the ledger writes it.

    Raises
    ------
    InputError
        If the instant has no time zone.
    """
    if at.tzinfo is None:
        raise InputError(f"{at} has no time zone; the ledger keeps instants. Use vnquant.runtime.now().")
    there = at.astimezone(ICT)
    if type(there) is not datetime:  # such as pandas' Timestamp, which the encoder does not know
        return there.isoformat(timespec="microseconds")
    # A quarter of the time of `isoformat`: each commit writes two instants at least.
    text = _encoder.encode(there)[1:-1].decode()
    return text if there.microsecond else f"{text[:_SECONDS]}.000000{text[_SECONDS:]}"


def canonical_json(value: Any) -> str:
    """Return JSON in one form for equal values: keys sorted, no spaces."""
    return _encoder.encode(value).decode()


def _plain(value: Any) -> Any:
    """Make numpy's numbers and arrays, and their like, what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise InputError(
        f"A {type(value).__name__} cannot be kept in the ledger: {value!r:.80}. Use numbers, text, instants, "
        "lists, dicts, msgspec structs or dataclasses."
    )


_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=_plain)
