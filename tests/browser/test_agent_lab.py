"""The agent's lab as a person uses it: JupyterLab in Chromium, a slider under the arrow keys, undo."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.lab import (
    KERNEL_IS_IDLE,
    Site,
    close_notebook,
    opened_notebook,
    picture,
    reopen_notebook,
    run_all_cells,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "agent_lab/lab.ipynb"
CELLS = (
    # A predictor that trains in a moment: what is tested is the lab.
    (
        "from sklearn.linear_model import Ridge\n"
        "from vnquant import Workbench\n"
        "bench = await Workbench.open(predictor=Ridge(alpha=1000.0))"
    ),
    # A view that speaks every twenty seconds is missed sooner than by default, to save the test a minute.
    'lab = bench.agent_lab("bull", symbol="FPT")\nlab._audience._silent_s = 25.0\nlab',
    (
        "import asyncio, json\n"
        "async def rest():\n"
        "    while lab.is_live: await asyncio.sleep(0.1)\n"
        "await lab.ready()\n"
        "resting = asyncio.create_task(rest())"
    ),
    (
        "names = sorted(t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith('lab:'))\n"
        "print(json.dumps({'rested': resting.done(), 'tasks': names}))"
    ),
)
SILENCE_MS = 28_000
FIGURE = """() => {
    const { data, layout } = document.querySelector('.js-plotly-plot') ?? {};
    return JSON.stringify([layout?.title?.text, data?.map(trace =>
        [trace.name, ['x', 'y', 'close'].map(part => Array.from(trace[part] ?? []))])]);
}"""
TASKS = ["lab:bull:guard", "lab:bull:live", "lab:bull:settings", "lab:bull:watching"]


@pytest.fixture(scope="module")
def lab(browser: Browser, site: Site) -> Iterator[Page]:
    """A notebook that shows the lab of an agent; the tests below use it one after the other."""
    notebook = site.folder("agent_lab") / "lab.ipynb"
    write_notebook(notebook, CELLS)
    with opened_notebook(browser, site, notebook) as (page, watch):
        watch.on_console(page)
        run_all_cells(page, len(CELLS))
        yield page
        assert watch.errors == []
        assert watch.outside == set()


def told(page: Page) -> Any:
    """Run the last cell, and return the JSON that it prints."""
    page.evaluate("n => { jupyterapp.shell.currentWidget.content.activeCellIndex = n - 1 }", len(CELLS))
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-cell') }")
    page.wait_for_function(KERNEL_IS_IDLE)
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(len(CELLS) - 1)
    return json.loads(cell.locator(".jp-OutputArea-output pre").last.text_content() or "")


def turn(page: Page, name: str, key: str, times: int) -> None:
    page.get_by_role("slider", name=name).focus()  # named, for those who cannot see it
    for _ in range(times):
        page.keyboard.press(key)


def score_now(page: Page) -> list[float]:
    """Return the present setting's score as the figure in the page holds it."""
    return page.evaluate(
        """() => {
            const figure = document.querySelector('.js-plotly-plot');
            return Array.from(figure.data.find(trace => trace.name === 'score, now').y);
        }"""
    )


def photograph(page: Page, name: str) -> None:
    page.locator(".jp-OutputArea-output .vnq-lab-title").first.scroll_into_view_if_needed()
    page.screenshot(path=picture(name))


def test_an_arrow_key_on_a_slider_changes_figure_and_numbers_and_undo_takes_it_back(lab: Page) -> None:
    page = lab
    table = page.locator(".vnq-lab-table").first
    expect(table).to_contain_text("Rank IC", timeout=60_000)
    expect(page.locator(".vnq-lab-badge")).to_contain_text("no look-ahead", timeout=30_000)
    expect(page.locator(".vnq-lab-tries")).to_have_text("1 setting tried")
    numbers, score = table.inner_text(), score_now(page)
    photograph(page, "agent_lab_opened")

    slider = page.locator(".widget-slider", has_text="momentum days")
    readout = slider.locator(".widget-readout")
    expect(readout).to_have_text("20")
    turn(page, "momentum days", "ArrowRight", 12)
    expect(readout).to_have_text("32")
    expect(page.locator(".vnq-lab-tries")).not_to_have_text("1 setting tried")
    expect(table).to_contain_text("▲")
    page.wait_for_function(
        "before => JSON.stringify(Array.from(document.querySelector('.js-plotly-plot').data"
        ".find(trace => trace.name === 'score, now').y)) !== before",
        arg=page.evaluate("score => JSON.stringify(score)", score),
    )
    assert table.inner_text() != numbers
    expect(page.locator(".vnq-lab-badge")).to_contain_text("no look-ahead", timeout=30_000)
    photograph(page, "agent_lab_turned")

    page.get_by_role("button", name="Undo").click()
    expect(readout).to_have_text("20")
    page.wait_for_function(
        "before => JSON.stringify(Array.from(document.querySelector('.js-plotly-plot').data"
        ".find(trace => trace.name === 'score, now').y)) === before",
        arg=page.evaluate("score => JSON.stringify(score)", score),
    )
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_closed_notebook_is_not_served_and_a_reopened_one_has_a_live_lab(lab: Page) -> None:
    """The lab is alive again for whoever looks: a slider turns, and what was measured is drawn."""
    told(lab)
    drawn = lab.evaluate(FIGURE)
    assert "FPT" in drawn
    for closed_ms, is_missed in ((500, False), (SILENCE_MS, True)):
        close_notebook(lab)
        expect(lab.locator(".vnq-lab-table")).to_have_count(0)
        lab.wait_for_timeout(closed_ms)
        reopen_notebook(lab, NOTEBOOK)
        readout = lab.locator(".widget-slider", has_text="momentum days").locator(".widget-readout")
        expect(readout).to_have_text("20", timeout=60_000)
        lab.wait_for_function(f"drawn => ({FIGURE})() === drawn", arg=drawn)
        turn(lab, "momentum days", "ArrowRight", 4)
        expect(lab.locator(".vnq-lab-table").first).to_contain_text("▲")
        assert told(lab) == {"rested": is_missed, "tasks": TASKS}
        turn(lab, "momentum days", "ArrowLeft", 4)
        expect(readout).to_have_text("20")
    lab.wait_for_function(f"drawn => ({FIGURE})() === drawn", arg=drawn)
    photograph(lab, "agent_lab_reopened")
