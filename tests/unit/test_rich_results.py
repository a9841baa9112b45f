"""Results show as compact HTML in a notebook and as aligned text in a terminal, and become frames."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from vnquant.agents import AgentSignal
from vnquant.errors import RecordError, SourceTimeoutError
from vnquant.market import Action, BarSeries, Quote, load_universe
from vnquant.models import Prediction, Predictions
from vnquant.news import AlertLevel, Article, Articles, EventType, Sentiment
from vnquant.runtime import ICT, EventBus, WorkQueueStatistics
from vnquant.scanners import Coverage, OpportunityFilter, ScanResult
from vnquant.simulation.request_log import RequestLog, RequestRecord
from vnquant.sources import QuoteBoard
from vnquant.tables import Column, Table, html_table, text_table
from vnquant.trading import Fill, Fills, Journal, JournalEntry, Order, Orders, OrderType, Portfolio, Side
from vnquant.web.statistics import BroadcastStatistics, ClientStatistics

AT = datetime(2025, 6, 5, 10, 0, tzinfo=ICT)
NASTY = "<script>alert('x')</script>"


def article(title: str = "FPT báo lãi", **fields) -> Article:
    values = {
        "title": title,
        "summary": "tóm tắt",
        "url": "https://example.com/a",
        "source": "cafef",
        "published_at": AT,
        "symbols": ("FPT",),
        "sentiment": Sentiment(label="positive", score=0.8, terms=()),
        "event": EventType.EARNINGS,
        "level": AlertLevel.HIGH,
    }
    return Article(**values | fields)


def prediction(symbol: str, expected: float = 0.04) -> Prediction:
    return Prediction(
        symbol=symbol,
        as_of=AT,
        expected_return=expected,
        low=expected - 0.05,
        high=expected + 0.05,
        confidence=0.75,
        action=Action.BUY,
    )


def order(**fields) -> Order:
    values = {
        "client_order_id": "20250605-FPT",
        "symbol": "FPT",
        "side": Side.BUY,
        "type": OrderType.LO,
        "quantity": 1_300,
        "limit_price_vnd": 116_500,
        "created_at": AT,
        "reason": "verdict BUY",
    }
    return Order(**values | fields)


def fill(**fields) -> Fill:
    values = {
        "fill_id": "20250605-FPT/2",
        "client_order_id": "20250605-FPT",
        "symbol": "FPT",
        "side": Side.BUY,
        "quantity": 1_300,
        "price_vnd": 116_400,
        "fee_vnd": 226_980,
        "tax_vnd": 0,
        "filled_at": AT,
    }
    return Fill(**values | fields)


def quote(symbol: str = "FPT", last: float | None = 116_400.0) -> Quote:
    return Quote(
        symbol=symbol,
        as_of=AT,
        reference_price=116_000.0,
        ceiling_price=124_100.0,
        floor_price=107_900.0,
        last_price=last,
        total_volume=12_300.0,
        bids=((116_300.0, 500.0),),
    )


LISTS = [
    Articles([article()]),
    Orders([order()]),
    Fills([fill()]),
    Journal([JournalEntry(at=AT, kind="verdict", outcome="bought", symbol="FPT")]),
    Predictions([prediction("FPT")]),
]


# -- tables ------------------------------------------------------------------------------------------------


def test_text_stands_in_columns_words_on_the_left_and_numbers_on_the_right():
    text = text_table(("symbol", "shares", "why"), [("FPT", "1,300", "gap"), ("VNM", "5", "")], left=(0, 2))
    assert text == "symbol  shares  why\nFPT      1,300  gap\nVNM          5"


def test_html_is_escaped_and_its_headings_are_headings():
    html = html_table(("name",), [(NASTY,)])
    assert NASTY not in html
    assert "<th scope='col'>" in html
    assert "<th scope='row'>" in html


@pytest.mark.parametrize("rows", LISTS, ids=lambda rows: type(rows).__name__)
def test_a_list_is_a_list_and_shows_itself_as_a_table(rows):
    assert isinstance(rows, list)
    assert rows == list(rows)
    head, names, *lines = repr(rows).splitlines()
    assert head == f"1 {rows.noun[0]}"
    assert len(lines) == 1
    assert "symbol" in names
    assert rows._repr_html_().count("<tr>") == 2
    frame = rows.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == [column.name for column in rows.columns]
    assert len(frame) == 1


@pytest.mark.parametrize("rows", LISTS, ids=lambda rows: type(rows).__name__)
def test_an_empty_list_and_a_long_one_say_how_many_there_are(rows):
    kind = type(rows)
    assert repr(kind()) == f"0 {rows.noun[1]}"
    assert kind()._repr_html_() == f"<p>0 {rows.noun[1]}</p>"
    assert kind().to_frame().columns.tolist() == rows.to_frame().columns.tolist()
    many = kind(list(rows) * 1_234)
    assert repr(many).startswith(f"1,234 {rows.noun[1]}\n")
    assert repr(many).endswith("... and 1,214 more; .to_frame() has them all")
    assert many._repr_html_().count("<tr>") == 21
    assert len(many.to_frame()) == 1_234
    assert isinstance(many[:3], kind)
    assert repr(many[:3]).startswith(f"3 {rows.noun[1]}")
    assert many[0] == rows[0]


def test_a_table_keeps_plain_values_in_its_frame_and_formats_only_what_it_shows():
    frame = Fills([fill()]).to_frame()
    assert frame.price_vnd.tolist() == [116_400]
    assert frame.filled_at.tolist() == [AT]
    assert "151,320,000" in repr(Fills([fill()]))


def test_a_users_own_table_needs_its_columns_only():
    class Gaps(Table[float]):
        columns = (Column("gap", lambda x: x, lambda x: f"{x:+.1%}"),)
        noun = ("gap", "gaps")

    assert repr(Gaps([0.01, -0.02])) == "2 gaps\n  gap\n+1.0%\n-2.0%"


# -- news --------------------------------------------------------------------------------------------------


def test_an_article_from_outside_cannot_write_into_the_notebook():
    bad = article(NASTY, summary=NASTY, url="javascript:alert(1)", source=NASTY)
    html = bad._repr_html_() + Articles([bad])._repr_html_()
    assert "<script" not in html
    assert "javascript:" not in html
    assert "<a " not in html
    quoted = article(url="https://example.com/'\"onmouseover=alert(1)")
    assert '"onmouseover' not in quoted._repr_html_()


def test_an_article_reads_as_one_line():
    assert str(article()) == repr(article()) == "2025-06-05 10:00  HIGH +0.80  FPT  FPT báo lãi (cafef)"
    assert str(article(published_at=None, symbols=())).startswith("time unknown  HIGH +0.80  FPT báo lãi")
    assert "unknown" in repr(Articles([article(published_at=None)]))


# -- predictions and coverage ------------------------------------------------------------------------------


def scan() -> ScanResult:
    return ScanResult(
        {s: prediction(s, e) for s, e in (("VCB", -0.01), ("FPT", 0.04), ("HPG", 0.05))},
        as_of=AT,
        coverage=Coverage(requested=3, fresh=("FPT", "VCB", "HPG")),
        elapsed_s=1.0,
        criteria=OpportunityFilter(),
    )


def test_a_scans_lists_are_tables_best_first():
    result = scan()
    assert [p.symbol for p in result.ranked()] == ["HPG", "FPT", "VCB"]
    assert [p.symbol for p in result.opportunities] == ["HPG", "FPT"]
    assert repr(result.opportunities).splitlines()[2].startswith("HPG     2025-06-05")
    assert "▲ +5.0%" in repr(result.opportunities)
    assert "▼ -1.0%" in repr(result.ranked())
    assert result.opportunities.to_frame().expected_return.tolist() == [0.05, 0.04]
    assert result._ipython_key_completions_() == ["FPT", "HPG", "VCB"]


def test_coverage_names_each_symbol_that_is_not_fresh():
    late = SourceTimeoutError("no answer <in time>", source="vps", symbol="HPG")
    coverage = Coverage(requested=4, fresh=("FPT",), stale={"VCB": 2}, failures={"HPG": late})
    frame = coverage.to_frame()
    assert frame.index.tolist() == ["VCB", "HPG"]
    assert frame.stale_sessions["VCB"] == 2
    assert np.isnan(frame.stale_sessions["HPG"])
    assert "&lt;in time&gt;" in coverage._repr_html_()
    assert Coverage(requested=1, fresh=("FPT",))._repr_html_() == "<p>1 of 1 fresh</p>"


# -- signals -----------------------------------------------------------------------------------------------


def test_a_verdict_becomes_a_frame_of_all_voices():
    def signal(agent: str, score: float, **fields) -> AgentSignal:
        return AgentSignal(
            agent=agent, symbol="FPT", as_of=AT, action=Action.HOLD, score=score, confidence=0.5, **fields
        )

    verdict = signal("chief", 0.1, components=(signal("bull", 0.6, reasons=("a gap",)), signal("bear", -0.2)))
    frame = verdict.to_frame()
    assert frame.index.tolist() == ["chief", "bull", "bear"]
    assert frame.score.tolist() == [0.1, 0.6, -0.2]
    assert frame.reason["bull"] == "a gap"


# -- orders ------------------------------------------------------------------------------------------------


def test_an_order_and_a_fill_read_as_one_line():
    assert repr(order()) == "BUY 1,300 FPT LO at 116,500 VND (20250605-FPT): INTENDED"
    assert repr(fill()) == "BUY 1,300 FPT at 116,400 VND, 2025-06-05 10:00:00 (20250605-FPT/2)"


def test_a_portfolio_is_a_table_of_positions():
    portfolio = Portfolio(200_000_000)
    assert portfolio.to_frame().empty
    portfolio.apply(fill())
    frame = portfolio.to_frame()
    assert frame.index.tolist() == ["FPT"]
    assert frame.quantity["FPT"] == 1_300
    assert frame.average_cost_vnd["FPT"] == pytest.approx(116_400)
    assert "<th scope='row' style='text-align:left'>FPT</th>" in portfolio._repr_html_()
    assert "FPT" in repr(portfolio)


def test_the_exchanges_requests_become_a_frame():
    log = RequestLog()
    assert log.to_frame().empty
    log.append(
        RequestRecord(
            number=1, kind="bars", symbols=("FPT",), path="/", latency_s=0.0, fault=None, started_s=0.0
        )
    )
    frame = log.to_frame()
    assert frame.kind.tolist() == ["bars"]
    assert frame.symbols.tolist() == ["FPT"]


# -- boards, bars, symbols ---------------------------------------------------------------------------------


def test_a_board_is_a_table_by_symbol():
    board = QuoteBoard({"FPT": quote(), "VCB": quote("VCB", None)})
    assert board.to_frame().index.tolist() == ["FPT", "VCB"]
    assert board.to_frame().bid["FPT"] == 116_300.0
    assert "▲ +400" in repr(board)
    assert "<td>▲ +400</td>" in board._repr_html_()
    assert repr(QuoteBoard({})) == "0 quotes"
    odd = QuoteBoard({}, (RecordError("HPG", "lastPrice", "<x>", "no number", source="vps"),))
    assert "1 malformed" in repr(odd)
    assert "&lt;x&gt;" in odd._repr_html_()


def test_bars_of_one_symbol_tell_their_span_and_become_a_frame():
    days = np.array(["2025-06-03", "2025-06-04"], dtype="datetime64[s]")
    column = np.array([1.0, 2.0])
    series = BarSeries("FPT", days, column, column, column, column, column)
    assert repr(series) == "BarSeries(FPT, 2 bars, 2025-06-03 to 2025-06-04)"
    assert series.to_frame().loc["2025-06-04", "close"] == 2.0
    empty = BarSeries("FPT", days[:0], *[column[:0]] * 5)
    assert repr(empty) == "BarSeries(FPT, no bars)"


def test_the_universe_completes_its_keys_and_shows_its_sectors():
    universe = load_universe()
    assert universe._ipython_key_completions_() == list(universe)
    frame = universe.to_frame()
    assert len(frame) == 102
    assert frame.loc["FPT", "exchange"] == "HOSE"
    assert universe._repr_html_().count("<tr>") == len(universe.sectors) + 1


# -- statistics --------------------------------------------------------------------------------------------


async def test_the_buss_statistics_are_a_table_of_subscriptions():
    bus = EventBus()
    assert repr(bus.statistics()).startswith("0 published")
    async with bus.subscribe(Quote, name="<board>"):
        bus.publish_nowait(quote())
        statistics = bus.statistics()
    assert repr(statistics).splitlines()[2].startswith("<board>")
    assert "&lt;board&gt;" in statistics._repr_html_()
    assert statistics.to_frame().name.tolist() == ["<board>"]


def test_the_work_queues_statistics_are_a_list_of_counters():
    fields = dict.fromkeys(WorkQueueStatistics.__struct_fields__, 0) | {"accepted": 1_234}
    statistics = WorkQueueStatistics(**fields)
    assert "1,234" in repr(statistics)
    assert statistics.to_frame()["count"]["accepted"] == 1_234
    assert "<td>1,234</td>" in statistics._repr_html_()


def test_the_broadcasters_statistics_are_a_table_of_clients():
    client = dict.fromkeys(ClientStatistics.__struct_fields__, 0) | {"remote": "127.0.0.1", "live": True}
    numbers = dict.fromkeys(BroadcastStatistics.__struct_fields__, 0) | {"gone": {}, "refused": {}}
    statistics = BroadcastStatistics(**numbers | {"clients": (ClientStatistics(**client),)})
    assert "127.0.0.1" in repr(statistics).splitlines()[2]
    assert "<th scope='row' style='text-align:left'>0 (127.0.0.1)</th>" in statistics._repr_html_()
    assert len(statistics.to_frame()) == 1


# -- IPython -----------------------------------------------------------------------------------------------


def test_ipython_prints_the_table_and_not_the_list():
    from IPython.lib.pretty import pretty

    rows = Predictions([prediction("FPT"), prediction("VCB")])
    assert pretty(rows) == repr(rows)
