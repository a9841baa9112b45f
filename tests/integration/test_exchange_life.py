"""Starting, telling the time, and closing the simulated exchange."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import aiohttp
import psutil
import pytest

from tests.pace import slowness
from vnquant.errors import (
    ClosedError,
    DateRangeError,
    ExchangeError,
    ParameterError,
    PortInUseError,
    StateError,
)
from vnquant.runtime.clock import ICT, wall_now
from vnquant.simulation import Faults, Latency, Planted, SimulatedExchange, SimulatedMarket, serve_forever

HISTORY = "/tradingview/history?symbol=FPT&resolution=1D&from=0&to=9999999999"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=7, start=date(2025, 1, 2))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Hold that a test leaves no socket and no unclosed resource (which pytest turns into an error)."""
    before = tcp_sockets()
    yield
    gc.collect()
    assert tcp_sockets() <= before


def tcp_sockets() -> set[object]:
    return {(c.fd, c.laddr, c.raddr) for c in psutil.Process().net_connections(kind="tcp")}


def other_tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def until_in_flight(exchange: SimulatedExchange, count: int) -> None:
    async with asyncio.timeout(5):
        while exchange.requests.in_flight < count:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.001)


async def test_close_with_hanging_handlers_takes_no_time_and_leaves_nothing(market: SimulatedMarket) -> None:
    loop = asyncio.get_running_loop()
    exchange = SimulatedExchange(market=market, faults=Faults(hang=1.0, hang_s=600.0))
    await exchange.start()
    url = exchange.url
    async with aiohttp.ClientSession(url) as session:
        requests = [asyncio.ensure_future(session.get(HISTORY)) for _ in range(30)]
        await until_in_flight(exchange, 30)
        began = loop.time()
        await exchange.close()
        took_s = loop.time() - began
        assert took_s < 0.1 * slowness()
        assert exchange.requests.in_flight == 0
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
        assert all(isinstance(outcome, aiohttp.ClientConnectionError) for outcome in outcomes)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}{HISTORY}")
    await asyncio.sleep(0)
    assert other_tasks() == set()


async def test_close_with_idle_connections_and_a_client_that_never_reads(market: SimulatedMarket) -> None:
    loop = asyncio.get_running_loop()
    exchange = SimulatedExchange(market=market)
    await exchange.start()
    port = int(exchange.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as deaf, socket.create_connection(("127.0.0.1", port)):
        # More answers than the kernel's buffers hold, so that the server is stuck in a write.
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET {HISTORY} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 2000)
        served = -1
        while served != exchange.requests.total or served < 20:
            served = exchange.requests.total
            await asyncio.sleep(0.02)
        assert served < 2000
        began = loop.time()
        await exchange.close()
        took_s = loop.time() - began
        assert took_s < 0.1 * slowness()
    assert other_tasks() == set()


async def test_a_client_that_leaves_frees_its_hanging_handler(market: SimulatedMarket) -> None:
    async with SimulatedExchange(market=market, faults=Faults(hang=1.0, hang_s=600.0)) as exchange:
        async with aiohttp.ClientSession(exchange.url) as session:
            request = asyncio.ensure_future(session.get(HISTORY))
            await until_in_flight(exchange, 1)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
        async with asyncio.timeout(5):
            while exchange.requests.in_flight:  # noqa: ASYNC110 - the log has no event
                await asyncio.sleep(0.001)


async def test_closing_twice_is_fine_and_use_after_close_is_refused(market: SimulatedMarket) -> None:
    exchange = SimulatedExchange(market=market)
    async with exchange:
        await exchange.start()  # already there: nothing happens
    await exchange.close()
    with pytest.raises(ClosedError):
        _ = exchange.url
    with pytest.raises(ClosedError):
        await exchange.start()
    with pytest.raises(ClosedError):
        await exchange.deliver("/getliststockdata/FPT", {})


async def test_use_before_start_is_refused(market: SimulatedMarket) -> None:
    exchange = SimulatedExchange(market=market)
    for use in (lambda: exchange.url, lambda: exchange.clock, exchange.now):
        with pytest.raises(StateError, match="not running yet"):
            use()
    await exchange.close()


async def test_delivery_without_socket_is_woken_by_close(market: SimulatedMarket) -> None:
    exchange = SimulatedExchange(market=market, latency=Latency.constant(600.0))
    await exchange.start()
    waiting = asyncio.ensure_future(exchange.deliver("/getliststockdata/FPT", {}))
    await until_in_flight(exchange, 1)
    await exchange.close()
    with pytest.raises(ClosedError):
        await waiting


async def test_without_a_port_the_market_is_reached_without_sockets(market: SimulatedMarket) -> None:
    sockets = tcp_sockets()
    async with SimulatedExchange(market=market, port=None, latency=Latency.constant(0.001)) as exchange:
        delivery = await exchange.deliver("/getliststockdata/FPT", {})
        assert delivery.answer is not None
        assert delivery.answer.status == 200
        assert tcp_sockets() == sockets
        with pytest.raises(StateError, match="no address"):
            _ = exchange.url


async def test_a_taken_port_is_told_with_the_way_out(market: SimulatedMarket) -> None:
    async with SimulatedExchange(market=market) as first:
        port = int(first.url.rsplit(":", 1)[1])
        second = SimulatedExchange(market=market, port=port)
        with pytest.raises(PortInUseError, match=f"Port {port} is in use"):
            await second.start()
        with pytest.raises(ClosedError):
            await second.start()
    async with SimulatedExchange(market=market, port=port) as third:
        assert third.url == f"http://127.0.0.1:{port}"


async def test_a_foreign_address_is_told(market: SimulatedMarket) -> None:
    with pytest.raises(ExchangeError, match="cannot listen on 192"):
        await SimulatedExchange(market=market, host="192.0.2.1").start()


async def test_start_cancelled_while_generating_leaves_nothing() -> None:
    market = SimulatedMarket(seed=11)
    exchange = SimulatedExchange(market=market)
    starting = asyncio.ensure_future(exchange.start())
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    with pytest.raises(ClosedError):
        _ = exchange.url
    assert other_tasks() == set()


async def test_generation_runs_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    market = SimulatedMarket(seed=12, start=date(2025, 1, 2))
    threads: list[threading.Thread] = []
    daily = market.daily

    def watched(end: date) -> object:
        threads.append(threading.current_thread())
        return daily(end)

    monkeypatch.setattr(market, "daily", watched)
    async with SimulatedExchange(market=market) as exchange:
        made = len(threads)
        assert threading.main_thread() not in threads
        exchange.clock.set(at=datetime(2026, 1, 5, 10))  # a year that has not been made yet
        async with aiohttp.ClientSession(exchange.url) as session, session.get(HISTORY) as response:
            assert (await response.json())["t"][-1] == 1767571200
        assert len(threads) > made
        assert threads[made] is not threading.main_thread()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"port": 70_000}, ParameterError),
        ({"port": -1}, ParameterError),
        ({"speed": -1.0}, ParameterError),
        ({"speed": float("nan")}, ParameterError),
        ({"at": "yesterday"}, DateRangeError),
    ],
)
def test_bad_arguments_are_refused_at_the_door(arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        SimulatedExchange(**arguments)  # type: ignore[arg-type]


def test_market_and_planted_together_are_refused(market: SimulatedMarket) -> None:
    with pytest.raises(ParameterError, match="planted already"):
        SimulatedExchange(market=market, planted=Planted.noise())


async def test_a_time_before_the_history_is_told(market: SimulatedMarket) -> None:
    with pytest.raises(DateRangeError):
        await SimulatedExchange(market=market, at="2020-01-02").start()


async def test_frozen_clock_stands_still_and_can_be_moved(market: SimulatedMarket) -> None:
    async with SimulatedExchange(market=market, at="2025-06-02 10:00") as exchange:
        begins = datetime(2025, 6, 2, 10, tzinfo=ICT)
        assert exchange.now() == begins
        await asyncio.sleep(0.01)
        assert exchange.now() == begins
        exchange.clock.set(at=begins + timedelta(days=1))
        async with aiohttp.ClientSession(exchange.url) as session, session.get(HISTORY) as response:
            assert (await response.json())["t"][-1] == 1748908800  # 2025-06-03


@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_running_clock_keeps_its_pace(market: SimulatedMarket, speed: float) -> None:
    loop = asyncio.get_running_loop()
    async with SimulatedExchange(market=market, at="2025-06-02 10:00", speed=speed) as exchange:
        first, market_first = loop.time(), exchange.now()
        assert market_first - datetime(2025, 6, 2, 10, tzinfo=ICT) < timedelta(seconds=speed)
        await asyncio.sleep(0.02)
        market_last, last = exchange.now(), loop.time()
        passed = (market_last - market_first).total_seconds()
        assert 0.019 * speed <= passed <= (last - first) * speed + 1e-3


async def test_without_a_time_the_exchange_runs_at_the_wall_clock(market: SimulatedMarket) -> None:
    async with SimulatedExchange(market=market, at=None, speed=1.0) as exchange:
        assert abs(exchange.now() - wall_now()) < timedelta(seconds=1)


async def test_serve_forever_tells_its_address_and_closes_when_cancelled(market: SimulatedMarket) -> None:
    exchange = SimulatedExchange(market=market)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(serve_forever(exchange, on_ready=lambda e: ready.set_result(e.url)))
    async with (
        aiohttp.ClientSession(await ready) as session,
        session.get("/getliststockdata/FPT") as response,
    ):
        assert response.status == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(ClosedError):
        _ = exchange.url
