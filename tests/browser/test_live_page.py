"""The live page in Chromium."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.browser.lab import CHROMIUM, CHROMIUM_ARGUMENTS
from vnquant.web import BroadcastConfig, Broadcaster

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]


@contextlib.asynccontextmanager
async def open_page() -> AsyncIterator[tuple[Page, list[str], list[str]]]:
    """Yield a page, what it asked for, and what went wrong in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = await browser.new_page()
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield page, asked, wrong
        await browser.close()


async def test_the_page_shows_what_happens_and_asks_nobody_else():
    async with Broadcaster() as broadcaster, open_page() as (page, asked, wrong):
        for close_vnd in (25_000, 25_100):
            await broadcaster.broadcast_to_clients({"close_vnd": close_vnd}, topic="price", key="FPT")
        await page.goto(broadcaster.page_url)
        await expect(page.locator("#status[data-state=open]")).to_be_visible()
        await expect(page.locator("#latest tr")).to_have_count(1)
        await expect(page.locator("#latest tr")).to_contain_text("25100")
        news = "Lợi nhuận quý 3 giảm mạnh <img src=x onerror=alert(1)>"
        await broadcaster.broadcast_to_clients({"title": news}, topic="news")
        await expect(page.locator("#events tr")).to_contain_text(news)
        assert {url.split("/")[2] for url in asked} == {broadcaster.url.split("/")[2]}
        assert not any(broadcaster.token in url for url in asked)
        assert not wrong


async def test_the_page_comes_back_after_a_lost_connection_and_after_a_restart():
    async with open_page() as (page, _, wrong):
        async with Broadcaster() as first:
            await first.broadcast_to_clients({"n": "first"})
            await page.goto(first.page_url)
            await expect(page.locator("#events tr")).to_have_count(1)
            (client,) = first._fanout.clients.values()
            client.transport.abort()
            await first.broadcast_to_clients({"n": "missed"})
            await expect(page.locator("#events tr")).to_have_count(2, timeout=15_000)
            assert first.statistics().resumed == 1
            port = int(first.url.rsplit(":", 1)[1])
        await expect(page.locator("#status[data-state=open]")).to_have_count(0)
        async with Broadcaster(BroadcastConfig(port=port), token=first.token) as second:
            await second.broadcast_to_clients({"n": "another run"})
            await expect(page.locator("#events tr")).to_have_count(1, timeout=15_000)
            await expect(page.locator("#events tr")).to_contain_text("another run")
        assert not wrong


async def test_a_wrong_token_is_told():
    async with Broadcaster() as broadcaster, open_page() as (page, _, _):
        await page.goto(f"{broadcaster.url}/#token=wrong")
        await expect(page.locator("#status[data-state=refused]")).to_be_visible(timeout=30_000)
        assert broadcaster.statistics().refused["token"] >= 3
