"""Positions and leads on the street: exits wait for T+2, stale orders go, a lead of the night waits."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from vnquant.engine import AutonomousOrchestrator, EngineConfig, ExitSignalled, LeadSettled
from vnquant.engine.leads import Lead, Origin, lead_key
from vnquant.news import AlertLevel
from vnquant.runtime import ICT, now
from vnquant.sources import FeedItem
from vnquant.trading import ExitRules, Ledger, OrderStatus, Side

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:00")]


def news_about(symbol: str, *, at: datetime) -> list[FeedItem]:
    return [
        FeedItem(
            title=f"{symbol} lãi kỷ lục, tăng mạnh",
            summary="",
            url=f"street/{symbol}",
            source="street",
            published_at=at,
        )
    ]


@pytest.fixture
def quiet(street):
    """A street where nothing happens but what a test wants."""
    street.min_confidence = 1.0
    street.headlines = lambda at: []
    street.score = lambda lead, at: 0.7
    return street


def buy_on_the_news(street, symbol: str = "FPT", when: str = "2025-06-02 09:20") -> None:
    at = datetime.fromisoformat(when).replace(tzinfo=ICT)
    street.headlines = lambda now_: news_about(symbol, at=at) if now_ >= at else []


async def test_a_stop_waits_for_settlement_says_so_once_and_sells_then(quiet, ledger_path):
    buy_on_the_news(quiet)
    config = EngineConfig(exits=ExitRules(stop_loss=0.001, trailing=0.001, take_profit=9.0))
    orchestrator = AutonomousOrchestrator(quiet, database=ledger_path, config=config)
    async with orchestrator.bus.subscribe(ExitSignalled, maxsize=100) as exits, orchestrator:
        await asyncio.sleep(54 * 3_600)
        orchestrator.bus.close()
        told = [event.signal async for event in exits]
    assert [signal.waits for signal in told] == [True, False]
    assert told[0].at.date().isoformat() == "2025-06-02"
    assert f"{told[1].at:%Y-%m-%d %H:%M}" == "2025-06-04 13:00"
    async with await Ledger.open(ledger_path) as ledger:
        bought, sold = await ledger.orders(symbol="FPT")
        assert (bought.side, sold.side) == (Side.BUY, Side.SELL)
        assert sold.status is OrderStatus.FILLED
        waits = await ledger.journal(kind="exit waits")
        exit_entry = (await ledger.journal(kind="exit"))[0]
        await ledger.reconcile()
    assert len(waits) == 1
    assert "T+2" in waits[0].outcome
    assert exit_entry.client_order_id == sold.client_order_id


async def test_every_order_leads_back_to_its_verdict_lead_and_quote(quiet, ledger_path):
    buy_on_the_news(quiet)
    async with AutonomousOrchestrator(quiet, database=ledger_path):
        await asyncio.sleep(3_600)
    async with await Ledger.open(ledger_path) as ledger:
        (order,) = await ledger.orders()
        (entry,) = await ledger.journal(client_order_id=order.client_order_id)
    assert entry.cause == order.cause
    assert entry.seen["lead"]["headlines"] == ["FPT lãi kỷ lục, tăng mạnh"]
    assert entry.seen["verdict"]["reasons"] == ["the street says so"]
    assert entry.seen["quote"]["symbol"] == "FPT"


async def test_an_order_that_nobody_fills_is_taken_back(quiet, ledger_path):
    buy_on_the_news(quiet)
    quote = quiet.quotes.quote

    def rising(symbol):
        """Show asks at the first look, and none below the ceiling later."""
        found = quote(symbol)
        if f"{now():%H:%M}" >= "09:20":
            ceiling = found.ceiling_price
            levels = ((found.last_price, 0.0),) if f"{now():%H:%M}" == "09:20" else ((ceiling, 100_000.0),)
            return msgspec.structs.replace(found, asks=levels)
        return found

    quiet.quotes.quote = rising
    async with AutonomousOrchestrator(quiet, database=ledger_path) as orchestrator:
        await asyncio.sleep(22 * 60)
        assert len(orchestrator.crew.record.open_orders) == 1
        await asyncio.sleep(8 * 60)
        assert not orchestrator.crew.record.open_orders
    async with await Ledger.open(ledger_path) as ledger:
        (order,) = await ledger.orders()
    assert order.status is OrderStatus.CANCELLED
    assert "not filled within 300 s" in order.status_reason


async def test_a_lead_of_the_night_is_discussed_at_once_and_again_at_the_open(quiet, ledger_path):
    buy_on_the_news(quiet, when="2025-06-02 20:00")
    async with AutonomousOrchestrator(quiet, database=ledger_path) as orchestrator:
        await asyncio.sleep(12 * 3_600)
        assert [f"{at:%d %H:%M}" for at, _ in quiet.discussed] == ["02 20:00"]
        assert len(orchestrator.crew.record.leads) == 1
        await asyncio.sleep(13 * 3_600)
        assert [f"{at:%d %H:%M}" for at, _ in quiet.discussed] == ["02 20:00", "03 09:15"]
        assert not orchestrator.crew.record.leads
    async with await Ledger.open(ledger_path) as ledger:
        (order,) = await ledger.orders()
    assert f"{order.created_at:%Y-%m-%d %H:%M}" == "2025-06-03 09:15"


async def test_medium_and_low_headlines_are_kept_and_discussed_by_nobody(quiet, ledger_path):
    at = now()
    quiet.headlines = lambda _: [
        FeedItem(title="Thị trường đi ngang", summary="", url="street/1", source="street", published_at=at)
    ]
    async with AutonomousOrchestrator(quiet, database=ledger_path) as orchestrator:
        await asyncio.sleep(3_600)
        assert [article.level for article in orchestrator.crew.news.articles] == [AlertLevel.LOW]
    assert not quiet.discussed


async def test_one_lead_a_symbol_and_direction_an_hour_also_across_a_restart(quiet, ledger_path):
    quiet.min_confidence = 0.0
    quiet.score = lambda lead, at: 0.0
    for _ in range(2):
        async with AutonomousOrchestrator(quiet, database=ledger_path):
            await asyncio.sleep(20 * 60)
        await asyncio.sleep(30)
    seen: dict[str, datetime] = {}
    for at, symbol in quiet.discussed:
        assert symbol not in seen or at - seen[symbol] >= timedelta(hours=1)
        seen[symbol] = at
    assert len(seen) >= 4


async def test_an_order_that_was_written_and_never_sent_is_sent_in_its_session_or_given_up(
    quiet, ledger_path, monkeypatch
):
    buy_on_the_news(quiet)
    orchestrator = AutonomousOrchestrator(quiet, database=ledger_path)
    await orchestrator.start()

    async def die(order):
        raise asyncio.CancelledError

    monkeypatch.setattr(orchestrator.crew.trader.broker, "submit", die)
    await asyncio.sleep(20 * 60 + 1)
    monkeypatch.setattr(orchestrator.crew.trader, "answer", _nothing)
    await orchestrator.stop()
    async with await Ledger.open(ledger_path) as ledger:
        assert [order.status for order in await ledger.orders()] == [OrderStatus.INTENDED]
    await asyncio.sleep(600)
    async with AutonomousOrchestrator(quiet, database=ledger_path):
        pass
    async with await Ledger.open(ledger_path) as ledger:
        (order,) = await ledger.orders()
        await ledger.reconcile()
    assert order.status is OrderStatus.FILLED


async def _nothing(**_: object) -> None:
    """Stand in for what a killed process does not do."""


async def test_an_intent_whose_session_is_over_is_recorded_as_never_sent(quiet, ledger_path, monkeypatch):
    buy_on_the_news(quiet)
    orchestrator = AutonomousOrchestrator(quiet, database=ledger_path)
    await orchestrator.start()

    async def die(order):
        raise asyncio.CancelledError

    monkeypatch.setattr(orchestrator.crew.trader.broker, "submit", die)
    await asyncio.sleep(20 * 60 + 1)
    monkeypatch.setattr(orchestrator.crew.trader, "answer", _nothing)
    await orchestrator.stop()
    await asyncio.sleep(86_400)
    quiet.headlines = lambda at: []
    async with AutonomousOrchestrator(quiet, database=ledger_path):
        pass
    async with await Ledger.open(ledger_path) as ledger:
        (order,) = await ledger.orders()
    assert order.status is OrderStatus.CANCELLED
    assert "never sent" in order.status_reason


def test_a_lead_that_is_taken_up_again_is_like_no_other():
    at = datetime(2025, 6, 2, 20, 0, tzinfo=ICT)
    lead = Lead(
        lead_id="one",
        symbol="FPT",
        direction=Side.BUY,
        origin=Origin.NEWS,
        found_at=at,
        expires_at=at + timedelta(days=1),
        level=AlertLevel.HIGH,
    )
    assert lead_key(lead) == ("FPT", "BUY")
    assert lead_key(lead.deferred(at, at)) == ("again", "one")


async def test_leads_settled_without_an_order_say_why(quiet, ledger_path):
    buy_on_the_news(quiet)
    quiet.score = lambda lead, at: 0.0
    orchestrator = AutonomousOrchestrator(quiet, database=ledger_path)
    async with orchestrator.bus.subscribe(LeadSettled, maxsize=10) as settled:
        async with orchestrator:
            await asyncio.sleep(1_500)
        orchestrator.bus.close()
        outcomes = [event.outcome async for event in settled]
    assert outcomes == ["no order: HOLD at 50 of 100"]
