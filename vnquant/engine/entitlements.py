"""Entitlements: what positions get on ex-dates, booked once, before any exit looks at the fallen price.

At the first look of a session each position from before is compared with two witnesses:

- the `ActionSource`, if there is one: what it tells is booked, money and shares;
- the board: a reference price that neither the last close nor what was told explains. Boards show wrong
  sessions now and then, so it is believed once trading goes on under it: an old board stands still. Then
  entry and peak follow the price (`PriceAdjustment`), and no money or shares are booked, because a price
  does not tell them apart.

A position that may have gone ex, while the source is silent, is not looked at by the exits until it is known:
a loss that is none must not sell it. The close is marked after each session, in the ledger, because a restart
must see tomorrow what this run would have seen. Between these two looks nothing is done at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import Enum

import msgspec

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import ActionBooked, EngineEvent
from vnquant.engine.grid import POSITION_HOURS
from vnquant.engine.marks import Doubt, Mark, Witnesses, closing_of, is_of
from vnquant.engine.trader import Trader
from vnquant.errors import SourceError
from vnquant.market import CashDividend, CorporateAction, Exchange, Quote, ShareSplit, TradingCalendar
from vnquant.market.calendar import CLOSING_TIME
from vnquant.runtime import ICT
from vnquant.sources import ActionSource
from vnquant.trading import Account, Batch, JournalEntry, Position, PriceAdjustment, Transaction

__all__ = ("Entitlements",)

logger = logging.getLogger(__name__)

_ONE_DAY = timedelta(days=1)


class _Known(Enum):
    """What is known of a position this session."""

    ALL = "everything is booked"
    NO_CHANGE = "the price says that nothing went ex; the source has not answered yet"
    DOUBT = "it may have gone ex"


class Entitlements:
    """Books what goes ex. Asked at every look of the position watch, it works at two of a session.

    Parameters
    ----------
    trader : Trader
    source : ActionSource or None
    calendar, config, tell
    """

    def __init__(
        self,
        trader: Trader,
        source: ActionSource | None,
        *,
        calendar: TradingCalendar,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self._trader = trader
        self._source = source
        self._calendar = calendar
        self._config = config
        self._tell = tell
        self._due = datetime.min.replace(tzinfo=ICT)
        self._known: dict[str, date] = {}
        self._references: dict[str, float] = {}
        self._told: dict[str, tuple[CorporateAction, ...]] = {}
        self._told_on: date | None = None

    def is_due(self, at: datetime) -> bool:
        """Return whether there is anything to do; between two looks that count, a comparison."""
        return at >= self._due

    async def ask(self, at: datetime) -> None:
        """Ask the source what went ex, once a session; where it does not answer, again at the next look."""
        today = at.astimezone(ICT).date()
        source, open_ones = self._source, self._open(today)
        if source is None or not open_ones or not POSITION_HOURS.contain(at, self._calendar):
            return
        if self._told_on == today and set(open_ones) <= set(self._told):
            return
        try:
            async with asyncio.timeout(self._config.board_timeout_s):
                told = await source.actions(tuple(open_ones), min(open_ones.values()) + _ONE_DAY, today)
        except (SourceError, TimeoutError) as exc:
            logger.warning("it is not known what went ex: %s: %s", type(exc).__name__, exc)
            return
        self._told_on = today
        self._told = {
            symbol: tuple(action for action in told if action.symbol == symbol and action.ex_date > through)
            for symbol, through in open_ones.items()
        }

    def take_in(self, batch: Batch, quotes: Mapping[str, Quote], at: datetime) -> Mapping[str, Quote]:
        """Book what went ex, and return the quotes that exits may look at; hold `record.writing`."""
        if not self.is_due(at) or not POSITION_HOURS.contain(at, self._calendar):
            return quotes
        local = at.astimezone(ICT)
        today = local.date()
        known = {
            symbol: self._look(batch, symbol, quote, through, at)
            for symbol, through in self._open(today).items()
            if (quote := quotes.get(symbol)) is not None
        }
        if local.time() >= CLOSING_TIME:
            self._mark_closings(batch, quotes, today)
        elif not self._open(today):
            self._due = datetime.combine(today, CLOSING_TIME, tzinfo=ICT)
        doubtful = {symbol for symbol, what in known.items() if what is _Known.DOUBT}
        return {s: q for s, q in quotes.items() if s not in doubtful} if doubtful else quotes

    # -- one position -------------------------------------------------------------------------------------

    def _open(self, today: date) -> dict[str, date]:
        """Return the positions of which it is not known what went ex, and since when."""
        record = self._trader.record
        open_ones = {}
        for symbol, position in record.portfolio.positions.items():
            if position.opened_on < today and self._known.get(symbol) != today:
                mark = record.marks.get(symbol)
                through = position.opened_on if mark is None else max(position.opened_on, mark.through)
                if through < today:
                    open_ones[symbol] = through
        return open_ones

    def _look(self, batch: Batch, symbol: str, quote: Quote, through: date, at: datetime) -> _Known:
        """Compare a position with both witnesses, and book what they say."""
        record, today = self._trader.record, at.astimezone(ICT).date()
        mark = record.marks.get(symbol) or Mark(through=through)
        closing = mark.closing
        if closing is not None and closing.session < self._calendar.previous_session(today):
            closing = None  # what was traded since is not known
        if closing is not None and is_of(quote, closing):
            return _Known.NO_CHANGE  # the board has not turned to this session
        if closing is not None and not closing.is_firm:
            closing = None
        told: tuple[CorporateAction, ...] | None = ()
        if self._source is not None:
            told = self._told.get(symbol) if self._told_on == today else None
        seen = Witnesses(closing, quote.reference_price, told, self._exchange(symbol))
        if told is None and seen.is_plain:
            self._references[symbol] = quote.reference_price
            return _Known.NO_CHANGE
        if told is None or (seen.is_strange and not (mark.doubt is not None and mark.doubt.is_lived(quote))):
            self._doubt(batch, mark, quote, seen, at)
            return _Known.DOUBT
        written = [self._book(batch, action, at, seen) for action in told]
        if seen.is_strange:
            written.append(self._book(batch, seen.adjustment(symbol, today), at, seen))
        if seen.expected_vnd is None and self._source is None:
            batch.journal(self._entry(f"unknown:{symbol}", symbol, _why_unknown(mark), at, {"board": seen}))
            written.append(True)
        if any(written) or mark.doubt is not None:
            record.add_mark(batch, symbol, Mark(through=today, closing=mark.closing))
        self._known[symbol] = today
        self._references[symbol] = quote.reference_price
        return _Known.ALL

    def _doubt(self, batch: Batch, mark: Mark, quote: Quote, seen: Witnesses, at: datetime) -> None:
        """Note that exits wait, in the ledger, so that a restart waits no longer; it is told once."""
        symbol, doubt = quote.symbol, mark.doubt
        if doubt is not None and doubt.reference_vnd == quote.reference_price:
            return
        doubtful = msgspec.structs.replace(mark, doubt=Doubt.of(quote))
        self._trader.record.add_mark(batch, symbol, doubtful)
        batch.journal(self._entry(f"waits:{symbol}", symbol, _why_waits(seen), at, {"board": seen}))

    def _book(
        self, batch: Batch, action: CorporateAction | PriceAdjustment, at: datetime, seen: Witnesses
    ) -> bool:
        """Book an action in the ledger and at the broker; return whether it concerned us."""
        record = self._trader.record
        before = record.portfolio.positions.get(action.symbol)
        transactions = record.portfolio.apply(action)
        if before is None or not transactions:
            return False
        batch.action(action, transactions)
        batch.portfolio(record.portfolio.state)
        self._trader.broker.apply(action)
        outcome = _outcome(action, before, record.portfolio.positions.get(action.symbol), transactions)
        told: dict[str, object] = {"action": action, "position": before, "board": seen}
        batch.journal(self._entry(action.action_id, action.symbol, outcome, at, told))
        self._tell(ActionBooked(at=at, action=action, outcome=outcome))
        return True

    # -- after the close ----------------------------------------------------------------------------------

    def _mark_closings(self, batch: Batch, quotes: Mapping[str, Quote], today: date) -> None:
        """Mark the close of each position; boards may bring the last matches a little late."""
        record = self._trader.record
        still_open = self._open(today)
        for symbol in record.portfolio.positions:
            quote = quotes.get(symbol)
            if quote is None or self._references.get(symbol, quote.reference_price) != quote.reference_price:
                continue  # left out, or the board shows another session than in the morning
            before = record.marks.get(symbol)
            closing = closing_of(
                quote, today, self._exchange(symbol), None if before is None else before.closing
            )
            mark = Mark(through=still_open.get(symbol, today), closing=closing)
            if mark != before:
                record.add_mark(batch, symbol, mark)
        record.drop_marks(batch, record.portfolio.positions)

    def _exchange(self, symbol: str) -> Exchange:
        return self._trader.universe.exchanges((symbol,))[0]

    def _entry(
        self, mark: str, symbol: str, outcome: str, at: datetime, seen: dict[str, object]
    ) -> JournalEntry:
        cause = f"entitlement:{mark}:{at:%Y%m%d-%H%M%S}"
        source = "" if self._source is None else self._source.name
        return JournalEntry(
            at=at,
            kind="entitlement",
            symbol=symbol,
            outcome=outcome,
            cause=cause,
            seen={"source": source, **seen},
            entry_id=cause,
        )


def _why_waits(seen: Witnesses) -> str:
    if seen.told is None and seen.closing is None:
        return "exits wait: the last close is not known, and the source does not tell what went ex"
    silent = "; the source does not tell yet" if seen.told is None else "; trading has to go on under it"
    return (
        f"exits wait: a reference of {seen.reference_vnd:,.0f} VND where {seen.expected_vnd or 0.0:,.0f} VND "
        f"would follow{silent}"
    )


def _why_unknown(mark: Mark) -> str:
    last = "no close was seen"
    if mark.closing is not None:
        often = "" if mark.closing.is_firm else ", by one look only"
        last = f"the last close seen is of {mark.closing.session}{often}"
    return f"not known whether anything went ex: {last}, and no source tells; stops stay where they are"


def _outcome(
    action: CorporateAction | PriceAdjustment,
    before: Position,
    after: Position | None,
    transactions: tuple[Transaction, ...],
) -> str:
    if isinstance(action, CashDividend):
        net = sum(t.entries.get(Account.RECEIVABLE, 0) for t in transactions)
        return (
            f"dividend of {action.per_share_vnd:,} VND a share, ex {action.ex_date}: {net:,} VND after tax "
            f"on {action.payable_on}"
        )
    if isinstance(action, ShareSplit):
        left = 0 if after is None else after.quantity
        listed = action.new_shares_sellable_from
        later = "" if listed is None else f", the new ones sellable from {listed:%Y-%m-%d}"
        return f"{before.quantity:,} shares become {left:,}, ex {action.ex_date}{later}"
    return (
        f"a reference of {action.reference_vnd:,} VND where {action.base_vnd:,} VND would follow: "
        f"{action.factor - 1.0:+.1%} went ex, and nobody tells what holders get; stops follow the price, no "
        "money and no shares are booked"
    )
