"""The notebooks as a newcomer meets them: JupyterLab in Chromium, all cells run, loopback only."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import ROOT, Site, copy_without_outputs, opened_notebook, picture, run_all_cells

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

# What a notebook calls where a figure is to be seen.
DRAWS = re.compile(r"\.(chart|discussion_chart|agent_lab|heatmap)\(")


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "notebooks").glob("*.ipynb")))
def test_all_cells_run_without_an_error_and_without_leaving_loopback(
    name: str, browser: Browser, site: Site
) -> None:
    folder = site.folder(Path(name).stem)
    cells = copy_without_outputs(ROOT / "notebooks" / name, folder)
    with opened_notebook(browser, site, folder / name) as (page, watch):
        run_all_cells(page, cells)
        page.wait_for_timeout(1000)  # plotly draws after its cell has ended
        panel = page.locator(".jp-WindowedPanel-outer").first
        height = panel.evaluate("e => e.scrollHeight")
        page.set_viewport_size({"width": 1400, "height": min(height + 100, 9000)})
        panel.evaluate("e => e.scrollTo(0, 0)")
        page.wait_for_timeout(500)
        page.screenshot(path=picture(Path(name).stem))
        for kind in ("error", "stderr"):
            shown = page.locator(f'.jp-RenderedText[data-mime-type="application/vnd.jupyter.{kind}"]')
            assert shown.count() == 0, shown.first.text_content()
        if DRAWS.search((ROOT / "notebooks" / name).read_text(encoding="utf-8")):
            assert page.locator(".js-plotly-plot").count() >= 1
            assert page.locator(".js-plotly-plot .main-svg").count() >= 1
        assert watch.errors == []
        assert watch.outside == set()
