"""A parser fed mutated bytes raises nothing but our own errors, and what it lets through is valid."""

import contextlib
import json
from datetime import date, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vnquant.errors import VnQuantError
from vnquant.runtime.clock import ICT
from vnquant.sources.board import parse_board
from vnquant.sources.cafef import bars_of_rows, parse_page
from vnquant.sources.corporate_events import parse_events
from vnquant.sources.feed import parse_feed, parse_published, plain_text
from vnquant.sources.file_reading import read_table
from vnquant.sources.file_table import normalise
from vnquant.sources.udf import parse_history

NOW = datetime(2026, 5, 13, 10, 0, tzinfo=ICT)
HISTORY = (
    b'{"symbol":"VNM","s":"ok","t":[1747008000,1747094400],"c":[57.2,57.6],"o":[57.0,57.3],"h":[57.6,57.9],'
    b'"l":[56.8,57.1],"v":[2530900,3101200]}'
)
BOARD = (
    b'[{"id":2100,"sym":"AST","mc":"10","c":72.1,"f":62.7,"r":67.4,"lastPrice":67.4,"lastVolume":177,"lot":9945,'
    b'"avePrice":"67.60","g1":"67.20|305|d","g4":"ATO|36|d","fRoom":"1.5E7","closePrice":"67400.0"},'
    b'{"sym":"VNM","lastPrice":59.1,"lot":491960,"closePrice":"60100.0","marketId":"STO"}]'
)
CAFEF = (
    b'{"Data":{"TotalCount":1,"Data":[{"Symbol":"FPT","Ngay":"28/08/2026","GiaDieuChinh":73.2,"GiaDongCua":73.2,'
    b'"KhoiLuongKhopLenh":10196800,"GiaMoCua":72.2,"GiaCaoNhat":74.0,"GiaThapNhat":72.2}]},"Success":true}'
)
EVENTS = (
    b'{"symbols":["FPT"],"through":"2026-05-13","actions":[{"type":"CashDividend","action_id":"d","symbol":"FPT",'
    b'"ex_date":"2026-05-13","per_share_vnd":1000,"payable_on":"2026-06-03","tax_bps":500},{"type":"ShareSplit",'
    b'"action_id":"s","symbol":"FPT","ex_date":"2026-05-13","held":10,"become":13,'
    b'"new_shares_sellable_from":"2026-07-01T09:00:00+07:00"}]}'
)
FEED = (
    '<?xml version="1.0" encoding="utf-16"?><rss version="2.0"><channel><title>t</title><item>'
    "<title><![CDATA[Lãi]]></title><link>https://a.vn/a.chn</link><description>&lt;img/&gt;Tin</description>"
    "<pubDate>Sun, 21 Jun 2026 06:30:00 +07</pubDate></item></channel></rss>"
).encode()
CSV = (
    b"<Ticker>,<DTYYYYMMDD>,<Open>,<High>,<Low>,<Close>,<Volume>\nTPB,20261002,11.9,11.9,11.8,11.9,11178200\n"
)


@st.composite
def mutations(draw, body):
    """Overwrite, cut, double or insert stretches of a valid body."""
    data = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        width = draw(st.integers(0, 12))
        piece = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from(
                    [b"null", b"-1", b"1e308", b'"', b"[", b"]", b"{}", b"NaN", b"0", b"\xff", b"9" * 40]
                ),
                st.just(bytes(data[at : at + width]) * 2),
            )
        )
        data[at : at + width] = piece
    return bytes(data)


def assert_valid(series):
    assert np.all(np.diff(series.timestamps) > np.timedelta64(0))
    for name in ("open", "high", "low", "close"):
        assert np.all(getattr(series, name) > 0)
        assert np.all(np.isfinite(getattr(series, name)))
    assert np.all(series.high >= series.low)
    assert np.all(series.volume >= 0)


@given(mutations(HISTORY))
@settings(max_examples=400)
def test_histories(body):
    with contextlib.suppress(VnQuantError):
        assert_valid(parse_history(body, "VNM", source="vps"))


@given(mutations(BOARD))
@settings(max_examples=400)
def test_boards(body):
    try:
        told = parse_board(body, ("AST", "VNM"), as_of=NOW, source="vps")
    except VnQuantError:
        return
    for quote in told.quotes.values():
        assert 0 < quote.floor_price <= quote.reference_price <= quote.ceiling_price
        assert quote.last_price is None or quote.last_price > 0
        assert all(volume > 0 for _, volume in quote.bids + quote.asks)


@given(mutations(CAFEF))
@settings(max_examples=400)
def test_cafef_pages(body):
    with contextlib.suppress(VnQuantError):
        assert_valid(bars_of_rows("FPT", list(parse_page(body, "FPT", source="cafef").rows), source="cafef"))


@given(mutations(EVENTS))
@settings(max_examples=400)
def test_corporate_events(body):
    first, last = date(2026, 5, 1), date(2026, 5, 13)
    try:
        told = parse_events(body, ("FPT",), first, last, source="events")
    except VnQuantError:
        return
    assert all(action.symbol == "FPT" and first <= action.ex_date <= last for action in told)
    listed = [getattr(action, "new_shares_sellable_from", None) for action in told]
    assert all(when is None or when.tzinfo is not None for when in listed)


@given(mutations(FEED))
@settings(max_examples=150, deadline=None)
def test_feeds(body):
    try:
        told = parse_feed(body, source="cafef")
    except VnQuantError:
        return
    assert all(item.title and item.url.startswith(("http://", "https://")) for item in told.items)


@given(mutations(CSV))
@settings(max_examples=60, deadline=None)
def test_files(body):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "TPB.csv"
        path.write_bytes(body)
        with contextlib.suppress(VnQuantError):
            normalise(read_table(path)[0], name=path.name)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*"tohlcvs", "sym", "Data"]), inner)
        ),
        max_leaves=12,
    )
)
@settings(max_examples=300)
def test_any_json(value):
    body = json.dumps(value).encode()
    for parse in (
        lambda: parse_history(body, "VNM", source="vps"),
        lambda: parse_board(body, ("VNM",), as_of=NOW, source="vps"),
        lambda: bars_of_rows("FPT", list(parse_page(body, "FPT", source="c").rows), source="c"),
    ):
        try:
            parse()
        except VnQuantError:
            continue


@given(st.text())
def test_text_helpers_take_anything(text):
    parse_published(text)
    assert isinstance(plain_text(text), str)
