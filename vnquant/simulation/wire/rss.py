"""RSS: headlines in the shape of three Vietnamese feeds, each with its own oddities.

CafeF wraps titles in CDATA and writes the zone as "+07"; VietStock escapes the image's markup; VnExpress
leaves `&` bare inside CDATA, writes `</br>`, and lists items without title or link.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from itertools import islice
from typing import Protocol
from xml.sax.saxutils import escape

from vnquant.runtime.clock import ICT
from vnquant.simulation.wire.answer import Answer

__all__ = ("FEEDS", "Feed", "Story", "feed_answer", "number_of")

_HEADERS = {"Content-Type": "text/xml; charset=utf-8"}
# One CafeF item in this many has a two-digit year.
_SHORT_YEARS = 16


class Story(Protocol):
    """A headline of the simulated market."""

    @property
    def published_at(self) -> datetime:
        """When it appeared, aware."""
        ...

    @property
    def title(self) -> str:
        """Headline, plain text."""
        ...

    @property
    def summary(self) -> str:
        """One or two sentences, plain text."""
        ...

    @property
    def slug(self) -> str:
        """The headline as it stands in a link: lower case, ASCII, hyphens."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: its channel, how many items it lists, and which share of the stories it carries.

    `shelves` are the remainders modulo 4 of a story's number that this feed carries, so that some stories
    stand in one feed only and some in all. `address` gives the address of a story and its number, `item` its
    text at a place.
    """

    title: str
    link: str
    items: int
    shelves: frozenset[int]
    address: Callable[[Story, int], str]
    item: Callable[[Story, int], str]

    def carries(self, number: int) -> bool:
        """Whether this feed lists the story of a number."""
        return number % 4 in self.shelves

    def choose(self, newest_first: Iterable[Story]) -> list[Story]:
        """Return the stories that this feed lists."""
        return list(islice((story for story in newest_first if self.carries(number_of(story))), self.items))


def feed_answer(feed: Feed, newest_first: Iterable[Story]) -> Answer:
    """Return the feed of those of the stories that it carries."""
    chosen = feed.choose(newest_first)
    items = [feed.item(story, place) for place, story in enumerate(chosen)]
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" '
        'xmlns:slash="http://purl.org/rss/1.0/modules/slash/"><channel>'
        f"<title>{escape(feed.title)}</title><link>{feed.link}</link>"
        f"<description>{escape(feed.title)}</description>\n"
    )
    return Answer(200, _HEADERS, (head + "\n".join(items) + "\n</channel></rss>\n").encode())


def _cafef_address(story: Story, number: int) -> str:
    return f"https://cafef.vn/{story.slug}-{188_000_000_000 + number}.chn"


def _cafef_item(story: Story, _place: int) -> str:
    number = number_of(story)
    url = _cafef_address(story, number)
    image = f"https://cafefcdn.com/zoom/250_156/{number}.jpg"
    published = _rfc822(story.published_at)
    if number // 4 % _SHORT_YEARS == 0:
        day, year, rest = published[:12], published[12:16], published[16:]
        published = f"{day}{year[2:]}{rest}"
    else:
        published = published.replace("+0700", "+07")
    return (
        f"<item><title><![CDATA[{_cdata(story.title)}]]></title><link>{url}</link>"
        f'<description><![CDATA[<a href="{url}"><img src="{image}"></a> '
        f"{_cdata(story.summary)}]]></description>"
        f"<pubDate>{published}</pubDate><guid>{url}</guid></item>"
    )


def _vietstock_address(story: Story, number: int) -> str:
    when = story.published_at.astimezone(ICT)
    month = f"{when.year}/{when.month:02}"
    return f"https://vietstock.vn/{month}/{story.slug}-738-{number % 10_000_000}.htm"


def _vietstock_item(story: Story, place: int) -> str:
    number = number_of(story)
    url = _vietstock_address(story, number)
    image = f'<img src="https://image.vietstock.vn/{number % 10_000_000}.jpg" />'
    before = f"<item><title>{escape(story.title)}</title><link>"
    after = (
        f"</link><description>{escape(image + story.summary)}</description>"
        f"<pubDate>{_rfc822(story.published_at)}</pubDate><guid>{url}</guid></item>"
    )
    # The newest story stands twice, once with a campaign mark on its link.
    links = (url, f"{url}?utm_source=rss") if place == 0 else (url,)
    return "\n".join(f"{before}{link}{after}" for link in links)


def _vnexpress_address(story: Story, number: int) -> str:
    return f"https://vnexpress.net/{story.slug}-{4_000_000 + number % 1_000_000}.html"


def _vnexpress_item(story: Story, place: int) -> str:
    number = number_of(story)
    url = _vnexpress_address(story, number)
    image = (
        f"https://i1-kinhdoanh.vnecdn.net/{story.published_at:%Y/%m/%d}/{number}.jpg?w=1200&h=0&q=100&dpr=1"
    )
    item = (
        f"<item><title>{escape(story.title)}</title>"
        f'<description><![CDATA[<a href="{url}"><img src="{image}" ></a></br>'
        f"{_cdata(story.summary)}]]></description>"
        f"<pubDate>{_rfc822(story.published_at)}</pubDate><link>{url}</link><guid>{url}</guid>"
        f'<enclosure type="image/jpeg" length="1200" url="{escape(image)}"/>'
        "<slash:comments>0</slash:comments></item>"
    )
    if place != 2:
        return item
    empty = "<item><title></title><description></description><link></link><guid></guid></item>"
    return f"{item}\n{empty}"


FEEDS: Mapping[str, Feed] = {
    "/rss/cafef/thi-truong-chung-khoan.rss": Feed(
        "Thị trường chứng khoán - CafeF",
        "https://cafef.vn/",
        50,
        frozenset({0, 2, 3}),
        _cafef_address,
        _cafef_item,
    ),
    "/rss/vietstock/144/chung-khoan.rss": Feed(
        "Chung khoan - Vietstock RSS",
        "https://vietstock.vn/144/chung-khoan/",
        25,
        frozenset({1, 2, 3}),
        _vietstock_address,
        _vietstock_item,
    ),
    "/rss/vnexpress/kinh-doanh.rss": Feed(
        "Kinh doanh - VnExpress RSS",
        "https://vnexpress.net/kinh-doanh",
        60,
        frozenset({3}),
        _vnexpress_address,
        _vnexpress_item,
    ),
}


def number_of(story: Story) -> int:
    """Return the story's article number: the same in every answer, different from day to day."""
    return zlib.crc32(f"{story.slug}|{story.published_at.isoformat()}".encode())


def _rfc822(when: datetime) -> str:
    # Not strftime, whose names of days and months follow the machine's locale.
    return format_datetime(when.astimezone(ICT))


def _cdata(text: str) -> str:
    """Keep a text from ending the CDATA section around it."""
    return text.replace("]]>", "]]&gt;")
