"""Marks: the last close seen of each position, and what tomorrow's reference price follows from.

A reference price is the last close (HOSE, HNX) or the last average (UPCoM), less what went ex. So who knows
the close sees an ex-date on the board, whether anybody tells of it or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from vnquant.market import CashDividend, CorporateAction, Exchange, Quote, tick_size
from vnquant.trading import PriceAdjustment

__all__ = (
    "Closing",
    "Doubt",
    "Mark",
    "Witnesses",
    "closing_of",
    "expected_reference_vnd",
    "is_explained",
    "is_of",
)

# A reference is rounded to a tick, with a dividend from another unrounded number; UPCoM's comes from an
# average that boards show to 10 VND only.
_TICKS = {False: {Exchange.UPCOM: 1}, True: {Exchange.HOSE: 1, Exchange.HNX: 1, Exchange.UPCOM: 2}}
_EXACT_VND = 0.5


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's board after its session.

    Attributes
    ----------
    session : date
    close_vnd : float
        The last match; without one the reference.
    base_vnd : float or None
        What the next reference starts from; None where the board did not show UPCoM's average.
    reference_vnd, volume : float
        By which the board of this session is known again.
    is_firm : bool
        Whether two looks have shown it; one may have met a board of another session.
    """

    session: date
    close_vnd: float
    base_vnd: float | None
    reference_vnd: float
    volume: float
    is_firm: bool = False


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A reference price that nothing explains, and how much had traded when it was first seen."""

    reference_vnd: float
    volume: float

    @classmethod
    def of(cls, quote: Quote) -> Doubt:
        """Return the doubt that a board raises."""
        return cls(reference_vnd=float(quote.reference_price), volume=float(quote.total_volume))

    def is_lived(self, quote: Quote) -> bool:
        """Return whether trading went on under that reference: the board of an old session stands still."""
        return quote.reference_price == self.reference_vnd and quote.total_volume > self.volume


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a position's ex-dates are known.

    Attributes
    ----------
    through : date
        Session up to which everything is booked.
    closing : Closing or None
        The last that was seen.
    doubt : Doubt or None
        A reference that nothing explains so far.
    """

    through: date
    closing: Closing | None = None
    doubt: Doubt | None = None


class Witnesses(msgspec.Struct, frozen=True):
    """What source and board say of a position; `told` is None while the source is silent."""

    closing: Closing | None
    reference_vnd: float
    told: tuple[CorporateAction, ...] | None
    exchange: Exchange

    @property
    def expected_vnd(self) -> float | None:
        """The reference that the last close and what was told lead to; None where it cannot be known."""
        return None if self.closing is None else expected_reference_vnd(self.closing, self.told or ())

    @property
    def is_plain(self) -> bool:
        """Whether the price is what it was told to be."""
        expected = self.expected_vnd
        return expected is not None and is_explained(
            self.reference_vnd, expected, self.exchange, acted=bool(self.told)
        )

    @property
    def is_strange(self) -> bool:
        """Whether the price is something else."""
        return self.expected_vnd is not None and not self.is_plain

    def adjustment(self, symbol: str, today: date) -> PriceAdjustment:
        """Return what makes entry and peak follow a strange price."""
        return PriceAdjustment(
            action_id=f"{symbol}:{today}:price",
            symbol=symbol,
            ex_date=today,
            base_vnd=max(round(self.expected_vnd or 0.0), 1),
            reference_vnd=round(self.reference_vnd),
        )


def closing_of(quote: Quote, session: date, exchange: Exchange, before: Closing | None = None) -> Closing:
    """Return what a board after the close says; `before` is what an earlier look has made of it."""
    traded = quote.last_price is not None
    close = quote.price
    base = quote.average_price if traded and exchange is Exchange.UPCOM else close
    # Floats whatever the source gave: a restart reads them back as such, and the journal shows them.
    seen = Closing(
        session=session,
        close_vnd=float(close),
        base_vnd=None if base is None else float(base),
        reference_vnd=float(quote.reference_price),
        volume=float(quote.total_volume),
    )
    agrees = before is not None and _prices(before) == _prices(seen)
    return msgspec.structs.replace(seen, is_firm=agrees)


def is_of(quote: Quote, closing: Closing) -> bool:
    """Return whether the board still shows a session that is over: a new one begins without its volume."""
    return (
        quote.reference_price == closing.reference_vnd
        and quote.total_volume >= closing.volume
        and (closing.close_vnd if quote.last_price is None else quote.last_price) == closing.close_vnd
    )


def expected_reference_vnd(closing: Closing, actions: Iterable[CorporateAction]) -> float | None:
    """Return the next session's reference before it is rounded to a tick; None where it cannot be known."""
    base = closing.base_vnd
    if base is None:
        return None
    for action in actions:
        if action.ex_date <= closing.session:
            continue
        if isinstance(action, CashDividend):
            base -= action.per_share_vnd
        else:
            base *= action.held / action.become
    return base


def is_explained(reference_vnd: float, expected_vnd: float, exchange: Exchange, *, acted: bool) -> bool:
    """Return whether a reference price is what the last session, and what was told, lead to.

    Without a company's action (`acted`) HOSE and HNX take over the close exactly.
    """
    ticks = _TICKS[acted].get(exchange, 0)
    allowed = ticks * tick_size(reference_vnd, exchange) + _EXACT_VND
    return abs(reference_vnd - expected_vnd) <= allowed


def _prices(closing: Closing) -> tuple[date, float, float | None, float]:
    return closing.session, closing.close_vnd, closing.base_vnd, closing.reference_vnd
