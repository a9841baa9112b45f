"""Entitlements: what holders of the simulated shares got on an ex-date, as the company tells it.

The recursion of prices keeps only the ex-rights factor and the number of shares. What was paid follows from
the plan and the last close, exactly as the recursion computed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from math import gcd

import numpy as np

from vnquant.market import CashDividend, CorporateAction, ShareSplit, TradingCalendar
from vnquant.runtime.clock import ICT
from vnquant.simulation.chronicle import Record
from vnquant.simulation.corporate import declared_dividends

__all__ = ("entitlements",)

# Sessions from the ex-date on: money comes after three weeks, issued shares are listed after seven.
_PAID_AFTER = 15
_LISTED_AFTER = 35
_LISTING = time(9, 0)
# Larger issues are splits: their shares trade at once, as those of a consolidation do.
_LARGEST_ISSUE_PCT = 200
_PERCENT = 100


def entitlements(
    record: Record, columns: Sequence[int], first: date, last: date, calendar: TradingCalendar
) -> tuple[CorporateAction, ...]:
    """Return what went ex from `first` to `last`, both included, by date and symbol, money before shares.

    Parameters
    ----------
    record : Record
    columns : sequence of int
        Of the symbols that are asked for.
    first, last : date
        Sessions that are over, or have begun: what a dividend is depends on the close before. Nobody held a
        share before the first session of all.
    calendar : TradingCalendar
    """
    sessions = record.history.sessions
    begin = max(int(np.searchsorted(sessions, np.datetime64(first, "D"))), 1)
    end = int(np.searchsorted(sessions, np.datetime64(last, "D"), side="right"))
    at = np.array(sorted(set(columns)), dtype=np.int64)
    return tuple(action for row in range(begin, end) for action in _of_session(record, at, row, calendar))


def _of_session(
    record: Record, columns: np.ndarray[tuple[int], np.dtype[np.int64]], row: int, calendar: TradingCalendar
) -> Iterator[CorporateAction]:
    history, shares = record.history, record.path.shares
    ex_date: date = history.sessions[row].item()
    paid = declared_dividends(record.ex_rights.get(row), history.close[row - 1])[columns]
    # What a hundred shares become; issues are whole per cents.
    become = np.rint(_PERCENT * shares[row, columns] / shares[row - 1, columns])
    for which in np.flatnonzero((paid > 0.0) | (become != _PERCENT)):
        symbol = history.symbols[int(columns[which])]
        if paid[which] > 0.0:
            yield CashDividend(
                action_id=f"{symbol}:{ex_date}:dividend",
                symbol=symbol,
                ex_date=ex_date,
                per_share_vnd=int(paid[which]),
                payable_on=calendar.add_sessions(ex_date, _PAID_AFTER),
            )
        if become[which] != _PERCENT:
            yield _split(symbol, ex_date, int(become[which]), calendar)


def _split(symbol: str, ex_date: date, become: int, calendar: TradingCalendar) -> ShareSplit:
    """Return an issue, split or consolidation that makes so many shares of a hundred."""
    common = gcd(_PERCENT, become)
    listed = None
    if _PERCENT < become <= _LARGEST_ISSUE_PCT:
        listed = datetime.combine(calendar.add_sessions(ex_date, _LISTED_AFTER), _LISTING, tzinfo=ICT)
    return ShareSplit(
        action_id=f"{symbol}:{ex_date}:shares",
        symbol=symbol,
        ex_date=ex_date,
        held=_PERCENT // common,
        become=become // common,
        new_shares_sellable_from=listed,
    )
