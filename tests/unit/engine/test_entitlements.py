"""Ex-dates on the street: what holders get is booked once, and no exit takes the fallen price for a loss."""

import asyncio
import contextlib
from datetime import date, datetime
from pathlib import Path

import msgspec
import pytest

from tests.unit.engine.street import Street
from vnquant.engine import ActionBooked, AutonomousOrchestrator, EngineConfig, run_span
from vnquant.errors import DatabaseUnavailableError, SourceTimeoutError
from vnquant.market import CashDividend, CorporateAction, Quote, ShareSplit
from vnquant.runtime import ICT, now, run_virtual
from vnquant.sources import FeedItem
from vnquant.trading import Account, ExitRules, Ledger, Position, Side

START = "2025-06-02 09:00"
EX_DATE = date(2025, 6, 4)
# Stops that no ordinary day of the street reaches, and this dividend and this issue do by far.
CONFIG = EngineConfig(
    exits=ExitRules(stop_loss=0.25, trailing=0.25, take_profit=9.0, max_sessions=99), lease_term_s=86_400.0
)
DIVIDEND = CashDividend(
    action_id="FPT:dividend",
    symbol="FPT",
    ex_date=EX_DATE,
    per_share_vnd=8_000,
    payable_on=date(2025, 6, 25),
)
ISSUE = ShareSplit(
    action_id="FPT:issue",
    symbol="FPT",
    ex_date=EX_DATE,
    held=100,
    become=177,
    new_shares_sellable_from=datetime(2025, 7, 15, 9, 0, tzinfo=ICT),
)


def at(when: str) -> datetime:
    return datetime.fromisoformat(when).replace(tzinfo=ICT)


async def sleep_till(when: str) -> None:
    await asyncio.sleep((at(when) - now()).total_seconds())


def holding(*went_ex: CorporateAction, street: Street | None = None) -> Street:
    """Return a street where FPT is bought on Monday morning, and nothing else happens by itself."""
    street = Street() if street is None else street
    street.min_confidence = 1.0
    street.went_ex = went_ex
    street.score = lambda lead, when: 0.7
    bought = at("2025-06-02 09:20")
    item = FeedItem(
        title="FPT lãi kỷ lục, tăng mạnh",
        summary="",
        url="street/FPT",
        source="street",
        published_at=bought,
    )
    street.headlines = lambda when: [item] if when >= bought else []
    return street


def fpt(orchestrator: AutonomousOrchestrator) -> Position:
    return orchestrator.crew.record.portfolio.positions["FPT"]


def equity_at_reference(orchestrator: AutonomousOrchestrator, street: Street, day: date) -> int:
    reference = street.quotes.reference("FPT", day)
    return orchestrator.crew.record.portfolio.equity_vnd({"FPT": reference})


async def entitlements_told(path: Path) -> list[str]:
    async with await Ledger.open(path, read_only=True) as ledger:
        entries = await ledger.journal(kind="entitlement")
    return [entry.outcome for entry in sorted(entries, key=lambda entry: entry.at)]


async def no_sale(path: Path) -> bool:
    async with await Ledger.open(path, read_only=True) as ledger:
        await ledger.reconcile()
        return all(order.side is Side.BUY for order in await ledger.orders())


def check_the_fall_is_a_stops(before: Position, street: Street) -> None:
    """Prove that without an entry in the books both stops would have sold."""
    reference = street.quotes.reference("FPT", EX_DATE)
    assert reference < 0.75 * before.peak_price_vnd
    assert reference * before.quantity < 0.75 * before.basis_vnd


@pytest.mark.virtual(start=START)
async def test_a_dividend_is_booked_before_the_stops_look_and_equity_is_continuous(ledger_path):
    street = holding(DIVIDEND)
    orchestrator = AutonomousOrchestrator(street, database=ledger_path, config=CONFIG)
    async with orchestrator.bus.subscribe(ActionBooked, maxsize=10) as told, orchestrator:
        await sleep_till("2025-06-04 08:59")
        before = fpt(orchestrator)
        check_the_fall_is_a_stops(before, street)
        close = street.quotes._price("FPT", date(2025, 6, 3), 900)
        equity = orchestrator.crew.record.portfolio.equity_vnd({"FPT": close})
        await sleep_till("2025-06-04 09:00:01")
        after, gross = fpt(orchestrator), before.quantity * 8_000
        assert after.dividends_vnd == gross
        assert after.peak_price_vnd == before.peak_price_vnd - 8_000
        tax = round(gross * 0.05)
        assert equity_at_reference(orchestrator, street, EX_DATE) == equity - tax
        assert orchestrator.crew.record.portfolio.receivable_vnd(now()) == gross - tax
        assert orchestrator.crew.record.day.day == EX_DATE
        ours, brokers = orchestrator.crew.record.portfolio, orchestrator.crew.trader.broker.account
        assert brokers.balances == ours.balances
        assert brokers.positions["FPT"].basis_vnd == after.basis_vnd
        await sleep_till("2025-06-04 15:04")
        orchestrator.bus.close()
        assert [event.action async for event in told] == [DIVIDEND]
    (outcome,) = await entitlements_told(ledger_path)
    assert f"{gross - tax:,} VND after tax on 2025-06-25" in outcome
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_the_dividend_can_be_spent_from_the_day_it_is_paid(ledger_path):
    async with AutonomousOrchestrator(holding(DIVIDEND), database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-25 08:00")
        portfolio = orchestrator.crew.record.portfolio
        spent = portfolio.available_cash_vnd(now())
        await sleep_till("2025-06-25 09:01")
        net = round(fpt(orchestrator).quantity * 8_000 * 0.95)
        assert portfolio.available_cash_vnd(now()) == spent + net


@pytest.mark.virtual(start=START)
async def test_issued_shares_are_booked_and_wait_for_their_listing(ledger_path):
    street = holding(ISSUE)
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-04 08:59")
        before = fpt(orchestrator)
        check_the_fall_is_a_stops(before, street)
        await sleep_till("2025-06-04 14:00")
        after = fpt(orchestrator)
        assert after.quantity == before.quantity * 177 // 100
        assert (after.cost_vnd, after.dividends_vnd) == (before.cost_vnd, 0)
        assert after.sellable_quantity(now()) == before.quantity
        assert after.peak_price_vnd < before.peak_price_vnd
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_lots_and_the_odd_lot_of_an_issue_are_sold_by_two_orders(ledger_path):
    issue = msgspec.structs.replace(ISSUE, new_shares_sellable_from=None)
    config = msgspec.structs.replace(
        CONFIG, exits=ExitRules(stop_loss=0.9, trailing=0.9, take_profit=9.0, max_sessions=3)
    )
    async with AutonomousOrchestrator(holding(issue), database=ledger_path, config=config) as orchestrator:
        await sleep_till("2025-06-04 14:00")
        held = fpt(orchestrator).quantity
        assert held % 100
        await sleep_till("2025-06-05 11:30")
        assert not orchestrator.crew.record.portfolio.positions
    async with await Ledger.open(ledger_path) as ledger:
        sales = [order for order in await ledger.orders() if order.side is Side.SELL]
        await ledger.reconcile()
    assert sales[0].quantity == held - held % 100
    assert sales[-1].quantity == held % 100
    assert all(order.reason.startswith("time") for order in sales)
    assert not any("no multiple" in order.status_reason for order in sales)


@pytest.mark.virtual(start=START)
async def test_where_nobody_tells_entry_and_peak_follow_the_price_and_no_money_moves(ledger_path):
    street = holding(ISSUE)
    street.actions = None
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-04 08:59")
        before = fpt(orchestrator)
        check_the_fall_is_a_stops(before, street)
        books = dict(orchestrator.crew.record.portfolio.balances)
        await sleep_till("2025-06-04 09:00:30")
        assert fpt(orchestrator) == before  # nothing has traded at that price
        await sleep_till("2025-06-04 09:01:30")
        after = fpt(orchestrator)
        close = street.quotes._price("FPT", date(2025, 6, 3), 900)
        factor = street.quotes.reference("FPT", EX_DATE) / close
        assert after.entry_price_vnd == pytest.approx(before.entry_price_vnd * factor, rel=1e-6)
        assert after.peak_price_vnd == pytest.approx(before.peak_price_vnd * factor, rel=1e-3)
        assert (after.quantity, after.cost_vnd) == (before.quantity, before.cost_vnd)
        assert orchestrator.crew.record.portfolio.balances == books
        await sleep_till("2025-06-05 15:04")
    waits, booked = await entitlements_told(ledger_path)
    assert waits.startswith("exits wait")
    assert "nobody tells what holders get" in booked
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_what_was_told_and_does_not_explain_the_price_is_booked_and_the_rest_follows(ledger_path):
    street = holding(DIVIDEND, msgspec.structs.replace(ISSUE, held=10, become=11))
    actions = street.actions.actions

    async def dividends_only(symbols, start, end):
        return tuple(a for a in await actions(symbols, start, end) if isinstance(a, CashDividend))

    street.actions.actions = dividends_only
    # The street lets the first action of a day happen; this is both.
    street.ex_price = lambda symbol, day, price: (price - 8_000) / 1.1 if day == EX_DATE else price
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-04 08:59")
        before = fpt(orchestrator)
        await sleep_till("2025-06-04 09:03")
        after = fpt(orchestrator)
    assert after.dividends_vnd == before.quantity * 8_000
    rest = (before.cost_vnd - after.dividends_vnd) * (1 - 1 / 1.1)
    assert after.gone_ex_vnd == pytest.approx(rest, rel=0.03)
    assert len(await entitlements_told(ledger_path)) == 3


@pytest.mark.virtual(start=START)
async def test_who_buys_on_the_ex_date_gets_nothing(ledger_path):
    street = holding(msgspec.structs.replace(DIVIDEND, ex_date=date(2025, 6, 2)))
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-03 12:00")
        assert fpt(orchestrator).dividends_vnd == 0
    assert not await entitlements_told(ledger_path)


@pytest.mark.virtual(start=START)
async def test_an_ex_date_while_the_engine_was_away_is_booked_when_it_is_back(ledger_path):
    street = holding(DIVIDEND)
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-03 14:00")
        before = fpt(orchestrator)
    await sleep_till("2025-06-06 10:00")
    for _ in range(2):
        async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
            await asyncio.sleep(600)
            assert fpt(orchestrator).dividends_vnd == before.quantity * 8_000
    assert len(await entitlements_told(ledger_path)) == 1
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_where_nobody_tells_and_the_close_was_missed_this_is_said_once(ledger_path):
    street = holding()
    street.actions = None
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG):
        await sleep_till("2025-06-02 14:00")
    await sleep_till("2025-06-03 10:00")
    for _ in range(2):
        async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG):
            await asyncio.sleep(600)
    (outcome,) = await entitlements_told(ledger_path)
    assert outcome.startswith("not known whether anything went ex: no close was seen")


@pytest.mark.virtual(start=START)
async def test_while_the_source_is_silent_a_fallen_price_sells_nothing(ledger_path):
    street = holding(DIVIDEND)
    silent = SourceTimeoutError("nobody tells", source="street")
    back = at("2025-06-04 09:40")
    street.down = lambda what: (
        silent if what == "actions" and at("2025-06-03 09:00") <= now() < back else None
    )
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-03 14:00")
        # That price told by itself that nothing went ex.
        assert orchestrator.crew.record.marks["FPT"].doubt is None
        await sleep_till("2025-06-04 09:39")
        assert fpt(orchestrator).dividends_vnd == 0
        await sleep_till("2025-06-04 09:41")
        assert fpt(orchestrator).dividends_vnd > 0
        await sleep_till("2025-06-04 15:04")
    waits, booked = await entitlements_told(ledger_path)
    assert waits.startswith("exits wait")
    assert booked.startswith("dividend of 8,000 VND")
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_a_source_that_is_silent_for_days_holds_back_no_exit_where_the_price_is_plain(ledger_path):
    street = holding()
    silent = SourceTimeoutError("nobody tells", source="street")
    street.down = lambda what: silent if what == "actions" else None
    config = msgspec.structs.replace(
        CONFIG, exits=ExitRules(stop_loss=0.9, trailing=0.9, take_profit=9.0, max_sessions=3)
    )
    async with AutonomousOrchestrator(street, database=ledger_path, config=config) as orchestrator:
        await sleep_till("2025-06-05 09:30")
        assert not orchestrator.crew.record.portfolio.positions
    assert not await entitlements_told(ledger_path)


@pytest.mark.virtual(start=START)
async def test_a_source_that_hangs_does_not_hang_the_watch(ledger_path):
    street = holding(DIVIDEND)
    street.hang_s = lambda what: 3_600.0 if what == "actions" else 0.0
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-04 12:00")
        assert "positions" not in [
            name for name, part in orchestrator.status().components.items() if part.restarts
        ]
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
@pytest.mark.parametrize("told", [True, False])
async def test_a_board_of_another_session_is_not_believed(ledger_path, told):
    street = holding(DIVIDEND)
    if not told:
        street.actions = None
    quote = street.quotes.quote
    shown: dict[date, Quote] = {}

    def late(symbol: str) -> Quote:
        """Show the last session until 09:03 of the ex-date, and the one before for a minute of Tuesday."""
        found = quote(symbol)
        if symbol == "FPT" and found.as_of >= at("2025-06-02 15:00"):
            shown.setdefault(found.as_of.date(), found)
            if found.as_of.time() >= at("2025-06-02 15:00").time():
                shown[found.as_of.date()] = found
            old = {
                "2025-06-03 10:17": date(2025, 6, 2),
                **dict.fromkeys((f"2025-06-04 09:0{minute}" for minute in range(3)), date(2025, 6, 3)),
            }.get(f"{found.as_of:%Y-%m-%d %H:%M}")
            if old is not None:
                return msgspec.structs.replace(shown[old], as_of=found.as_of)
        return found

    street.quotes.quote = late
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-04 08:59")
        before = fpt(orchestrator)
        await sleep_till("2025-06-04 09:02:30")
        assert fpt(orchestrator) == before
        await sleep_till("2025-06-04 09:06")
        assert fpt(orchestrator).basis_vnd < 0.75 * before.basis_vnd
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_a_wrong_reference_seen_once_changes_nothing(ledger_path):
    street = holding()
    street.actions = None
    quote = street.quotes.quote

    def wrong_once(symbol: str) -> Quote:
        found = quote(symbol)
        if f"{found.as_of:%d %H:%M}" == "03 09:00":
            return msgspec.structs.replace(found, reference_price=found.reference_price - 1_000)
        return found

    street.quotes.quote = wrong_once
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-03 14:00")
        assert fpt(orchestrator).gone_ex_vnd == 0
        assert orchestrator.crew.record.marks["FPT"].doubt is None
    (waits,) = await entitlements_told(ledger_path)
    assert "trading has to go on under it" in waits


@pytest.mark.virtual(start=START)
@pytest.mark.parametrize("told", [True, False])
async def test_a_strange_board_that_stands_still_books_nothing_and_sells_nothing(ledger_path, told):
    street = holding()
    if not told:
        street.actions = None
    quote = street.quotes.quote

    def frozen(symbol: str) -> Quote:
        """Show a board of half the price until 11:00, as it stood at some close."""
        found = quote(symbol)
        if at("2025-06-03 09:00") <= found.as_of < at("2025-06-03 11:00"):
            half = {"reference_price": 10_000.0, "last_price": 10_000.0, "total_volume": 900_000.0}
            return msgspec.structs.replace(found, ceiling_price=10_700.0, floor_price=9_300.0, **half)
        return found

    street.quotes.quote = frozen
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG) as orchestrator:
        await sleep_till("2025-06-03 10:59")
        assert fpt(orchestrator).gone_ex_vnd == 0
        await sleep_till("2025-06-03 15:04")
        assert fpt(orchestrator).gone_ex_vnd == 0
        assert orchestrator.crew.record.marks["FPT"].doubt is None
    assert len(await entitlements_told(ledger_path)) == 1
    assert await no_sale(ledger_path)


@pytest.mark.virtual(start=START)
async def test_the_source_is_asked_once_a_session_and_not_while_nothing_is_held(ledger_path):
    street = holding()
    async with AutonomousOrchestrator(street, database=ledger_path, config=CONFIG):
        await sleep_till("2025-06-02 18:00")
        assert street.actions.asked == 0
        await sleep_till("2025-06-05 18:00")
        assert street.actions.asked == 3


@pytest.mark.no_cover  # the same lines a hundred times over, and a tracer doubles their time
@pytest.mark.parametrize("told", [True, False], ids=["told", "by the price alone"])
def test_a_kill_at_any_commit_around_an_ex_date_leaves_the_ledger_of_the_undisturbed_run(
    tmp_path, killed, told
):
    until = at("2025-06-04 09:20")

    def street() -> Street:
        made = holding(DIVIDEND)
        if not told:
            made.actions = None
        return made

    def run(path: Path, commit: int | None = None, *, unheard: bool = False) -> tuple[str, str, int]:
        async def main() -> tuple[str, str, int]:
            if commit is not None:
                killed.commits, killed.at, killed.unheard = 0, commit, unheard
                killed.dead = asyncio.Event()
                orchestrator = AutonomousOrchestrator(street(), database=path, config=CONFIG)
                with contextlib.suppress(DatabaseUnavailableError):
                    await orchestrator.start()
                    await killed.dead.wait()
                    await orchestrator.stop()
                killed.at = None
            summary = await run_span(AutonomousOrchestrator(street(), database=path, config=CONFIG), until)
            return summary.ledger_digest, summary.journal_digest, summary.equity_vnd

        return run_virtual(main(), start=START)

    whole = run(tmp_path / "whole.db")
    commits = killed.commits
    assert commits > 6
    for number in range(1, commits + 1):
        for unheard in (False, True):
            path = tmp_path / f"{number}-{unheard}.db"
            assert run(path, number, unheard=unheard) == whole, f"killed at {number}, written: {unheard}"

    async def look() -> list[object]:
        async with await Ledger.open(path, read_only=True) as ledger:
            audit = await ledger.reconcile()
            past = await ledger.recover()
            assert past.portfolio is not None
            return [audit.actions, past.portfolio.positions["FPT"], audit.balances[Account.DIVIDENDS]]

    actions, position, dividends = run_virtual(look(), start=START)
    assert actions == 2  # the deposit, and what went ex
    assert isinstance(position, Position)
    assert (dividends == -position.quantity * 8_000) is told
    assert (position.gone_ex_vnd > 0) is not told
