"""The control panel without a browser: its buttons, its life and its economy, on the engine's test street."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.engine.street import Street
from tests.unit.ui.front_end import say
from vnquant.engine import AutonomousOrchestrator, OrchestratorState
from vnquant.errors import SourceTimeoutError
from vnquant.runtime import MarketClock, now
from vnquant.trading import Ledger
from vnquant.ui.control_panel import ControlPanel

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:10")]

WHILE_S = 45 * 60 + 10  # not at an instant at which rounds are due
SECTIONS = ("positions", "orders", "opportunities", "news", "tasks", "health", "feed")


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def orchestrator(street: Street, ledger_path: Path) -> AsyncIterator[AutonomousOrchestrator]:
    made = AutonomousOrchestrator(street, database=ledger_path)
    yield made
    await made.stop()


@pytest.fixture
async def panel(orchestrator: AutonomousOrchestrator) -> AsyncIterator[ControlPanel]:
    made = ControlPanel(orchestrator, loop=asyncio.get_running_loop())
    yield made
    await made.aclose()


def click(panel: ControlPanel, do: str, **content: str) -> None:
    """Deliver a message of the front end, as ipywidgets does."""
    panel.widget._handle_custom_msg({"do": do, **content}, [])


async def test_before_the_first_start_it_says_so_and_only_start_has_a_meaning(panel):
    await asyncio.sleep(1.5)
    shown = panel.snapshot()
    assert shown["control"]["state"] == "new"
    assert list(shown["control"]["enabled"]) == ["start"]
    assert shown["account"] is None
    assert "Start" in shown["control"]["why"]
    assert panel.widget.control["enabled"] == ["start"]
    assert panel.widget.clock == {
        "day": "Mon 02 Jun 2025",
        "time": "09:10:01",
        "pace": "real time",
        "phase": "opening auction",
    }
    assert "not been started" in panel.widget.tasks["html"]
    assert "from the ledger" in panel.widget.positions["html"]


async def test_its_buttons_start_pause_resume_and_cancel(panel, orchestrator):
    before = asyncio.all_tasks()
    seen = []
    for do in ("start", "pause", "resume", "cancel"):
        click(panel, do)
        await asyncio.sleep(5)
        seen.append((panel.widget.control["state"], tuple(panel.widget.control["enabled"])))
    assert seen == [
        ("running", ("pause", "cancel")),
        ("paused", ("resume", "cancel")),
        ("running", ("pause", "cancel")),
        ("stopped", ("start",)),
    ]
    assert asyncio.all_tasks() - before <= {t for t in asyncio.all_tasks() if "control_panel" in t.get_name()}
    assert panel.widget.alert == ""
    click(panel, "start")
    await asyncio.sleep(5)
    assert orchestrator.state is OrchestratorState.RUNNING


async def test_a_double_click_and_a_click_without_meaning_change_nothing(panel, orchestrator):
    for do in ("pause", "resume", "cancel", "sell everything"):
        click(panel, do)
    await asyncio.sleep(1)
    assert orchestrator.state is OrchestratorState.NEW
    click(panel, "start")
    click(panel, "start")
    await asyncio.sleep(5)
    click(panel, "pause")
    click(panel, "pause")
    await asyncio.sleep(5)
    assert orchestrator.state is OrchestratorState.PAUSED
    click(panel, "cancel")
    click(panel, "cancel")
    await asyncio.sleep(5)
    assert orchestrator.state is OrchestratorState.STOPPED
    assert panel.widget.alert == ""


async def test_a_start_can_be_cancelled_before_it_is_done(panel, orchestrator):
    await asyncio.sleep(1)
    click(panel, "start")
    for _ in range(4):
        await asyncio.sleep(0)
    shown = panel.snapshot()["control"]
    assert (shown["state"], list(shown["enabled"])) == ("starting", ["cancel"])
    click(panel, "cancel")
    await asyncio.sleep(5)
    assert orchestrator.state is OrchestratorState.STOPPED
    assert orchestrator.status().tasks == ()
    assert panel.widget.alert == ""
    assert "cancelled" in panel.widget.control["why"]


async def test_a_click_may_come_on_another_thread(panel, orchestrator):
    await asyncio.to_thread(click, panel, "start")
    await asyncio.sleep(5)
    assert orchestrator.state is OrchestratorState.RUNNING


async def test_an_error_is_shown_with_its_advice_until_it_is_dismissed(panel, street, ledger_path):
    async with AutonomousOrchestrator(street, database=ledger_path):
        click(panel, "start")
        await asyncio.sleep(5)
        assert panel.widget.control["state"] == "failed"
        assert panel.widget.control["enabled"] == ["start"]
        assert panel.widget.alert.startswith("LeaseHeldError: ")
        assert "Stop that one" in panel.widget.alert
        click(panel, "dismiss")
        await asyncio.sleep(5)
        assert panel.widget.alert == ""
        assert panel.snapshot()["alert"] == ""
    click(panel, "start")
    await asyncio.sleep(5)
    assert panel.widget.control["state"] == "running"


async def test_two_panels_show_one_state_and_either_may_act(panel, orchestrator):
    other = ControlPanel(orchestrator, loop=asyncio.get_running_loop())
    click(panel, "start")
    click(other, "start")
    await asyncio.sleep(5)
    click(other, "pause")
    await asyncio.sleep(5)
    assert panel.widget.control == other.widget.control
    assert panel.widget.control["state"] == "paused"
    assert panel.widget.alert == other.widget.alert == ""
    await other.aclose()


async def test_it_shows_what_the_engine_did(panel, orchestrator):
    click(panel, "start")
    await asyncio.sleep(WHILE_S)
    shown = panel.snapshot()
    json.dumps(shown)  # plain data
    assert [task["name"] for task in shown["tasks"]] == [
        "positions",
        "model_scanner",
        "news_scanner",
        "opportunities",
        "health",
    ]
    assert {task["age_s"] for task in shown["tasks"]} == {WHILE_S}
    verdicts = [case for case in shown["opportunities"] if case["action"]]
    assert verdicts
    assert all(case["outcome"] for case in verdicts)
    (filled, *_) = [order for order in shown["orders"] if order["status"] == "FILLED"]
    assert any(one["symbol"] == filled["symbol"] for one in shown["positions"])
    record = orchestrator.crew.record
    prices = {s: q.last_price for s, q in orchestrator.crew.trader.last_quotes.items()}
    account = shown["account"]
    assert account["equity_vnd"] == record.portfolio.equity_vnd(prices)
    assert account["pnl_vnd"] == account["equity_vnd"] - 100_000_000
    assert account["pnl_vnd"] == account["realised_vnd"] + account["unrealised_vnd"]
    assert account["unrealised_vnd"] == sum(one["pnl_vnd"] for one in shown["positions"])
    assert {headline["level"] for headline in shown["news"]} <= {"CRITICAL", "HIGH", "MEDIUM", "LOW"}
    assert any(line["kind"] == "scan" for line in shown["feed"])
    assert [queue["name"] for queue in shown["health"]["queues"]] == ["leads", "control panel"]
    for name in SECTIONS:
        assert "<table>" in getattr(panel.widget, name)["html"], name


async def test_after_a_stop_what_it_showed_stays(panel):
    click(panel, "start")
    await asyncio.sleep(WHILE_S)
    before = panel.snapshot()
    click(panel, "cancel")
    await asyncio.sleep(5)
    after = panel.snapshot()
    for part in ("account", "positions", "opportunities", "news"):
        assert after[part] == before[part], part
    assert {task["state"] for task in after["tasks"]} == {"stopped"}
    assert {task["age_s"] for task in after["tasks"]} == {None}


async def test_the_filter_chooses_what_the_feed_shows(panel):
    click(panel, "start")
    await asyncio.sleep(WHILE_S)
    everything = len(panel.snapshot()["feed"])
    click(panel, "filter", group="order", words="")
    await asyncio.sleep(1)
    orders = panel.snapshot()["feed"]
    assert 0 < len(orders) < everything
    assert {line["group"] for line in orders} == {"order"}
    assert panel.widget.feed["note"] == f"{len(orders)} of {everything}"
    assert panel.widget.filter == {"group": "order", "words": ""}
    symbol = orders[0]["symbol"]
    click(panel, "filter", group="", words=f"{symbol.lower()} fill")
    await asyncio.sleep(1)
    assert {line["symbol"] for line in panel.snapshot()["feed"]} == {symbol}
    click(panel, "filter", group="", words="nothing says this")
    await asyncio.sleep(1)
    assert "Nothing to show" in panel.widget.feed["html"]


async def test_another_panel_reads_from_the_ledger_what_it_has_not_seen(panel, orchestrator):
    click(panel, "start")
    await asyncio.sleep(WHILE_S)
    late = ControlPanel(orchestrator, loop=asyncio.get_running_loop())
    await asyncio.sleep(1)
    first, second = panel.snapshot(), late.snapshot()
    assert second["orders"] == first["orders"]
    settled = [case for case in first["opportunities"] if case["outcome"]]
    assert {json.dumps(case) for case in settled} <= {json.dumps(case) for case in second["opportunities"]}
    outcomes = [line for line in first["feed"] if line["kind"] == "outcome"]
    assert outcomes
    assert all(line in second["feed"] for line in outcomes)
    await late.aclose()
    await orchestrator.stop()
    again = ControlPanel(orchestrator, loop=asyncio.get_running_loop())
    await asyncio.sleep(1)
    assert again.snapshot()["orders"] == first["orders"]
    await again.aclose()


async def test_when_nobody_looks_it_listens_to_nothing_and_catches_up_later(panel, orchestrator, ledger_path):
    widget = panel.widget
    say(panel, "hello")
    click(panel, "start")
    await asyncio.sleep(60)
    assert len(orchestrator.bus.statistics().subscriptions) == 1
    say(panel, "bye")
    await asyncio.sleep(1)
    assert orchestrator.bus.statistics().subscriptions == ()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("control_panel")]
    clock = dict(widget.clock)
    await asyncio.sleep(WHILE_S)
    assert widget.clock == clock
    say(panel, "hello", "b")
    await asyncio.sleep(2)
    assert len(orchestrator.bus.statistics().subscriptions) == 1
    shown = panel.snapshot()
    assert any(line["kind"] == "panel" and "nobody looked" in line["text"] for line in shown["feed"])
    outcomes = [case for case in shown["opportunities"] if case["outcome"]]
    assert outcomes
    lines = [line for line in shown["feed"] if line["kind"] == "outcome"]
    async with await Ledger.open(ledger_path, read_only=True) as ledger:
        assert len(lines) == len(await ledger.journal(kind="verdict"))


async def test_it_repaints_four_times_a_second_at_most_and_sends_what_changed_only(
    panel, street, orchestrator
):
    type(street).clock = fast = property(lambda _: MarketClock(now(), speed=60.0))
    try:
        click(panel, "start")
        await asyncio.sleep(60)
        sent = []
        panel.widget.observe(lambda change: sent.append((asyncio.get_running_loop().time(), change["name"])))
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(60)
    finally:
        type(street).clock = property(lambda _: MarketClock(now()))
    assert fast is not None
    times = sorted({at for at, _ in sent})
    assert all(later - earlier >= 0.249 for earlier, later in pairwise(times))
    assert times[0] - began <= 1.0
    counts = {name: sum(one == name for _, one in sent) for name in {one for _, one in sent}}
    assert counts["clock"] >= 59
    assert counts.get("orders", 0) == counts.get("positions", 0) == counts.get("control", 0) == 0
    assert counts["tasks"] <= 60


async def test_a_source_that_is_down_shows_in_the_feed_and_stops_nothing(panel, street):
    street.down = lambda what: SourceTimeoutError("nobody <b>answers</b>", source="street")
    click(panel, "start")
    await asyncio.sleep(15 * 60)
    shown = panel.snapshot()
    assert shown["control"]["state"] == "running"
    failed = [line for line in shown["feed"] if line["kind"] == "failed round"]
    assert failed
    assert {line["tone"] for line in failed} == {"warning"}
    assert "nobody &lt;b&gt;answers" in panel.widget.feed["html"]
    assert "<b>answers" not in panel.widget.feed["html"]


async def test_closed_with_its_workbench_it_goes_on_showing_the_last_state_without_buttons(
    panel, orchestrator
):
    click(panel, "start")
    await asyncio.sleep(60)
    await panel.aclose()
    assert panel.widget.control["enabled"] == []
    assert "closed" in panel.widget.control["why"]
    assert orchestrator.bus.statistics().subscriptions == ()
    click(panel, "cancel")
    await asyncio.sleep(1)
    assert orchestrator.state is OrchestratorState.RUNNING


async def test_its_text_is_the_same_every_time(panel):
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == repr(panel) == "ControlPanel()"
