"""A stopwatch beside a new user: from starting JupyterLab to a changed slider, nothing trained before."""

import json
import time

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.lab import (
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    lab_server,
    open_notebook,
    run_all_cells,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

# What the README tells a new user to type, and no more.
CELLS = (
    "from vnquant import Workbench",
    "bench = await Workbench.open()",
    "await bench.scan()",
    'bench.agent_lab("bull")',
)


def test_a_new_user_changes_a_slider_within_ten_cells(tmp_path):
    write_notebook(tmp_path / "first.ipynb", CELLS)
    laps = {}
    began_s = time.monotonic()
    with sync_playwright() as playwright, lab_server(tmp_path, VNQUANT_CACHE_DIR=str(tmp_path / "c")) as base:
        laps["jupyterlab answers"] = time.monotonic() - began_s
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page, watch = open_notebook(browser, base, "first.ipynb")
        laps["notebook is open"] = time.monotonic() - began_s
        run_all_cells(page, len(CELLS))
        laps["all cells have run"] = time.monotonic() - began_s
        table = page.locator(".vnq-lab-table").first
        expect(table).to_contain_text("Rank IC", timeout=60_000)
        laps["the lab shows what the agent is worth"] = time.monotonic() - began_s
        before = table.inner_text()
        page.get_by_role("slider", name="momentum days").focus()
        for _ in range(12):
            page.keyboard.press("ArrowRight")
        expect(page.locator(".vnq-lab-tries")).not_to_have_text("1 setting tried", timeout=20_000)
        expect(table).not_to_have_text(before)
        laps["a slider has changed the numbers"] = time.monotonic() - began_s
        assert watch.errors == []
        assert watch.outside == set()
        browser.close()
    print(json.dumps({"cells": len(CELLS), "seconds": {name: round(s, 1) for name, s in laps.items()}}))
    assert len(CELLS) < 10
