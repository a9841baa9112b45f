"""The agent's lab as a person uses it: JupyterLab in Chromium, a slider under the arrow keys, undo."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
if CHROMIUM is None:
    if os.environ.get("CI"):
        raise RuntimeError("CI must have Chromium; .ci/run installs it")
    pytest.skip("no Chromium on this machine: install it, or set CHROMIUM", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from lab import CHROMIUM_ARGUMENTS, lab_server, open_notebook, run_all_cells  # noqa: E402

CELLS = (
    # A predictor that trains in a moment: what is tested is the lab.
    (
        "from sklearn.linear_model import Ridge\n"
        "from vnquant import Workbench\n"
        "bench = await Workbench.open(predictor=Ridge(alpha=1000.0))"
    ),
    'lab = bench.agent_lab("bull", symbol="FPT")\nlab',
    "await lab.ready()\nlab.trials",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


def write_notebook(path: Path) -> None:
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def score_now(page: Page) -> list[float]:
    """Return the present setting's score as the figure in the page holds it."""
    return page.evaluate(
        """() => {
            const figure = document.querySelector('.js-plotly-plot');
            return Array.from(figure.data.find(trace => trace.name === 'score, now').y);
        }"""
    )


def picture(page: Page, name: str) -> None:
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    page.locator(".jp-OutputArea-output .vnq-lab-title").first.scroll_into_view_if_needed()
    page.screenshot(path=artifacts / f"{name}.png")


def test_an_arrow_key_on_a_slider_changes_figure_and_numbers_and_undo_takes_it_back(
    browser: Browser, tmp_path: Path
) -> None:
    write_notebook(tmp_path / "lab.ipynb")
    with lab_server(tmp_path, VNQUANT_CACHE_DIR=str(tmp_path / "cache")) as base:
        page, watch = open_notebook(browser, base, "lab.ipynb")
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        run_all_cells(page, len(CELLS))
        table = page.locator(".vnq-lab-table").first
        expect(table).to_contain_text("Rank IC", timeout=60_000)
        expect(page.locator(".vnq-lab-badge")).to_contain_text("no look-ahead", timeout=30_000)
        expect(page.locator(".vnq-lab-tries")).to_have_text("1 setting tried")
        numbers, score = table.inner_text(), score_now(page)
        picture(page, "agent_lab_opened")

        slider = page.locator(".widget-slider", has_text="momentum days")
        readout = slider.locator(".widget-readout")
        expect(readout).to_have_text("20")
        handle = page.get_by_role("slider", name="momentum days")  # named, for those who cannot see it
        handle.focus()
        for _ in range(12):
            page.keyboard.press("ArrowRight")
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
        picture(page, "agent_lab_turned")

        page.get_by_role("button", name="Undo").click()
        expect(readout).to_have_text("20")
        page.wait_for_function(
            "before => JSON.stringify(Array.from(document.querySelector('.js-plotly-plot').data"
            ".find(trace => trace.name === 'score, now').y)) === before",
            arg=page.evaluate("score => JSON.stringify(score)", score),
        )
        expect(page.get_by_role("button", name="Undo")).to_be_disabled()
        assert watch.errors == []
        assert watch.outside == set()
        assert said == []
        page.close()
