"""View: a widget is fresh while somebody looks at it, and silent when its last view is gone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anywidget
import ipywidgets
import msgspec
import pytest

from vnquant.runtime import EventBus
from vnquant.ui.view import View

pytestmark = pytest.mark.virtual


class Number(msgspec.Struct, frozen=True):
    value: int


class Ticker(View):
    """Shows the last number on a bus."""

    def __init__(self, bus: EventBus, widget: Any | None = None) -> None:
        super().__init__(asyncio.get_running_loop(), name="ticker")
        self.bus = bus
        self.lives = 0
        self.fails = False
        self.error = ""
        self.label = ipywidgets.Label("nothing yet")
        self._begin(widget or self.label)

    def snapshot(self) -> Mapping[str, Any]:
        return {"value": self.label.value}

    async def _live(self) -> None:
        self.lives += 1
        if self.fails:
            raise ValueError("no numbers today")
        async with self.bus.subscribe(Number) as numbers:
            async for number in numbers:
                self.label.value = str(number.value)

    def _show_error(self, error: Exception) -> None:
        self.error = str(error)


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


@pytest.fixture
async def ticker(bus: EventBus) -> AsyncIterator[Ticker]:
    made = Ticker(bus)
    await asyncio.sleep(0.1)
    yield made
    await made.aclose()
    made.widget.close()


def listeners(bus: EventBus) -> int:
    return len(bus.statistics().subscriptions)


async def test_it_is_fresh_from_its_creation_also_without_a_front_end(ticker: Ticker, bus: EventBus) -> None:
    bus.publish_nowait(Number(value=1))
    await asyncio.sleep(1)
    assert ticker.is_live
    assert ticker.snapshot() == {"value": "1"}


async def test_it_asks_the_front_end_to_report_its_views(ticker: Ticker) -> None:
    assert ticker.widget._view_count == 0


async def test_it_is_silent_when_the_last_view_is_gone(ticker: Ticker, bus: EventBus) -> None:
    for views in (1, 2, 1):
        ticker.widget._view_count = views
        await asyncio.sleep(1)
        assert ticker.is_live
    ticker.widget._view_count = 0
    await asyncio.sleep(1)
    assert not ticker.is_live
    assert listeners(bus) == 0
    bus.publish_nowait(Number(value=2))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "nothing yet"}


async def test_it_is_fresh_again_when_a_view_comes_back(ticker: Ticker, bus: EventBus) -> None:
    for views in (1, 0, 1):
        ticker.widget._view_count = views
        await asyncio.sleep(1)
    bus.publish_nowait(Number(value=3))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "3"}
    assert listeners(bus) == 1


async def test_a_view_that_is_gone_and_back_at_once_leaves_it_fresh(ticker: Ticker, bus: EventBus) -> None:
    for views in (1, 0, 1, 0, 1):
        ticker.widget._view_count = views
    await asyncio.sleep(1)
    assert ticker.is_live
    assert listeners(bus) == 1
    bus.publish_nowait(Number(value=4))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "4"}


async def test_views_may_be_reported_on_another_thread(ticker: Ticker, bus: EventBus) -> None:
    for views, live in ((1, True), (0, False), (1, True)):
        await asyncio.to_thread(setattr, ticker.widget, "_view_count", views)
        await asyncio.sleep(1)
        assert ticker.is_live is live
    assert listeners(bus) == 1


async def test_an_error_is_shown_and_the_next_view_tries_again(ticker: Ticker, bus: EventBus) -> None:
    for views in (1, 0):
        ticker.widget._view_count = views
        await asyncio.sleep(1)
    ticker.fails = True
    ticker.widget._view_count = 1
    await asyncio.sleep(1)
    assert ticker.error == "no numbers today"
    assert not ticker.is_live
    ticker.fails = False
    ticker.widget._view_count = 2
    await asyncio.sleep(1)
    assert ticker.is_live


async def test_aclose_ends_everything_and_leaves_the_picture(ticker: Ticker, bus: EventBus) -> None:
    bus.publish_nowait(Number(value=5))
    await asyncio.sleep(1)
    await ticker.aclose()
    assert listeners(bus) == 0
    ticker.widget._view_count = 1  # the front end goes on reporting
    await asyncio.sleep(1)
    assert not ticker.is_live
    assert ticker.snapshot() == {"value": "5"}
    assert "application/vnd.jupyter.widget-view+json" in ticker._repr_mimebundle_()[0]


async def test_close_takes_the_widget_down_from_any_thread(ticker: Ticker, bus: EventBus) -> None:
    await asyncio.to_thread(ticker.close)
    await asyncio.sleep(1)
    assert listeners(bus) == 0
    assert ticker.widget.comm is None


async def test_two_of_a_kind_live_and_end_on_their_own(ticker: Ticker, bus: EventBus) -> None:
    other = Ticker(bus)
    await asyncio.sleep(1)
    assert listeners(bus) == 2
    other.close()
    await asyncio.sleep(1)
    bus.publish_nowait(Number(value=6))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "6"}
    assert other.snapshot() == {"value": "nothing yet"}


@pytest.mark.parametrize("kind", [lambda: ipywidgets.HTML("<b>12:30:01</b>"), anywidget.AnyWidget])
async def test_what_a_notebook_saves_as_text_is_the_same_each_time(bus: EventBus, kind: Any) -> None:
    view = Ticker(bus, kind())
    data, _ = view._repr_mimebundle_()
    assert data["text/plain"] == "Ticker()"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.widget.model_id
    await view.aclose()
    view.widget.close()
    view.label.close()
