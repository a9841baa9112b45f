"""The live chart on virtual time, without a browser: what it shows, how often, and how it ends."""

import asyncio
from datetime import date, datetime, timedelta

import msgspec
import numpy as np
import pytest

from tests.unit.ui.front_end import say
from vnquant.errors import SourceConnectionError
from vnquant.market import BarPanel, Exchange, Quote, default_calendar, load_universe
from vnquant.runtime import ICT, EventBus, MarketClock, now
from vnquant.sources import QuoteBoard
from vnquant.ui.live_chart import LiveChart
from vnquant.ui.live_picture import LivePicture
from vnquant.ui.theme import COLOURS, PriceState

pytestmark = pytest.mark.virtual(start="2025-06-03 10:00")


def panel_to(day: date, sessions: int = 30) -> BarPanel:
    days = default_calendar().sessions(day - timedelta(days=90), day)[-sessions:]
    close = np.linspace(20_000, 21_000, len(days))[:, None]
    stamps = days.astype("datetime64[s]")
    return BarPanel(("FPT",), stamps, close, close + 50, close - 50, close, np.full_like(close, 1e6))


def quote(last: float | None = 21_200.0, **fields) -> Quote:
    values = {
        "symbol": "FPT",
        "as_of": now(),
        "reference_price": 21_000.0,
        "ceiling_price": 22_450.0,
        "floor_price": 19_550.0,
        "last_price": last,
        "total_volume": 5_000.0,
        "open_price": 21_050.0,
        "high_price": 21_300.0,
        "low_price": 20_900.0,
    }
    return Quote(**values | fields)


class Board:
    """A source of quotes whose price goes up a tick at each question."""

    name = "board"

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.still = False

    async def quotes(self, symbols):
        await asyncio.sleep(0.01)
        self.asked += 1
        if self.error is not None:
            raise self.error
        steps = 0 if self.still else self.asked
        return QuoteBoard({"FPT": quote(21_000.0 + 50.0 * (steps % 20))})


class Panels:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def __call__(self) -> BarPanel:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return panel_to(now().date())


@pytest.fixture
async def live():
    """Makes live charts, and ends them with the test."""
    made = []

    def make(board=None, **options) -> LiveChart:
        chart = LiveChart(
            "FPT",
            **{
                "panel": Panels(),
                "quotes": board or Board(),
                "universe": load_universe(),
                "clock": MarketClock(now()),
                "loop": asyncio.get_running_loop(),
            }
            | options,
        )
        made.append(chart)
        return chart

    yield make
    for chart in made:
        await chart.aclose()


def trace(chart: LiveChart, name: str):
    (found,) = (t for t in chart._figure.data if t.name == name)
    return found


async def test_the_running_bar_follows_the_board(live):
    chart = live()
    await asyncio.sleep(0.5)
    first = chart.snapshot()
    assert first["bars"] == 30  # 29 completed sessions and today's
    assert first["running"]["close"] == 21_050
    assert list(trace(chart, "today").x) == ["2025-06-03 Tue"]
    await asyncio.sleep(2)
    assert chart.snapshot()["running"]["close"] == 21_150
    assert list(trace(chart, "today").close) == [21_150]
    assert list(trace(chart, "ceiling").y) == [22_450, 22_450]
    assert trace(chart, "today").increasing.line.color == COLOURS[PriceState.UP]
    assert "▲" in chart._head.value
    assert "21,150" in chart._head.value
    assert repr(chart) == "LiveChart(FPT)"


async def test_a_burst_on_the_bus_is_drawn_ten_times_a_second_with_the_newest_price(live):
    bus = EventBus()
    chart = live(bus=bus)
    await asyncio.sleep(0.2)
    for step in range(1_000):  # a thousand quotes in a second
        bus.publish_nowait(quote(21_000.0 + 50.0 * (step % 9), total_volume=float(step + 1)))
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.2)
    shown = chart.snapshot()
    assert 9 <= shown["frames"] <= 12
    assert shown["running"]["volume"] == 1_000  # the last one is never lost
    bus.publish_nowait(quote(25_000.0, symbol="VCB"))
    await asyncio.sleep(0.2)
    assert chart.snapshot() == shown


async def test_a_quote_that_changes_nothing_sends_nothing(live):
    board = Board()
    board.still = True
    chart = live(board)
    await asyncio.sleep(10)
    assert board.asked >= 9
    assert chart.snapshot()["frames"] == 1


async def test_a_failing_board_is_told_and_its_recovery_too(live):
    board = Board()
    chart = live(board)
    await asyncio.sleep(1.5)
    board.error = SourceConnectionError("<b>refused</b>", source="board")
    await asyncio.sleep(2)
    assert chart.snapshot()["error"] == "<b>refused</b>"
    assert "&lt;b&gt;refused" in chart._head.value
    board.error = None
    await asyncio.sleep(2)
    assert chart.snapshot()["error"] == ""
    assert "refused" not in chart._head.value
    assert chart.is_live


async def test_bars_that_do_not_come_are_asked_for_again(live):
    panels = Panels(SourceConnectionError("no bars", source="bars"))
    chart = live(panel=panels)
    await asyncio.sleep(1)
    assert chart.snapshot()["error"] == "no bars"
    await asyncio.sleep(6)
    assert chart.snapshot()["running"] is not None
    assert chart.snapshot()["error"] == ""
    assert panels.asked == 2


async def test_a_bug_is_shown_by_its_own_name_and_not_as_a_group_of_tasks(live):
    class Broken(Board):
        async def quotes(self, symbols):
            await asyncio.sleep(0.01)
            return {"FPT": "no board at all"}

    chart = live(Broken())
    await asyncio.sleep(1)
    assert "TaskGroup" not in chart.snapshot()["error"]
    assert "problems" in chart.snapshot()["error"]


@pytest.mark.virtual(start="2025-06-03 23:59")
async def test_a_new_session_begins_a_new_bar(live):
    chart = live(interval_s=10.0)
    await asyncio.sleep(1)
    assert chart.snapshot()["running"]["label"] == "2025-06-03 Tue"
    await asyncio.sleep(90)
    assert chart.snapshot()["running"]["label"] == "2025-06-04 Wed"
    assert chart._picture.labels[-2:] == ["2025-06-03 Tue", "2025-06-04 Wed"]


async def test_it_stops_when_its_last_view_is_gone_and_goes_on_when_one_comes_back(live):
    board = Board()
    chart = live(board)
    say(chart, "hello")
    await asyncio.sleep(2)
    say(chart, "bye")
    await asyncio.sleep(0.1)
    asked = board.asked
    await asyncio.sleep(30)
    assert board.asked == asked
    assert not chart.is_live
    say(chart, "hello")
    await asyncio.sleep(2)
    assert board.asked > asked


async def test_closing_leaves_no_task_and_no_subscription(live):
    bus = EventBus()
    chart = live(bus=bus)
    await asyncio.sleep(0.2)
    assert len(bus.statistics().subscriptions) == 1
    await chart.aclose()
    assert bus.statistics().subscriptions == ()
    assert [t for t in asyncio.all_tasks() if "live chart" in t.get_name()] == []


# -- the picture alone -------------------------------------------------------------------------------------


async def test_no_bar_before_the_first_match_and_the_weekend_shows_friday():
    picture = LivePicture("FPT", Exchange.HOSE)
    picture.load(panel_to(date(2025, 6, 3)), today=date(2025, 6, 3), sessions=10)
    assert len(picture.labels) == 11
    assert not picture.take(quote(None, total_volume=0.0))
    assert picture.running is None
    assert picture.take(quote(22_450.0))
    assert picture.running.state is PriceState.CEILING
    assert "▲▲" in str(picture.running)
    assert not picture.take(
        msgspec.structs.replace(quote(22_450.0), as_of=datetime(2025, 6, 3, 11, tzinfo=ICT))
    )


async def test_high_and_low_hold_the_last_price_whatever_the_board_says():
    picture = LivePicture("FPT", Exchange.HOSE)
    picture.load(panel_to(date(2025, 6, 3)), today=date(2025, 6, 3), sessions=10)
    picture.take(quote(21_400.0, high_price=None, low_price=21_500.0, open_price=None))
    bar = picture.running
    assert bar.low <= bar.close <= bar.high
    assert bar.open == 21_400
