"""Books: double entry in whole VND. Every transaction is a set of entries that add up to nothing.

Debits are positive: money and shares that we have, and what they cost us. Credits are negative: where it came
from. So over all accounts the balance is always 0, which read the other way is

    cash + receivable + shares at cost + fees + tax - realised - dividends = capital
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from vnquant.errors import UnbalancedBooksError

__all__ = ("Account", "Transaction", "posted")


class Account(StrEnum):
    """Where an amount stands in the books."""

    CASH = "CASH"
    """Money that may be spent."""
    RECEIVABLE = "RECEIVABLE"
    """Money of sales and dividends that has not arrived."""
    SHARES = "SHARES"
    """Shares at what was paid for them, costs aside."""
    FEES = "FEES"
    TAX = "TAX"
    REALISED = "REALISED"
    """Gains (negative) and losses (positive) of sales against cost, before fees and tax."""
    DIVIDENDS = "DIVIDENDS"
    """Cash dividends before tax (negative)."""
    CAPITAL = "CAPITAL"
    """What was paid in (negative)."""


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Entries by account that belong together and add up to 0.

    `source_id` says what they come from: a fill, a corporate action, a deposit, an arrival of money.
    """

    source_id: str
    at: datetime
    entries: dict[Account, int]
    symbol: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if total := sum(self.entries.values()):
            raise UnbalancedBooksError(
                f"Transaction {self.source_id}: {self.entries} add up to {total:,} VND, not to 0.",
                differences={"transaction": total},
            )


def posted(balances: Mapping[Account, int], transaction: Transaction) -> dict[Account, int]:
    """Return the balances after a transaction; accounts in the order of `Account`."""
    return {account: balances.get(account, 0) + transaction.entries.get(account, 0) for account in Account}
