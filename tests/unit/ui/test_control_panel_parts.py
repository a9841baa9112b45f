"""What the control panel is made of, on hand-made values: words, folds, money, health and HTML."""

from datetime import datetime, timedelta

import msgspec
import pytest

from vnquant.agents import AgentSignal
from vnquant.engine import (
    ActionBooked,
    HealthReported,
    Lead,
    LeadFound,
    LeadSettled,
    OrchestratorState,
    OrchestratorStatus,
    OrderChanged,
    OrderPlaced,
    Origin,
    StateChanged,
    VerdictReached,
)
from vnquant.market import Action, Quote, default_calendar
from vnquant.runtime import (
    ICT,
    Admission,
    BusStatistics,
    MarketClock,
    Severity,
    SupervisionEvent,
    SupervisionKind,
)
from vnquant.sources import BreakerState, SourceStatistics
from vnquant.trading import (
    Fill,
    JournalEntry,
    Order,
    OrderAccepted,
    OrderFilled,
    OrderType,
    Portfolio,
    PriceAdjustment,
    Side,
    apply,
)
from vnquant.ui.panel_cells import span_text
from vnquant.ui.panel_control import clock_reading, control_reading
from vnquant.ui.panel_feed import FeedFilter, FeedGroup, Tone, event_line
from vnquant.ui.panel_health import LoopLag, health_reading
from vnquant.ui.panel_html import account_html, health_html, opportunities_html, positions_html
from vnquant.ui.panel_money import account_reading, orders_of, positions_of
from vnquant.ui.panel_picture import CaseReading
from vnquant.ui.panel_story import FEED_LINES, Story

AT = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)


def lead(number: int = 1, symbol: str = "FPT", **changes: object) -> Lead:
    made = Lead(
        lead_id=f"lead-{number}",
        symbol=symbol,
        direction=Side.BUY,
        origin=Origin.MODEL,
        found_at=AT,
        expires_at=AT + timedelta(minutes=10),
        expected_return=0.041,
        confidence=0.72,
    )
    return msgspec.structs.replace(made, **changes)


def verdict(score: float = 0.4) -> AgentSignal:
    return AgentSignal(agent="chief", symbol="FPT", as_of=AT, action=Action.BUY, score=score, confidence=0.6)


def order(number: int = 1, at: datetime = AT) -> Order:
    return Order(
        client_order_id=f"order-{number}",
        symbol="FPT",
        side=Side.BUY,
        type=OrderType.LO,
        quantity=200,
        limit_price_vnd=20_000,
        created_at=at,
        reason="BUY at 70 of 100",
    )


def fill(quantity: int = 200, price_vnd: int = 19_950, side: Side = Side.BUY, at: datetime = AT) -> Fill:
    return Fill(
        fill_id=f"order-1/{side}",
        client_order_id="order-1",
        symbol="FPT",
        side=side,
        quantity=quantity,
        price_vnd=price_vnd,
        fee_vnd=6_000,
        tax_vnd=0,
        filled_at=at,
    )


def quote(price_vnd: float | None) -> Quote:
    return Quote(
        symbol="FPT",
        as_of=AT,
        reference_price=20_500.0,
        ceiling_price=21_900.0,
        floor_price=19_100.0,
        last_price=price_vnd,
    )


def story_of(*events: object) -> Story:
    story = Story()
    for event in events:
        story.fold(event)
    return story


# -- words ------------------------------------------------------------------------------------------------


def test_an_event_becomes_one_line_of_its_group():
    found = event_line(LeadFound(at=AT, lead=lead(), admission=Admission.ACCEPTED))
    assert (found.group, found.kind, found.symbol) == (FeedGroup.DECISION, "lead", "FPT")
    assert found.text == "model says BUY, +4.1% expected"
    said = event_line(VerdictReached(at=AT, lead=lead(), verdict=verdict()))
    assert said.text == "BUY, 70 of 100, confidence 0.60"
    failed = event_line(
        StateChanged(
            at=AT, before=OrchestratorState.RUNNING, state=OrchestratorState.FAILED, reason="disk full"
        )
    )
    assert (failed.group, failed.tone, failed.text) == (
        FeedGroup.SYSTEM,
        Tone.BAD,
        "running → failed: disk full",
    )
    broken = event_line(
        SupervisionEvent(
            component="positions",
            kind=SupervisionKind.BROKEN,
            severity=Severity.CRITICAL,
            message="positions failed 5 times",
            at=AT,
            restarts=5,
        )
    )
    assert (broken.kind, broken.tone) == ("broken", Tone.BAD)


def test_what_went_ex_is_a_line_of_its_symbol():
    fall = PriceAdjustment(
        action_id="p", symbol="FPT", ex_date=AT.date(), base_vnd=20_000, reference_vnd=19_000
    )
    line = event_line(ActionBooked(at=AT, action=fall, outcome="-5.0% went ex"))
    assert (line.group, line.kind, line.symbol) == (FeedGroup.DECISION, "entitlement", "FPT")
    assert line.text == "-5.0% went ex"


def test_what_comes_again_and_again_is_no_line():
    assert event_line(LeadFound(at=AT, lead=lead(), admission=Admission.DUPLICATE)) is None
    routine = HealthReported(
        at=AT, loop_lag_s=0.0, leads_waiting=0, tasks=9, troubled=(), lease_expires_at=None
    )
    assert event_line(routine) is None


def test_a_lead_that_finds_no_place_is_marked():
    line = event_line(LeadFound(at=AT, lead=lead(), admission=Admission.FULL))
    assert line.tone is Tone.WARNING
    assert line.text.endswith("not taken: full")


@pytest.mark.parametrize(
    ("group", "words", "takes"),
    [
        ("", "", True),
        ("decision", "", True),
        ("order", "", False),
        ("no such group", "", True),
        ("", "fpt BUY", True),
        ("", "fpt sell", False),
        (None, None, True),
    ],
)
def test_the_filter_takes_a_group_and_all_words(group, words, takes):
    line = event_line(VerdictReached(at=AT, lead=lead(), verdict=verdict()))
    assert FeedFilter.read(group, words).takes(line) is takes


# -- folds ------------------------------------------------------------------------------------------------


def test_a_case_goes_from_its_finding_to_its_outcome():
    found = LeadFound(at=AT, lead=lead(), admission=Admission.ACCEPTED)
    judged = VerdictReached(at=AT, lead=lead(), verdict=verdict())
    settled = LeadSettled(at=AT, lead=lead(), outcome="buys 200", client_order_id="order-1")
    (case,) = story_of(found).cases.values()
    assert case.is_waiting
    assert case.verdict is None
    (case,) = story_of(found, judged, settled).cases.values()
    assert not case.is_waiting
    assert (case.verdict.action, case.verdict.points) == ("BUY", pytest.approx(70.0))
    assert (case.outcome, case.client_order_id) == ("buys 200", "order-1")


def test_a_verdict_without_an_opinion_has_no_points():
    (case,) = story_of(VerdictReached(at=AT, lead=lead(), verdict=verdict(float("nan")))).cases.values()
    assert case.verdict.points is None


def test_every_list_is_bounded():
    story = Story()
    for number in range(500):
        story.fold(LeadFound(at=AT, lead=lead(number), admission=Admission.ACCEPTED))
        story.fold(OrderPlaced(at=AT, order=order(number)))
    assert len(story.feed) == FEED_LINES == 200
    assert len(story.cases) == len(story.orders) == 60
    assert list(story.cases)[-1] == "lead-499"


def test_what_the_ledger_recalls_is_not_told_twice():
    seen = {"lead": msgspec.to_builtins(lead()), "verdict": msgspec.to_builtins(verdict())}
    entry = JournalEntry(
        at=AT,
        kind="verdict",
        symbol="FPT",
        outcome="buys 200",
        cause="lead-1",
        client_order_id="order-1",
        seen=seen,
    )
    exit_entry = JournalEntry(at=AT, kind="exit waits", symbol="FPT", outcome="stop loss waits for T+2")
    settled = LeadSettled(at=AT, lead=lead(), outcome="buys 200", client_order_id="order-1")
    story = Story()
    story.recall([exit_entry, entry], [order()], overlap=1)
    assert [line.text for line in story.feed] == ["buys 200", "stop loss waits for T+2"]
    (case,) = story.cases.values()
    assert (case.verdict.points, case.outcome) == (pytest.approx(70.0), "buys 200")
    story.fold(settled)  # it waited on the bus while the ledger was read
    assert [line.text for line in story.feed] == ["buys 200", "stop loss waits for T+2"]
    story.fold(settled)  # on a clock that stands still the same may well happen again
    assert [line.text for line in story.feed][2:] == ["buys 200"]
    told = story_of(settled)
    told.recall([exit_entry, entry], [])
    assert [line.text for line in told.feed] == ["buys 200", "stop loss waits for T+2"]


def test_an_order_does_not_go_back_to_an_earlier_state():
    accepted = apply(order(), OrderAccepted(client_order_id="order-1", sequence=1, at=AT))
    event = OrderFilled(client_order_id="order-1", sequence=2, at=AT, fill=fill())
    filled = apply(accepted, event)
    story = story_of(OrderChanged(at=AT, order=filled, event=event))
    story.recall([], [accepted])
    assert story.orders["order-1"] is filled


# -- money ------------------------------------------------------------------------------------------------


def test_profit_is_what_the_equity_has_gained_to_the_vnd():
    portfolio = Portfolio(10_000_000)
    portfolio.apply(fill())
    positions = positions_of(portfolio, {"FPT": quote(20_700.0)}, AT)
    (held,) = positions
    assert (held.quantity, held.sellable, held.average_cost_vnd) == (200, 0, 19_950)
    assert held.sellable_from == datetime(2025, 6, 4, 13, 0, tzinfo=ICT)
    assert (held.value_vnd, held.pnl_vnd) == (4_140_000, 150_000)
    account = account_reading(portfolio, positions)
    assert account.equity_vnd == portfolio.equity_vnd({"FPT": 20_700.0}) == 10_144_000
    assert (account.realised_vnd, account.unrealised_vnd, account.pnl_vnd) == (-6_000, 150_000, 144_000)
    assert account.pnl_fraction == pytest.approx(0.0144)
    assert account.is_complete

    later = datetime(2025, 6, 4, 14, 0, tzinfo=ICT)
    portfolio.apply(fill(quantity=200, price_vnd=20_700, side=Side.SELL, at=later))
    account = account_reading(portfolio, positions_of(portfolio, {}, later))
    assert (account.equity_vnd, account.pnl_vnd, account.unrealised_vnd) == (10_138_000, 138_000, 0)


def test_a_position_without_a_price_counts_at_cost_and_the_account_says_so():
    portfolio = Portfolio(10_000_000)
    portfolio.apply(fill())
    positions = positions_of(portfolio, {}, AT)
    assert (positions[0].price_vnd, positions[0].pnl_vnd) == (None, None)
    account = account_reading(portfolio, positions)
    assert (account.equity_vnd, account.is_complete) == (9_994_000, False)
    assert "≈9,994,000" in account_html(account)
    assert positions_html(positions, AT.date()).count("–") == 3


def test_before_the_first_match_the_reference_price_counts():
    portfolio = Portfolio(10_000_000)
    portfolio.apply(fill())
    (held,) = positions_of(portfolio, {"FPT": quote(None)}, AT)
    assert held.price_vnd == 20_500


def test_open_orders_come_first_and_the_record_counts_more_than_an_event():
    accepted = apply(order(1), OrderAccepted(client_order_id="order-1", sequence=1, at=AT))
    done = apply(
        apply(
            order(2, AT + timedelta(minutes=5)), OrderAccepted(client_order_id="order-2", sequence=1, at=AT)
        ),
        OrderFilled(
            client_order_id="order-2",
            sequence=2,
            at=AT,
            fill=msgspec.structs.replace(fill(), client_order_id="order-2"),
        ),
    )
    first, second = orders_of([order(1), done], [accepted])
    assert (first.client_order_id, first.status, first.is_open) == ("order-1", "ACCEPTED", True)
    assert (second.filled, second.average_vnd, second.is_open) == (200, 19_950, False)


# -- control and health -----------------------------------------------------------------------------------


def status(state: OrchestratorState, **fields: object) -> OrchestratorStatus:
    return OrchestratorStatus(state=state, at=AT, components={}, **{"tasks": ()} | fields)


def test_why_it_stands_where_it_stands():
    change = StateChanged(
        at=AT, before=OrchestratorState.NEW, state=OrchestratorState.STOPPED, reason="the start was cancelled"
    )
    reading = control_reading(status(OrchestratorState.STOPPED, change=change), is_open=True)
    assert reading.since == AT
    assert reading.why.startswith("The start was cancelled. Nothing runs")
    starting = control_reading(status(OrchestratorState.STOPPED, tasks=("orchestrator",)), is_open=True)
    assert (starting.state, starting.since) == ("starting", None)
    assert control_reading(status(OrchestratorState.STOPPING), is_open=True).enabled == ()


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        ("2025-06-02 10:00", "continuous trading"),
        ("2025-06-02 12:00", "lunch, trades from 13:00"),
        ("2025-06-02 16:00", "closed, trades from 09:15 Tue 03 Jun"),
        ("2025-06-07 10:00", "closed, trades from 09:15 Mon 09 Jun"),
        ("1999-06-07 10:00", "outside the trading calendar"),
    ],
)
def test_the_clock_says_what_the_exchange_does(at, phase):
    clock = MarketClock.frozen(datetime.fromisoformat(at))
    reading = clock_reading(clock, default_calendar())
    assert (reading.phase, reading.speed) == (phase, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (200_000, "2 d"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds, text):
    assert span_text(seconds) == text


def test_health_shows_breakers_latencies_and_troubles():
    source = SourceStatistics(
        requests=120,
        attempts=130,
        hedges=2,
        hedges_won=1,
        failures={"SourceTimeoutError": 9},
        p50_s=0.051,
        p95_s=0.4,
        breaker=BreakerState.HALF_OPEN,
        quota_free=None,
    )
    bus = BusStatistics(
        published=1,
        delivered=1,
        dropped=0,
        conflated=0,
        blocked_publishers=0,
        backlog=0,
        backlog_overwritten=0,
        subscriptions=(),
    )
    report = HealthReported(
        at=AT,
        loop_lag_s=0.0,
        leads_waiting=0,
        tasks=31,
        troubled=("news_scanner failed",),
        lease_expires_at=AT + timedelta(minutes=3),
    )
    lag = LoopLag()
    lag.note(0.012)
    lag.note(-0.001)
    running = status(OrchestratorState.RUNNING, tasks=("orchestrator",), health=report)
    reading = health_reading(running, lag=lag, sources={"vps": source}, bus=bus)
    assert (reading.loop_lag_ms, reading.tasks_on_loop) == (12, 31)
    (vps,) = reading.sources
    assert (vps.breaker, vps.p50_ms, vps.p95_ms, vps.failures) == ("half open", 51, 400, 9)
    html = health_html(reading, AT.date())
    for told in ("half open", "51 ms", "news_scanner failed", "10:03:00", "12 ms"):
        assert told in html
    stopped = health_reading(status(OrchestratorState.STOPPED, health=report), lag=lag, sources={}, bus=bus)
    assert (stopped.tasks_on_loop, stopped.lease_expires_at) == (None, None)


def test_colour_is_never_the_only_sign_and_outside_text_is_escaped():
    case = CaseReading(
        at=AT,
        symbol="FPT",
        direction="SELL",
        origin="news",
        level="CRITICAL",
        expected_return=None,
        confidence=None,
        action="STRONG_SELL",
        points=12.0,
        outcome="<script>alert(1)</script>",
        has_order=False,
    )
    html = opportunities_html([case], AT.date())
    assert "▼ sell" in html
    assert "▼ strong sell 12" in html
    assert "CRITICAL" in html
    assert "<script>" not in html
