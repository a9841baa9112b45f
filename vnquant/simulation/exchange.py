"""Exchange: the simulated market behind an HTTP server on loopback, with a clock, latency and faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Self

from vnquant.errors import ClosedError, DateRangeError, ParameterError, StateError
from vnquant.runtime.clock import ICT, MarketClock, wall_now
from vnquant.simulation.answers import Answers
from vnquant.simulation.delivery import Delivery, delay_s, deliver
from vnquant.simulation.draws import Draw, Draws
from vnquant.simulation.faults import Fault, Faults
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.latency import Latency
from vnquant.simulation.listener import Listener
from vnquant.simulation.planted import Planted
from vnquant.simulation.request_log import RequestLog, RequestRecord
from vnquant.simulation.routes import Route
from vnquant.simulation.truth import Truth
from vnquant.simulation.wire import Answer

__all__ = ("SimulatedExchange", "serve_forever")

# Faults whose delivery does not need the sound answer, so that none is made.
_ANSWERLESS = frozenset({Fault.RESET, Fault.HANG, Fault.HTTP_500, Fault.HTTP_429, Fault.WRONG_TYPE})


class _State(Enum):
    NEW = "new"
    STARTING = "starting"
    OPEN = "open"
    CLOSED = "closed"


class SimulatedExchange:
    """The simulated market, served in the wire formats of the Vietnamese endpoints.

    ::

        async with SimulatedExchange(seed=7, at="2025-06-02 10:00") as exchange:
            ...  # ask exchange.url

    Parameters
    ----------
    seed : int
        Seed of the market, of the latencies and of the faults.
    at : str or datetime, optional
        Market time at the start, ICT where it has no zone; the wall clock where None.
    speed : float
        Market seconds a second: 0 stands still, 1 is real time, 60 makes a minute pass each second.
    faults, latency : Faults, Latency, optional
        None of either by default. Both may be replaced while the exchange runs; that does not shift the
        draws of later requests.
    planted : Planted, optional
        Structure hidden in the prices, `Planted.default()` where None.
    market : SimulatedMarket, optional
        A market to serve as it is, in place of a new one of `seed` and `planted`.
    port : int or None
        0 picks a free one; None opens no socket, so that only `deliver` and `answer` reach the market.
    host : str
        Address to listen on; anything but loopback lets other machines in.

    Attributes
    ----------
    market : SimulatedMarket
        What is served.
    requests : RequestLog
        What was asked, by arrival, with status and fault.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        at: str | datetime | None = "2025-06-02 10:00",
        speed: float = 0.0,
        faults: Faults | None = None,
        latency: Latency | None = None,
        planted: Planted | None = None,
        market: SimulatedMarket | None = None,
        port: int | None = 0,
        host: str = "127.0.0.1",
    ) -> None:
        if port is not None and not 0 <= port <= 65_535:
            told = f"port = {port}: choose one in 1..65535, or 0 for a free one."
            raise ParameterError(told, name="port", value=port)
        if not 0.0 <= speed < float("inf"):
            told = f"speed = {speed}: 0 stands still, 1 is real time, 60 is sixty times faster."
            raise ParameterError(told, name="speed", value=speed)
        if market is not None and planted is not None:
            told = "Both market and planted are given, but a market is planted already; pass one of them."
            raise ParameterError(told, name="planted", value=planted)
        self.faults = Faults() if faults is None else faults
        self.latency = Latency.none() if latency is None else latency
        if market is None:
            market = SimulatedMarket(seed, Planted.default() if planted is None else planted)
        self.market = market
        self.requests = RequestLog()
        self._start_at = _instant(at)
        self._speed = speed
        self._host, self._port = host, port
        self._draws = Draws(seed)
        self._answers = Answers(self.market)
        self._listener = Listener(self.deliver)
        self._state = _State.NEW
        self._clock: MarketClock | None = None
        # Both belong to the loop that starts the exchange.
        self._closing: asyncio.Future[None] | None = None
        self._preparing: asyncio.Lock | None = None

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Generate the market on a thread, then listen. Does nothing where it listens already.

        Raises
        ------
        PortInUseError
            If the port is taken.
        ExchangeError
            If the address cannot be listened on for another reason.
        ClosedError
            If the exchange was closed.
        """
        if self._state is _State.OPEN:
            return
        if self._state is not _State.NEW:
            raise self._not_open()
        self._state = _State.STARTING
        self._closing = asyncio.get_running_loop().create_future()
        self._preparing = asyncio.Lock()
        try:
            # Bound before the market is generated, so that a taken port is told at once.
            if self._port is not None:
                await self._listener.bind(self._host, self._port)
            await asyncio.to_thread(self._answers.prepare, self._start_at or wall_now())
            # The clock starts when the market is there: a fast one would have lost minutes by then.
            self._clock = MarketClock(self._start_at or wall_now(), speed=self._speed)
            if self._port is not None:
                await self._listener.serve()
            self._state = _State.OPEN
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening, wake what hangs and drop every connection; closing twice is fine."""
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
        await self._listener.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- what it knows ------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._state is _State.OPEN

    @property
    def has_address(self) -> bool:
        """Whether it listens on a socket; without one it answers `deliver` alone."""
        return self._port is not None

    @property
    def url(self) -> str:
        """Base address, such as "http://127.0.0.1:8080"."""
        if self._state is not _State.OPEN:
            raise self._not_open()
        if self._port is None:
            raise StateError("This exchange has no address: port=None makes one without sockets.")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._listener.port}"

    @property
    def clock(self) -> MarketClock:
        """The market's clock; `clock.set` moves it or changes its speed."""
        if self._clock is None:
            raise self._not_open()
        return self._clock

    def now(self) -> datetime:
        """Return the market time, aware, in ICT."""
        return self.clock.now()

    @property
    def truth(self) -> Truth:
        """The structure planted in the prices, and the information coefficient that it truly has."""
        return self.market.truth

    @property
    def latency_draws(self) -> list[float]:
        """Latencies in seconds of the requests in `requests`, in order of arrival.

        Without faults they are the job lengths of the schedule that a client can at best reach.
        """
        return [record.latency_s for record in self.requests]

    def preview_draws(self, count: int) -> tuple[Draw, ...]:
        """Return what the next `count` requests will be dealt under the present faults and latency."""
        return self._draws.preview(count, self.faults, self.latency)

    # -- answering ----------------------------------------------------------------------------------------

    def answer(self, path: str, query: Mapping[str, str], now: datetime | None = None) -> Answer:
        """Return the sound answer to a request, at once, unrecorded, and without a socket."""
        return self._answers.answer(path, query, self.now() if now is None else now)

    async def deliver(self, path: str, query: Mapping[str, str]) -> Delivery:
        """Take a request as the server does, but without a socket: draw its luck, wait, answer, record.

        Raises ClosedError where the exchange is closed, also while the request waits.
        """
        if self._state is not _State.OPEN:
            raise self._not_open()
        loop = asyncio.get_running_loop()
        faults = self.faults
        draw = self._draws.next(faults, self.latency)
        route = Route.of(path, query)
        record = RequestRecord(
            draw.number, route.kind, route.symbols, path, draw.latency_s, draw.fault, started_s=loop.time()
        )
        self.requests.append(record)
        try:
            await self._wait(delay_s(draw, faults))
            sound = None if draw.fault in _ANSWERLESS else await self._sound(path, query, draw, faults)
            delivery = deliver(sound, draw, faults)
            record.status = None if delivery.answer is None else delivery.answer.status
            return delivery
        finally:
            record.finished_s = loop.time()

    async def _sound(self, path: str, query: Mapping[str, str], draw: Draw, faults: Faults) -> Answer:
        """Answer at the present market time; where a new session has begun, prepare it on a thread first."""
        if draw.fault is Fault.EMPTY:
            return self._answers.empty_answer(path, query)
        now = self.now()
        if not self._answers.is_prepared(now) and self._preparing is not None:
            async with self._preparing:
                if not self._answers.is_prepared(now):
                    await asyncio.to_thread(self._answers.prepare, now)
        if draw.fault is Fault.STALE:
            now = self._answers.stale_instant(now, faults.stale_sessions)
        return self._answers.answer(path, query, now)

    async def _wait(self, seconds: float) -> None:
        """Wait, but no longer than the exchange is open."""
        if seconds <= 0.0 or self._closing is None:
            return
        closed, _ = await asyncio.wait({self._closing}, timeout=seconds)
        if closed:
            raise self._not_open()

    def _not_open(self) -> StateError:
        if self._state is _State.CLOSED:
            return ClosedError("The exchange is closed; make a new SimulatedExchange.")
        return StateError("The exchange is not running yet; enter `async with` or await `start()` first.")


async def serve_forever(
    exchange: SimulatedExchange, *, on_ready: Callable[[SimulatedExchange], None] | None = None
) -> None:
    """Serve until cancelled, then close.

    Parameters
    ----------
    exchange : SimulatedExchange
        Not started yet.
    on_ready : callable, optional
        Called once with the exchange when it listens, to tell its address.
    """
    async with exchange:
        if on_ready is not None:
            on_ready(exchange)
        await asyncio.get_running_loop().create_future()


def _instant(at: str | datetime | None) -> datetime | None:
    """Read a market time; ICT where it has no zone."""
    if at is None:
        return None
    try:
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError as exc:
        told = f"Cannot read at={at!r} as a market time; write it as '2025-06-02 10:00'."
        raise DateRangeError(told) from exc
    return when.replace(tzinfo=ICT) if when.tzinfo is None else when.astimezone(ICT)
