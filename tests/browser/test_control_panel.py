"""The control panel in JupyterLab: its buttons by mouse and by keyboard, and what it shows meanwhile."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import (
    Site,
    Watch,
    close_notebook,
    opened_notebook,
    picture,
    reopen_notebook,
    run_all_cells,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "control_panel/panel.ipynb"
OPEN = """
from sklearn.linear_model import Ridge
from vnquant import Workbench
bench = await Workbench.open(
    at="2025-06-05 10:00", speed=60, predictor=Ridge(alpha=1000.0), database="ledger.db", progress=False
)
_ = await bench.prepare()
"""
SHOW = "panel = bench.control_panel()\npanel"
# A view that speaks every twenty seconds is missed sooner than by default, to save the test a minute.
SHOW_TO_BE_MISSED = "panel = bench.control_panel()\npanel._audience._silent_s = 25.0\npanel"
SILENCE_MS = 28_000
TASKS = """
import asyncio
own = {"orchestrator", "positions", "model_scanner", "news_scanner", "opportunities", "health"}
sorted(t.get_name() for t in asyncio.all_tasks() if t.get_name().partition(":")[0] in own)
"""
CODE, LAST = 2, 3
READERS = "[one.name for one in bench.orchestrator.bus.statistics().subscriptions]"
RUN_THIS = "() => { jupyterapp.commands.execute('notebook:run-cell') }"  # and do not wait for its end
# A task that ends when nobody listens to the orchestrator any more.
REST = """
async def rest():
    while bench.orchestrator.bus.statistics().subscriptions:
        await asyncio.sleep(0.1)
resting = asyncio.create_task(rest())
resting.done()
"""
INTERRUPT = """async () => {
    await jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.interrupt()
}"""


@pytest.fixture(scope="module")
def lab(browser: Browser, site: Site) -> Iterator[tuple[Page, Watch]]:
    notebook = site.folder("control_panel") / "panel.ipynb"
    cells = (OPEN, SHOW, "1 + 1", "1 + 1")
    write_notebook(notebook, cells)
    with opened_notebook(browser, site, notebook) as (page, watch):
        watch.on_console(page)
        run_all_cells(page, len(cells))
        yield page, watch


def panel_in(page: Page) -> Locator:
    return page.locator(".vnq-panel").last


def photograph(page: Page, name: str) -> None:
    panel_in(page).screenshot(path=picture(f"control_panel_{name}"))


def prompt(page: Page, cell: int) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".jp-InputArea-prompt")


def begin(page: Page, cell: int, source: str) -> None:
    """Run a cell with another text."""
    page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)
    page.evaluate(RUN_THIS)


def result_of(page: Page, source: str) -> str:
    """Run a text in the last cell but one, and return what it gives."""
    before = prompt(page, CODE).text_content()
    begin(page, CODE, source)
    expect(prompt(page, CODE)).not_to_have_text(before or "")
    expect(prompt(page, CODE)).not_to_have_text("[*]:", timeout=60_000)
    output = page.locator(".jp-Notebook .jp-CodeCell").nth(CODE).locator(".jp-OutputArea-output")
    return (output.first.text_content() or "").strip()


def press_on(page: Page, label: str, key: str) -> None:
    """Go by Tab to a button, and press a key on it."""
    for _ in range(20):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.textContent.trim()")
        if page.evaluate("document.activeElement.tagName") == "BUTTON" and name.endswith(label):
            page.keyboard.press(key)
            return
    raise AssertionError(f"Tab does not reach {label}")


def assert_nothing_went_wrong(page: Page, watch: Watch) -> None:
    assert watch.errors == []
    assert watch.outside == set()
    assert page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


def test_the_orchestrator_is_started_paused_resumed_and_cancelled_by_its_buttons(lab):
    page, watch = lab
    panel = panel_in(page)
    button = {
        name: panel.get_by_role("button", name=name, exact=True) for name in ("Start", "Pause", "Resume")
    }
    cancel = panel.get_by_role("button", name="Cancel", exact=True)
    state = panel.get_by_role("status")
    expect(state).to_contain_text("new")
    expect(button["Start"]).to_be_enabled()
    expect(cancel).to_be_disabled()
    photograph(page, "new")

    button["Start"].dblclick()
    expect(state).to_contain_text("running")
    expect(panel.locator('[data-name="tasks"] tbody tr')).to_have_count(5)
    feed = panel.locator('[data-name="feed"] tbody tr')
    expect(feed.filter(has_text="102 of 102 fresh").first).to_be_visible(timeout=60_000)
    expect(panel.locator('[data-name="opportunities"] tbody tr').first).to_be_visible(timeout=60_000)
    expect(panel.locator('[data-name="health"]')).to_contain_text("vps")
    clock = panel.locator(".vnq-time")
    before = clock.text_content()
    expect(clock).not_to_have_text(before or "")
    page.wait_for_timeout(3_000)  # three minutes of the market, for the picture
    photograph(page, "running")

    button["Pause"].click()
    expect(state).to_contain_text("paused")
    expect(button["Pause"]).to_be_disabled()
    expect(panel.locator(".vnq-why")).to_contain_text("positions are watched")
    button["Resume"].click()
    expect(state).to_contain_text("running")

    panel.get_by_label("Events shown").select_option("scan")
    words = panel.get_by_label("Words that an event must hold")
    words.fill("news headlines")
    expect(panel.locator('[data-name="feed"] .vnq-note')).to_contain_text(" of ")
    expect(feed.filter(has_text="predictions")).to_have_count(0)
    words.fill("")
    panel.get_by_label("Events shown").select_option("")

    cancel.dblclick()
    expect(state).to_contain_text("stopped")
    photograph(page, "stopped")
    assert result_of(page, TASKS) == "[]"
    expect(panel.get_by_role("alert")).to_be_hidden()
    assert_nothing_went_wrong(page, watch)


def test_the_keyboard_alone_starts_and_cancels_it(lab):
    page, watch = lab
    state = panel_in(page).get_by_role("status")
    panel_in(page).locator(".vnq-time").click()
    press_on(page, "Start", "Enter")
    expect(state).to_contain_text("running")
    focused = page.evaluate("document.activeElement.textContent.trim()")
    assert focused.endswith("Start")  # who works by keyboard is not thrown out of the panel
    press_on(page, "Pause", "Space")
    expect(state).to_contain_text("paused")
    press_on(page, "Cancel", "Enter")
    expect(state).to_contain_text("stopped")
    assert_nothing_went_wrong(page, watch)


def test_it_acts_while_a_cell_awaits_and_survives_an_interrupt_and_being_shown_again(lab):
    page, watch = lab
    state = panel_in(page).get_by_role("status")
    begin(page, LAST, "await asyncio.sleep(600)")
    expect(prompt(page, LAST)).to_have_text("[*]:")
    panel_in(page).get_by_role("button", name="Start", exact=True).click()
    expect(state).to_contain_text("running")
    page.evaluate(INTERRUPT)
    expect(prompt(page, LAST)).not_to_have_text("[*]:", timeout=30_000)
    expect(state).to_contain_text("running")
    clock = panel_in(page).locator(".vnq-time")
    before = clock.text_content()
    expect(clock).not_to_have_text(before or "")

    begin(page, 1, SHOW)  # the cell is run again: a new panel takes the place of the old one
    expect(panel_in(page).get_by_role("status")).to_contain_text("running")
    expect(page.locator(".vnq-panel")).to_have_count(1)
    assert result_of(page, READERS) == "['control panel']"
    begin(page, LAST, "bench.control_panel()")  # and a second one beside it
    expect(page.locator(".vnq-panel")).to_have_count(2)
    first, second = page.locator(".vnq-panel").all()
    first.get_by_role("button", name="Pause", exact=True).click()
    for one in (first, second):
        expect(one.get_by_role("status")).to_contain_text("paused")
    second.get_by_role("button", name="Cancel", exact=True).click()
    for one in (first, second):
        expect(one.get_by_role("status")).to_contain_text("stopped")
    begin(page, LAST, "1 + 1")
    expect(page.locator(".vnq-panel")).to_have_count(1)
    assert result_of(page, TASKS) == "[]"
    # What the interrupt left is the cell's own error, which is not the panel's.
    assert_nothing_went_wrong(page, watch)


def test_a_page_that_is_loaded_again_shows_the_panel_of_the_running_kernel(lab):
    page, watch = lab
    panel_in(page).get_by_role("button", name="Start", exact=True).click()
    expect(panel_in(page).get_by_role("status")).to_contain_text("running")
    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save') }")
    page.reload(wait_until="domcontentloaded")
    expect(panel_in(page).get_by_role("status")).to_contain_text("running", timeout=60_000)
    clock = panel_in(page).locator(".vnq-time")
    before = clock.text_content()
    expect(clock).not_to_have_text(before or "")
    assert result_of(page, READERS) == "['control panel']"
    panel_in(page).get_by_role("button", name="Cancel", exact=True).click()
    expect(panel_in(page).get_by_role("status")).to_contain_text("stopped")
    assert_nothing_went_wrong(page, watch)


def test_a_closed_notebook_is_not_served_and_a_reopened_one_has_a_live_panel(lab):
    page, watch = lab
    begin(page, 1, SHOW_TO_BE_MISSED)
    panel_in(page).get_by_role("button", name="Start", exact=True).click()
    expect(panel_in(page).get_by_role("status")).to_contain_text("running")
    assert result_of(page, READERS) == "['control panel']"
    assert result_of(page, REST) == "False"
    for closed_ms, is_missed in ((500, False), (SILENCE_MS, True)):
        close_notebook(page)
        expect(page.locator(".vnq-panel")).to_have_count(0)
        page.wait_for_timeout(closed_ms)
        reopen_notebook(page, NOTEBOOK)
        expect(panel_in(page).get_by_role("status")).to_contain_text("running", timeout=60_000)
        clock = panel_in(page).locator(".vnq-time")
        before = clock.text_content()
        expect(clock).not_to_have_text(before or "")
        assert result_of(page, "resting.done()") == str(is_missed)
        assert result_of(page, READERS) == "['control panel']"
    expect(panel_in(page).locator('[data-name="feed"]')).to_contain_text("nobody looked on since")
    panel_in(page).get_by_role("button", name="Cancel", exact=True).click()
    expect(panel_in(page).get_by_role("status")).to_contain_text("stopped")
    assert_nothing_went_wrong(page, watch)
