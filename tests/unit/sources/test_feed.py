"""The news feeds, recorded: CafeF, VnExpress, VietStock, and the habits of others."""

from datetime import UTC, datetime, timedelta

import pytest

from vnquant.errors import EmptyAnswerError, PayloadError
from vnquant.runtime.clock import ICT
from vnquant.sources.feed import canonical_url, merge_feeds, parse_feed, parse_published, plain_text

HEAD = '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>t</title>'
TAIL = "</channel></rss>"
CAFEF = """<item><title><![CDATA[Lãi suất ngân hàng tăng mạnh]]></title><link>https://cafef.vn/lai-suat-tang.chn</link>
<description><![CDATA[<a href="https://a.vn/l"><img src="x.jpg"></a> Nội dung bài báo.]]></description>
<pubDate>Sun, 21 Jun 2026 06:30:00 +07</pubDate><guid>https://cafef.vn/lai-suat-tang.chn</guid></item>"""
VNEXPRESS = """<item><title>Màn đấu võ uyển chuyển như múa</title>
<description><![CDATA[<a href="https://vnexpress.net/man-4518948.html"><img src="https://i1-vnexpress.vnecdn.net/2022/10/04/-7313-1664852307.gif?w=1200&h=0&q=100&dpr=1&fit=crop" ></a></br>Hai chàng trai bắt chước màn đấu võ.]]></description>
<pubDate>Tue, 04 Oct 2022 22:00:00 +0700</pubDate><link>https://vnexpress.net/man-4518948.html</link>
<guid>https://vnexpress.net/man-4518948.html</guid><slash:comments>0</slash:comments></item>"""  # noqa: E501
VIETSTOCK = """<item><title>Khối ngoại mua ròng phiên thứ 5 liên tiếp</title><link>https://vietstock.vn/2026/07/khoi-ngoai-738-1494029.htm</link>
<description>&lt;img src="..." /&gt;Phiên 24/07, khối ngoại mua ròng...</description>
<pubDate>Fri, 24 Jul 2026 14:54:34 +0700</pubDate><guid>...</guid></item>"""


def feed(*items, encoding="utf-8"):
    return (HEAD + "".join(items) + TAIL).encode(encoding)


def item(title="Tin", link="https://a.vn/1", date="", summary="s"):
    return (
        f"<item><title>{title}</title><link>{link}</link><description>{summary}</description>"
        f"<pubDate>{date}</pubDate></item>"
    )


def only(body):
    told = parse_feed(body, source="f")
    assert len(told.items) == 1
    return told.items[0]


def test_cafef_cdata_and_the_two_digit_zone():
    read = only(feed(CAFEF))
    assert read.title == "Lãi suất ngân hàng tăng mạnh"
    assert read.summary == "Nội dung bài báo."
    assert read.published_at == datetime(2026, 6, 21, 6, 30, tzinfo=ICT)


def test_vnexpress_broken_tags_and_bare_ampersands_in_cdata():
    read = only(feed(VNEXPRESS))
    assert read.summary == "Hai chàng trai bắt chước màn đấu võ."
    assert read.published_at == datetime(2022, 10, 4, 22, 0, tzinfo=ICT)


def test_vietstock_markup_in_entities_is_decoded_before_it_is_stripped():
    assert only(feed(VIETSTOCK)).summary == "Phiên 24/07, khối ngoại mua ròng..."


def test_an_entity_in_a_title_is_decoded():
    assert only(feed(item(title="Lãi &amp; lỗ quý 3"))).title == "Lãi & lỗ quý 3"


def test_a_missing_date_is_unknown_and_never_now():
    told = parse_feed(feed(item(date="")), source="f")
    assert told.items[0].published_at is None
    assert told.problems == ()


def test_an_unreadable_date_is_told_and_the_item_kept():
    told = parse_feed(feed(item(date="hôm qua")), source="f")
    assert told.items[0].published_at is None
    assert [p.field for p in told.problems] == ["pubDate"]


@pytest.mark.parametrize(
    ("broken", "field"), [({"title": ""}, "title"), ({"link": ""}, "link"), ({"link": "x"}, "link")]
)
def test_an_item_without_title_or_link_is_told_and_the_others_kept(broken, field):
    told = parse_feed(feed(item(**broken), CAFEF), source="f")
    assert [i.url for i in told.items] == ["https://cafef.vn/lai-suat-tang.chn"]
    assert [p.field for p in told.problems] == [field]


def test_newest_first_undated_last_each_address_once():
    told = parse_feed(
        feed(
            item(link="https://a.vn/old", date="Mon, 01 Jun 2026 08:00:00 +0700"),
            item(link="https://a.vn/none"),
            item(link="https://a.vn/new?utm_source=rss#top", date="Tue, 02 Jun 2026 08:00:00 +0700"),
            item(link="https://a.vn/new", date="Tue, 02 Jun 2026 07:00:00 +0700"),
        ),
        source="f",
    )
    assert [i.url for i in told.items] == ["https://a.vn/new", "https://a.vn/old", "https://a.vn/none"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_the_bytes_count_and_not_the_declared_encoding(encoding):
    body = (
        feed(CAFEF, encoding=encoding).replace(b"utf-8", b"utf-16")
        if "8" in encoding
        else feed(CAFEF, encoding=encoding)
    )
    assert only(body).title == "Lãi suất ngân hàng tăng mạnh"


def test_merged_feeds_keep_each_address_once():
    one = parse_feed(feed(CAFEF), source="a")
    both = merge_feeds([one, parse_feed(feed(CAFEF, VIETSTOCK), source="b")])
    assert len(both.items) == 2
    assert both.items[0].title.startswith("Khối ngoại")


def test_a_feed_without_items_is_an_empty_answer():
    with pytest.raises(EmptyAnswerError):
        parse_feed(feed(), source="f")


@pytest.mark.parametrize(
    "body", [b"", b"<html><p>hi</p></html>", b'{"a":1}', b"\x00" * 50, b"/etc/passwd", b"http://x/"]
)
def test_what_is_no_feed_is_a_payload_error(body):
    with pytest.raises(PayloadError):
        parse_feed(body, source="f")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Sun, 21 Jun 2026 06:30:00 +07", datetime(2026, 6, 21, 6, 30, tzinfo=ICT)),
        ("Fri, 14 Aug 26 00:00:00 +0700", datetime(2026, 8, 14, tzinfo=ICT)),
        ("Fri, 14 Aug 2026 00:00:00 GMT", datetime(2026, 8, 14, 7, tzinfo=ICT)),
        ("Fri, 14 Aug 2026 09:00:00", datetime(2026, 8, 14, 9, tzinfo=ICT)),
        ("2026-08-14T09:00:00+07:00", datetime(2026, 8, 14, 9, tzinfo=ICT)),
        ("2026-08-14", datetime(2026, 8, 14, tzinfo=ICT)),
        ("Thu, 01 Jan 0000 99:99:99", None),
        ("", None),
        ("soon", None),
    ],
)
def test_dates(text, when):
    read = parse_published(text)
    assert read == when
    assert read is None or read.utcoffset() == timedelta(hours=7)


def test_text_without_tags_scripts_and_runs_of_blanks():
    assert plain_text("<p>Giá\n  <b>tăng</b> &gt; 5%<script>x()</script></p>") == "Giá tăng > 5%"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://A.vn/x?utm_medium=m&id=3#top", "https://a.vn/x?id=3"),
        ("javascript:alert(1)", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_addresses(given, told):
    assert canonical_url(given) == told


def test_zones_other_than_ict_are_converted():
    assert parse_published("Fri, 14 Aug 2026 00:00:00 +0000").astimezone(UTC).hour == 0


def test_a_feed_of_thousands_of_items_is_read_in_part_and_says_so():
    body = feed(*(item(link=f"https://a.vn/{number}") for number in range(3_000)))
    told = parse_feed(body, source="f")
    assert len(told.items) == 500
    assert "500 of 3,000" in str(told.problems[0])


def test_a_body_no_feed_can_have_is_refused_unread():
    with pytest.raises(PayloadError, match="1,000,000"):
        parse_feed(feed(item(summary="x" * 1_000_000)), source="f")


def test_a_field_that_would_take_hours_to_strip_is_cut():
    """HTMLParser looks through all that follows for each `<` that ends nowhere."""
    told = only(feed(item(title="&lt;b " * 10_000, summary="&lt;b " * 10_000)))
    assert len(told.title) <= 500
