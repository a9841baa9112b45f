"""The routes as a pure function of path, query and market time."""

import json
from datetime import date, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest

from vnquant.runtime.clock import ICT
from vnquant.simulation.answers import Answers
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.routes import Route, integer_of, seconds_of
from vnquant.simulation.wire import FEEDS

HISTORY, DCHART = "/tradingview/history", "/dchart/history"
CAFEF = "/du-lieu/Ajax/PageNew/DataHistory/PriceHistory.ashx"
MONDAY = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)
FULL_DAY = ["07:00", "08:30", "09:14", "09:20", "11:45", "13:10", "14:44", "14:50", "15:00", "20:00"]


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=7, start=date(2024, 1, 2))


@pytest.fixture
def answers(market: SimulatedMarket) -> Answers:
    return Answers(market)


def asked(
    symbol: str = "FPT", resolution: str = "1D", first: str = "0", last: str = "9999999999"
) -> dict[str, str]:
    return {"symbol": symbol, "resolution": resolution, "from": first, "to": last}


def at(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ICT)


def deduplicated(body: dict[str, list[float]]) -> dict[float, tuple[float, ...]]:
    """Return rows by stamp, the last of each, as a client should."""
    return {row[0]: row[1:] for row in zip(*(body[name] for name in "tohlcv"), strict=True)}


@pytest.mark.parametrize("clock", FULL_DAY)
@pytest.mark.parametrize("day", ["2025-06-02", "2025-06-07"])  # a Monday, a Saturday
def test_daily_history_is_what_the_market_shows_at_that_time(
    answers: Answers, market: SimulatedMarket, day: str, clock: str
) -> None:
    now = at(day, clock)
    for symbol in ("FPT", "SHS", "ACV"):
        shown = market.bars_at(now, symbol, date(2024, 1, 2), now.date(), "1D")
        body = deduplicated(json.loads(answers.answer(HISTORY, asked(symbol), now).body))
        assert list(body) == shown.timestamps.astype(np.int64).tolist()
        prices = np.array(list(body.values()))
        expected = np.stack([shown.open, shown.high, shown.low, shown.close], axis=1)
        assert (prices[:, :4] * 1000).round().tolist() == expected.tolist()
        assert prices[:, 4].tolist() == shown.volume.tolist()


def test_text_kept_from_day_to_day_equals_text_made_anew(answers: Answers, market: SimulatedMarket) -> None:
    for day in market.calendar.sessions(date(2025, 4, 1), date(2025, 7, 31)):
        now = datetime.combine(day.item(), MONDAY.time(), tzinfo=ICT)
        fresh = Answers(market)
        for symbol in ("FPT", "VCB", "SHS", "ACV", "SSI"):
            assert answers.answer(HISTORY, asked(symbol), now) == fresh.answer(HISTORY, asked(symbol), now)


def test_a_corporate_action_moves_all_earlier_prices(market: SimulatedMarket) -> None:
    history = market.daily(date(2025, 12, 31))
    row, column = (int(v[0]) for v in np.nonzero(history.ex_rights_factor[200:] < 0.97))
    symbol, ex_date = market.symbols[column], history.sessions[200 + row].item()
    answers = Answers(market)
    before, after = (
        deduplicated(
            json.loads(
                answers.answer(HISTORY, asked(symbol), at(str(ex_date - timedelta(days=d)), "23:00")).body
            )
        )
        for d in (1, 0)
    )
    assert list(after)[: len(before)] == list(before)
    assert all(after[t][3] < before[t][3] for t in before)


def test_a_clock_set_back_shows_the_past_again(answers: Answers) -> None:
    early, late = (answers.answer(HISTORY, asked(), MONDAY + timedelta(days=d)) for d in (0, 7))
    assert early != late
    assert answers.answer(HISTORY, asked(), MONDAY) == early


def test_range_is_inclusive_at_both_ends(answers: Answers) -> None:
    whole = json.loads(answers.answer(HISTORY, asked("FPT"), MONDAY).body)["t"]
    part = json.loads(
        answers.answer(HISTORY, asked("FPT", first=str(whole[10]), last=str(whole[20])), MONDAY).body
    )
    assert part["t"] == whole[10:21]


def test_running_day_is_the_last_daily_bar(answers: Answers) -> None:
    body = json.loads(answers.answer(HISTORY, asked(first="1748822400"), MONDAY).body)
    assert body["t"] == [1748822400]
    later = json.loads(answers.answer(HISTORY, asked(first="1748822400"), MONDAY + timedelta(hours=4)).body)
    assert later["v"][0] > body["v"][0]
    assert later["o"] == body["o"]


@pytest.mark.parametrize(
    ("resolution", "step"), [("1", 60), ("5", 300), ("15", 900), ("30", 1800), ("60", 3600)]
)
def test_minutes_reach_back_about_six_sessions(answers: Answers, resolution: str, step: int) -> None:
    body = json.loads(answers.answer(HISTORY, asked("FPT", resolution), MONDAY).body)
    assert len({t // 86_400 for t in body["t"]}) == 6
    assert all(t % step == 0 for t in body["t"])
    assert body["t"][-1] < MONDAY.timestamp()
    if resolution == "1":
        assert body["t"][0] % 86_400 == 2 * 3600 + 15 * 60  # 02:15Z = 09:15 ICT


@pytest.mark.parametrize("symbol", ["NOPE", "VNINDEX", "fpt "])
def test_unknown_symbol_is_no_data_and_lower_case_is_known(answers: Answers, symbol: str) -> None:
    body = json.loads(answers.answer(HISTORY, asked(symbol), MONDAY).body)
    assert body["symbol"] == symbol
    assert body["s"] == ("ok" if symbol == "fpt " else "no_data")


@pytest.mark.parametrize("resolution", ["120", "240", "W", "M", "1W", "1M", ""])
def test_unserved_resolutions_have_no_state(answers: Answers, resolution: str) -> None:
    answer = answers.answer(HISTORY, asked("FPT", resolution), MONDAY)
    assert answer.status == 200
    assert json.loads(answer.body).get("s") is None


@pytest.mark.parametrize(
    "query",
    [{}, {"symbol": "FPT"}, asked(first="x"), asked(first="nan"), asked(symbol=" "), {**asked(), "to": ""}],
)
def test_unreadable_history_request_gets_the_udf_error(answers: Answers, query: dict[str, str]) -> None:
    assert json.loads(answers.answer(HISTORY, query, MONDAY).body)["s"] == "error"


@pytest.mark.parametrize("resolution", ["1D", "1"])
@pytest.mark.parametrize(
    ("first", "last"),
    [("-1e300", "-1"), ("9e9", "9e9"), ("1748822400", "1"), ("inf", "inf"), ("3999999999", "4e9")],
)
def test_empty_ranges_are_no_data(answers: Answers, resolution: str, first: str, last: str) -> None:
    answer = answers.answer(HISTORY, asked("FPT", resolution, first, last), MONDAY)
    assert json.loads(answer.body)["s"] == "no_data"


def test_vndirect_gives_the_same_bars_without_symbol(answers: Answers) -> None:
    vps = json.loads(answers.answer(HISTORY, asked(), MONDAY).body)
    answer = answers.answer(DCHART, asked(), MONDAY)
    assert answer.content_type == "text/plain;charset=UTF-8"
    assert json.loads(answer.body) == {name: vps[name] for name in (*"tohlcv", "s")}
    assert json.loads(answers.answer(DCHART, asked("NOPE"), MONDAY).body)["s"] == "ok"
    assert json.loads(answers.answer(DCHART, asked("FPT", "W"), MONDAY).body)["t"] == []


@pytest.mark.parametrize("clock", FULL_DAY)
def test_board_shows_the_quotes_of_that_time(answers: Answers, market: SimulatedMarket, clock: str) -> None:
    now = at("2025-06-02", clock)
    quotes = market.quotes_at(now)
    records = json.loads(answers.answer(f"/getliststockdata/{','.join(quotes)}", {}, now).body)
    assert {record["sym"] for record in records} == set(quotes)
    for record in records:
        quote = quotes[record["sym"]]
        assert round(record["r"] * 1000) == quote.reference_price
        assert round(record["lastPrice"] * 1000) == (quote.last_price or 0)
        assert record["lot"] * 10 == quote.total_volume
        levels = [record[f"g{n}"].split("|") for n in range(1, 7)]
        told = [(float(p) * 1000, float(v) * 10) for p, v, _ in levels if p not in ("0", "ATO", "ATC")]
        known = [(p, v) for p, v in (*quote.bids, *quote.asks) if p is not None]
        assert [(round(p), v) for p, v in told] == known


def test_board_keeps_its_own_order_and_leaves_unknown_symbols_out(answers: Answers) -> None:
    records = json.loads(answers.answer("/getliststockdata/VCB,NOPE,acb,FPT,VCB", {}, MONDAY).body)
    assert [record["sym"] for record in records] == ["ACB", "FPT", "VCB"]
    assert json.loads(answers.answer("/getliststockdata/NOPE", {}, MONDAY).body) == []
    assert json.loads(answers.answer("/getliststockdata/", {}, MONDAY).body) == []


@pytest.mark.parametrize(("clock", "row"), [("10:00", -2), ("07:00", -3)])
def test_board_close_price_is_that_before_the_session_shown(
    answers: Answers, market: SimulatedMarket, clock: str, row: int
) -> None:
    history = market.daily(MONDAY.date())
    records = json.loads(answers.answer("/getliststockdata/FPT,VCB,HPG", {}, at("2025-06-02", clock)).body)
    expected = {s: history.close[row, market.symbols.index(s)] for s in ("FPT", "VCB", "HPG")}
    assert {record["sym"]: float(record["closePrice"]) for record in records} == expected


def test_cafef_pages_hold_the_complete_sessions_of_three_months(
    answers: Answers, market: SimulatedMarket
) -> None:
    pages = [
        json.loads(
            answers.answer(CAFEF, {"Symbol": "FPT", "PageIndex": str(n), "PageSize": "20"}, MONDAY).body
        )
        for n in (1, 2, 3, 4)
    ]
    rows = [row for page in pages for row in page["Data"]["Data"]]
    assert len(rows) == pages[0]["Data"]["TotalCount"]
    assert 55 <= len(rows) <= 66
    sessions = market.calendar.sessions(date(2025, 3, 1), date(2025, 6, 1))
    assert [row["Ngay"] for row in rows] == [f"{d.item():%d/%m/%Y}" for d in sessions[::-1]]


def test_cafef_row_holds_raw_prices_and_the_adjusted_close(answers: Answers, market: SimulatedMarket) -> None:
    now = at("2025-12-31", "16:00")
    history = market.daily(now.date())
    for column in range(0, 102, 17):
        symbol = market.symbols[column]
        query = {"Symbol": symbol, "StartDate": "06/01/2025", "EndDate": "06/06/2025"}
        row = json.loads(answers.answer(CAFEF, query, now).body)["Data"]["Data"][0]
        place = int(np.searchsorted(history.sessions, np.datetime64("2025-06-06")))
        assert row["Ngay"] == "06/06/2025"
        assert round(row["GiaDongCua"] * 1000) == history.close[place, column]
        assert round(row["GiaDieuChinh"] * 1000) == round(history.adjusted_close[place, column])
        assert round(row["GiaMoCua"] * 1000) == history.open[place, column]
        assert row["KhoiLuongKhopLenh"] == history.volume[place, column]
        value = history.volume[place, column] * history.average[place, column]
        assert row["GiaTriKhopLenh"] == pytest.approx(value / 1e9, abs=0.006)


def test_cafef_shows_today_once_it_is_over(answers: Answers) -> None:
    newest = [
        json.loads(answers.answer(CAFEF, {"Symbol": "FPT"}, at("2025-06-02", clock)).body)["Data"]["Data"][0][
            "Ngay"
        ]
        for clock in ("14:59", "15:00")
    ]
    assert newest == ["30/05/2025", "02/06/2025"]


@pytest.mark.parametrize("symbol", ["NOPE", ""])
def test_cafef_of_unknown_symbol_has_no_rows(answers: Answers, symbol: str) -> None:
    body = json.loads(answers.answer(CAFEF, {"Symbol": symbol}, MONDAY).body)
    assert body == {"Data": {"TotalCount": 0, "Data": []}, "Message": None, "Success": True}


@pytest.mark.parametrize("path", FEEDS)
def test_feeds_list_what_was_published_by_now(answers: Answers, market: SimulatedMarket, path: str) -> None:
    told = {headline.title for headline in market.headlines_at(MONDAY, limit=1000)}
    items = ElementTree.fromstring(answers.answer(path, {}, MONDAY).body).findall("channel/item")
    titles = {title for item in items if (title := item.findtext("title"))}
    assert len(titles) >= 20
    assert titles <= told


@pytest.mark.parametrize("path", ["/", "/tradingview/config", "/tradingview/symbols", "/rss/cafef/x.rss"])
def test_unknown_paths_are_404(answers: Answers, path: str) -> None:
    assert answers.answer(path, {}, MONDAY).status == 404
    assert answers.empty_answer(path, {}).status == 404


@pytest.mark.parametrize(
    ("path", "query", "empty"),
    [
        ("/getliststockdata/FPT", {}, []),
        (HISTORY, asked(), {"symbol": "FPT", "s": "no_data", **{n: [] for n in "tcohlv"}}),
        (DCHART, asked(), {**{n: [] for n in "tohlcv"}, "s": "ok"}),
        (CAFEF, {"Symbol": "FPT"}, {"Data": {"TotalCount": 0, "Data": []}, "Message": None, "Success": True}),
    ],
)
def test_empty_answers_are_valid(answers: Answers, path: str, query: dict[str, str], empty: object) -> None:
    sound, nothing = answers.answer(path, query, MONDAY), answers.empty_answer(path, query)
    assert json.loads(nothing.body) == empty
    assert (nothing.status, nothing.headers) == (sound.status, sound.headers)


def test_empty_feed_is_a_channel_without_items(answers: Answers) -> None:
    for path in FEEDS:
        channel = ElementTree.fromstring(answers.empty_answer(path, {}).body).find("channel")
        assert channel is not None
        assert channel.findall("item") == []


def test_stale_instant_is_a_close_some_sessions_back(answers: Answers) -> None:
    assert answers.stale_instant(MONDAY, 2) == at("2025-05-29", "15:00")
    assert answers.stale_instant(at("2025-06-07", "12:00"), 1) == at("2025-06-05", "15:00")
    assert answers.stale_instant(MONDAY, 10_000) == at("2024-01-02", "15:00")


def test_routes_name_kind_and_symbols() -> None:
    assert Route.of("/getliststockdata/FPT,vcb,,FPT", {}) == Route("board", ("FPT", "VCB"))
    assert Route.of(HISTORY, {"symbol": "fpt"}) == Route("history", ("FPT",))
    assert Route.of(DCHART, {}) == Route("dchart", ())
    assert Route.of(CAFEF, {"Symbol": "HPG"}) == Route("cafef", ("HPG",))
    assert Route.of(next(iter(FEEDS)), {}) == Route("rss", ())
    assert Route.of("/x", {}) == Route("other", ())


def test_numbers_in_queries() -> None:
    assert [seconds_of(t) for t in ("12.5", "-3", "1e99", "x", "", None, "nan")] == [
        12.5,
        0.0,
        4e9,
        *[None] * 4,
    ]
    assert [integer_of(t, 20) for t in ("7", "0", "-1", "x", None, "9" * 12)] == [7, 1, 20, 20, 20, 20]
