"""The simulated exchange over loopback: each route has the recorded keys, types, units and headers."""

import json
import re
from collections.abc import AsyncIterator
from datetime import date
from xml.etree import ElementTree

import aiohttp
import pytest

from vnquant.simulation import SimulatedExchange, SimulatedMarket

CAFEF = "/du-lieu/Ajax/PageNew/DataHistory/PriceHistory.ashx"
JSON = "application/json; charset=utf-8"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=7, start=date(2024, 6, 3))


@pytest.fixture
async def exchange(market: SimulatedMarket) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(market=market, at="2025-06-02 10:00") as running:
        yield running


@pytest.fixture
async def client(exchange: SimulatedExchange) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.url) as session:
        yield session


async def test_board_speaks_the_union_of_both_layouts(client: aiohttp.ClientSession) -> None:
    async with client.get("/getliststockdata/FPT,SHS,ACV,NOPE") as response:
        assert response.headers["Content-Type"] == JSON
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        records = {record["sym"]: record for record in await response.json()}
    assert set(records) == {"FPT", "SHS", "ACV"}
    assert [records[s]["marketId"] for s in ("FPT", "SHS", "ACV")] == ["STO", "STX", "UPX"]
    for record in records.values():
        numbers = ("id", "c", "f", "r", "lastPrice", "lastVolume", "lot")
        assert all(isinstance(record[name], int | float) for name in numbers)
        texts = (
            "sym", "symCode", "boardId", "marketId", "mc", "ot", "changePc", "mp", "side", "sType",
            "sBenefit",
            "avePrice", "highPrice", "lowPrice", "openPrice", "closePrice",
            "fBVol", "fBValue", "fSVolume", "fSValue", "fRoom", *(f"g{n}" for n in range(1, 8)),
            "CWUnderlying", "CWIssuerName", "CWType", "CWMaturityDate", "CWLastTradingDate",
            "CWExcersisePrice", "CWExerciseRatio", "CWListedShare",
        )  # fmt: skip
        assert all(isinstance(record[name], str) for name in texts)
        assert record["f"] <= record["lastPrice"] <= record["c"] < 1000  # thousand VND
        assert float(record["closePrice"]) > 1000  # VND
        levels = [record[f"g{n}"] for n in range(1, 7)]
        assert all(re.fullmatch(r"(\d+(\.\d+)?|ATO|ATC)\|\d+\|[ide]", level) for level in levels)
        assert record["g7"] == "0|0|e"
        sold = float(record["fSVolume"]) * 10 * float(record["avePrice"]) * 1000
        assert float(record["fSValue"]) * 1000 == pytest.approx(sold, rel=0.01)


async def test_vps_history_has_the_recorded_body(client: aiohttp.ClientSession) -> None:
    query = {"symbol": "VNM", "resolution": "1D", "from": "0", "to": "1748822400"}
    async with client.get("/tradingview/history", params=query) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, JSON)
        body = json.loads(await response.read())
    assert list(body) == ["symbol", "s", "t", "c", "o", "h", "l", "v"]
    assert (body["symbol"], body["s"]) == ("VNM", "ok")
    assert all(type(t) is int and t % 86_400 == 0 for t in body["t"])
    assert all(type(v) is int and v % 100 == 0 for v in body["v"])
    assert all(isinstance(body[n][0], float) and body[n][0] < 1000 for n in "ohlc")
    assert body["t"][-1] == 1748822400


async def test_vndirect_history_calls_itself_plain_text_and_sets_a_cookie(
    client: aiohttp.ClientSession,
) -> None:
    query = {"symbol": "VNM", "resolution": "D", "from": "0", "to": "1748822400"}
    async with client.get("/dchart/history", params=query) as response:
        assert response.headers["Content-Type"] == "text/plain;charset=UTF-8"
        assert "TS015b7ec3" in response.cookies
        body = json.loads(await response.read())
    assert list(body) == ["t", "o", "h", "l", "c", "v", "s"]


async def test_cafef_has_the_recorded_body(client: aiohttp.ClientSession) -> None:
    query = {
        "Symbol": "FPT", "StartDate": "05/01/2025", "EndDate": "05/30/2025",
        "PageIndex": "1", "PageSize": "20",
    }  # fmt: skip
    async with client.get(CAFEF, params=query) as response:
        assert response.headers["Content-Type"] == JSON
        body = json.loads(await response.read())
    assert list(body) == ["Data", "Message", "Success"]
    assert list(body["Data"]) == ["TotalCount", "Data"]
    row = body["Data"]["Data"][0]
    texts = dict.fromkeys(("Symbol", "Ngay", "ThayDoi"), str)
    shares = dict.fromkeys(("KhoiLuongKhopLenh", "KLThoaThuan"), int)
    prices = dict.fromkeys(("GiaDieuChinh", "GiaDongCua", "GiaMoCua", "GiaCaoNhat", "GiaThapNhat"), float)
    values = dict.fromkeys(("GiaTriKhopLenh", "GtThoaThuan"), float)
    assert {name: type(value) for name, value in row.items()} == {**texts, **shares, **prices, **values}
    assert row["Ngay"] == "30/05/2025"
    assert re.fullmatch(r"[+-]\d+,\d\d \([+-]\d+,\d\d%\)", row["ThayDoi"])


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ("/rss/cafef/thi-truong-chung-khoan.rss", "+07</pubDate>"),
        ("/rss/vietstock/144/chung-khoan.rss", "&lt;img src="),
        ("/rss/vnexpress/kinh-doanh.rss", "</a></br>"),
    ],
)
async def test_feeds_are_xml_with_their_oddities(client: aiohttp.ClientSession, path: str, mark: str) -> None:
    async with client.get(path) as response:
        assert response.content_type == "text/xml"
        text = await response.text()
    assert mark in text
    assert len(ElementTree.fromstring(text.encode()).findall("channel/item")) >= 20


async def test_unknown_path_is_404_and_other_methods_are_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/tradingview/config") as response:
        assert response.status == 404
    async with client.post("/tradingview/history") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    async with client.head("/getliststockdata/FPT") as response:
        assert response.status == 200


async def test_hostile_requests_get_an_answer(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    for path in (
        "/getliststockdata/%FF%00,%2F..",
        "/tradingview/history?symbol=%FF&resolution=1D&from=1&to=2",
        "/?&&=%",
    ):
        async with client.get(path) as response:
            assert response.status in (200, 404)
    assert exchange.requests.total == 3


async def test_requests_are_recorded(client: aiohttp.ClientSession, exchange: SimulatedExchange) -> None:
    for path in (
        "/getliststockdata/FPT,VCB",
        "/tradingview/history?symbol=fpt&resolution=1D&from=0&to=9",
        "/nope",
    ):
        async with client.get(path) as response:
            await response.read()
    records = list(exchange.requests)
    assert [(r.number, r.kind, r.symbols, r.status, r.fault) for r in records] == [
        (0, "board", ("FPT", "VCB"), 200, None),
        (1, "history", ("FPT",), 200, None),
        (2, "other", (), 404, None),
    ]
    assert all(r.started_s <= r.finished_s for r in records)
    assert exchange.latency_draws == [0.0] * 3


async def test_answer_without_socket_is_the_answer_with_one(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    query = {"symbol": "VNM", "resolution": "1D", "from": "0", "to": "1748822400"}
    async with client.get("/tradingview/history", params=query) as response:
        over_http = await response.read()
    assert exchange.answer("/tradingview/history", query).body == over_http
    delivery = await exchange.deliver("/tradingview/history", query)
    assert delivery.answer is not None
    assert delivery.answer.body == over_http
    assert exchange.requests.total == 2
