"""Every test: virtual time and PostgreSQL where asked for, no task left behind, and who runs beside whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ("pytester", "vnquant.runtime.testing", "tests.integration.postgres")

# Files of long tests that share nothing expensive: any process may take the next test.
LONG = (
    "tests/browser/test_notebooks_in_the_browser.py",
    "tests/integration/engine/test_entitlements_of_a_spring.py",
    "tests/integration/ledger/test_ledger_kill.py",
    "tests/integration/test_scan_under_faults.py",
    "tests/unit/engine/test_entitlements.py",
)
KERNEL = re.compile(r"^tests/kernels/.*\[(\d+\.\d+\.\d+)")


def pytest_configure(config: pytest.Config) -> None:
    # In a worker of xdist pytest-cov also starts what measures in the controller. It rests while the worker's
    # own runs, and would wake where a test is marked `no_cover`.
    cov = config.pluginmanager.get_plugin("_cov")
    if hasattr(config, "workerinput") and cov is not None and cov.cov_controller is not None:
        cov.cov_controller.cov.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """With `--dist loadfile`: some files are not kept together, and the tests of one kernel are."""
    return _Shares(config, log) if config.getvalue("dist") == "loadfile" else None


class _Shares(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in LONG:
            return nodeid
        # A kernel and its workbench take seconds to start, for whatever file.
        kernel = KERNEL.match(nodeid)
        return f"ipykernel {kernel[1]}" if kernel else file
