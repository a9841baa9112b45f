"""HTTP: the one client of all sources. Pool, timeouts, retries, quota, hedged requests, circuit breaker.

::

    get ── attempts, until an answer is good, the tries or the time are used up
            ├── quota       wait for a place (not counted as time of the request)
            ├── breaker     not asked at all while the source is down
            └── hedger      a duplicate when the copy under way is late, the first good answer wins
                 └── copy   transport, status, decoder

All of it per source, so that one that is down or slow does not touch the others, and all in loop time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from vnquant.errors import (
    ClosedError,
    EmptyAnswerError,
    HttpStatusError,
    PayloadError,
    RateLimitedError,
    SourceError,
    SourceTimeoutError,
)
from vnquant.sources.backoff import Backoff, is_retryable
from vnquant.sources.config import HttpConfig
from vnquant.sources.lane import Lane, SourceStatistics
from vnquant.sources.transport import AiohttpTransport, Transport

__all__ = ("HttpClient",)

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Requests end at once when told to; this bounds the wait for a transport that will not be cancelled.
_CLOSING_S = 1.0


@dataclass(frozen=True, slots=True)
class _Request(Generic[T]):
    """What one call of `get` asks for."""

    url: str
    params: Mapping[str, str]
    decoder: Callable[[bytes], T]
    symbol: str | None
    empty_retries: int
    empty_pause_s: float


class HttpClient:
    """Fetches and decodes with everything that a source on the open internet needs. Use with `async with`.

    Parameters
    ----------
    config : HttpConfig, optional
    name : str
        Prefix of the task names.
    transport : Transport, optional
        Carries the requests; an aiohttp session with a pool unless given. Closed with the client.
    """

    def __init__(
        self, config: HttpConfig | None = None, name: str = "http", *, transport: Transport | None = None
    ) -> None:
        self.config = config or HttpConfig()
        self.name = name
        self._transport: Transport = transport or AiohttpTransport(connections=self.config.connections)
        self._lanes: dict[str, Lane] = {}
        self._under_way: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._backoff = Backoff(
            base_s=self.config.backoff_base_s,
            cap_s=self.config.backoff_cap_s,
            retry_after_cap_s=self.config.retry_after_cap_s,
            rng=random.Random(self.config.seed),
        )

    async def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        source: str,
        decoder: Callable[[bytes], T],
        symbol: str | None = None,
        empty_retries: int = 0,
        empty_pause_s: float = 0.2,
    ) -> T:
        """Return the decoded answer of a GET.

        Parameters
        ----------
        url, params
        source : str
            Quota, breaker, latencies and errors go by this name.
        decoder : callable
            Turns the body into the answer, and raises PayloadError or EmptyAnswerError where it cannot: a
            body that cannot be decoded is a failed attempt, so it is asked for again.
        symbol : str, optional
            For the errors and the task names.
        empty_retries : int
            How often an empty answer is asked again; providers return one now and then for what they do have.
        empty_pause_s : float
            Pause before that.

        Raises
        ------
        SourceError
            The last failure, when tries or time are used up.
        ClosedError
            If the client is closed, before or meanwhile.
        """
        self._refuse_if_closed()
        lane = self._lanes.get(source) or self._lanes.setdefault(source, Lane(source, self.config))
        lane.requests += 1
        request = _Request(url, params or {}, decoder, symbol, empty_retries, empty_pause_s)
        scope = asyncio.timeout(None)  # never on its own: aclose() ends it
        try:
            async with scope:
                self._under_way.add(scope)
                self._idle.clear()
                try:
                    return await self._attempts(lane, request)
                finally:
                    self._under_way.discard(scope)
                    if not self._under_way:
                        self._idle.set()
        except TimeoutError:
            self._refuse_if_closed()
            raise

    async def get_bytes(
        self, url: str, params: Mapping[str, str] | None = None, *, source: str, symbol: str | None = None
    ) -> bytes:
        """Return the body of a GET as it is."""
        return await self.get(url, params, source=source, decoder=bytes, symbol=symbol)

    async def get_json(
        self, url: str, params: Mapping[str, str] | None = None, *, source: str, symbol: str | None = None
    ) -> Any:
        """Return the JSON body of a GET as plain objects."""

        def decode(body: bytes) -> Any:
            try:
                return msgspec.json.decode(body)
            except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
                raise PayloadError(
                    f"{source} did not answer with JSON but {body[:40]!r}: {exc}",
                    source=source,
                    symbol=symbol,
                ) from exc

        return await self.get(url, params, source=source, decoder=decode, symbol=symbol)

    def statistics(self) -> dict[str, SourceStatistics]:
        """Return what was done so far, by source."""
        return {name: lane.statistics() for name, lane in self._lanes.items()}

    async def aclose(self) -> None:
        """End the requests under way with ClosedError and close all connections. Idempotent."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._under_way:
            if not scope.expired():
                scope.reschedule(now)
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("%s: %d requests did not end on closing", self.name, len(self._under_way))
        finally:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        self._refuse_if_closed()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _attempts(self, lane: Lane, request: _Request[T]) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.total_timeout_s
        failed = empty = 0
        while True:
            deadline += await lane.limiter.acquire()
            lane.breaker.enter(request.symbol)
            lane.attempts += 1
            try:
                return await self._attempt(lane, request, deadline - loop.time())
            except EmptyAnswerError as exc:
                error: SourceError = exc
                empty += 1
                again, pause = empty <= request.empty_retries, request.empty_pause_s
            except SourceError as exc:
                error = exc
                pause = self._backoff.delay_s(failed, exc)
                failed += 1
                again = is_retryable(exc) and failed < self.config.attempts and not self._is_banned(exc)
            if not again or loop.time() + pause >= deadline:
                raise error
            await asyncio.sleep(pause)

    async def _attempt(self, lane: Lane, request: _Request[T], remaining_s: float) -> T:
        limit = max(0.0, min(self.config.attempt_timeout_s, remaining_s))
        try:
            async with asyncio.timeout(limit):
                return await lane.hedger.run(
                    lambda: self._copy(lane, request),
                    may_hedge=lane.may_hedge,
                    name=f"{self.name}:{lane.source}:{request.symbol or 'all'}",
                )
        except TimeoutError as exc:
            error = SourceTimeoutError(
                f"{lane.source} gave no answer within {limit:.3g} s.",
                source=lane.source,
                symbol=request.symbol,
            )
            lane.failed(error)
            raise error from exc
        except BaseException:
            lane.breaker.abandoned()
            raise

    async def _copy(self, lane: Lane, request: _Request[T]) -> T:
        try:
            response = await self._transport.get(request.url, request.params)
            _check_status(response.status, response.headers, lane.source, request.symbol)
            answer = request.decoder(response.body)
        except EmptyAnswerError:
            lane.breaker.succeeded()
            raise
        except SourceError as exc:
            exc.source = exc.source or lane.source
            exc.symbol = exc.symbol or request.symbol
            lane.failed(exc)
            raise
        lane.breaker.succeeded()
        return answer

    def _is_banned(self, error: SourceError) -> bool:
        """Whether the server demands a longer pause than we wait; asking earlier prolongs such a ban."""
        return (
            isinstance(error, RateLimitedError)
            and (error.retry_after_s or 0.0) > self.config.retry_after_cap_s
        )

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"The HTTP client {self.name!r} is closed; open a new one.")


def _check_status(status: int, headers: Mapping[str, str], source: str, symbol: str | None) -> None:
    """Raise for every status that is not 200."""
    if status == 200:
        return
    if status == 429:
        retry_after_s = _retry_after_s(headers.get("retry-after"))
        told = "" if retry_after_s is None else f", again in {retry_after_s:g} s"
        raise RateLimitedError(
            f"{source} asks to slow down (HTTP 429{told}).",
            retry_after_s=retry_after_s,
            source=source,
            symbol=symbol,
        )
    hint = f" to {headers['location']}" if 300 <= status < 400 and "location" in headers else ""
    raise HttpStatusError(
        f"{source} answered with HTTP {status}{hint}.", status=status, source=source, symbol=symbol
    )


def _retry_after_s(header: str | None) -> float | None:
    """Read Retry-After in seconds; the form with a date would need the server's clock."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0.0 <= seconds < float("inf") else None
