"""Long operations show a bar that can be cancelled, and charts of the workbench share what they can."""

import asyncio
import time

import numpy as np
import pytest

from tests.pace import slowness
from vnquant import Workbench
from vnquant.agents import BullAgent, ScoutAgent
from vnquant.errors import OperationCancelledError, StateError, UnknownSymbolError
from vnquant.simulation import Latency, SimulatedExchange
from vnquant.ui import progress

pytestmark = pytest.mark.timeout(480)


@pytest.fixture
def cancels(monkeypatch) -> dict[str, object]:
    """What the buttons of the bars that are shown would call, by what the bars say."""
    shown: dict[str, object] = {}

    def new(what, total, unit, cancel):
        shown[what] = cancel
        return progress._text_bar(total=total or None, desc=what, disable=True)

    monkeypatch.setattr(progress, "_new_bar", new)
    return shown


@pytest.fixture
async def slow_bench(market, model_cache, quick_predictor):
    """A workbench whose exchange answers at once until `latency` is set, and its exchange."""
    async with (
        SimulatedExchange(at="2025-06-02 10:00", market=market) as exchange,
        Workbench.open(exchange, cache_dir=model_cache, predictor=quick_predictor, progress=True) as bench,
    ):
        await bench.prepare()
        yield bench, exchange


@pytest.mark.parametrize("what", ["Scanning", "Loading bars", "Asking the board", "Reading the news"])
async def test_a_slow_operation_shows_a_bar_whose_button_ends_it_and_all_it_began(what, slow_bench, cancels):
    bench, exchange = slow_bench
    calls = {
        "Scanning": bench.scan,
        "Loading bars": lambda: bench.bars(["FPT", "VCB"], "2025-05-02", "2025-06-02"),
        "Asking the board": bench.quotes,
        "Reading the news": bench.news,
    }
    before = asyncio.all_tasks()
    exchange.latency = Latency.constant(30.0)
    work = asyncio.create_task(calls[what]())
    for _ in range(500):
        if what in cancels:
            break
        await asyncio.sleep(0.02)
    began = time.perf_counter()
    cancels[what]()
    with pytest.raises(OperationCancelledError, match=what):
        await work
    assert time.perf_counter() - began < 1.0 * slowness()
    exchange.latency = Latency.constant(0.0)
    for _ in range(100):  # the exchange's own handlers see the connections close a moment later
        if asyncio.all_tasks() <= before:
            break
        await asyncio.sleep(0.02)
    assert asyncio.all_tasks() <= before
    assert len(await bench.scan()) == 102  # and the workbench goes on


async def test_a_second_chart_computes_nothing_of_the_market_again(bench, monkeypatch):
    await bench.prepare()
    bench.chart("FPT", sessions=60)
    asked: list[str] = []
    whole, history = ScoutAgent.score, type(bench.model).history
    monkeypatch.setattr(ScoutAgent, "score", lambda self, panel: asked.append("scout") or whole(self, panel))
    monkeypatch.setattr(
        type(bench.model), "history", lambda *a, **k: asked.append("model") or history(*a, **k)
    )
    bench.chart("VCB", sessions=60)
    assert asked == []
    bench.agents["scout"] = ScoutAgent(volume_days=30)
    bench.chart("VCB", sessions=60)
    assert asked == ["scout"]
    await bench.scan()  # the same bars of a clock that stands still
    bench.chart("VCB", sessions=60)
    assert asked == ["scout"]


async def test_a_chart_of_a_subset_of_rows_has_the_scores_of_the_whole(bench):
    await bench.prepare()
    short, long = bench.chart("FPT", sessions=40), bench.chart("FPT", sessions=375)
    for name in ("bull", "bear", "analyst", "scout", "risk doctor", "chief"):
        (few,) = (t.y for t in short.data if t.name == name)
        (many,) = (t.y for t in long.data if t.name == name)
        np.testing.assert_allclose(few, many[-40:], atol=2e-3)


async def test_a_chart_shows_the_news_that_was_read_and_its_last_score_is_the_verdicts(bench):
    articles = await bench.news()
    symbol = next(a.symbols[0] for a in articles if a.symbols)
    verdict = await bench.discuss(symbol)
    figure = bench.chart(symbol)
    assert any((t.name or "").startswith("news") for t in figure.data)
    scores = {t.name: t.y[-1] for t in figure.data if t.yaxis == "y3"}
    for signal in (verdict, *verdict.components):
        assert scores[signal.agent.replace("_", " ")] == pytest.approx(signal.score, abs=1e-3)


async def test_an_agent_that_was_changed_draws_another_line(bench):
    await bench.prepare()

    def bull() -> np.ndarray:
        return next(t.y for t in bench.chart("FPT", sessions=60).data if t.name == "bull")

    before = bull()
    bench.agents["bull"] = BullAgent(momentum_days=60)
    assert not np.array_equal(before, bull())


async def test_a_live_chart_of_the_workbench_ends_with_it(bench):
    chart = bench.live_chart("fpt")
    for _ in range(200):
        if chart.snapshot()["running"] is not None:
            break
        await asyncio.sleep(0.05)
    quoted = (await bench.quotes("FPT")).quotes["FPT"]
    assert chart.snapshot()["running"]["close"] == quoted.last_price
    assert chart.snapshot()["bars"] == 121
    with pytest.raises(UnknownSymbolError):
        bench.live_chart("FPTT")
    await bench.close()
    assert not chart.is_live


async def test_a_file_has_no_board_to_chart_live(market, model_cache):
    from datetime import date

    frame = market.panel(date(2025, 5, 30)).select(["FPT", "HPG"]).to_frame()
    async with Workbench.open(frame, cache_dir=model_cache, progress=False) as own:
        with pytest.raises(StateError, match="no board"):
            own.live_chart("FPT")
