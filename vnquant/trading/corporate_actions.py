"""Corporate actions as an account sees them: also those of which only the price tells.

What a company did (`CashDividend`, `ShareSplit`) is a fact of the market. Where no source tells it, the board
still does: on an ex-date the reference price is not the last close. Then it is known by how much the price
fell, and not what holders got for it.
"""

from __future__ import annotations

from datetime import date

import msgspec

from vnquant.errors import InputError

__all__ = ("PriceAdjustment",)


class PriceAdjustment(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A reference price that is not what the last session left, and nobody says why.

    Entry and peak follow the price, so that no stop mistakes it for a loss. No money and no shares are
    booked: cost and quantity stay what they are.

    Attributes
    ----------
    action_id, symbol, ex_date
        As in `CashDividend`.
    base_vnd : int
        What the reference should have been by the session before and by all that was told.
    reference_vnd : int
        What it is.
    """

    action_id: str
    symbol: str
    ex_date: date
    base_vnd: int
    reference_vnd: int

    def __post_init__(self) -> None:
        if self.base_vnd < 1 or self.reference_vnd < 1:
            raise InputError(
                f"{self.symbol}: a reference price of {self.reference_vnd} VND after {self.base_vnd} VND "
                "cannot be; both are at least 1 VND."
            )

    @property
    def factor(self) -> float:
        """What a price of before is multiplied with."""
        return self.reference_vnd / self.base_vnd
