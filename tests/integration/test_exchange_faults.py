"""Each fault of the simulated exchange, as a client on loopback sees it."""

import asyncio
import contextlib
import errno
import json
from collections.abc import AsyncIterator
from datetime import date

import aiohttp
import pytest

from vnquant.simulation import Fault, Faults, Latency, SimulatedExchange, SimulatedMarket

HISTORY = "/tradingview/history?symbol=FPT&resolution=1D&from=0&to=9999999999"
BOARD = "/getliststockdata/FPT,VCB"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=7, start=date(2025, 1, 2))


@pytest.fixture
async def exchange(market: SimulatedMarket) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(market=market, at="2025-06-02 10:00") as running:
        yield running


@pytest.fixture
async def client(exchange: SimulatedExchange) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.url) as session:
        yield session


async def fetch(client: aiohttp.ClientSession, path: str = HISTORY) -> tuple[int, str, bytes]:
    async with client.get(path) as response:
        return response.status, response.content_type, await response.read()


async def test_server_errors_are_5xx_pages_of_several_kinds(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.faults = Faults(http_500=1.0)
    answers = [await fetch(client) for _ in range(20)]
    assert {status for status, _, _ in answers} == {500, 502, 503, 504}
    assert {kind for _, kind, _ in answers} == {"text/html"}


async def test_rate_limit_says_when_to_come_back(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.faults = Faults(http_429=1.0, retry_after_s=3)
    async with client.get(HISTORY) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "3")


@pytest.mark.parametrize("path", [HISTORY, BOARD])
async def test_bad_json_comes_whole_and_cannot_be_decoded(
    client: aiohttp.ClientSession, exchange: SimulatedExchange, path: str
) -> None:
    exchange.faults = Faults(bad_json=1.0)
    async with client.get(path) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        body = await response.read()
        assert response.headers["Content-Length"] == str(len(body))
    with pytest.raises(ValueError, match=r"control character|Expecting|delimiter|Unterminated|utf-8"):
        json.loads(body)


async def test_truncated_body_ends_before_its_announced_length(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    whole = await fetch(client)
    exchange.faults = Faults(truncated=1.0)
    async with client.get(HISTORY) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(whole[2])))
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_reset_is_a_tcp_reset(client: aiohttp.ClientSession, exchange: SimulatedExchange) -> None:
    exchange.faults = Faults(reset=1.0)
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await fetch(client)
    assert caught.value.errno == errno.ECONNRESET


async def test_hang_is_silence_until_the_client_gives_up(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.faults = Faults(hang=1.0, hang_s=60.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await fetch(client)
    while exchange.requests.in_flight:  # noqa: ASYNC110 - the log has no event
        await asyncio.sleep(0)
    assert exchange.requests[-1].status is None
    assert exchange.requests[-1].finished_s - exchange.requests[-1].started_s < 10.0


async def test_hang_that_ends_gives_no_answer(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.faults = Faults(hang=1.0, hang_s=0.02)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await fetch(client)


async def test_wrong_type_is_a_page_where_json_should_be(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.faults = Faults(wrong_type=1.0)
    status, kind, body = await fetch(client)
    assert (status, kind) == (200, "text/html")
    assert body.startswith(b"<!DOCTYPE html>")


async def test_empty_answers_are_valid_and_hold_nothing(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.faults = Faults(empty=1.0)
    assert json.loads((await fetch(client, BOARD))[2]) == []
    history = json.loads((await fetch(client))[2])
    assert (history["s"], history["t"]) == ("no_data", [])


async def test_stale_answers_lack_the_latest_sessions(
    client: aiohttp.ClientSession, exchange: SimulatedExchange, market: SimulatedMarket
) -> None:
    fresh = json.loads((await fetch(client))[2])["t"]
    exchange.faults = Faults(stale=1.0, stale_sessions=2)
    stale = json.loads((await fetch(client))[2])["t"]
    assert stale == fresh[:-2]
    record = json.loads((await fetch(client, "/getliststockdata/FPT"))[2])[0]
    close = market.daily(date(2025, 5, 29)).close[-1, market.symbols.index("FPT")]
    assert record["lastPrice"] * 1000 == pytest.approx(close)
    exchange.faults = Faults()
    assert json.loads((await fetch(client))[2])["t"] == fresh


async def test_straggler_is_right_and_late(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    sound = await fetch(client)
    exchange.faults = Faults(straggler=1.0, straggler_s=0.05)
    assert await fetch(client) == sound
    last = exchange.requests[-1]
    assert (last.fault, last.latency_s) == (Fault.STRAGGLER, 0.0)
    assert last.finished_s - last.started_s >= 0.049


async def test_the_next_request_after_any_fault_is_served(exchange: SimulatedExchange) -> None:
    async with aiohttp.ClientSession(exchange.url) as client:
        sound = await fetch(client)
        for fault in Fault:
            exchange.faults = Faults(**{fault.value: 1.0}, hang_s=0.01, straggler_s=0.01)
            with contextlib.suppress(aiohttp.ClientError):
                await fetch(client)
            exchange.faults = Faults()
            assert await fetch(client) == sound
    met = exchange.requests.by_fault()
    assert met.pop("none") == 11
    # aiohttp asks a second time by itself where a GET's connection ends without an answer.
    assert met == {f.value: 2 if f in (Fault.RESET, Fault.HANG) else 1 for f in Fault}


async def test_same_seed_deals_the_same_faults_and_latencies(market: SimulatedMarket) -> None:
    faults = Faults(http_500=0.3, http_429=0.2)

    async def outcomes(seed: int) -> tuple[list[int], list[float]]:
        latency = Latency.lognormal(0.001)
        async with (
            SimulatedExchange(seed=seed, market=market, faults=faults, latency=latency) as one,
            aiohttp.ClientSession(one.url) as session,
        ):
            told = [(d.fault, d.latency_s) for d in one.preview_draws(30)]
            statuses = [(await fetch(session))[0] for _ in range(30)]
            assert [(r.fault, r.latency_s) for r in one.requests] == told
            return statuses, one.latency_draws

    first, again, other = await outcomes(3), await outcomes(3), await outcomes(4)
    assert first == again
    assert first != other


async def test_concurrent_answers_take_as_long_as_they_drew(
    client: aiohttp.ClientSession, exchange: SimulatedExchange
) -> None:
    exchange.latency = Latency.lognormal(0.02)
    await asyncio.gather(*(fetch(client) for _ in range(40)))
    assert len(exchange.latency_draws) == 40
    for record in exchange.requests:
        assert record.finished_s - record.started_s >= record.latency_s - 1e-3
