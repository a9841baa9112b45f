"""Order status: how an order is priced, where it stands, and the steps that led there."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ("OrderStatus", "OrderType", "Transition")


class OrderType(StrEnum):
    """How an order is priced.

    LO has a limit. ATO and ATC take the price of the opening and the closing auction. MP takes what stands on
    the other side; on HOSE and HNX it is called MTL since 2025-05-05, and what is left of it becomes a limit
    order in both.
    """

    LO = "LO"
    ATO = "ATO"
    ATC = "ATC"
    MP = "MP"


class OrderStatus(StrEnum):
    """Where an order stands.

    INTENDED is written down and perhaps not yet with the broker. ACCEPTED and PARTIALLY_FILLED are open. The
    rest are ends; a cancelled or expired order may have fills.
    """

    INTENDED = "INTENDED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def is_open(self) -> bool:
        """Whether the broker has the order and may still fill it."""
        return self in _OPEN

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self in _FINAL


_OPEN = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED})


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an order's history, told by the event of the same sequence number."""

    sequence: int
    at: datetime
    status: OrderStatus
    what: str

    def __str__(self) -> str:
        return f"{self.sequence}. {self.at:%Y-%m-%d %H:%M:%S} {self.status}: {self.what}"
