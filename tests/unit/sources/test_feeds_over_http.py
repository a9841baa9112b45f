"""VpsSource, CafefSource and RssSource: what they ask for, and how failing parts are told."""

import asyncio
import json
from datetime import date, datetime
from urllib.parse import urlsplit

import pytest

from vnquant.errors import (
    AllSourcesFailedError,
    ClosedError,
    DateRangeError,
    EmptyAnswerError,
    HttpStatusError,
    ParameterError,
)
from vnquant.runtime.clock import ICT, MarketClock
from vnquant.sources import CafefSource, Endpoints, HttpClient, HttpConfig, RssSource, VpsSource

ENDPOINTS = Endpoints.local("http://x/")
NOON = datetime(2025, 6, 2, 11, 0, tzinfo=ICT)
HISTORY = (
    b'{"symbol":"VNM","s":"ok","t":[1747008000,1747094400],"c":[57,58],"o":[57,57],"h":[57,58],"l":[57,57],'
    b'"v":[1,2]}'
)
RSS = (
    b"<rss version='2.0'><channel><title>t</title><item><title>Tin %d</title><link>https://a.vn/%d</link></item>"
    b"</channel></rss>"
)


def vps(transport, **options):
    client = HttpClient(HttpConfig(attempts=1, hedge_share=0), transport=transport)
    return VpsSource(client, ENDPOINTS, MarketClock.frozen(NOON), **options)


def record(symbol):
    return {"sym": symbol, "r": 10, "c": 10.7, "f": 9.3, "lastPrice": 10, "lot": 1}


def board_script(answer, *, empty_first=0, broken=()):
    count = 0

    def script(n, url, params):
        nonlocal count
        asked = urlsplit(url).path.rsplit("/", 1)[1].split(",")
        if set(asked) & set(broken):
            return answer(status=404)
        count += 1
        return answer(
            b"[]" if count <= empty_first else json.dumps([record(s) for s in asked if s != "NONE"]).encode()
        )

    return script


def test_history_is_asked_in_unix_seconds_of_ict_days(run_virtual, transport_of, answer):
    transport = transport_of(lambda *_: answer(HISTORY))

    async def main():
        return await vps(transport).bars("VNM", date(2025, 5, 12), date(2025, 5, 13))

    assert len(run_virtual(main())) == 2
    (_, url, params) = transport.asked[0]
    assert url == "http://x/tradingview/history"
    assert params == {"symbol": "VNM", "resolution": "1D", "from": "1746982800", "to": "1747155599"}


def test_bars_outside_the_range_are_cut_off(run_virtual, transport_of, answer):
    async def main():
        return await vps(transport_of(lambda *_: answer(HISTORY))).bars(
            "VNM", date(2025, 5, 13), date(2025, 5, 20)
        )

    assert run_virtual(main()).close.tolist() == [58_000]


def test_an_empty_history_is_asked_once_more(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(b'{"s":"no_data"}' if n == 0 else HISTORY))

    async def main():
        return await vps(transport).bars("VNM", date(2025, 5, 12), date(2025, 5, 13))

    assert len(run_virtual(main())) == 2


@pytest.mark.parametrize(("interval", "resolution"), [("1m", "1"), ("15m", "15"), ("1h", "60"), ("1D", "1D")])
def test_intervals_in_the_feeds_words(interval, resolution, run_virtual, transport_of, answer):
    transport = transport_of(lambda *_: answer(HISTORY))

    async def main():
        await vps(transport).bars("VNM", date(2025, 5, 12), date(2025, 5, 13), interval=interval)

    run_virtual(main())
    assert transport.asked[0][2]["resolution"] == resolution


def test_reversed_dates_and_unserved_intervals_are_refused_before_asking(run_virtual, transport_of, answer):
    transport = transport_of(lambda *_: answer(HISTORY))

    async def main():
        with pytest.raises(DateRangeError):
            await vps(transport).bars("VNM", date(2025, 5, 13), date(2025, 5, 12))
        with pytest.raises(ParameterError, match="resample"):
            await vps(transport).bars("VNM", date(2025, 5, 12), date(2025, 5, 13), interval="1W")

    run_virtual(main())
    assert transport.asked == []


def test_the_board_is_asked_in_batches_and_told_in_the_order_asked(run_virtual, transport_of, answer):
    symbols = [f"S{i}" for i in range(120)]
    transport = transport_of(board_script(answer))

    async def main():
        return await vps(transport).quotes([*symbols, "S0"])

    told = run_virtual(main())
    assert list(told.quotes) == symbols
    assert len(transport.asked) == 3
    assert told.quotes["S7"].as_of == NOON


def test_an_empty_board_is_asked_again(run_virtual, transport_of, answer):
    transport = transport_of(board_script(answer, empty_first=2))

    async def main():
        return await vps(transport).quotes(["A", "B"])

    assert set(run_virtual(main()).quotes) == {"A", "B"}


def test_symbols_left_out_are_absent_and_not_a_problem(run_virtual, transport_of, answer):
    async def main():
        return await vps(transport_of(board_script(answer))).quotes(["A", "NONE"])

    told = run_virtual(main())
    assert (set(told.quotes), told.problems) == ({"A"}, ())


def test_a_failed_batch_names_its_symbols_and_leaves_the_others(run_virtual, transport_of, answer):
    async def main():
        return await vps(transport_of(board_script(answer, broken=["C"])), batch_size=2).quotes(list("ABCD"))

    told = run_virtual(main())
    assert set(told.quotes) == {"A", "B"}
    assert [(p.symbol, p.field) for p in told.problems] == [("C", "board"), ("D", "board")]
    assert "404" in told.problems[0].reason


def test_when_every_batch_fails_the_board_fails(run_virtual, transport_of, answer):
    async def main():
        with pytest.raises(HttpStatusError):
            await vps(transport_of(board_script(answer, broken=["A"]))).quotes(["A"])

    run_virtual(main())


def cafef_script(answer, sessions, *, fail=()):
    """Serve 20 rows a page, newest first, at most 66 rows before EndDate."""

    def script(n, url, params):
        def day(name):
            return datetime.strptime(params[name], "%m/%d/%Y").date()

        if day("EndDate") in fail:
            return answer(status=404)
        window = [d for d in reversed(sessions) if day("StartDate") <= d <= day("EndDate")][:66]
        first = (int(params["PageIndex"]) - 1) * 20
        rows = [
            dict.fromkeys(("GiaDieuChinh", "GiaDongCua", "GiaMoCua", "GiaCaoNhat", "GiaThapNhat"), 10)
            | {"Ngay": d.strftime("%d/%m/%Y"), "KhoiLuongKhopLenh": d.day}
            for d in window[first : first + 20]
        ]  # fmt: skip
        return answer(
            json.dumps({"Data": {"TotalCount": len(window), "Data": rows}, "Success": True}).encode()
        )

    return script


def weekdays(start, end):
    days = (date.fromordinal(n) for n in range(start.toordinal(), end.toordinal() + 1))
    return [d for d in days if d.weekday() < 5]


def cafef(transport):
    return CafefSource(HttpClient(HttpConfig(attempts=1, hedge_share=0), transport=transport), ENDPOINTS)


def test_a_long_history_is_walked_quarter_by_quarter_and_page_by_page(run_virtual, transport_of, answer):
    sessions = weekdays(date(2024, 1, 1), date(2025, 6, 2))
    transport = transport_of(cafef_script(answer, sessions))

    async def main():
        return await cafef(transport).bars("FPT", date(2024, 1, 1), date(2025, 6, 2))

    series = run_virtual(main())
    assert [t.astype("datetime64[D]").item() for t in series.timestamps] == sessions
    assert all("/" in params["StartDate"] for _, _, params in transport.asked)


def test_a_quarter_that_fails_fails_the_history(run_virtual, transport_of, answer):
    sessions = weekdays(date(2025, 1, 1), date(2025, 6, 2))
    transport = transport_of(cafef_script(answer, sessions, fail=[date(2025, 6, 2)]))

    async def main():
        with pytest.raises(HttpStatusError):
            await cafef(transport).bars("FPT", date(2025, 1, 1), date(2025, 6, 2))

    run_virtual(main())


def test_cafef_has_nothing_of_an_unknown_symbol(run_virtual, transport_of, answer):
    async def main():
        with pytest.raises(EmptyAnswerError):
            await cafef(transport_of(cafef_script(answer, []))).bars(
                "XXX", date(2025, 5, 1), date(2025, 6, 2)
            )

    run_virtual(main())


def rss(transport):
    return RssSource(HttpClient(HttpConfig(attempts=1, hedge_share=0), transport=transport), ENDPOINTS)


def test_one_failing_feed_is_told_and_does_not_sink_the_others(run_virtual, transport_of, answer):
    transport = transport_of(
        lambda n, url, _: answer(status=404) if "vietstock" in url else answer(RSS % (n, n))
    )

    async def main():
        return await rss(transport).headlines()

    told = run_virtual(main())
    assert {i.source for i in told.items} == {"cafef", "vnexpress"}
    assert [(p.field, p.value) for p in told.problems] == [("feed", "vietstock")]


def test_a_document_broken_off_is_asked_again(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer((RSS % (1, 1))[: 60 if n < 3 else None]))

    async def main():
        async with HttpClient(transport=transport) as client:
            return await RssSource(client, ENDPOINTS).headlines()

    assert len(run_virtual(main()).items) == 1


def test_when_every_feed_fails_the_news_fail(run_virtual, transport_of, answer):
    async def main():
        with pytest.raises(AllSourcesFailedError) as caught:
            await rss(transport_of(lambda *_: answer(status=404))).headlines()
        return caught.value

    assert len(run_virtual(main()).causes) == 3


def test_live_and_local_endpoints_name_the_same_feeds():
    live, local = Endpoints.live(), Endpoints.local("http://127.0.0.1:1")
    assert [name for name, _ in live.rss] == [name for name, _ in local.rss]
    assert live.vps_history.startswith("https://")
    assert local.cafef_history.endswith("PriceHistory.ashx")


def test_closing_the_client_meanwhile_ends_board_and_news_with_one_plain_error(run_virtual, transport_of):
    async def main():
        client = HttpClient(transport=transport_of(lambda *_: asyncio.sleep(1e6)))
        board = asyncio.create_task(VpsSource(client, ENDPOINTS, batch_size=1).quotes(["A", "B"]))
        news = asyncio.create_task(RssSource(client, ENDPOINTS).headlines())
        await asyncio.sleep(0.1)
        await client.aclose()
        return await asyncio.gather(board, news, return_exceptions=True)

    assert [type(e) for e in run_virtual(main())] == [ClosedError, ClosedError]
