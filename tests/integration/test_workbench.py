"""The workbench from end to end, over real loopback HTTP."""

import asyncio
from datetime import date

import numpy as np
import pandas as pd
import pytest

from vnquant import Workbench
from vnquant.agents import Agent, BullAgent, Scores, parameter
from vnquant.errors import (
    ClosedError,
    DateRangeError,
    EmptySelectionError,
    FileFormatError,
    InputError,
    MissingDataError,
    ParameterError,
    PortInUseError,
    StateError,
    UnknownSymbolError,
)
from vnquant.market import Exchange
from vnquant.simulation import Faults, SimulatedExchange

pytestmark = pytest.mark.timeout(480)


class GapAgent(Agent):
    name = "gap"
    full_gap: float = parameter(0.03, 0.01, 0.07, step=0.005, help="gap that earns the whole score")

    def score(self, panel):
        gap = panel.open[1:] / panel.close[:-1] - 1
        first = np.full((1, panel.shape[1]), np.nan)
        return Scores(np.vstack([first, np.clip(gap / self.full_gap, -1, 1)]), 0.5)


async def test_a_scan_predicts_all_102_symbols_and_says_what_it_stands_on(bench):
    result = await bench.scan()
    assert len(result) == len(bench.symbols) == 102
    assert str(result.coverage) == "102 of 102 fresh"
    assert all(p.low <= p.expected_return <= p.high and 0 <= p.confidence <= 1 for p in result.values())
    assert {p.as_of.date() for p in result.values()} == {date(2025, 6, 2)}
    assert bench.fingerprint in repr(bench.discussion_chart(await bench.discuss("FPT")).layout.annotations)


async def test_the_same_cells_give_the_same_numbers(bench, market, model_cache, quick_predictor):
    async with (
        SimulatedExchange(at="2025-06-02 10:00", market=market) as twin,
        Workbench.open(twin, cache_dir=model_cache, predictor=quick_predictor, progress=False) as other,
    ):
        first, second = await bench.scan(), await other.scan()
        assert dict(first) == dict(second)
        assert str(await bench.discuss("HPG")) == str(await other.discuss("HPG"))
        assert bench.fingerprint == other.fingerprint
        other.agents["bull"] = BullAgent(momentum_days=10)
        assert bench.fingerprint != other.fingerprint


async def test_a_warm_scan_asks_for_the_running_session_only(bench, exchange):
    await bench.scan()
    exchange.requests.clear()
    result = await bench.scan()
    assert len(exchange.requests) == 102
    assert max(p.stale_sessions for p in result.values()) == 0


async def test_a_stream_gives_the_scans_predictions(bench):
    scanned = await bench.scan(["FPT", "VCB", "HPG"])
    streamed = {p.symbol: p async for p in bench.scan_stream(["FPT", "VCB", "HPG"])}
    assert streamed == dict(scanned)


async def test_a_discussion_has_five_voices_with_reasons_and_numbers(bench):
    verdict = await bench.discuss("FPT")
    assert [s.agent for s in verdict.components] == ["bull", "bear", "analyst", "scout", "risk_doctor"]
    assert verdict.agent == "chief"
    assert all(s.reasons for s in verdict.components)
    assert "102 of 102" in verdict.coverage or "1 of 1" in verdict.coverage
    assert "FPT" in verdict._repr_html_()


async def test_a_users_own_agent_joins_the_discussion(bench):
    bench.agents["gap"] = GapAgent()
    verdict = await bench.discuss("FPT")
    assert verdict.component("gap") is not None
    assert verdict.component("gap").parameters == {"full_gap": 0.03}


async def test_an_agent_that_fails_is_named_and_the_others_decide(bench):
    class Broken(Agent):
        name = "broken"

        def score(self, panel):
            raise RuntimeError("no idea")

    bench.agents["broken"] = Broken()
    verdict = await bench.discuss("FPT")
    assert [m.partition(":")[0] for m in verdict.missing] == ["broken"]
    assert "no idea" in verdict.missing[0]
    assert len(verdict.components) == 5


async def test_charts_need_loaded_bars_and_then_work_as_static_html(bench):
    with pytest.raises(MissingDataError, match=r"bench\.scan"):
        bench.chart("FPT")
    await bench.prepare()
    figure = bench.chart("FPT", sessions=60)
    names = {trace.name for trace in figure.data}
    assert {"volume", "bull", "bear", "analyst", "scout", "risk doctor", "chief"} <= names
    bars = sum(len(trace.x) for trace in figure.data if trace.type == "candlestick")
    assert bars == 60
    assert "fingerprint" in figure.to_html(include_plotlyjs=False)


async def test_who_draws_no_charts_can_prepare_without_them(bench, monkeypatch):
    def warm(*_: object, **__: object) -> None:
        raise AssertionError("charts were prepared")

    monkeypatch.setattr("vnquant.dossier.SymbolCharts.warm", warm)
    assert (await bench.prepare(charts=False)).model is not None
    assert len(bench.chart("FPT", sessions=60).data) > 5  # one that was not foreseen is drawn all the same


async def test_bars_come_as_one_panel_with_the_running_session_partial(bench):
    panel = await bench.bars(["FPT", "VCB"], "2025-05-26", "2025-06-02")
    assert panel.symbols == ("FPT", "VCB")
    assert panel.shape == (6, 2)
    assert panel.partial
    assert not (await bench.bars("FPT", "2025-05-26", "2025-05-30")).partial
    minutes = await bench.bars(["FPT"], "2025-06-02", "2025-06-02", interval="5m")
    assert 5 <= minutes.shape[0] <= 10


async def test_quotes_news_and_the_data_report_answer(bench):
    board = await bench.quotes()
    assert len(board.quotes) == 102
    assert not board.problems
    fpt = board.quotes["FPT"]
    assert fpt.floor_price <= fpt.last_price <= fpt.ceiling_price
    articles = await bench.news()
    assert articles
    assert any(a.symbols for a in articles)
    report = await bench.data_report()
    assert "102" in str(report)


async def test_a_quota_gives_a_partial_answer_in_time_and_calls_the_rest_stale(
    exchange, model_cache, quick_predictor
):
    async with Workbench.open(
        exchange,
        cache_dir=model_cache,
        predictor=quick_predictor,
        progress=False,
    ) as warm:
        await warm.prepare()
        exchange.requests.clear()
    async with Workbench.open(
        exchange,
        cache_dir=model_cache,
        predictor=quick_predictor,
        progress=False,
        requests_per_minute=60,
        scan_deadline_s=0.5,
    ) as limited:
        result = await limited.scan()
        asked = {record.symbol for record in exchange.requests}
        assert len(asked) <= 62
        assert len(result) == 102  # the rest on yesterday's bars, and said to be so
        assert len(result.coverage.fresh) + len(result.coverage.stale) == 102
        assert set(result.coverage.stale.values()) <= {0, 1}
        assert list(result.coverage.stale.values()).count(1) >= 40
        assert result.elapsed_s < 5


# -- bad input at the door -------------------------------------------------------------------------------


async def test_unknown_symbols_get_suggestions(bench, exchange):
    exchange.requests.clear()
    for call in (
        bench.scan(["FPTT"]),
        bench.discuss("FPTT"),
        bench.bars("FPTT", "2025-01-02", "2025-01-03"),
        bench.quotes(["FPTT"]),
    ):
        with pytest.raises(UnknownSymbolError, match="did you mean FPT"):
            await call
    with pytest.raises(UnknownSymbolError):
        bench.chart("FPTT")
    assert len(exchange.requests) == 0


async def test_dates_and_selections_that_cannot_be_right_are_refused(bench):
    with pytest.raises(DateRangeError, match="backwards"):
        await bench.bars("FPT", "2025-02-01", "2025-01-01")
    with pytest.raises(DateRangeError, match="future"):
        await bench.bars("FPT", "2026-01-01", "2026-02-01")
    with pytest.raises(DateRangeError, match="2025-06-30"):
        await bench.bars("FPT", "last week", "2025-01-01")
    with pytest.raises(EmptySelectionError):
        await bench.bars([], "2025-01-01", "2025-02-01")
    with pytest.raises(EmptySelectionError):
        await bench.scan([])


async def test_files_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(FileFormatError, match="nowhere"):
        await Workbench.open(tmp_path / "nowhere.parquet")
    (tmp_path / "noise.parquet").write_bytes(b"not a parquet file")
    with pytest.raises(FileFormatError, match=r"noise\.parquet"):
        await Workbench.open(tmp_path / "noise.parquet")
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileFormatError):
        await Workbench.open(tmp_path / "wrong.csv")


async def test_a_port_in_use_is_named(exchange):
    port = int(exchange.url.rsplit(":", 1)[1])
    with pytest.raises(PortInUseError, match=str(port)):
        await SimulatedExchange(port=port, market=exchange.market).start()


async def test_a_closed_workbench_says_that_it_is_closed(bench):
    await bench.close()
    await bench.close()
    for call in (bench.scan(), bench.discuss("FPT"), bench.quotes(), bench.news(), bench.data_report()):
        with pytest.raises(ClosedError, match=r"Workbench\.open"):
            await call
    with pytest.raises(ClosedError):
        bench.chart("FPT")
    assert "closed" in repr(bench)


async def test_parameters_out_of_bounds_or_misspelt_are_refused():
    with pytest.raises(ParameterError, match="momentum_days"):
        BullAgent(momentum_days=100_000)
    with pytest.raises(ParameterError, match="Did you mean momentum_days"):
        BullAgent(momentum_day=20)
    with pytest.raises(ParameterError, match="window"):
        await Workbench.open(window=0)
    with pytest.raises(ParameterError, match="no_such_thing"):
        await Workbench.open(no_such_thing=1)


async def test_options_that_contradict_the_source_are_refused(exchange, tmp_path):
    with pytest.raises(InputError, match="own clock"):
        await Workbench.open(exchange, at="2025-01-02")
    with pytest.raises(InputError, match="faults"):
        await Workbench.open(exchange, faults=Faults())
    with pytest.raises(InputError, match="now"):
        await Workbench.open("live", at="2025-01-02")
    with pytest.raises(InputError, match="speed"):
        await Workbench.open(tmp_path / "x.csv", speed=60)


# -- own bars ---------------------------------------------------------------------------------------------


async def test_a_frame_of_own_bars_scans_and_discusses(market, model_cache, quick_predictor):
    frame = market.panel(date(2025, 5, 30)).select(["FPT", "HPG", "VCB", "SSI", "VNM", "MWG"]).to_frame()
    async with Workbench.open(
        frame, cache_dir=model_cache, predictor=quick_predictor, progress=False
    ) as bench:
        assert bench.clock.now().date() == date(2025, 5, 30)
        result = await bench.scan()
        assert str(result.coverage) == "6 of 6 fresh"
        verdict = await bench.discuss("FPT")
        assert not verdict.missing
        assert bench.universe["FPT"].exchange is Exchange.HOSE
        with pytest.raises(StateError, match="file holds bars only"):
            await bench.quotes()
        with pytest.raises(StateError):
            await bench.news()


async def test_a_workbench_in_the_past_of_a_file_sees_nothing_later(market, model_cache, quick_predictor):
    frame = market.panel(date(2025, 5, 30)).select(["FPT", "HPG", "VCB", "SSI", "VNM", "MWG"]).to_frame()
    past = frame[frame["date"] <= pd.Timestamp("2024-06-28")]
    results = []
    for data in (frame, past):
        async with Workbench.open(
            data, at="2024-06-28", cache_dir=model_cache, predictor=quick_predictor, progress=False
        ) as bench:
            results.append((dict(await bench.scan()), bench.fingerprint))
    assert results[0] == results[1]


# -- lifetime ----------------------------------------------------------------------------------------------


async def test_closing_leaves_no_task_behind(market, model_cache, quick_predictor):
    before = asyncio.all_tasks()
    bench = await Workbench.open(cache_dir=model_cache, predictor=quick_predictor, progress=False)
    await bench.scan(["FPT", "VCB"])
    stream = bench.scan_stream()
    await anext(stream)
    await bench.close()
    await stream.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_failure_while_opening_closes_what_was_opened(tmp_path):
    before = asyncio.all_tasks()
    with pytest.raises(ParameterError):
        await Workbench.open(agents=[BullAgent(momentum_days=-1)])
    with pytest.raises(TypeError):
        await Workbench.open(agents=42, progress=False)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
