"""Transport: one GET and its whole answer. The seam between the HTTP client and the network.

The client decides (when to ask, again, in duplicate, or not at all); a transport only carries. Tests and a
simulated exchange that answers from memory put their own in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from vnquant.errors import PayloadError, SourceConnectionError

if TYPE_CHECKING:
    import aiohttp

__all__ = ("AiohttpTransport", "Response", "Transport")

# Some of the hosts refuse the User-Agent of HTTP libraries (403), so ours names itself as they expect it.
_USER_AGENT = "Mozilla/5.0 (compatible; vnquant-workbench)"


class Response(msgspec.Struct, frozen=True):
    """An answer as it came: any status, header names in lower case, the body complete and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Carries one request."""

    async def get(self, url: str, params: Mapping[str, str]) -> Response:
        """Return the answer, of whatever status.

        Raises
        ------
        SourceConnectionError
            If no complete answer came: refused, reset, closed early.
        PayloadError
            If the body is shorter than announced, too long, or cannot be decompressed.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; requests under way fail. Idempotent."""
        ...


class AiohttpTransport:
    """One aiohttp session with its pool, opened by the first request.

    It sets no timeouts: the client holds one over each attempt, in loop time.

    Parameters
    ----------
    connections : int
        Pool size. Requests beyond it wait for a connection, and that wait looks like latency.
    max_body_bytes : int
        Longer bodies are refused, before they fill the memory.
    """

    def __init__(self, *, connections: int = 64, max_body_bytes: int = 32 * 2**20) -> None:
        self._connections = connections
        self._max_body_bytes = max_body_bytes
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, params: Mapping[str, str]) -> Response:
        """Return the answer, of whatever status."""
        import aiohttp

        session = self._session or self._open()
        try:
            # No redirects: where one of these hosts redirects, it drops the query on the way (s.cafef.vn).
            async with session.get(url, params=params, allow_redirects=False) as response:
                body = await self._read(response, url)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, headers, body)
        except aiohttp.ClientPayloadError as exc:
            raise PayloadError(f"The answer of {url} broke off or cannot be decompressed: {exc}") from exc
        except aiohttp.ClientResponseError as exc:
            raise PayloadError(f"The answer of {url} is not HTTP: {exc.message}") from exc
        except (aiohttp.ClientError, OSError) as exc:
            told = str(exc) or type(exc).__name__
            raise SourceConnectionError(f"No answer from {url}: {told}") from exc

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            # The load balancers' cookies would tie all requests to one of their hosts.
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT, "Accept": "*/*"},
        )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse, url: str) -> bytes:
        chunks = bytearray()
        async for chunk in response.content.iter_any():
            chunks += chunk
            if len(chunks) > self._max_body_bytes:
                raise PayloadError(f"The answer of {url} is longer than {self._max_body_bytes:,} bytes.")
        return bytes(chunks)
