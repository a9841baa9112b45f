"""The heatmap: area by value traded, colour and sign by the change within the band, and its life."""

import asyncio
import json
from collections.abc import AsyncIterator

import plotly.graph_objects as go
import pytest

from tests.unit.ui.board_quotes import UNIVERSE, ScriptedQuotes, board, flat_board, quote
from tests.unit.ui.front_end import say
from vnquant.errors import SourceConnectionError
from vnquant.runtime.clock import installed_clock
from vnquant.ui.heatmap import Heatmap
from vnquant.ui.heatmap_tiles import heatmap_figure, tiles_of, treemap_columns
from vnquant.ui.theme import COLOURS, PriceState

pytestmark = pytest.mark.virtual(start="2025-06-02 10:00")

MARKET = board(
    quote("FPT", 21_400.0, total_volume=100_000.0, average_price=21_000.0),
    quote("VCB", 18_600.0, total_volume=400_000.0, average_price=19_000.0),
    quote("VND", 20_000.0, total_volume=50_000.0, average_price=20_000.0),
    quote("SHS", 20_350.0, total_volume=60_000.0, average_price=None),
    quote("ACV", None),
)


@pytest.fixture
def source() -> ScriptedQuotes:
    return ScriptedQuotes(MARKET)


@pytest.fixture
async def shown(source: ScriptedQuotes) -> AsyncIterator[Heatmap]:
    clock = installed_clock()
    assert clock is not None
    made = Heatmap(source, universe=UNIVERSE, clock=clock, loop=asyncio.get_running_loop())
    yield made
    await made.aclose()
    made.close()


def test_tiles_are_as_large_as_the_value_traded():
    tiles = tiles_of(MARKET.quotes, UNIVERSE)
    assert [t.symbol for t in tiles] == ["VCB", "FPT", "SHS", "VND", "ACV"]
    assert [t.value_vnd for t in tiles] == [7.6e9, 2.1e9, 1.221e9, 1e9, 0.0]


def test_a_tile_says_in_signs_what_its_colour_says():
    tiles = {t.symbol: t for t in tiles_of(MARKET.quotes, UNIVERSE)}
    assert {s: t.label for s, t in tiles.items()} == {
        "FPT": "▲▲ +7.00 %",
        "VCB": "▼▼ -7.00 %",
        "VND": "■ 0.00 %",
        "SHS": "▲ +1.75 %",
        "ACV": "–",
    }
    assert tiles["FPT"].colour == COLOURS[PriceState.CEILING]
    assert tiles["VCB"].colour == COLOURS[PriceState.FLOOR]
    assert tiles["VND"].colour == COLOURS[PriceState.REFERENCE]
    assert tiles["SHS"].in_band == pytest.approx(0.25)


def test_the_farther_from_the_reference_the_deeper_the_green_and_the_red():
    def shade(last: float) -> tuple[int, ...]:
        (tile,) = tiles_of({"FPT": quote("FPT", last)}, UNIVERSE)
        return tuple(int(part) for part in tile.colour[4:-1].split(","))

    ups = [sum(shade(p)) for p in (20_050.0, 20_300.0, 20_600.0)]
    downs = [sum(shade(p)) for p in (19_950.0, 19_700.0, 19_400.0)]
    assert ups == sorted(ups, reverse=True)
    assert downs == sorted(downs, reverse=True)
    green, red = shade(20_600.0), shade(19_400.0)
    assert green[1] > green[0]
    assert red[0] > red[1]


def test_a_band_of_no_width_divides_nothing():
    given = quote("FPT", 20_000.0, ceiling_price=20_000.0, floor_price=20_000.0)
    (tile,) = tiles_of({"FPT": given}, UNIVERSE)
    assert tile.in_band == 0.0


def test_columns_name_each_tile_once_below_its_sector():
    columns = treemap_columns(tiles_of(MARKET.quotes, UNIVERSE))
    assert len({len(values) for values in columns.values()}) == 1
    assert len(set(columns["ids"])) == len(columns["ids"])
    assert "ACV" not in columns["labels"]  # nothing traded, no area
    below = dict(zip(columns["labels"], columns["parents"], strict=True))
    assert below["SHS"] == below["VND"] == "sector Financial Services"


def test_companies_with_markup_in_their_names_stay_text():
    hostile = type(UNIVERSE)(
        [
            next(iter(UNIVERSE.values())).__class__(
                ticker="FPT", exchange="HOSE", sector="Technology", company="<img src=x onerror=alert(1)>"
            )
        ]
    )
    columns = treemap_columns(tiles_of({"FPT": quote("FPT")}, hostile))
    assert "<img" not in "".join(columns["hovers"])


def test_the_figure_is_a_plain_one_and_the_same_each_time():
    first, second = (heatmap_figure(tiles_of(MARKET.quotes, UNIVERSE), title="x") for _ in range(2))
    assert type(first) is go.Figure
    assert first.to_json() == second.to_json()


def test_no_quotes_draw_an_empty_map():
    assert heatmap_figure([]).data[0].labels == ()


async def test_it_draws_each_new_board_at_most_every_two_seconds(shown, source):
    await asyncio.sleep(10.5)
    assert len(source.asked_at) == 6
    assert "FPT" in shown.widget.data[0].labels
    assert "2025-06-02 10:00:10" in shown.widget.layout.title.text
    assert "continuous" in shown.widget.layout.title.text
    source.answer = flat_board()
    await asyncio.sleep(2.0)
    assert set(shown.widget.data[0].marker.colors) == {
        "rgba(128,128,128,0.25)", COLOURS[PriceState.REFERENCE],
    }  # fmt: skip


async def test_the_figure_equals_what_the_widget_shows(shown):
    await shown.refresh()
    picture, live = shown.figure.data[0].to_plotly_json(), shown.widget.data[0].to_plotly_json()
    live.pop("uid", None)
    assert json.dumps(picture, default=list) == json.dumps(live, default=list)


async def test_errors_and_late_boards_are_told_in_its_title(shown, source):
    await shown.refresh()
    source.answer = SourceConnectionError("No answer from <vps>: refused")
    await asyncio.sleep(2.1)
    assert "&lt;vps&gt;: refused" in shown.widget.layout.title.text
    assert "refused" in shown.snapshot()["note"]
    source.answer = MARKET
    await asyncio.sleep(2.1)
    assert "refused" not in shown.widget.layout.title.text


async def test_a_page_that_is_reloaded_finds_the_present_picture(shown, source):
    await shown.refresh()
    shown._repr_mimebundle_()
    source.answer = flat_board()
    await shown.refresh()
    state = shown.widget.get_state(("_widget_data", "_widget_layout"))
    assert COLOURS[PriceState.CEILING] not in state["_widget_data"][0]["marker"]["colors"]
    assert state["_widget_layout"]["title"]["text"] == shown.widget.layout.title.text


async def test_it_rests_while_nobody_looks(shown, source):
    say(shown, "hello")
    await asyncio.sleep(1)
    say(shown, "bye")
    await asyncio.sleep(1)
    asked = len(source.asked_at)
    await asyncio.sleep(60)
    assert len(source.asked_at) == asked
    say(shown, "hello", "b")
    await asyncio.sleep(1)
    assert len(source.asked_at) > asked
    await asyncio.sleep(600)  # and never says bye
    assert not shown.is_live


async def test_a_view_that_appears_is_measured_once_its_place_is_there(shown):
    sent = []
    shown.widget._send_relayout_msg = lambda change: sent.append(change)
    for kind in ("hello", "here"):
        say(shown, kind)
        await asyncio.sleep(0.1)
    assert sent == [{"autosize": True}]
    assert shown.widget._view_count is None


async def test_a_closed_heatmap_says_so(shown, source):
    await shown.refresh()
    await shown.aclose()
    assert "Closed" in shown.widget.layout.title.text


async def test_the_snapshot_is_plain_and_the_frame_has_numbers(shown):
    await shown.refresh()
    told = shown.snapshot()
    assert json.loads(json.dumps(told)) == told
    assert list(told["sectors"]) == ["Banks", "Technology", "Financial Services"]
    frame = shown.to_frame()
    assert frame.loc["VCB", "state"] == "floor"
    assert frame.loc["SHS", "value_vnd"] == 1.221e9
    assert repr(shown) == "Heatmap(5 symbols)" == shown._repr_mimebundle_()[0]["text/plain"]
