"""The price board without a browser: what it sends, to whom, when it stops, and what it tells."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.unit.ui.board_quotes import UNIVERSE, Ear, ScriptedQuotes, board, flat_board, quote
from vnquant.errors import ParameterError, SourceConnectionError
from vnquant.runtime.clock import installed_clock
from vnquant.sources import QuoteBoard
from vnquant.ui.board_columns import COLUMN_KEYS
from vnquant.ui.board_frame import decode_frame
from vnquant.ui.board_rows import Arrangement
from vnquant.ui.price_board import PriceBoard

pytestmark = pytest.mark.virtual(start="2025-06-02 10:00")


@pytest.fixture
def source() -> ScriptedQuotes:
    return ScriptedQuotes(flat_board())


@pytest.fixture
async def shown(source: ScriptedQuotes) -> AsyncIterator[PriceBoard]:
    clock = installed_clock()
    assert clock is not None
    made = PriceBoard(source, universe=UNIVERSE, clock=clock, loop=asyncio.get_running_loop())
    yield made
    await made.aclose()
    made.widget.close()


@pytest.fixture
def ear(shown: PriceBoard) -> Ear:
    return Ear(shown)


async def greeted(ear: Ear) -> None:
    ear.say("hello")
    await asyncio.sleep(0.01)


async def test_a_view_that_says_hello_gets_all_rows_at_once(shown, ear):
    await asyncio.sleep(3.0)
    assert ear.frames == []  # nobody looks
    await greeted(ear)
    header, buffers = ear.frames[-1]
    assert header["full"]
    assert decode_frame(buffers).rows.tolist() == [0, 1, 2, 3, 4]
    assert header["condition"] == "live"
    assert header["phases"] == {"HOSE": "CONTINUOUS", "HNX": "CONTINUOUS", "UPCOM": "CONTINUOUS"}
    json.dumps(header)


async def test_later_frames_carry_only_the_rows_that_changed(shown, ear, source):
    await greeted(ear)
    ear.frames.clear()
    source.answer = QuoteBoard({**flat_board().quotes, "VND": quote("VND", 20_100.0)})
    await asyncio.sleep(1.0)
    rows = [decode_frame(buffers).rows.tolist() for _, buffers in ear.frames]
    assert [r for r in rows if r] == [[2]]
    assert not any(header["full"] for header, _ in ear.frames)


async def test_frames_are_numbered_without_a_gap(shown, ear, source):
    await greeted(ear)
    await asyncio.sleep(5.0)
    ear.say("hello")
    await asyncio.sleep(2.0)
    numbers = [header["number"] for header, _ in ear.frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_all_frames_together_give_what_the_source_said_last(shown, ear, source):
    shown.fps = 10
    await greeted(ear)
    prices = dict.fromkeys(UNIVERSE, 20000.0)
    for step in range(60):
        symbol = list(UNIVERSE)[step % 5]
        prices[symbol] = 18_600.0 + (step * 350) % 2_800
        source.answer = board(*(quote(s, p) for s, p in prices.items()))
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)
    seen: dict[int, int] = {}
    for _, buffers in ear.frames:
        frame = decode_frame(buffers)
        seen.update(zip(frame.rows.tolist(), frame.prices[:, 3].tolist(), strict=True))
    assert seen == {row: round(prices[symbol]) for row, symbol in enumerate(UNIVERSE)}


async def test_it_says_something_at_least_every_two_seconds(shown, ear, source):
    await greeted(ear)
    installed_clock().set(speed=0.0)
    ear.frames.clear()
    source.answer = SourceConnectionError("refused")
    await asyncio.sleep(20.0)
    assert len(ear.frames) >= 10


async def test_a_failure_is_shown_and_goes_with_the_next_good_board(shown, ear, source):
    await greeted(ear)
    source.answer = SourceConnectionError("No answer from vps: refused")
    await asyncio.sleep(2.0)
    header = ear.frames[-1][0]
    assert header["condition"] == "failing"
    assert "refused" in header["note"]["en"]
    assert shown.snapshot()["note"] == header["note"]["en"]
    assert shown.snapshot()["rows"][0]["last_price"] == "20.00"
    source.answer = flat_board()
    await asyncio.sleep(2.0)
    assert ear.frames[-1][0]["condition"] == "live"


async def test_an_error_of_a_wish_is_shown(shown, ear):
    await greeted(ear)
    shown.errands.call(int, "x")
    await asyncio.sleep(0.01)
    header = ear.frames[-1][0]
    assert header["condition"] == "failing"
    assert "ValueError: invalid literal" in header["note"]["vi"]
    await asyncio.sleep(2.0)
    assert ear.frames[-1][0]["condition"] == "live"


async def test_it_stops_asking_when_its_last_view_is_gone_and_starts_with_the_next(shown, ear, source):
    await greeted(ear)
    ear.say("hello", view="b")
    ear.say("bye", view="a")
    await asyncio.sleep(5.0)
    assert shown.is_live
    ear.say("bye", view="b")
    await asyncio.sleep(1.0)
    asked = len(source.asked_at)
    await asyncio.sleep(60.0)
    assert len(source.asked_at) == asked
    assert not shown.is_live
    source.answer = board(*(quote(s, 19_000.0) for s in UNIVERSE))
    await greeted(ear)
    await asyncio.sleep(1.0)
    assert shown.is_live
    assert shown.snapshot()["breadth"]["down"] == 5


async def test_a_view_that_goes_while_another_comes_leaves_it_alive(shown, ear, source):
    await greeted(ear)
    ear.say("bye", view="a")
    ear.say("hello", view="b")
    await asyncio.sleep(5.0)
    assert shown.is_live
    assert source.asked_at[-1] == pytest.approx(asyncio.get_running_loop().time(), abs=1.5)


async def test_a_page_that_vanished_without_a_word_is_not_served_for_ever(shown, ear, source):
    await greeted(ear)
    await asyncio.sleep(600.0)
    assert 85 < len(source.asked_at) < 100
    assert not shown.is_live
    ear.say("here")  # the lid of the laptop was closed, and is open again
    await asyncio.sleep(60.0)
    assert len(source.asked_at) > 140
    assert ear.frames[-1][0]["condition"] == "live"


async def test_views_of_hidden_tabs_speak_once_a_minute_and_are_served(shown, ear, source):
    await greeted(ear)
    for _ in range(10):
        await asyncio.sleep(60.0)
        ear.say("here")
    assert len(source.asked_at) > 590


async def test_before_anybody_has_looked_it_keeps_the_quotes_fresh(shown, source):
    await asyncio.sleep(300.0)
    assert len(source.asked_at) > 290
    assert shown.snapshot()["condition"] == "live"


async def test_a_closed_board_stands_still_says_so_and_survives_a_reload(shown, ear, source):
    await greeted(ear)
    await shown.aclose()
    asked = len(source.asked_at)
    await asyncio.sleep(10.0)
    assert len(source.asked_at) == asked
    assert ear.frames[-1][0]["condition"] == "closed"
    last = shown.widget.last_frame
    assert last["note"]["en"] == "Closed: these are the last prices it had."
    assert decode_frame(last["buffers"]).rows.tolist() == [0, 1, 2, 3, 4]


async def test_refresh_asks_at_once(shown, source):
    assert shown.snapshot()["condition"] == "waiting"
    assert await shown.refresh() is shown
    assert shown.snapshot()["rows"][0]["change"] == "■ 0.00"
    assert shown.to_frame().shape[0] == 5


async def test_the_snapshot_is_arranged_as_the_view_is_and_is_plain_data(shown, source):
    source.answer = board(*(quote(s, 20_000.0 + 50 * i) for i, s in enumerate(UNIVERSE)))
    await shown.refresh()
    assert shown.arrange("change_pct", exchange="HOSE") is shown
    shown.language = "vi"
    told = shown.snapshot()
    assert json.loads(json.dumps(told)) == told
    assert [row["symbol"] for row in told["rows"]] == ["VND", "VCB", "FPT"]
    assert told["headings"][:4] == ["Mã", "Trần", "Sàn", "TC"]
    assert list(shown.to_frame().index) == ["VND", "VCB", "FPT"]
    assert shown.arrangement == Arrangement(sort_by="change_pct", exchange="HOSE")


async def test_what_cannot_be_is_refused(shown):
    with pytest.raises(ParameterError, match="no column 'price'; choose from symbol, "):
        shown.arrange("price")
    with pytest.raises(ParameterError, match="no exchange 'NYSE'; choose from HNX, HOSE, UPCOM"):
        shown.arrange(exchange="NYSE")
    with pytest.raises(ParameterError, match="no sector 'Bank'"):
        shown.arrange(sector="Bank")
    with pytest.raises(ParameterError, match="language must be 'en' or 'vi'"):
        shown.language = "fr"
    for fps in (0, 11, -2):
        with pytest.raises(ParameterError):
            shown.fps = fps
    shown.fps = 10
    assert shown.interval_s == pytest.approx(0.1)


async def test_rubbish_from_the_front_end_is_ignored(shown, ear):
    for content in ({}, {"kind": "frame"}, {"kind": ["hello"]}, [], None, "hello"):
        shown.widget._handle_custom_msg(content, [])
    await asyncio.sleep(1.0)
    assert ear.frames == []


async def test_its_text_is_the_same_each_time(shown, source):
    bundle = shown._repr_mimebundle_()[0]
    assert bundle["text/plain"] == "PriceBoard(5 symbols)" == repr(shown)


async def test_the_browser_is_told_all_columns_texts_and_symbols(shown):
    words = shown.widget.words
    assert [c["key"] for c in words["columns"]] == list(COLUMN_KEYS)
    assert [s["ticker"] for s in shown.widget.symbols] == list(UNIVERSE)
    json.dumps(shown.widget.get_state(("words", "symbols", "layout_fields")))
