"""The scanner against sources in memory: coverage, failures, order, deadline, cancellation."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pytest

from vnquant.errors import (
    EmptySelectionError,
    MissingDataError,
    RateLimitedError,
    SourceConnectionError,
    SourceTimeoutError,
    UnknownSymbolError,
)
from vnquant.market import Action, BarPanel, BarSeries, default_calendar, load_universe
from vnquant.models import Prediction
from vnquant.runtime import MarketClock
from vnquant.scanners import MarketHistory, ModelScanner, OpportunityFilter, ScannerConfig

AT = datetime(2025, 6, 2, 10, 0)
SESSIONS = default_calendar().sessions(date(2025, 3, 3), date(2025, 6, 2))


def bars_of(symbol: str, *, missing_sessions: int = 0, growth: float = 0.001) -> BarSeries:
    stamps = SESSIONS[: len(SESSIONS) - missing_sessions].astype("datetime64[s]")
    close = 20_000.0 * (1 + growth) ** np.arange(len(stamps))
    return BarSeries(symbol, stamps, close, close * 1.01, close * 0.99, close, np.full(len(stamps), 1e6))


class MemorySource:
    name = "memory"

    def __init__(self, answer: Callable[[str], BarSeries]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        self.asked.append(symbol)
        await asyncio.sleep(0)
        return self.answer(symbol)


class GrowthPredictor:
    """Predicts that a symbol's last twenty sessions' growth goes on; needs twenty bars."""

    fingerprint = "growth"

    def predict(self, panel: BarPanel) -> dict[str, Prediction]:
        found = {}
        for column, symbol in enumerate(panel.symbols):
            rows = np.flatnonzero(np.isfinite(panel.close[:, column]))
            close = panel.close[rows, column]
            if len(close) < 20:
                continue
            expected = float(close[-1] / close[-20] - 1)
            found[symbol] = Prediction(
                symbol=symbol,
                as_of=panel.timestamps[rows[-1]].item(),
                expected_return=expected,
                low=expected - 0.05,
                high=expected + 0.05,
                confidence=0.75,
                action=Action.HOLD,
            )
        return found


def scanner_on(source: MemorySource, **config: float) -> ModelScanner:
    history = MarketHistory(
        source,
        universe=load_universe(),
        calendar=default_calendar(),
        clock=MarketClock.frozen(AT),
        config=ScannerConfig(**config),
    )
    return ModelScanner(history, GrowthPredictor())


async def test_a_scan_of_everything_predicts_every_symbol_and_says_so():
    result = await scanner_on(MemorySource(bars_of)).scan_stocks()
    assert len(result) == 102
    assert str(result.coverage) == "102 of 102 fresh"
    assert not result.failures
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_failures_are_reported_by_symbol_and_not_raised():
    def answer(symbol: str) -> BarSeries:
        if symbol == "FPT":
            raise SourceConnectionError("reset by peer", source="memory", symbol="FPT")
        if symbol == "VCB":
            raise RateLimitedError("slow down", retry_after_s=1.0)
        return bars_of(symbol)

    result = await scanner_on(MemorySource(answer)).scan_stocks()
    assert len(result) == 100
    assert {s: type(e) for s, e in result.failures.items()} == {
        "FPT": SourceConnectionError,
        "VCB": RateLimitedError,
    }
    assert str(result.coverage).startswith("100 of 102 fresh, 2 failed: ")
    with pytest.raises(KeyError, match="reset by peer"):
        result["FPT"]


async def test_a_bug_in_a_source_sinks_only_its_symbol_and_is_logged(caplog):
    def answer(symbol: str) -> BarSeries:
        if symbol == "FPT":
            raise ZeroDivisionError("a bug")
        return bars_of(symbol)

    result = await scanner_on(MemorySource(answer)).scan_stocks()
    assert "ZeroDivisionError" in str(result.failures["FPT"])
    assert "a bug" in caplog.text


async def test_stale_symbols_are_predicted_on_their_own_last_bar_and_counted():
    lags = {"FPT": 2, "HPG": 2, "SSI": 1, "VCB": 30}
    source = MemorySource(lambda s: bars_of(s, missing_sessions=lags.get(s, 0)))
    result = await scanner_on(source).scan_stocks()
    assert result["FPT"].stale_sessions == 2
    assert result["FPT"].as_of.date() == SESSIONS[-3].item()
    assert result["ACB"].stale_sessions == 0
    assert "VCB" not in result
    assert isinstance(result.failures["VCB"], MissingDataError)
    assert str(result.coverage) == (
        "98 of 102 fresh, 1 stale by 1 session, 2 stale by 2 sessions, 1 failed: stale data"
    )


async def test_a_failed_refresh_falls_back_to_the_bars_already_there():
    yesterday = MarketClock.frozen(datetime(2025, 5, 30, 16, 0))
    broken = False

    def answer(symbol: str) -> BarSeries:
        if broken:
            raise SourceConnectionError("down")
        return bars_of(symbol, missing_sessions=1)

    scanner = scanner_on(MemorySource(answer))
    scanner.history.clock = yesterday
    assert str((await scanner.scan_stocks()).coverage) == "102 of 102 fresh"
    scanner.history.clock, broken = MarketClock.frozen(AT), True
    result = await scanner.scan_stocks()
    assert len(result) == 102
    assert str(result.coverage) == "0 of 102 fresh, 102 stale by 1 session"
    assert isinstance(result.failures["FPT"], SourceConnectionError)


async def test_too_few_bars_are_a_failure_with_its_reason():
    source = MemorySource(lambda s: bars_of(s, missing_sessions=0 if s != "FPT" else len(SESSIONS) - 5))
    short = BarSeries(
        "FPT",
        *(getattr(bars_of("FPT"), n)[-5:] for n in ("timestamps", "open", "high", "low", "close", "volume")),
    )
    source.answer = lambda s: short if s == "FPT" else bars_of(s)
    result = await scanner_on(source).scan_stocks()
    assert "too few bars" in str(result.failures["FPT"])


async def test_the_deadline_gives_a_partial_answer_in_time():
    class Slow(MemorySource):
        async def bars(self, symbol, start, end, *, interval="1D"):
            await asyncio.sleep(3600 if symbol in ("FPT", "VCB") else 0)
            return bars_of(symbol)

    loop = asyncio.get_running_loop()
    began = loop.time()
    result = await scanner_on(Slow(bars_of), deadline_s=0.3).scan_stocks()
    assert loop.time() - began < 5
    assert len(result) == 100
    assert {type(e) for e in result.failures.values()} == {SourceTimeoutError}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_held_symbols_are_asked_first_and_then_the_stalest():
    lags = {"FPT": 3, "SSI": 1}
    source = MemorySource(lambda s: bars_of(s, missing_sessions=lags.get(s, 0)))
    scanner = scanner_on(source, window=1)
    await scanner.scan_stocks()
    source.asked.clear()
    await scanner.scan_stocks(held=["VNM"])
    assert source.asked[:3] == ["VNM", "FPT", "SSI"]


async def test_bad_input_is_refused_before_any_request():
    source = MemorySource(bars_of)
    scanner = scanner_on(source)
    with pytest.raises(UnknownSymbolError, match="FPT"):
        await scanner.scan_stocks(["FPTT"])
    with pytest.raises(EmptySelectionError):
        await scanner.scan_stocks([])
    assert source.asked == []


async def test_a_stream_gives_what_a_scan_gives_in_order_of_arrival():
    gates = {s: asyncio.Event() for s in ("ACB", "FPT", "HPG")}

    class Gated(MemorySource):
        async def bars(self, symbol, start, end, *, interval="1D"):
            await gates[symbol].wait()
            return bars_of(symbol, growth=0.001 * len(symbol))

    scanner = scanner_on(Gated(bars_of))
    seen = []
    gates["HPG"].set()
    async for prediction in scanner.stream(list(gates)):
        seen.append(prediction)
        gates["ACB" if len(seen) == 1 else "FPT"].set()
    assert [p.symbol for p in seen] == ["HPG", "ACB", "FPT"]
    scanned = await scanner.scan_stocks(list(gates))
    assert {p.symbol: p for p in seen} == dict(scanned)


async def test_cancelling_a_scan_leaves_no_task_and_the_next_one_works():
    class Hanging(MemorySource):
        hang = True

        async def bars(self, symbol, start, end, *, interval="1D"):
            if self.hang and symbol == "VNM":
                await asyncio.sleep(3600)
            return bars_of(symbol)

    source = Hanging(bars_of)
    scanner = scanner_on(source)
    async with asyncio.TaskGroup() as group:
        scan = group.create_task(scanner.scan_stocks())
        await asyncio.sleep(0.01)
        scan.cancel()
    assert scan.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    source.hang = False
    assert len(await scanner.scan_stocks()) == 102


async def test_closing_ends_a_stream_that_still_waits():
    class Hanging(MemorySource):
        async def bars(self, symbol, start, end, *, interval="1D"):
            if symbol != "ACB":
                await asyncio.sleep(3600)
            return bars_of(symbol)

    scanner = scanner_on(Hanging(bars_of))
    stream = scanner.stream()
    assert (await anext(stream)).symbol == "ACB"
    await scanner.aclose()
    await stream.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_result_reads_as_text_html_and_frame():
    result = await scanner_on(
        MemorySource(lambda s: bars_of(s, growth=0.005 if s == "FPT" else 0.0))
    ).scan_stocks()
    assert [p.symbol for p in result.opportunities] == ["FPT"]
    assert repr(result).splitlines()[0] == "Scan of 2025-06-02 10:00 ICT: 102 of 102 fresh"
    assert "FPT" in result._repr_html_()
    frame = result.to_frame()
    assert frame.index[0] == "FPT"
    assert frame.loc["FPT", "opportunity"]
    assert len(frame) == 102
    assert (
        result._ipython_key_completions_()[:2] == ["AAA", "ACB"]
        or "ACB" in result._ipython_key_completions_()
    )


def test_an_opportunity_must_exceed_both_thresholds():
    prediction = Prediction(
        symbol="FPT", as_of=AT, expected_return=0.03, low=0, high=0.1, confidence=0.9, action=Action.BUY
    )
    assert not OpportunityFilter().passes(prediction)
    assert OpportunityFilter(min_expected_return=0.02).passes(prediction)
    assert not OpportunityFilter(min_expected_return=0.02, min_confidence=0.9).passes(prediction)
