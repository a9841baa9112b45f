"""Who looks at a widget: those that said hello, until they say bye or fall silent."""

import asyncio

import pytest

from vnquant.ui.audience import Audience, read_message

pytestmark = pytest.mark.virtual


async def test_views_count_from_their_hello_to_their_bye():
    audience = Audience(asyncio.get_running_loop())
    assert len(audience) == 0
    audience.hear("hello", "a")
    audience.hear("hello", "b")
    audience.hear("here", "a")
    assert len(audience) == 2
    audience.hear("bye", "a")
    audience.hear("bye", "nobody")
    assert len(audience) == 1


async def test_a_silent_view_is_gone_and_back_when_it_speaks():
    audience = Audience(asyncio.get_running_loop(), silent_s=90.0)
    audience.hear("hello", "a")
    await asyncio.sleep(60)
    audience.hear("hello", "b")
    await asyncio.sleep(60)
    assert len(audience) == 1
    audience.hear("here", "a")
    assert len(audience) == 2


@pytest.mark.parametrize("content", [None, [], "hello", {}, {"kind": "frame"}, {"kind": ["hello"]}])
def test_other_messages_say_nothing(content):
    assert read_message(content) is None


def test_a_message_names_its_view():
    assert read_message({"kind": "here", "view": "x1"}) == ("here", "x1")
