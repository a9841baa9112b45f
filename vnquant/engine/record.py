"""Record: the ledger and what it says now: portfolio, open orders, leads, and where it ends.

Everything that must survive a kill goes through here, one transaction at a time and in order, each with the
cursor that says which instant and stage it belongs to.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

import msgspec

from vnquant.engine.leads import Lead
from vnquant.engine.marks import Mark
from vnquant.engine.rounds import Cursor, Stage
from vnquant.errors import LeaseLostError, LedgerError
from vnquant.market import TradingCalendar
from vnquant.runtime import now
from vnquant.trading import Batch, Deposit, Fill, Ledger, Order, OrderEvent, OrderFilled, Portfolio, apply

__all__ = ("DayStart", "Record")

logger = logging.getLogger(__name__)

_FILLS_KEPT = 10_000
# A feed repeats a headline for days; what is kept outlasts what a feed still shows.
_SEEN_KEPT = 1_000
_CURSOR, _DAY, _LEADS, _WAITS, _SEEN, _MARKS = "engine", "day", "leads", "waits", "seen", "marks"


class DayStart(msgspec.Struct, frozen=True, kw_only=True):
    """Equity when a session began."""

    day: date
    equity_vnd: int


class Record:
    """An open ledger, and its present content in memory. Made by `Record.open`.

    Attributes
    ----------
    ledger : Ledger
    portfolio : Portfolio
    orders : dict of str to Order
        Those that are not at their end.
    fills : deque of Fill
        The latest, oldest first: what a chart marks.
    leads : dict of str to Lead
        Found, and not settled.
    waits : dict of str to str
        Exits that wait for settlement and were told, by symbol.
    marks : dict of str to Mark
        How far the ex-dates of each position are known.
    seen : dict of str to datetime
        Addresses of the urgent headlines that were looked at, and when, oldest first.
    recent : dict
        Keys of the duplicate filter as they were found.
    cursor : Cursor or None
    day : DayStart or None
    resumes : bool
        Whether this run goes on at the very instant at which the ledger ended.
    """

    def __init__(self, ledger: Ledger, portfolio: Portfolio) -> None:
        self.ledger = ledger
        self.portfolio = portfolio
        self.orders: dict[str, Order] = {}
        self.fills: deque[Fill] = deque(maxlen=_FILLS_KEPT)
        self.leads: dict[str, Lead] = {}
        self.waits: dict[str, str] = {}
        self.marks: dict[str, Mark] = {}
        self.seen: dict[str, datetime] = {}
        self.recent: dict[object, datetime] = {}
        self.cursor: Cursor | None = None
        self.day: DayStart | None = None
        self.resumes = False
        self.began_at = now()
        self.writing = asyncio.Lock()
        self._owed: list[Batch] = []

    @classmethod
    async def open(cls, ledger: Ledger, *, cash_vnd: int, calendar: TradingCalendar) -> Self:
        """Read where the ledger ends; a new one gets its first deposit."""
        past = await ledger.recover()
        if past.portfolio is None:
            record = cls(ledger, Portfolio(0, calendar=calendar))
        else:
            record = cls(ledger, Portfolio.from_state(past.portfolio, calendar=calendar))
        record.orders = {o.client_order_id: o for o in (*past.open_orders, *past.unanswered)}
        record.fills.extend(await ledger.fills())
        record.leads = await ledger.kept(_LEADS, Lead)
        record.waits = await ledger.kept(_WAITS, str)
        record.marks = await ledger.kept(_MARKS, Mark)
        seen = await ledger.kept(_SEEN, datetime)
        record.seen = dict(sorted(seen.items(), key=lambda pair: (pair[1], pair[0])))
        record.recent = dict(past.recent)
        record.day = (await ledger.kept(_DAY, DayStart)).get("start")
        record.cursor = (await ledger.kept(_CURSOR, Cursor)).get("cursor")
        at = now()
        record.resumes = record.cursor is not None and past.ends_at == at == record.cursor.at
        if record.resumes and record.cursor is not None:
            record.began_at = record.cursor.began_at
        else:
            batch = Batch()
            if past.portfolio is None:
                deposit = Deposit(deposit_id="first deposit", at=at, amount_vnd=cash_vnd)
                batch.action(deposit, record.portfolio.apply(deposit))
                batch.portfolio(record.portfolio.state)
            await record.commit(batch, Stage.START)
        return record

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Orders that the broker has and may still fill, oldest first."""
        return tuple(order for order in self.orders.values() if order.status.is_open)

    @property
    def unanswered(self) -> tuple[Order, ...]:
        """Orders that are written down, of which it is not known whether the broker has them."""
        return tuple(order for order in self.orders.values() if not order.status.is_open)

    # -- what goes into a batch ---------------------------------------------------------------------------

    def add_intent(self, batch: Batch, order: Order) -> None:
        """Write down an order that is about to be sent."""
        batch.intent(order)
        self.orders.setdefault(order.client_order_id, order)

    def add_event(self, batch: Batch, event: OrderEvent) -> Order:
        """Let an event happen to its order and, where it is a fill, to the portfolio; return the order."""
        order = self.orders[event.client_order_id]
        moved = apply(order, event)
        if moved is order:
            return order
        transactions = self.portfolio.apply(event.fill) if isinstance(event, OrderFilled) else ()
        batch.event(event, transactions)
        if transactions:
            batch.portfolio(self.portfolio.state)
        if isinstance(event, OrderFilled):
            self.fills.append(event.fill)
        if moved.status.is_final:
            del self.orders[event.client_order_id]
        else:
            self.orders[event.client_order_id] = moved
        return moved

    def add_lead(self, batch: Batch, lead: Lead) -> None:
        """Keep a lead until it is settled."""
        self.leads[lead.lead_id] = lead
        batch.keep(_LEADS, lead.lead_id, lead)

    def drop_lead(self, batch: Batch, lead: Lead) -> None:
        """Forget a lead that is settled."""
        if self.leads.pop(lead.lead_id, None) is not None:
            batch.forget(_LEADS, lead.lead_id)

    def add_wait(self, batch: Batch, symbol: str, told: str) -> None:
        """Note that an exit that has to wait was told."""
        self.waits[symbol] = told
        batch.keep(_WAITS, symbol, told)

    def drop_waits(self, batch: Batch, held: Iterable[str]) -> None:
        """Forget the waits of positions that are gone."""
        for symbol in sorted(set(self.waits) - set(held)):
            del self.waits[symbol]
            batch.forget(_WAITS, symbol)

    def add_mark(self, batch: Batch, symbol: str, mark: Mark) -> None:
        """Note how far a position's ex-dates are known."""
        self.marks[symbol] = mark
        batch.keep(_MARKS, symbol, mark)

    def drop_marks(self, batch: Batch, held: Iterable[str]) -> None:
        """Forget the marks of positions that are gone."""
        for symbol in sorted(set(self.marks) - set(held)):
            del self.marks[symbol]
            batch.forget(_MARKS, symbol)

    def add_seen(self, batch: Batch, urls: Iterable[str]) -> None:
        """Note which urgent headlines were looked at; the oldest are forgotten."""
        at = now()
        for url in urls:
            self.seen[url] = at
            batch.keep(_SEEN, url, at)
        while len(self.seen) > _SEEN_KEPT:
            oldest = next(iter(self.seen))
            del self.seen[oldest]
            batch.forget(_SEEN, oldest)

    def add_day(self, batch: Batch, day: DayStart) -> None:
        """Note the equity with which a session begins."""
        self.day = day
        batch.keep(_DAY, "start", day)

    # -- writing ------------------------------------------------------------------------------------------

    async def commit(self, batch: Batch, stage: Stage) -> None:
        """Write a batch with the cursor, after what an earlier failure left unwritten.

        Hold `writing` where the batch moves money: its order must be that of the portfolio.

        Raises
        ------
        LedgerError
            If the ledger cannot be written. What moved money is kept, and written before anything else.
        """
        self.cursor = Cursor(at=now(), stage=stage, began_at=self.began_at)
        batch.keep(_CURSOR, "cursor", self.cursor)
        try:
            await self.settle_debts()
            await self.ledger.commit(batch)
        except LedgerError as exc:
            if not isinstance(exc, LeaseLostError) and _keep_what_happened(batch):
                self._owed.append(batch)
                logger.warning("the ledger could not be written; fills wait for the next attempt: %s", exc)
            raise

    async def settle_debts(self) -> None:
        """Write what could not be written before."""
        while self._owed:
            debt = self._owed[0]
            await self.ledger.commit(debt)
            if debt in self._owed:  # else another task was as quick; twice is once in the ledger
                self._owed.remove(debt)


def _keep_what_happened(batch: Batch) -> bool:
    """Strip a batch of the orders that will now not be sent; return whether something did happen."""
    unsent = {what.client_order_id for what, _ in batch.steps if isinstance(what, Order)}
    batch.steps = [step for step in batch.steps if not isinstance(step[0], Order)]
    batch.entries = [entry for entry in batch.entries if entry["client_order_id"] not in unsent]
    return bool(batch.steps) or batch.state is not None
