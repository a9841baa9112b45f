"""One JupyterLab server a process, and one Chromium a file, for all tests in the browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import CHROMIUM, CHROMIUM_ARGUMENTS, Site, lab_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if CHROMIUM is None and here:
        if os.environ.get("CI"):
            raise pytest.UsageError("CI must have Chromium; .ci/run installs it")
        for item in here:
            item.add_marker(pytest.mark.skip("no Chromium on this machine: install it, or set CHROMIUM"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server for all notebooks: each has a folder of its own, and trained models are for all.

    What a start without any model is like stands in `test_first_slider.py`.
    """
    root = tmp_path_factory.mktemp("site")
    with lab_server(root, VNQUANT_CACHE_DIR=str(tmp_path_factory.mktemp("cache"))) as base:
        yield Site(base, root)


# Not for the session: while Playwright drives a browser, its loop runs, and tests on asyncio could not.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()
