"""Corporate actions: what a company does to the shares of all its holders, by ex-date.

An action is applied before the first trade of its ex-date. Who held the share at the close before is
entitled, whether the shares have settled or not; who buys on the ex-date is not.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

import msgspec

from vnquant.errors import InputError

__all__ = ("CashDividend", "CorporateAction", "ShareSplit")


class CashDividend(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money for each share.

    Attributes
    ----------
    action_id : str
        Unique for ever.
    symbol : str
    ex_date : date
        First session on which a buyer is not entitled any more.
    per_share_vnd : int
        Before tax.
    payable_on : date
        When the money arrives, usually weeks after the ex-date.
    tax_bps : int
        Withheld: 5 % for persons (Circular 111/2013/TT-BTC, article 10).
    """

    action_id: str
    symbol: str
    ex_date: date
    per_share_vnd: int
    payable_on: date
    tax_bps: int = 500

    def __post_init__(self) -> None:
        if self.per_share_vnd < 1 or self.payable_on < self.ex_date or not 0 <= self.tax_bps <= 10_000:
            raise InputError(
                f"{self.symbol}: a dividend of {self.per_share_vnd} VND, ex {self.ex_date}, payable "
                f"{self.payable_on}, taxed {self.tax_bps} bps cannot be: it is at least 1 VND, is paid on or "
                "after its ex-date, and the tax is from 0 to 10,000 bps."
            )


class ShareSplit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every `held` shares become `become`: a split, a bonus issue, a dividend in shares, or a consolidation.

    Fractions of a share fall away, as most companies' resolutions say. Cost stays with the shares left.

    Attributes
    ----------
    action_id, symbol, ex_date
        As in `CashDividend`.
    held, become : int
        10 and 13 for a bonus of 30 %; 1 and 2 for a split in two.
    new_shares_sellable_from : datetime or None
        Issued shares are listed weeks after the ex-date; None where they can be sold as the old ones.
    """

    action_id: str
    symbol: str
    ex_date: date
    held: int
    become: int
    new_shares_sellable_from: datetime | None = None

    def __post_init__(self) -> None:
        if self.held < 1 or self.become < 1:
            raise InputError(
                f"{self.symbol}: {self.held} shares cannot become {self.become}; both are at least 1."
            )
        if self.new_shares_sellable_from is None:
            return
        if self.become <= self.held:
            raise InputError(
                f"{self.symbol}: {self.held} shares that become {self.become} make no new shares, so they "
                "cannot be sellable from a date of their own; leave new_shares_sellable_from out."
            )
        if self.new_shares_sellable_from.tzinfo is None:
            raise InputError(
                f"{self.symbol}: new_shares_sellable_from {self.new_shares_sellable_from} has no time zone; "
                "give it in ICT."
            )


CorporateAction: TypeAlias = CashDividend | ShareSplit
