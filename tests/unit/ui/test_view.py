"""View: a widget is fresh while somebody looks at it, and silent when its last view is gone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anywidget
import ipywidgets
import msgspec
import pytest

from tests.unit.ui.front_end import say
from vnquant.runtime import EventBus
from vnquant.ui.view import View

pytestmark = pytest.mark.virtual


class Number(msgspec.Struct, frozen=True):
    value: int


class Ticker(View):
    """Shows the last number on a bus."""

    def __init__(self, bus: EventBus, widget: Any | None = None, *, speaks: bool = False) -> None:
        super().__init__(asyncio.get_running_loop(), name="ticker")
        self.bus = bus
        self.lives = 0
        self.fails = False
        self.error = ""
        self.greeted = 0
        self.label = ipywidgets.Label("nothing yet")
        self._begin(widget or self.label, speaks=speaks)

    def snapshot(self) -> Mapping[str, Any]:
        return {"value": self.label.value}

    async def _live(self) -> None:
        self.lives += 1
        if self.fails:
            raise ValueError("no numbers today")
        async with self.bus.subscribe(Number) as numbers:
            async for number in numbers:
                self.label.value = str(number.value)

    def _greet(self) -> None:
        self.greeted += 1

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
    made.close()


def listeners(bus: EventBus) -> int:
    return len(bus.statistics().subscriptions)


async def test_it_is_fresh_from_its_creation_also_without_a_front_end(ticker: Ticker, bus: EventBus) -> None:
    bus.publish_nowait(Number(value=1))
    await asyncio.sleep(1)
    assert ticker.is_live
    assert ticker.snapshot() == {"value": "1"}


async def test_it_is_shown_with_its_presence_behind_it_and_no_other_count(ticker: Ticker) -> None:
    assert ticker.shell.children == (ticker.widget, ticker.presence)
    assert {part._view_count for part in (ticker.shell, ticker.widget, ticker.presence)} == {None}


async def test_a_widget_that_speaks_for_itself_is_shown_bare(bus: EventBus) -> None:
    speaking = Ticker(bus, anywidget.AnyWidget(), speaks=True)
    assert speaking.shell is speaking.presence is speaking.widget
    say(speaking, "hello")
    await asyncio.sleep(1)
    say(speaking, "bye")
    await asyncio.sleep(1)
    assert not speaking.is_live
    speaking.close()
    speaking.label.close()


def tasks_of(view: Ticker) -> list[str]:
    return sorted(t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("ticker"))


async def test_it_is_silent_when_the_last_view_is_gone(ticker: Ticker, bus: EventBus) -> None:
    for kind, who in (("hello", "a"), ("hello", "b"), ("bye", "a")):
        say(ticker, kind, who)
        await asyncio.sleep(1)
        assert ticker.is_live
    assert tasks_of(ticker) == ["ticker:live", "ticker:watching"]
    say(ticker, "bye", "b")
    await asyncio.sleep(1)
    assert not ticker.is_live
    assert listeners(bus) == 0
    assert tasks_of(ticker) == []
    bus.publish_nowait(Number(value=2))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "nothing yet"}


async def test_before_anybody_has_looked_nobody_can_go(ticker: Ticker, bus: EventBus) -> None:
    say(ticker, "bye")
    await asyncio.sleep(10_000)
    assert ticker.is_live


async def test_it_is_fresh_again_when_a_view_comes_back(ticker: Ticker, bus: EventBus) -> None:
    for kind in ("hello", "bye", "hello"):
        say(ticker, kind)
        await asyncio.sleep(1)
    bus.publish_nowait(Number(value=3))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "3"}
    assert listeners(bus) == 1
    assert ticker.greeted == 2


async def test_a_view_that_is_gone_and_back_at_once_leaves_it_fresh(ticker: Ticker, bus: EventBus) -> None:
    for kind in ("hello", "bye", "hello", "bye", "hello"):
        say(ticker, kind)
    await asyncio.sleep(1)
    assert ticker.is_live
    assert listeners(bus) == 1
    bus.publish_nowait(Number(value=4))
    await asyncio.sleep(1)
    assert ticker.snapshot() == {"value": "4"}


async def test_views_that_vanish_without_a_word_are_gone_after_a_while(ticker: Ticker, bus: EventBus) -> None:
    say(ticker, "hello", "a")
    say(ticker, "hello", "b")
    for _ in range(10):  # a hidden tab: browsers let it speak once a minute
        await asyncio.sleep(60)
        say(ticker, "here", "b")
    await asyncio.sleep(89)
    assert ticker.is_live
    await asyncio.sleep(4)
    assert not ticker.is_live
    assert listeners(bus) == 0
    assert tasks_of(ticker) == []
    say(ticker, "here", "b")  # the lid of the laptop was closed, and is open again
    await asyncio.sleep(1)
    assert ticker.is_live
    assert listeners(bus) == 1


async def test_what_views_said_while_a_cell_blocked_the_loop_is_heard_in_time(
    ticker: Ticker, bus: EventBus
) -> None:
    say(ticker, "hello")
    await asyncio.sleep(80)
    loop = asyncio.get_running_loop()
    # The timer of the silence is due together with what was said meanwhile, and runs first.
    loop.call_later(10.5, say, ticker, "here")
    await asyncio.sleep(30)
    assert ticker.is_live
    assert ticker.lives == 1


async def test_views_may_speak_on_another_thread(ticker: Ticker, bus: EventBus) -> None:
    for kind, live in (("hello", True), ("bye", False), ("hello", True)):
        await asyncio.to_thread(say, ticker, kind)
        await asyncio.sleep(1)
        assert ticker.is_live is live
    assert listeners(bus) == 1


async def test_an_error_is_shown_and_the_next_view_tries_again(ticker: Ticker, bus: EventBus) -> None:
    for kind in ("hello", "bye"):
        say(ticker, kind)
        await asyncio.sleep(1)
    ticker.fails = True
    say(ticker, "hello")
    await asyncio.sleep(1)
    assert ticker.error == "no numbers today"
    assert not ticker.is_live
    assert tasks_of(ticker) == []
    ticker.fails = False
    say(ticker, "here")
    await asyncio.sleep(1)
    assert not ticker.is_live
    say(ticker, "hello", "b")
    await asyncio.sleep(1)
    assert ticker.is_live


async def test_aclose_ends_everything_and_leaves_the_picture(ticker: Ticker, bus: EventBus) -> None:
    bus.publish_nowait(Number(value=5))
    await asyncio.sleep(1)
    await ticker.aclose()
    assert listeners(bus) == 0
    say(ticker, "hello")  # the front end goes on
    await asyncio.sleep(1)
    assert not ticker.is_live
    assert ticker.snapshot() == {"value": "5"}
    assert "application/vnd.jupyter.widget-view+json" in ticker._repr_mimebundle_()[0]


async def test_close_takes_the_widget_down_from_any_thread(ticker: Ticker, bus: EventBus) -> None:
    await asyncio.to_thread(ticker.close)
    await asyncio.sleep(1)
    assert listeners(bus) == 0
    assert [part.comm for part in (ticker.shell, ticker.widget, ticker.presence)] == [None] * 3


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
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.shell.model_id
    await view.aclose()
    view.close()
    view.label.close()
