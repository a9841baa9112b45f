"""Failure drill on virtual time: news feeds that serve garbage by the megabyte, to the whole workbench."""

import asyncio
import random
from collections.abc import Mapping

import pytest

from vnquant import Workbench
from vnquant.engine import EngineEvent, LeadFound, NewsFinished, RoundFailed, ScanFinished
from vnquant.engine.leads import Origin
from vnquant.simulation import MEMORY_URL
from vnquant.sources import Endpoints, Response, RssSource, Transport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

HEAD, TAIL = b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>', b"</channel></rss>"


def item(number: int, title: str) -> bytes:
    return (
        f"<item><title>{title}</title><link>https://news.invalid/{number}</link>"
        f"<pubDate>Mon, 02 Jun 2025 09:{number % 20:02d}:00 +0700</pubDate></item>"
    ).encode()


NOISE = random.Random(1).randbytes(900_000).replace(b"\0", b" ")
GARBAGE: dict[str, bytes] = {
    "a megabyte of noise": HEAD + NOISE + TAIL,
    "noise that is too long": HEAD + NOISE + NOISE + TAIL,
    "deep nesting": HEAD + b"<item><title>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</title></item>" + TAIL,
    "10,000 items": HEAD + b"".join(item(n, f"FPT khởi tố {n}") for n in range(10_000)) + TAIL,
    "5,000 items": HEAD + b"".join(item(n, f"Tin {n}") for n in range(5_000)) + TAIL,
    "entities that multiply": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "aaaaaaaaaa">'
    + b"".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">'.encode() for n in range(9))
    + b']><rss version="2.0"><channel>'
    + item(1, "&a9;")
    + TAIL,
    "markup without end": HEAD + item(2, "&lt;b " * 20_000) + TAIL,
    "no items": HEAD + TAIL,
}


class GarbageTransport:
    """Answers for the news feeds, each with its own rubbish in turn; leaves the rest to another transport."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.serves: list[bytes] = []
        self.asked = 0

    async def get(self, url: str, params: Mapping[str, str]) -> Response:
        if "/rss/" not in url or not self.serves:
            return await self._inner.get(url, params)
        self.asked += 1
        return Response(200, {}, self.serves[self.asked % len(self.serves)])

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.virtual(start="2025-06-02 09:10")
async def test_feeds_that_serve_garbage_by_the_megabyte_disturb_nobody(
    model_cache, quick_predictor, tmp_path
):
    async with Workbench.open(
        cache_dir=model_cache, predictor=quick_predictor, progress=False, database=tmp_path / "ledger.db"
    ) as bench:
        await bench.prepare()
        client = bench._desk.world.client
        garbage = client._transport = GarbageTransport(client._transport)
        # Over the wire: a replay would otherwise take the headlines from the exchange itself.
        bench._desk.world.news = RssSource(client, Endpoints.local(MEMORY_URL))
        garbage.serves = list(GARBAGE.values())
        orchestrator = bench.orchestrator
        async with orchestrator.bus.subscribe(EngineEvent, maxsize=10_000) as events:
            await orchestrator.start()
            await asyncio.sleep(14 * 60)
            assert garbage.asked >= len(GARBAGE)
            status = orchestrator.status()
            garbage.serves = []
            await asyncio.sleep(10 * 60)
            await orchestrator.stop()
            orchestrator.bus.close()
            told = [event async for event in events]
    assert all(one.restarts == 0 for one in status.components.values()), status
    scans = [event for event in told if isinstance(event, ScanFinished)]
    assert [f"{event.at:%H:%M}" for event in scans] == [f"09:{minute}" for minute in range(15, 34, 3)]
    news = [event for event in told if isinstance(event, NewsFinished)]
    failed = [event for event in told if isinstance(event, RoundFailed)]
    assert {event.component for event in failed} <= {"news_scanner"}
    assert len(news) + len(failed) >= 4
    assert max(event.articles for event in news) <= 1_500  # 500 of each feed
    assert news[-1].at.minute >= 25  # the feeds are well again
    assert news[-1].articles > 0
    leads = [event.lead for event in told if isinstance(event, LeadFound)]
    assert all(lead.level is not None for lead in leads if lead.origin is Origin.NEWS)
    assert len(orchestrator.crew.news.articles) <= 200
