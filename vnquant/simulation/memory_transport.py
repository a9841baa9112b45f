"""Memory transport: the client's requests answered by a simulated exchange without a socket in between."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from vnquant.errors import ClosedError, PayloadError, SourceConnectionError
from vnquant.simulation.exchange import SimulatedExchange
from vnquant.sources import Response

__all__ = ("MEMORY_URL", "MemoryTransport")

# A base address that no resolver knows (RFC 6761): what escaped to the network would fail, not wander.
MEMORY_URL = "http://exchange.invalid"


class MemoryTransport:
    """Carries requests to an exchange in this process, with its latency, faults and log.

    On virtual time this is what the client uses: a socket's peer would have to be waited for in real time.

    Parameters
    ----------
    exchange : SimulatedExchange
        Running; it is not closed with the transport.
    """

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self._closed = False

    async def get(self, url: str, params: Mapping[str, str]) -> Response:
        """Return the answer, of whatever status; a reset, a hang's end or a cut body raise as on a wire."""
        if self._closed:
            raise SourceConnectionError(f"No answer from {url}: the transport is closed")
        split = urlsplit(url)
        try:
            delivery = await self._exchange.deliver(split.path, {**dict(parse_qsl(split.query)), **params})
        except ClosedError as exc:
            raise SourceConnectionError(f"No answer from {url}: the exchange is closed") from exc
        answer = delivery.answer
        if answer is None:
            raise SourceConnectionError(f"No answer from {url}: the connection ended without one")
        if delivery.cut_at is not None:
            told = f"{delivery.cut_at} of {len(answer.body)} bytes came"
            raise PayloadError(f"The answer of {url} broke off: {told}")
        return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    async def aclose(self) -> None:
        """Refuse further requests."""
        self._closed = True
