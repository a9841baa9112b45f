"""A board that moves at will, and accounts kept by hand: what the trading core is compared with."""

from __future__ import annotations

from datetime import date, datetime, time

from vnquant.market import (
    Quote,
    default_calendar,
    load_universe,
    price_limits,
    round_to_tick,
    tick_size,
)
from vnquant.runtime import ICT
from vnquant.trading import CashDividend, Fill, ShareSplit, Side

SYMBOLS = ("FPT", "PVS", "ACV")  # one on each exchange
CALENDAR = default_calendar()
EXCHANGE = {symbol: load_universe()[symbol].exchange for symbol in SYMBOLS}


class Listing:
    """One symbol's session, as far as it has come."""

    def __init__(self, symbol: str, reference: int) -> None:
        self.symbol = symbol
        self.exchange = EXCHANGE[symbol]
        self.open_day(reference)

    def open_day(self, reference: int) -> None:
        self.limits = price_limits(reference, self.exchange)
        self.last = reference
        self.opened: int | None = None
        self.volume = 0
        self.depth = 0

    def move(self, ticks: int, volume: int, depth: int, place: str = "here") -> None:
        """Trade on: some ticks from the last price, or at a place of the band."""
        at = {
            "here": self.last + ticks * tick_size(self.last, self.exchange),
            "ceiling": self.limits.ceiling,
            "floor": self.limits.floor,
            "below the ceiling": self.limits.ceiling - 1,
            "above the floor": self.limits.floor + 1,
        }[place]
        direction = "down" if place == "below the ceiling" else "up"
        self.last = self.limits.clip(round_to_tick(max(at, 1), self.exchange, direction))
        self.opened = self.last if self.opened is None else self.opened
        self.volume += volume
        self.depth = depth

    def quote(self, at: datetime) -> Quote:
        """Return a board with one level a side; nobody sells at the ceiling, and nobody buys at the floor."""
        above = round_to_tick(self.last + 1, self.exchange, "up")
        depth = float(self.depth)
        sellers = self.depth and self.last < self.limits.ceiling and above <= self.limits.ceiling
        buyers = self.depth and self.last > self.limits.floor
        return Quote(
            symbol=self.symbol,
            as_of=at,
            reference_price=self.limits.reference,
            ceiling_price=self.limits.ceiling,
            floor_price=self.limits.floor,
            last_price=None if self.opened is None else float(self.last),
            open_price=self.opened,
            total_volume=self.volume,
            bids=((float(self.last), depth),) if buyers else (),
            asks=((float(above), depth),) if sellers else (),
        )


class HandAccounts:
    """Cash, money on its way and lots of shares, in lists, by the plainest reading of the rules."""

    def __init__(self, cash: int) -> None:
        self.cash = cash
        self.coming: list[tuple[datetime, int]] = []
        self.lots: dict[str, list[tuple[datetime, date, int]]] = {symbol: [] for symbol in SYMBOLS}

    @property
    def money(self) -> int:
        return self.cash + sum(amount for _, amount in self.coming)

    @property
    def shares(self) -> dict[str, int]:
        totals = {symbol: sum(lot[2] for lot in lots) for symbol, lots in self.lots.items()}
        return {symbol: total for symbol, total in totals.items() if total}

    def book(self, fill: Fill) -> None:
        """Pay and deliver: what is bought or earned today may be used from 13:00 of T+2."""
        traded = fill.filled_at.date()
        arrives = datetime.combine(CALENDAR.add_sessions(traded, 2), time(13, 0), tzinfo=ICT)
        self.cash += sum(amount for at, amount in self.coming if at <= fill.filled_at)
        self.coming = [(at, amount) for at, amount in self.coming if at > fill.filled_at]
        value = fill.price_vnd * fill.quantity
        if fill.side is Side.BUY:
            self.cash -= value + fill.fee_vnd
            assert self.cash >= 0, "spent what was not there"
            self.lots[fill.symbol].append((arrives, traded, fill.quantity))
            return
        self.coming.append((arrives, value - fill.fee_vnd - fill.tax_vnd))
        wanted, left = fill.quantity, []
        for sellable, bought, quantity in sorted(self.lots[fill.symbol]):
            taken = min(wanted, quantity) if sellable <= fill.filled_at else 0
            wanted -= taken
            left.append((sellable, bought, quantity - taken))
        assert wanted == 0, "sold short, or before settlement"
        self.lots[fill.symbol] = [lot for lot in left if lot[2]]

    def act(self, action: CashDividend | ShareSplit) -> None:
        """Pay a dividend less 5 %, or change the number of shares and drop the fraction."""
        lots = sorted(self.lots[action.symbol])
        total = sum(quantity for _, _, quantity in lots)
        if isinstance(action, CashDividend):
            gross = total * action.per_share_vnd
            if gross:
                at = datetime.combine(action.payable_on, time(9, 0), tzinfo=ICT)
                self.coming.append((at, gross - (gross * 5 + 50) // 100))
            return
        if action.new_shares_sellable_from is not None:
            more = total * action.become // action.held - total
            lots.append((action.new_shares_sellable_from, action.ex_date, more))
        else:
            running, done, left = 0, 0, []
            for sellable, bought, quantity in lots:
                running += quantity
                left.append((sellable, bought, running * action.become // action.held - done))
                done = running * action.become // action.held
            lots = left
        self.lots[action.symbol] = [lot for lot in lots if lot[2]]
