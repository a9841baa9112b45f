"""Who may connect, and the page."""

import aiohttp
import pytest

from vnquant.web import Broadcaster


async def handshake_status(broadcaster: Broadcaster, **changes: str | None) -> int:
    """Return the status of a handshake that is right but for some headers; None leaves one out."""
    headers = {"Authorization": f"Bearer {broadcaster.token}", "Origin": broadcaster.url} | changes
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(
                broadcaster.socket_url, headers={k: v for k, v in headers.items() if v is not None}
            ):
                return 101
        except aiohttp.WSServerHandshakeError as exc:
            return exc.status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 101),
        ({"Origin": None}, 101),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic x"}, 401),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
    ids=["right", "program", "no token", "wrong token", "scheme", "origin", "null origin", "rebound host"],
)
async def test_a_handshake_needs_token_origin_and_host(broadcaster, changes, status):
    assert await handshake_status(broadcaster, **changes) == status
    assert sum(broadcaster.statistics().refused.values()) == (status != 101)


async def test_the_token_may_come_as_a_subprotocol(broadcaster):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            broadcaster.socket_url, protocols=("vnquant.v1", f"vnquant.token.{broadcaster.token}")
        ) as ws:
            assert ws.protocol == "vnquant.v1"
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect(broadcaster.socket_url, protocols=("vnquant.v1", "vnquant.token.wrong"))


async def test_the_page_comes_from_the_package_and_asks_nobody_else(broadcaster):
    async with aiohttp.ClientSession() as session:
        for path, kind in (("/", "text/html"), ("/live.js", "text/javascript"), ("/live.css", "text/css")):
            async with session.get(broadcaster.url + path) as answer:
                text = await answer.text()
                assert (answer.status, answer.content_type) == (200, kind)
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert broadcaster.token not in text
                assert "//" not in text.replace("// ", "")  # no address of anybody
        async with session.get(broadcaster.url + "/live.js", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with session.get(broadcaster.url + "/../config.py") as answer:
            assert answer.status == 404
        async with session.post(broadcaster.url + "/") as answer:
            assert answer.status == 405
        async with session.get(broadcaster.socket_url.replace("ws:", "http:")) as answer:
            assert answer.status == 401


def test_the_token_is_in_no_repr():
    broadcaster = Broadcaster(token="a secret")
    assert "secret" not in repr(broadcaster)
