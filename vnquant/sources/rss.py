"""RSS: headlines of the news feeds, fetched side by side."""

from __future__ import annotations

import asyncio

from vnquant.errors import (
    AllSourcesFailedError,
    ClosedError,
    EmptyAnswerError,
    PayloadError,
    RecordError,
    SourceError,
)
from vnquant.sources.base import NewsFeed
from vnquant.sources.endpoints import Endpoints
from vnquant.sources.feed import merge_feeds, parse_feed
from vnquant.sources.http import HttpClient

__all__ = ("RssSource",)


class RssSource:
    """Headlines of all feeds; one that fails is told among the problems and does not sink the others.

    Parameters
    ----------
    client : HttpClient
        Shared; not closed by the source.
    endpoints : Endpoints
    """

    name = "rss"

    def __init__(self, client: HttpClient, endpoints: Endpoints) -> None:
        self._client = client
        self._feeds = endpoints.rss

    async def headlines(self) -> NewsFeed:
        """Return the latest headlines of all feeds, newest first, each address once.

        Raises
        ------
        AllSourcesFailedError
            If no feed answered as it should.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._feed(name, url), name=f"{self.name}:{name}")
                for name, url in self._feeds
            ]
        feeds: list[NewsFeed] = []
        problems: list[RecordError] = []
        errors: list[SourceError] = []
        for (name, _), task in zip(self._feeds, tasks, strict=True):
            outcome = task.result()
            if isinstance(outcome, ClosedError):
                raise outcome
            if isinstance(outcome, NewsFeed):
                feeds.append(outcome)
            elif isinstance(outcome, EmptyAnswerError):
                feeds.append(NewsFeed(()))  # quiet nights happen
            else:
                errors.append(outcome)
                told = f"{type(outcome).__name__}: {outcome}"
                problems.append(RecordError("", "feed", name, told, source=f"{self.name}:{name}"))
        if errors and not feeds:
            raise AllSourcesFailedError(errors, symbol="the news feeds")
        return merge_feeds(feeds, problems)

    async def _feed(self, name: str, url: str) -> NewsFeed | SourceError | ClosedError:
        """Return one feed, or its failure as a value, so that it does not cancel the others."""
        source = f"{self.name}:{name}"
        try:
            body = await self._client.get(url, source=source, decoder=_looks_complete)
            # Not a decoder: it takes longer than the loop may be held up.
            return await asyncio.to_thread(parse_feed, body, source=name)
        except (SourceError, ClosedError) as exc:
            return exc


def _looks_complete(body: bytes) -> bytes:
    """Refuse a broken-off or foreign document cheaply, while the client can still ask again."""
    if b"\0" in body[:100]:  # UTF-16
        return body
    if b"<rss" not in body[:2_000] or b"</rss>" not in body[-200:]:
        raise PayloadError(
            f"The feed begins {body[:30]!r} and ends {body[-30:]!r}: not a complete RSS document."
        )
    return body
