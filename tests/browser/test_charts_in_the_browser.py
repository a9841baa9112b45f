"""Charts in a real JupyterLab: range buttons, both themes, the live bar, and the cancel button of a bar."""

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Site, opened_notebook, picture, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CELLS = (
    """from sklearn.linear_model import Ridge
from vnquant import Workbench
bench = await Workbench.open(speed=60, at="2025-06-05 10:00", predictor=Ridge(alpha=1000.0), progress=False)
bench = await bench.prepare()
verdict = await bench.discuss("FPT")
bench.chart("FPT")""",
    "bench.discussion_chart(verdict)",
    'bench.live_chart("FPT")',
    """import asyncio
from vnquant.ui.progress import ProgressBar
with ProgressBar("Counting", unit="sheep") as bar:
    for k in range(10_000):
        bar.items(k, 10_000)
        await asyncio.sleep(0.02)""",
)
RUN_ALL = "() => { jupyterapp.commands.execute('notebook:run-all-cells') }"
DARK = "jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
LIGHT = DARK.replace("Dark", "Light")
VOLUME = "e => e.data.find(t => t.name === 'volume today').y[0]"


def test_charts_zoom_follow_the_theme_and_move_and_a_bar_is_cancelled(browser: Browser, site: Site) -> None:
    notebook = site.folder("charts") / "charts.ipynb"
    write_notebook(notebook, CELLS)
    with opened_notebook(browser, site, notebook) as (page, watch):
        page.set_viewport_size({"width": 1300, "height": 2400})
        page.evaluate(RUN_ALL)
        cancel = page.locator("button.jupyter-button", has_text="Cancel")
        cancel.wait_for(timeout=120_000)
        charts = page.locator(".js-plotly-plot")
        assert charts.count() == 3
        page.screenshot(path=picture("charts-light"))

        # A month: all three parts show its sessions, and the prices fill their part.
        page.locator(".updatemenu-button", has_text="1M").click()
        page.wait_for_function(
            "e => e.layout.xaxis.range[1] - e.layout.xaxis.range[0] < 25", arg=charts.first.element_handle()
        )
        ranges = charts.first.evaluate(
            "e => [e.layout.xaxis.range, e.layout.xaxis2.range, e.layout.xaxis3.range]"
        )
        assert ranges[0] == ranges[1] == ranges[2]

        # The live bar moves, and its axis still has no holes for weekends.
        live = charts.nth(2)
        before = live.evaluate(VOLUME)
        page.wait_for_function(
            f"([e, before]) => ({VOLUME})(e) > before", arg=[live.element_handle(), before]
        )
        assert live.evaluate("e => e._fullLayout.xaxis.type") == "category"

        page.evaluate(DARK)
        page.wait_for_timeout(1000)
        page.screenshot(path=picture("charts-dark"))
        for k in range(3):
            assert charts.nth(k).evaluate("e => e._fullLayout.paper_bgcolor") == "rgba(0,0,0,0)"
        page.evaluate(LIGHT)  # a setting of the server, which has other notebooks

        cancel.click()
        page.get_by_text("Counting was cancelled by its button").first.wait_for()
        cancel.wait_for(state="detached")
        assert watch.errors == []
        assert watch.outside == set()
