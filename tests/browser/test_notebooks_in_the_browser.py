"""The notebooks as a newcomer meets them: JupyterLab in Chromium, all cells run, loopback only."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
if CHROMIUM is None:
    if os.environ.get("CI"):
        raise RuntimeError("CI must have Chromium; .ci/run installs it")
    pytest.skip("no Chromium on this machine: install it, or set CHROMIUM", allow_module_level=True)

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from lab import (  # noqa: E402
    CHROMIUM_ARGUMENTS,
    copy_without_outputs,
    lab_server,
    open_notebook,
    run_all_cells,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


# What a notebook calls where a figure is to be seen.
DRAWS = re.compile(r"\.(chart|discussion_chart|agent_lab|heatmap)\(")


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "notebooks").glob("*.ipynb")))
def test_all_cells_run_without_an_error_and_without_leaving_loopback(
    name: str, browser: Browser, tmp_path: Path
) -> None:
    cells = copy_without_outputs(ROOT / "notebooks" / name, tmp_path)
    with lab_server(tmp_path, VNQUANT_CACHE_DIR=str(tmp_path / "cache")) as base:
        page, watch = open_notebook(browser, base, name)
        run_all_cells(page, cells)
        page.wait_for_timeout(1000)  # plotly draws after its cell has ended
        artifacts = ROOT / "artifacts"
        artifacts.mkdir(exist_ok=True)
        panel = page.locator(".jp-WindowedPanel-outer").first
        height = panel.evaluate("e => e.scrollHeight")
        page.set_viewport_size({"width": 1400, "height": min(height + 100, 9000)})
        panel.evaluate("e => e.scrollTo(0, 0)")
        page.wait_for_timeout(500)
        page.screenshot(path=artifacts / f"{Path(name).stem}.png")
        for kind in ("error", "stderr"):
            shown = page.locator(f'.jp-RenderedText[data-mime-type="application/vnd.jupyter.{kind}"]')
            assert shown.count() == 0, shown.first.text_content()
        if DRAWS.search((ROOT / "notebooks" / name).read_text(encoding="utf-8")):
            assert page.locator(".js-plotly-plot").count() >= 1
            assert page.locator(".js-plotly-plot .main-svg").count() >= 1
        assert watch.errors == []
        assert watch.outside == set()
        page.close()
