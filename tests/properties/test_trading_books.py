"""Broker, portfolio and settlement under random orders, boards, days, corporate actions and restarts.

The machine keeps accounts of its own, in the plainest way: lists of lots and of money on its way. Whatever
is done, in whatever order, the books reconcile to the VND, nothing is sold short or before it has settled,
and no fill is off the tick, off the band or worse than its limit.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from vnquant.errors import CancelRefusedError
from vnquant.market import (
    Exchange,
    Phase,
    Quote,
    default_calendar,
    is_on_tick,
    load_universe,
    phase_at,
    price_limits,
    reference_price,
    round_to_tick,
    tick_size,
)
from vnquant.runtime import ICT
from vnquant.trading import (
    Account,
    CashDividend,
    Fill,
    Order,
    OrderDesk,
    OrderFilled,
    OrderStatus,
    OrderType,
    PaperConfig,
    Portfolio,
    PortfolioState,
    ShareSplit,
    Side,
    apply_all,
)

SYMBOLS = ("FPT", "PVS", "ACV")
START_CASH = 100_000_000
CALENDAR = default_calendar()
UNIVERSE = load_universe()
EXCHANGE = {symbol: UNIVERSE[symbol].exchange for symbol in SYMBOLS}
FIRST_SESSION = date(2025, 4, 21)  # Hung Kings, Liberation and Labour Day are near: settlement skips them.
HAPPENINGS = ("dividend", "split", "bonus", "consolidation")
symbols = st.sampled_from(SYMBOLS)
SEEN: Counter[str] = Counter()


class Listing:
    """One symbol's day, as far as it has come."""

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

    def move(self, ticks: int, volume: int, depth: int) -> None:
        tick = tick_size(self.last, self.exchange)
        moved = round_to_tick(max(self.last + ticks * tick, 1), self.exchange)
        self.last = self.limits.clip(moved)
        self.opened = self.last if self.opened is None else self.opened
        self.volume += volume
        self.depth = depth

    def quote(self, at: datetime) -> Quote:
        above = round_to_tick(self.last + 1, self.exchange, "up")
        below = round_to_tick(self.last - 1, self.exchange, "down")
        locked_up, locked_down = self.last == self.limits.ceiling, self.last == self.limits.floor
        asks = () if locked_up or not self.depth else ((float(above), float(self.depth)),)
        bids = () if locked_down or not self.depth else ((float(self.last), float(self.depth)),)
        if asks and above > self.limits.ceiling:
            asks = ()
        if bids and self.depth % 7 == 0:
            bids = ((float(max(below, self.limits.floor)), float(self.depth)),)
        return Quote(
            symbol=self.symbol,
            as_of=at,
            reference_price=self.limits.reference,
            ceiling_price=self.limits.ceiling,
            floor_price=self.limits.floor,
            last_price=None if self.opened is None else float(self.last),
            open_price=self.opened,
            total_volume=self.volume,
            bids=bids,
            asks=asks,
        )


class TradingBooks(RuleBasedStateMachine):
    """Random life of an account."""

    @initialize(
        prices=st.tuples(st.integers(5, 150), st.integers(50, 400), st.integers(60, 900)),
        participation=st.sampled_from((20, 100)),
    )
    def open_account(self, prices: tuple[int, int, int], participation: int) -> None:
        self.day = FIRST_SESSION
        self.now = datetime.combine(self.day, time(8, 45), tzinfo=ICT)
        self.config = PaperConfig(participation_pct=participation)
        self.listings = {
            symbol: Listing(
                symbol, round_to_tick(price * 1_000 if symbol == "FPT" else price * 100, EXCHANGE[symbol])
            )
            for symbol, price in zip(SYMBOLS, prices, strict=True)
        }
        self.desk = OrderDesk(Portfolio(START_CASH), config=self.config)
        self.ledger = Portfolio(START_CASH)
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        # The machine's own accounts.
        self.cash = START_CASH
        self.coming: list[tuple[datetime, int]] = []
        self.lots: dict[str, list[tuple[datetime, date, int]]] = {symbol: [] for symbol in SYMBOLS}
        # Something to begin with, two sessions old: a machine that owns nothing seldom sells.
        self.time_passes(75, ((2, 900_000, 9_000),) * 3, False)
        for symbol in SYMBOLS:
            self.an_order_is_sent(symbol, Side.BUY, OrderType.LO, 3, 0, 4, 0)
        for _ in range(2):
            self.the_next_session_begins(True, "FPT", "nothing", 1)

    # -- what happens -------------------------------------------------------------------------------------

    @rule(
        minutes=st.sampled_from((1, 15, 30, 60, 135)),
        moves=st.tuples(
            *[st.tuples(st.integers(-25, 25), st.integers(0, 60_000), st.integers(0, 9_000))] * 3
        ),
        locks=st.booleans(),
    )
    def time_passes(self, minutes: int, moves: tuple[tuple[int, int, int], ...], locks: bool) -> None:
        self.now = min(self.now + timedelta(minutes=minutes), self._at(15, 30))
        if self.now < self._at(9, 15):
            return
        for listing, (ticks, volume, depth) in zip(self.listings.values(), moves, strict=True):
            listing.move(ticks * (100 if locks else 1), volume, depth)

    @rule(
        quotes_first=st.booleans(),
        symbol=symbols,
        happening=st.sampled_from(("nothing", "nothing", *HAPPENINGS)),
        size=st.integers(1, 12),
    )
    def the_next_session_begins(self, quotes_first: bool, symbol: str, happening: str, size: int) -> None:
        if quotes_first:
            self.now = self._at(14, 50)
            self.the_board_is_polled()
        self.day = CALENDAR.next_session(self.day)
        self.now = self._at(8, 45)
        for listing in self.listings.values():
            terms = self._go_ex(happening, size, listing) if listing.symbol == symbol else {}
            listing.open_day(reference_price(listing.last, listing.exchange, **terms))

    @rule(
        symbol=symbols,
        side=st.sampled_from(Side),
        kind=st.sampled_from((OrderType.LO, OrderType.LO, *OrderType)),
        lots=st.integers(1, 30),
        odd=st.sampled_from((0, 0, 0, 0, 1, 37)),
        ticks=st.integers(-4, 4),
        skew=st.sampled_from((0, 0, 0, 0, 0, 0, 7)),
    )
    def an_order_is_sent(
        self, symbol: str, side: Side, kind: OrderType, lots: int, odd: int, ticks: int, skew: int
    ) -> None:
        listing = self.listings[symbol]
        tick = tick_size(listing.last, listing.exchange)
        limit = round_to_tick(max(listing.last + ticks * tick, 1), listing.exchange) + skew
        quantity = odd if odd and lots == 1 else lots * 100 + odd
        order = Order(
            client_order_id=f"order-{len(self.orders)}",
            symbol=symbol,
            side=side,
            type=kind,
            quantity=quantity,
            limit_price_vnd=limit if kind is OrderType.LO else None,
            created_at=self.now,
        )
        self.orders[order.client_order_id] = order
        self._tell(self.desk.submit(order, listing.quote(self.now), self.now))

    @rule(
        symbol=symbols,
        side=st.sampled_from(Side),
        kind=st.sampled_from((OrderType.ATO, OrderType.ATC, OrderType.MP)),
        lots=st.integers(1, 9),
        ticks=st.integers(-9, 9),
    )
    def an_order_lives_until_its_match(
        self, symbol: str, side: Side, kind: OrderType, lots: int, ticks: int
    ) -> None:
        sent, matched = {
            OrderType.ATO: (self._at(9, 5), self._at(9, 16)),
            OrderType.ATC: (self._at(14, 31), self._at(14, 46)),
            OrderType.MP: (self._at(13, 30), self._at(13, 31)),
        }[kind]
        if self.now > sent:
            return
        self.now = sent
        self.an_order_is_sent(symbol, side, kind, lots, 0, 0, 0)
        self.now = matched
        self.time_passes(0, ((ticks, 300_000, 700),) * 3, False)
        self.the_board_is_polled()

    @rule(symbol=symbols, part=st.sampled_from((1, 2)), odd_lot=st.booleans())
    def a_position_is_sold(self, symbol: str, part: int, odd_lot: bool) -> None:
        free = self.desk.free_shares(symbol, self.now)
        quantity = free % 100 if odd_lot else free // part // 100 * 100
        if quantity:
            listing = self.listings[symbol]
            order = Order(
                client_order_id=f"order-{len(self.orders)}",
                symbol=symbol,
                side=Side.SELL,
                type=OrderType.LO,
                quantity=quantity,
                limit_price_vnd=listing.limits.floor,
                created_at=self.now,
            )
            self.orders[order.client_order_id] = order
            self._tell(self.desk.submit(order, listing.quote(self.now), self.now))

    @rule(choice=st.integers(0, 999))
    def an_order_is_sent_again(self, choice: int) -> None:
        order = list(self.orders.values())[choice % len(self.orders)]
        fills = len(self.fills)
        self._tell(self.desk.submit(order, self.listings[order.symbol].quote(self.now), self.now))
        assert len(self.fills) == fills

    @rule(choice=st.integers(0, 999))
    def an_order_is_cancelled(self, choice: int) -> None:
        if not self.desk.open_orders:
            return
        order = self.desk.open_orders[choice % len(self.desk.open_orders)]
        phase = phase_at(self.now, EXCHANGE[order.symbol])
        try:
            self._tell(self.desk.cancel(order.client_order_id, self.now, reason="changed our mind"))
        except CancelRefusedError:
            assert phase in (Phase.ATO, Phase.ATC)
        else:
            assert self.orders[order.client_order_id].status is OrderStatus.CANCELLED

    @rule()
    def the_board_is_polled(self) -> None:
        quotes = {symbol: listing.quote(self.now) for symbol, listing in self.listings.items()}
        self._tell(self.desk.match_open(quotes, self.now))
        assert not self.desk.match_open(quotes, self.now) or any(
            order.type is OrderType.LO for order in self.desk.open_orders
        )

    @rule()
    def everything_restarts_from_plain_data(self) -> None:
        state = msgspec.json.decode(msgspec.json.encode(self.ledger.state), type=PortfolioState)
        orders = msgspec.json.decode(msgspec.json.encode(list(self.orders.values())), type=list[Order])
        fills = msgspec.json.decode(msgspec.json.encode(self.fills), type=list[Fill])
        assert state == self.ledger.state
        before = self.desk.open_orders
        self.ledger = Portfolio.from_state(state)
        self.desk = OrderDesk(Portfolio.from_state(state), config=self.config)
        self.desk.restore(orders, [fill for fill in fills if fill.filled_at.date() == self.day])
        assert self.desk.open_orders == before

    # -- what always holds --------------------------------------------------------------------------------

    @invariant()
    def the_books_reconcile(self) -> None:
        if not hasattr(self, "desk"):
            return
        for portfolio in (self.ledger, self.desk.account):
            books = portfolio.reconcile()
            assert sum(books.values()) == 0
            assert books[Account.CASH] + books[Account.RECEIVABLE] == self.cash + sum(
                a for _, a in self.coming
            )
            assert {s: p.quantity for s, p in portfolio.positions.items()} == {
                s: total for s, lots in self.lots.items() if (total := sum(q for _, _, q in lots))
            }
        assert self.ledger.state == self.desk.account.state

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        if not hasattr(self, "desk"):
            return
        assert self.desk.free_cash_vnd(self.now) >= 0
        for symbol in SYMBOLS:
            assert self.desk.free_shares(symbol, self.now) >= 0
        assert {o.client_order_id: o for o in self.orders.values()} == {
            name: self.desk.find(name) for name in self.orders
        }

    def teardown(self) -> None:
        if hasattr(self, "fills"):
            types = {o.client_order_id: o.restated_from or o.type for o in self.orders.values()}
            SEEN.update(f"{f.side} {types[f.client_order_id]}" for f in self.fills)
            SEEN.update(str(past.status) for order in self.orders.values() for past in order.history)
            SEEN.update("odd lot" for fill in self.fills if fill.quantity < 100)
            SEEN.update("in parts" for order in self.orders.values() if len(order.history) > 2)

    # -- helpers ------------------------------------------------------------------------------------------

    def _tell(self, events: tuple[object, ...]) -> None:
        for told in events:
            order = self.orders[told.client_order_id]
            seen = order.next_sequence > told.sequence
            self.orders[order.client_order_id] = apply_all(order, (told,))
            if isinstance(told, OrderFilled) and not seen:
                self.ledger.apply(told.fill)
                self.fills.append(told.fill)
                self._check_fill(order, told.fill)
                self._book(told.fill)
        for order in self.orders.values():
            value = order.filled_value_vnd
            assert order.fee_vnd == (value * 15 + 5_000) // 10_000
            assert order.tax_vnd == ((value * 10 + 5_000) // 10_000 if order.side is Side.SELL else 0)

    def _check_fill(self, order: Order, fill: Fill) -> None:
        listing = self.listings[fill.symbol]
        assert is_on_tick(fill.price_vnd, listing.exchange, on=self.day)
        assert listing.limits.contains(fill.price_vnd)
        if order.limit_price_vnd is not None:
            assert (fill.price_vnd - order.limit_price_vnd) * fill.side.sign <= 0
        phase = phase_at(fill.filled_at, listing.exchange)
        assert phase is Phase.CONTINUOUS or (
            phase in (Phase.PUT_THROUGH, Phase.CLOSED) and listing.exchange is not Exchange.UPCOM
        )
        assert fill.quantity % 100 == 0 or fill.quantity == order.quantity < 100
        if phase is Phase.CONTINUOUS and order.type is not OrderType.ATO:
            assert fill.quantity <= listing.depth
            assert fill.quantity <= (listing.depth + listing.volume) * self.config.participation_pct // 100
            # Locked: nobody on the other side.
            assert listing.last != (listing.limits.ceiling if fill.side is Side.BUY else listing.limits.floor)

    def _book(self, fill: Fill) -> None:
        """Do by hand what a fill does: T+2, 13:00, counted in sessions."""
        traded = fill.filled_at.date()
        arrives = datetime.combine(CALENDAR.add_sessions(traded, 2), time(13, 0), tzinfo=ICT)
        self.cash += sum(amount for at, amount in self.coming if at <= fill.filled_at)
        self.coming = [(at, amount) for at, amount in self.coming if at > fill.filled_at]
        value = fill.price_vnd * fill.quantity
        if fill.side is Side.BUY:
            self.cash -= value + fill.fee_vnd
            assert self.cash >= 0
            self.lots[fill.symbol].append((arrives, traded, fill.quantity))
            return
        self.coming.append((arrives, value - fill.fee_vnd - fill.tax_vnd))
        wanted = fill.quantity
        left = []
        for sellable, bought, quantity in sorted(self.lots[fill.symbol]):
            taken = min(wanted, quantity) if sellable <= fill.filled_at else 0
            wanted -= taken
            left.append((sellable, bought, quantity - taken))
        assert wanted == 0, "sold short, or before settlement"
        self.lots[fill.symbol] = [lot for lot in left if lot[2]]

    def _go_ex(self, happening: str, size: int, listing: Listing) -> dict[str, float]:
        """Let a company act, and return the terms for its reference price."""
        symbol, lots = listing.symbol, self.lots[listing.symbol]
        name = f"{happening} {symbol} {self.day}"
        if happening == "dividend":
            per_share = min(size * 100, listing.last // 3)
            payable = CALENDAR.add_sessions(self.day, size)
            dividend = CashDividend(
                action_id=name, symbol=symbol, ex_date=self.day, per_share_vnd=per_share, payable_on=payable
            )
            self._act(dividend)
            gross = sum(q for _, _, q in lots) * per_share
            if gross:
                at = datetime.combine(payable, time(9, 0), tzinfo=ICT)
                self.coming.append((at, gross - (gross * 5 + 50) // 100))
            return {"cash_dividend_vnd": per_share}
        if happening == "nothing" or (happening == "consolidation" and listing.last > 50_000):
            return {}
        held, become = {"split": (1, 2), "bonus": (10, 10 + size), "consolidation": (3, 1)}[happening]
        listed = datetime.combine(CALENDAR.add_sessions(self.day, size), time(9, 0), tzinfo=ICT)
        split = ShareSplit(
            action_id=name,
            symbol=symbol,
            ex_date=self.day,
            held=held,
            become=become,
            new_shares_sellable_from=listed if happening == "bonus" else None,
        )
        self._act(split)
        total = sum(q for _, _, q in lots)
        if happening == "bonus":
            lots.append((listed, self.day, total * become // held - total))
        else:
            running, done, left = 0, 0, []
            for sellable, bought, quantity in sorted(lots):
                running += quantity
                left.append((sellable, bought, running * become // held - done))
                done = running * become // held
            lots[:] = left
        self.lots[symbol] = [lot for lot in lots if lot[2]]
        return {"bonus_ratio": become / held - 1}

    def _act(self, action: CashDividend | ShareSplit) -> None:
        if self.lots[action.symbol]:
            SEEN[str(action.action_id).partition(" ")[0]] += 1
        self.desk.apply(action)
        self.ledger.apply(action)

    def _at(self, hour: int, minute: int) -> datetime:
        return datetime.combine(self.day, time(hour, minute), tzinfo=ICT)


@pytest.mark.timeout(180)
def test_whatever_happens_the_books_reconcile_and_nothing_is_sold_short_or_early():
    SEEN.clear()
    run_state_machine_as_test(
        TradingBooks,
        settings=settings(
            max_examples=100,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    # A machine that never trades proves nothing.
    wanted = (
        {f"{side} {kind}" for side in Side for kind in OrderType} | set(HAPPENINGS) | {"odd lot", "in parts"}
    )
    wanted |= {str(status) for status in OrderStatus if status is not OrderStatus.INTENDED}
    assert wanted <= set(SEEN), f"never seen: {wanted - set(SEEN)}"
    assert SEEN["BUY LO"] > 100
