"""Security: who may connect. Decides from a request's headers alone; carries nothing out.

A web page from anywhere can make the reader's browser connect to loopback. Therefore a WebSocket needs all
three: a Host that is ours (against DNS rebinding: a foreign name that resolves to 127.0.0.1), an Origin that
is ours where there is one (a browser always sends it), and the token (against other users of the machine).

The token comes as `Authorization: Bearer ...` or, since a browser's WebSocket can set no header, as a
subprotocol `vnquant.token....`. The page reads it from its URL's fragment, which is never sent to anyone;
so it is in no log and no Referer.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum

from vnquant.web.protocol import PROTOCOL

__all__ = ("AccessPolicy", "Refusal", "new_token", "offered_subprotocols", "subprotocols_with")

_TOKEN_PROTOCOL = "vnquant.token."
_TOKEN_BYTES = 32


class Refusal(StrEnum):
    """Why a request is refused."""

    HOST = "host"
    ORIGIN = "origin"
    TOKEN = "token"
    FULL = "full"

    @property
    def status(self) -> int:
        """The HTTP status that tells it."""
        return {Refusal.TOKEN: 401, Refusal.FULL: 503}.get(self, 403)


def new_token() -> str:
    """Return a random token of 256 bits, safe in a URL and as a subprotocol."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


class AccessPolicy:
    """What a request must show.

    Parameters
    ----------
    token : str
    port : int
        The port listened on.
    allowed_hosts, allowed_origins : sequence of str
        Beyond the names of loopback.
    """

    def __init__(
        self,
        token: str,
        port: int,
        *,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self._token = token.encode()
        # Browsers leave out the scheme's usual port, in Host and in Origin.
        suffix = "" if port == 80 else f":{port}"
        names = {f"{name}{suffix}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._hosts = frozenset(names | {host.lower() for host in allowed_hosts})
        # A page served by us has our own host in its origin.
        ours = {f"http://{host}" for host in self._hosts}
        self._origins = frozenset(ours | {origin.lower().rstrip("/") for origin in allowed_origins})

    def refuses_page(self, hosts: Sequence[str]) -> Refusal | None:
        """Return why a request for the page is refused, from all its Host headers; it holds no secret."""
        host = hosts[0].lower() if len(hosts) == 1 else ""
        return None if host in self._hosts else Refusal.HOST

    def refuses_socket(
        self,
        hosts: Sequence[str],
        origins: Sequence[str],
        authorization: str | None,
        protocols: Sequence[str],
    ) -> Refusal | None:
        """Return why a request for a WebSocket is refused."""
        refusal = self.refuses_page(hosts)
        if refusal is not None:
            return refusal
        if origins and (len(origins) > 1 or origins[0].lower() not in self._origins):
            return Refusal.ORIGIN
        if not self._knows_token(authorization, protocols):
            return Refusal.TOKEN
        return None

    def _knows_token(self, authorization: str | None, protocols: Sequence[str]) -> bool:
        given = [p.removeprefix(_TOKEN_PROTOCOL) for p in protocols if p.startswith(_TOKEN_PROTOCOL)]
        if authorization is not None:
            scheme, _, value = authorization.partition(" ")
            given += [value.strip()] if scheme.lower() == "bearer" else []
        # Exactly one, so that a request is one guess; compared in a time that tells nothing of the token.
        return len(given) == 1 and secrets.compare_digest(_raw(given[0]), self._token)

    def __repr__(self) -> str:
        return f"AccessPolicy(hosts={sorted(self._hosts)}, token hidden)"


def _raw(text: str) -> bytes:
    """Return a header's bytes; those that are no UTF-8 have come in as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def offered_subprotocols(headers: Sequence[str]) -> tuple[str, ...]:
    """Return the subprotocols that Sec-WebSocket-Protocol headers offer."""
    return tuple(part.strip() for header in headers for part in header.split(",") if part.strip())


def subprotocols_with(token: str) -> tuple[str, str]:
    """Return the subprotocols with which a browser shows the token."""
    return PROTOCOL, _TOKEN_PROTOCOL + token
