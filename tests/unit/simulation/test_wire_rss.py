"""The three news feeds and their oddities."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from xml.etree import ElementTree

import pytest

from vnquant.runtime.clock import ICT
from vnquant.simulation.wire import FEEDS, Feed, feed_answer

CAFEF, VIETSTOCK, VNEXPRESS = FEEDS.values()


@dataclass(frozen=True)
class Headline:
    published_at: datetime
    title: str
    summary: str
    slug: str


def headlines(count: int) -> list[Headline]:
    newest = datetime(2025, 6, 2, 9, 58, tzinfo=ICT)
    return [
        Headline(
            newest - timedelta(minutes=7 * n),
            f"Cổ phiếu FPT & VCB tăng <mạnh> phiên {n}",
            f"Phiên giao dịch thứ {n}, lực cầu tăng ]]> & lan tỏa.",
            f"co-phieu-fpt-vcb-tang-manh-{n}",
        )
        for n in range(count)
    ]


def items(feed: Feed, count: int = 240) -> list[ElementTree.Element]:
    return ElementTree.fromstring(feed_answer(feed, headlines(count)).body).findall("channel/item")


def text_of(feed: Feed) -> str:
    return feed_answer(feed, headlines(240)).body.decode()


@pytest.mark.parametrize("feed", [CAFEF, VIETSTOCK, VNEXPRESS], ids=["cafef", "vietstock", "vnexpress"])
def test_feed_is_well_formed_and_keeps_titles_as_they_were(feed: Feed) -> None:
    told = {headline.title for headline in headlines(240)}
    titles = [item.findtext("title") for item in items(feed)]
    assert {title for title in titles if title} <= told
    assert len(titles) >= 25


@pytest.mark.parametrize(("feed", "most"), [(CAFEF, 50), (VIETSTOCK, 25 + 1), (VNEXPRESS, 60 + 1)])
def test_feed_lists_no_more_items_than_the_real_one(feed: Feed, most: int) -> None:
    assert len(items(feed, 1000)) == most


def test_cafef_item_has_the_recorded_shape() -> None:
    assert re.search(
        r"<item><title><!\[CDATA\[.+?\]\]></title><link>https://cafef\.vn/[a-z0-9-]+\.chn</link>"
        r'<description><!\[CDATA\[<a href="https://cafef\.vn/[^"]+"><img src="[^"]+"></a> .+?\]\]>'
        r"</description><pubDate>\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+07</pubDate>"
        r"<guid>https://cafef\.vn/[^<]+</guid></item>",
        text_of(CAFEF),
    )


def test_cafef_zone_has_two_digits_and_some_years_too() -> None:
    dates = [item.findtext("pubDate") or "" for item in items(CAFEF)]
    short = [d for d in dates if re.fullmatch(r"\w{3}, \d\d \w{3} \d\d \d\d:\d\d:\d\d \+0700", d)]
    usual = [d for d in dates if re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+07", d)]
    assert len(short) + len(usual) == len(dates)
    assert short
    assert len(usual) > len(short)


def test_vietstock_escapes_the_image_instead_of_using_cdata() -> None:
    text = text_of(VIETSTOCK)
    assert "CDATA" not in text
    assert re.search(r'<description>&lt;img src="[^"]+" /&gt;Phiên giao dịch', text)
    description = items(VIETSTOCK)[0].findtext("description") or ""
    assert unescape(description).startswith("<img src=")


def test_vietstock_links_carry_month_channel_and_article_number() -> None:
    links = [item.findtext("link") or "" for item in items(VIETSTOCK)]
    assert all(
        re.fullmatch(r"https://vietstock\.vn/2025/0[56]/[a-z0-9-]+-738-\d+\.htm(\?utm_source=rss)?", x)
        for x in links
    )


def test_vietstock_lists_its_newest_story_twice_with_a_campaign_mark() -> None:
    first, second = (item.findtext("link") or "" for item in items(VIETSTOCK)[:2])
    assert second == f"{first}?utm_source=rss"


def test_vnexpress_item_has_the_recorded_shape() -> None:
    assert re.search(
        r"<item><title>[^<]+</title>"
        r'<description><!\[CDATA\[<a href="https://vnexpress\.net/[^"]+\.html">'
        r'<img src="[^"]+\?w=1200&h=0&q=100&dpr=1" >'
        r"</a></br>.+?\]\]></description><pubDate>\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0700</pubDate>"
        r"<link>https://vnexpress\.net/[^<]+\.html</link><guid>[^<]+</guid>"
        r'<enclosure type="image/jpeg" length="1200" url="[^"]+&amp;h=0[^"]*"/>'
        r"<slash:comments>0</slash:comments></item>",
        text_of(VNEXPRESS),
    )


def test_vnexpress_has_an_item_without_title_and_link() -> None:
    empty = [item for item in items(VNEXPRESS) if not item.findtext("title") and not item.findtext("link")]
    assert len(empty) == 1


def test_feeds_share_some_stories_and_not_others() -> None:
    titles = {name: {i.findtext("title") for i in items(feed, 60)} for name, feed in FEEDS.items()}
    cafef, vietstock, vnexpress = titles.values()
    assert cafef & vietstock & vnexpress
    assert cafef - vietstock
    assert vietstock - cafef


def test_same_stories_give_the_same_bytes_and_other_days_other_links() -> None:
    assert text_of(CAFEF) == text_of(CAFEF)
    today = headlines(1)[0]
    again = Headline(today.published_at + timedelta(days=1), today.title, today.summary, today.slug)
    links = {CAFEF.item(story, 5).split("<link>")[1].split("</link>")[0] for story in (today, again)}
    assert len(links) == 2
