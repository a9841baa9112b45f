"""Feed: read an RSS document of the Vietnamese news sites with all their habits.

Encodings are declared wrongly, zones are written "+07", years with two digits, markup comes in CDATA, as
escaped entities, or with "</br>" in it, items come without a title, and dates may be missing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from vnquant.errors import EmptyAnswerError, PayloadError, RecordError
from vnquant.runtime.clock import ICT
from vnquant.sources.base import FeedItem, NewsFeed

__all__ = ("canonical_url", "merge_feeds", "parse_feed", "parse_published", "plain_text")

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_SHORT_ZONE = re.compile(r"([+-]\d{2})\s*$")
_SPACES = re.compile(r"\s+")
_LONGEST_TITLE = 500
_LONGEST_SUMMARY = 2_000
# What a broken or hostile feed may cost. The sites send 20 to 100 items in 20 to 200 kB; 10,000 items take
# ten seconds of a thread that then holds up the loop, and HTMLParser is quadratic in a field full of "<b ".
_LONGEST_BODY = 1_000_000
_LONGEST_MARKUP = 5_000
_MOST_ITEMS = 500
_NO_DATE = datetime.min.replace(tzinfo=UTC)


def parse_feed(body: bytes, *, source: str) -> NewsFeed:
    """Return the headlines of one RSS document, newest first.

    Blocking, some 15 ms for 50 items: call it on a thread.

    Raises
    ------
    EmptyAnswerError
        If it is a feed without items.
    PayloadError
        If it is not a feed, or none of its items is usable.
    """
    import feedparser

    if len(body) > _LONGEST_BODY:
        raise PayloadError(
            f"{source} sent {len(body):,} bytes, and no feed has more than {_LONGEST_BODY:,}.", source=source
        )
    # As a stream: a string would be taken for an address or a file name where it looks like one.
    stream = io.BytesIO(_text(body).encode("utf-8", "replace"))
    try:
        document = feedparser.parse(stream, sanitize_html=False, resolve_relative_uris=False)
    except Exception as exc:  # what so tolerant a parser trips over is the document's fault
        raise PayloadError(f"{source} sent a feed that cannot be read: {exc!r:.200}", source=source) from exc
    if not document.entries:
        if not document.get("version"):
            raise PayloadError(f"{source} did not answer with a feed but {body[:40]!r}.", source=source)
        raise EmptyAnswerError(f"{source} sent a feed without items.", source=source)
    items: list[FeedItem] = []
    problems: list[RecordError] = []
    if len(document.entries) > _MOST_ITEMS:
        told = f"only the first {_MOST_ITEMS} of {len(document.entries):,} items are read"
        problems.append(RecordError("", "feed", source, told, source=source))
    for entry in document.entries[:_MOST_ITEMS]:
        try:
            items.append(_item(entry, source, problems))
        except RecordError as exc:
            problems.append(exc)
    if not items:
        raise PayloadError(f"{source} sent no usable item; the first: {problems[0]}", source=source)
    return NewsFeed(_newest_first(items), tuple(problems))


def merge_feeds(feeds: Iterable[NewsFeed], problems: Iterable[RecordError] = ()) -> NewsFeed:
    """Return several feeds as one, newest first, each address once."""
    items: list[FeedItem] = []
    found = list(problems)
    for feed in feeds:
        items.extend(feed.items)
        found.extend(feed.problems)
    return NewsFeed(_newest_first(items), tuple(found))


def parse_published(text: str) -> datetime | None:
    """Return a feed's date, aware in ICT, or None where it is not one; never "now".

    A date without zone is taken as ICT: all these sites are Vietnamese.
    """
    given = text.strip()
    for read in (datetime.fromisoformat, lambda t: parsedate_to_datetime(_SHORT_ZONE.sub(r"\g<1>00", t))):
        try:
            when = read(given)
            return when.replace(tzinfo=ICT) if when.tzinfo is None else when.astimezone(ICT)
        except (ValueError, OverflowError, IndexError, TypeError):
            continue
    return None


def plain_text(markup: str) -> str:
    """Return text without tags, entities decoded, white space collapsed."""
    if "<" not in markup and "&" not in markup:
        return _SPACES.sub(" ", markup).strip()
    markup = markup[:_LONGEST_MARKUP]
    stripper = _Stripper()
    try:
        stripper.feed(markup)
        stripper.close()
        text = "".join(stripper.parts)
    except (AssertionError, ValueError):  # HTMLParser asserts on some broken declarations
        text = unescape(re.sub(r"<[^>]*>", " ", markup))
    return _SPACES.sub(" ", text).strip()


def canonical_url(url: str) -> str:
    """Return an address without fragment and utm_* parameters, by which articles are told apart.

    Empty where it is not a web address.
    """
    try:
        parts = urlsplit(url.strip())
        query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if not k.lower().startswith("utm_")])
        if parts.scheme not in ("http", "https") or not parts.netloc:
            return ""
        return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path, query, ""))
    except ValueError:
        return ""


class _Stripper(HTMLParser):
    """Collects the text between tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(" ")
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(" ")
        if tag in ("script", "style"):
            self._silent = max(0, self._silent - 1)


def _text(body: bytes) -> str:
    """Decode by what the bytes are, not by what the document declares."""
    head = body[:100]
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = body.decode("utf-16", "replace")
    elif head.count(0) > len(head) // 4:
        text = body.decode("utf-16-le" if head[1:2] == b"\0" else "utf-16-be", "replace")
    else:
        text = body.decode("utf-8-sig", "replace")
    return _DECLARATION.sub("", text, count=1)


def _item(entry: Any, source: str, problems: list[RecordError]) -> FeedItem:
    title = plain_text(str(entry.get("title") or ""))[:_LONGEST_TITLE]
    link = str(entry.get("link") or "")
    url = canonical_url(link)
    if not title:
        raise RecordError("", "title", link, "the item has no title", source=source)
    if not url:
        raise RecordError("", "link", link, f"the item {title!r:.40} has no web address", source=source)
    published = str(entry.get("published") or "")
    published_at = parse_published(published)
    if published_at is None and published.strip():
        problems.append(RecordError("", "pubDate", published, "not a date; kept without one", source=source))
    return FeedItem(
        title=title,
        summary=plain_text(str(entry.get("summary") or ""))[:_LONGEST_SUMMARY],
        url=url,
        source=source,
        published_at=published_at,
    )


def _newest_first(items: Iterable[FeedItem]) -> tuple[FeedItem, ...]:
    """Sort, undated last, and keep the first of each address."""
    unique: dict[str, FeedItem] = {}
    for item in sorted(items, key=lambda i: i.published_at or _NO_DATE, reverse=True):
        unique.setdefault(item.url, item)
    return tuple(unique.values())
