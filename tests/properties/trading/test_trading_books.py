"""Broker, portfolio and settlement under random orders, boards, days, corporate actions and restarts."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.properties.trading.conftest import CALENDAR, EXCHANGE, SYMBOLS, HandAccounts, Listing
from vnquant.errors import CancelRefusedError
from vnquant.market import (
    Exchange,
    Phase,
    is_on_tick,
    phase_at,
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
    OrderAccepted,
    OrderDesk,
    OrderEvent,
    OrderFilled,
    OrderStatus,
    OrderType,
    PaperConfig,
    Portfolio,
    PortfolioState,
    PriceAdjustment,
    ShareSplit,
    Side,
    apply,
)

PLACES = ("here", "here", "here", "ceiling", "floor", "below the ceiling", "above the floor")
FIRST_SESSION = date(2025, 4, 21)  # Liberation and Labour Day are near: settlement skips them.
ACTIONS = ("dividend", "split", "bonus", "consolidation", "untold")
symbols = st.sampled_from(SYMBOLS)


class TradingBooks(RuleBasedStateMachine):
    """Random life of an account at a desk, mirrored in a ledger's portfolio and in accounts kept by hand."""

    @initialize(
        prices=st.tuples(st.integers(5, 150), st.integers(50, 400), st.integers(60, 900)),
        participation=st.sampled_from((20, 100)),
        cash=st.sampled_from((8_000_000, 100_000_000)),
    )
    def open_account(self, prices: tuple[int, int, int], participation: int, cash: int) -> None:
        self.day = FIRST_SESSION
        self.now = self.at(8, 45)
        self.config = PaperConfig(participation_pct=participation)
        self.listings = {
            symbol: Listing(symbol, round_to_tick(price * step, EXCHANGE[symbol]))
            for symbol, price, step in zip(SYMBOLS, prices, (1_000, 100, 100), strict=True)
        }
        self.desk = OrderDesk(Portfolio(cash), config=self.config)
        self.ledger = Portfolio(cash)
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.hand = HandAccounts(cash)
        self.seen: Counter[str] = Counter()

    # -- what happens -------------------------------------------------------------------------------------

    @rule(
        minutes=st.sampled_from((1, 15, 30, 60, 135)),
        moves=st.tuples(*[st.tuples(st.integers(-9, 9), st.integers(0, 900_000), st.integers(0, 9_000))] * 3),
        place=st.sampled_from(PLACES),
    )
    def time_passes(self, minutes: int, moves: tuple[tuple[int, int, int], ...], place: str = "here") -> None:
        self.now = min(self.now + timedelta(minutes=minutes), self.at(15, 30))
        if self.now < self.at(9, 15):
            return
        for listing, (ticks, volume, depth) in zip(self.listings.values(), moves, strict=True):
            listing.move(ticks, volume, depth, place)

    @rule(
        polled_after_the_close=st.booleans(),
        symbol=symbols,
        action=st.sampled_from(("none", "none", *ACTIONS)),
        size=st.integers(1, 12),
    )
    def the_next_session_begins(
        self, polled_after_the_close: bool, symbol: str, action: str, size: int
    ) -> None:
        if polled_after_the_close:
            self.now = self.at(14, 50)
            self.the_board_is_polled()
        self.day = CALENDAR.next_session(self.day)
        self.now = self.at(8, 45)
        for listing in self.listings.values():
            terms = self.go_ex(action, size, listing) if listing.symbol == symbol else {}
            listing.open_day(reference_price(listing.last, listing.exchange, **terms))

    @rule(
        symbol=symbols,
        side=st.sampled_from(Side),
        kind=st.sampled_from((OrderType.LO, OrderType.LO, *OrderType)),
        lots=st.integers(1, 20),
        odd=st.sampled_from((0, 0, 0, 0, 1, 37)),
        ticks=st.integers(-4, 4),
        off=st.sampled_from((0, 0, 0, 0, 0, 0, 7)),
    )
    def an_order_is_sent(
        self, symbol: str, side: Side, kind: OrderType, lots: int, odd: int, ticks: int, off: int
    ) -> None:
        listing = self.listings[symbol]
        tick = tick_size(listing.last, listing.exchange)
        limit = round_to_tick(max(listing.last + ticks * tick, 1), listing.exchange) + off
        self.send(symbol, side, kind, odd if odd and lots == 1 else lots * 100 + odd, limit)

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
            OrderType.ATO: (self.at(9, 5), self.at(9, 16)),
            OrderType.ATC: (self.at(14, 31), self.at(14, 46)),
            OrderType.MP: (self.at(13, 30), self.at(13, 31)),
        }[kind]
        if self.now > sent:
            return
        self.now = sent
        self.send(symbol, side, kind, lots * 100, 0)
        self.now = matched
        self.time_passes(0, ((ticks, 300_000, 700),) * 3)
        self.the_board_is_polled()

    @rule(symbol=symbols, part=st.sampled_from((1, 2)), odd_lot=st.booleans())
    def a_position_is_sold(self, symbol: str, part: int, odd_lot: bool) -> None:
        free = self.desk.free_shares(symbol, self.now)
        quantity = free % 100 if odd_lot else free // part // 100 * 100
        if quantity:
            self.send(symbol, Side.SELL, OrderType.LO, quantity, self.listings[symbol].limits.floor)

    @rule(choice=st.integers(0, 999))
    def an_order_is_sent_again(self, choice: int) -> None:
        if not self.orders:
            return
        order = list(self.orders.values())[choice % len(self.orders)]
        fills = len(self.fills)
        self.tell(self.desk.submit(order, self.listings[order.symbol].quote(self.now), self.now))
        assert len(self.fills) == fills

    @rule(choice=st.integers(0, 999))
    def an_order_is_cancelled(self, choice: int) -> None:
        if not self.desk.open_orders:
            return
        order = self.desk.open_orders[choice % len(self.desk.open_orders)]
        try:
            self.tell(self.desk.cancel(order.client_order_id, self.now, reason="changed our mind"))
        except CancelRefusedError:
            assert phase_at(self.now, EXCHANGE[order.symbol]) in (Phase.ATO, Phase.ATC)
        else:
            assert self.orders[order.client_order_id].status is OrderStatus.CANCELLED

    @rule()
    def the_board_is_polled(self) -> None:
        quotes = {symbol: listing.quote(self.now) for symbol, listing in self.listings.items()}
        self.tell(self.desk.match_open(quotes, self.now))
        assert self.desk.match_open(quotes, self.now) == (), "asking twice gave more"

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
        self.seen["restart with positions"] += bool(state.positions)

    # -- what always holds --------------------------------------------------------------------------------

    @invariant()
    def the_books_reconcile(self) -> None:
        if not hasattr(self, "desk"):
            return
        for portfolio in (self.ledger, self.desk.account):
            books = portfolio.reconcile()
            assert sum(books.values()) == 0
            assert books[Account.CASH] + books[Account.RECEIVABLE] == self.hand.money
            assert {symbol: p.quantity for symbol, p in portfolio.positions.items()} == self.hand.shares
        assert self.ledger.state == self.desk.account.state

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        if not hasattr(self, "desk"):
            return
        assert self.desk.free_cash_vnd(self.now) >= 0
        assert all(self.desk.free_shares(symbol, self.now) >= 0 for symbol in SYMBOLS)
        assert self.orders == {name: self.desk.find(name) for name in self.orders}

    # -- helpers ------------------------------------------------------------------------------------------

    def at(self, hour: int, minute: int) -> datetime:
        return datetime.combine(self.day, time(hour, minute), tzinfo=ICT)

    def send(self, symbol: str, side: Side, kind: OrderType, quantity: int, limit: int) -> None:
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
        self.tell(self.desk.submit(order, self.listings[symbol].quote(self.now), self.now))

    def tell(self, events: tuple[OrderEvent, ...]) -> None:
        """Do what an engine does with events: move the orders, and book each fill once."""
        for event in events:
            before = self.orders[event.client_order_id]
            after = self.orders[event.client_order_id] = apply(before, event)
            if after is before:
                continue
            kind = after.restated_from or after.type
            self.seen[str(after.status)] += 1
            if isinstance(event, OrderAccepted) and after.limit_price_vnd is not None:
                assert self.listings[after.symbol].limits.contains(after.limit_price_vnd)
                assert is_on_tick(after.limit_price_vnd, EXCHANGE[after.symbol], on=self.day)
            if isinstance(event, OrderFilled):
                self.seen[f"{after.side} {kind}"] += 1
                self.seen["odd lot"] += after.quantity < 100
                self.check(before, event.fill)
                self.ledger.apply(event.fill)
                self.fills.append(event.fill)
                self.hand.book(event.fill)
            value = after.filled_value_vnd
            assert after.fee_vnd == (value * 15 + 5_000) // 10_000
            assert after.tax_vnd == ((value + 500) // 1_000 if after.side is Side.SELL else 0)

    def check(self, order: Order, fill: Fill) -> None:
        listing, limit = self.listings[fill.symbol], order.limit_price_vnd
        assert is_on_tick(fill.price_vnd, listing.exchange, on=self.day)
        assert listing.limits.contains(fill.price_vnd)
        assert limit is None or (fill.price_vnd - limit) * fill.side.sign <= 0
        assert fill.quantity % 100 == 0 or fill.quantity == order.quantity < 100
        phase = phase_at(fill.filled_at, listing.exchange)
        if phase is Phase.CONTINUOUS and order.type is not OrderType.ATO:
            assert fill.quantity <= listing.depth
            # Our part of the volume, over all our orders since this one came.
            available = (listing.depth + listing.volume - order.market_volume) * self.config.participation_pct
            ours = (f for f in self.fills if (f.symbol, f.side) == (fill.symbol, fill.side))
            taken = sum(f.quantity for f in ours if f.filled_at >= order.accepted_at)
            assert taken + fill.quantity <= available // 100
            locked = listing.limits.ceiling if fill.side is Side.BUY else listing.limits.floor
            assert listing.last != locked, "filled without the other side"
        elif phase is not Phase.CONTINUOUS:
            assert phase in (Phase.PUT_THROUGH, Phase.CLOSED)
            assert listing.exchange is not Exchange.UPCOM
            assert fill.price_vnd == listing.last

    def go_ex(self, action: str, size: int, listing: Listing) -> dict[str, float]:
        """Let a company act, and return the terms for its reference price."""
        ids = {"action_id": f"{listing.symbol} {self.day}", "symbol": listing.symbol, "ex_date": self.day}
        later = CALENDAR.add_sessions(self.day, size)
        happening: CashDividend | ShareSplit
        if action == "untold":
            return self.go_ex_untold(ids, min(size * 100, listing.last // 3), listing)
        if action == "dividend":
            per_share = min(size * 100, listing.last // 3)
            happening = CashDividend(**ids, per_share_vnd=per_share, payable_on=later)
            terms = {"cash_dividend_vnd": per_share}
        elif action in ("none", "consolidation") and (action == "none" or listing.last > 50_000):
            return {}
        else:
            held, become = {"split": (1, 2), "bonus": (10, 10 + size), "consolidation": (3, 1)}[action]
            listed = datetime.combine(later, time(9, 0), tzinfo=ICT) if action == "bonus" else None
            happening = ShareSplit(**ids, held=held, become=become, new_shares_sellable_from=listed)
            terms = {"bonus_ratio": become / held - 1}
        self.seen[action] += bool(self.hand.lots[listing.symbol])
        self.desk.apply(happening)
        self.ledger.apply(happening)
        self.hand.act(happening)
        return terms

    def go_ex_untold(self, ids: dict[str, Any], fall: int, listing: Listing) -> dict[str, float]:
        """Let a price fall of which nobody tells: entry and peak follow, and nothing is paid.

        The accounts kept by hand know nothing of it, and must agree all the same.
        """
        reference = reference_price(listing.last, listing.exchange, cash_dividend_vnd=fall)
        happening = PriceAdjustment(**ids, base_vnd=listing.last, reference_vnd=reference)
        before = self.ledger.positions.get(listing.symbol)
        self.seen["untold"] += before is not None
        self.desk.apply(happening)
        transactions = self.ledger.apply(happening)
        after = self.ledger.positions.get(listing.symbol)
        assert not any(t.entries for t in transactions), "money moved"
        if before is None or after is None:
            assert before is after
            return {"cash_dividend_vnd": fall}
        assert (after.cost_vnd, after.parcels) == (before.cost_vnd, before.parcels)
        for was, became in (
            (max(before.basis_vnd, 0), after.basis_vnd - min(before.basis_vnd, 0)),
            (before.peak_price_vnd, after.peak_price_vnd),
        ):
            assert abs(became * listing.last - was * reference) <= listing.last, "off by more than 1 VND"
        return {"cash_dividend_vnd": fall}


@pytest.mark.timeout(480)
def test_whatever_happens_the_books_reconcile_and_nothing_is_sold_short_or_early():
    run_state_machine_as_test(
        TradingBooks,
        settings=settings(
            max_examples=100,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.no_cover
def test_long_random_lives_meet_every_kind_of_event_and_keep_their_books():
    seen: Counter[str] = Counter()
    for seed in range(4):
        rng = random.Random(seed)
        machine = TradingBooks()
        prices = (rng.randint(5, 60), rng.randint(50, 400), rng.randint(60, 600))
        machine.open_account(prices, 20, (8_000_000, 100_000_000)[seed % 2])
        for _ in range(1_500):
            _one_step(machine, rng)
            machine.the_books_reconcile()
            machine.nothing_is_promised_twice()
        seen += machine.seen
    # Lives without trades would prove nothing.
    wanted = {f"{side} {kind}" for side in Side for kind in OrderType} | set(ACTIONS)
    wanted |= {str(status) for status in OrderStatus if status is not OrderStatus.INTENDED}
    assert wanted | {"odd lot", "restart with positions"} <= set(seen)
    assert seen["BUY LO"] > 30
    assert seen["BUY MP"] > 20


def _one_step(machine: TradingBooks, rng: random.Random) -> None:
    symbol, side, choice = rng.choice(SYMBOLS), rng.choice(list(Side)), rng.randrange(999)
    moves = tuple((rng.randint(-5, 5), rng.randint(0, 300_000), rng.randint(0, 6_000)) for _ in SYMBOLS)
    step = rng.choices(range(8), weights=(8, 2, 6, 3, 3, 1, 1, 1))[0]
    if step == 0:
        machine.time_passes(rng.choice((1, 15, 30, 60)), moves, rng.choice(PLACES))
        machine.the_board_is_polled()
    elif step == 1:
        machine.the_next_session_begins(
            rng.random() < 0.7, symbol, rng.choice(("none", "none", *ACTIONS)), rng.randint(1, 5)
        )
        if rng.random() < 0.4:
            machine.an_order_lives_until_its_match("FPT", side, OrderType.ATO, rng.randint(1, 3), 0)
    elif step == 2:
        machine.an_order_is_sent(
            symbol,
            side,
            rng.choice((OrderType.LO, OrderType.LO, OrderType.LO, *OrderType)),
            rng.choice((1, 2, 5, 9, 40)),
            rng.choice((0, 0, 0, 0, 1, 37)),
            rng.randint(-3, 3),
            rng.choice((0, 0, 0, 0, 7)),
        )
    elif step == 3:
        kind = rng.choice((OrderType.ATO, OrderType.ATC, OrderType.MP))
        machine.an_order_lives_until_its_match(symbol, side, kind, rng.randint(1, 6), rng.randint(-5, 5))
    elif step == 4:
        machine.a_position_is_sold(symbol, rng.choice((1, 2)), rng.random() < 0.5)
    elif step == 5:
        machine.an_order_is_sent_again(choice)
    elif step == 6:
        machine.an_order_is_cancelled(choice)
    else:
        machine.everything_restarts_from_plain_data()
