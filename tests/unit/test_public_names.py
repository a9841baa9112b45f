"""Every room exports what its `__all__` says, and importing the package stays cheap."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import vnquant
import vnquant.ui

ROOMS = sorted(module.name for module in pkgutil.walk_packages(vnquant.__path__, "vnquant.") if module.ispkg)
HEAVY = (
    "pandas",
    "pyarrow",
    "lightgbm",
    "sklearn",
    "scipy",
    "plotly",
    "ipywidgets",
    "feedparser",
    "sqlalchemy",
)


@pytest.mark.parametrize("room", [r for r in ROOMS if "migrations" not in r])
def test_a_room_tells_what_it_is_and_exports_what_it_says(room):
    module = importlib.import_module(room)
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), f"{room}.{name}"


def test_importing_the_package_and_its_light_rooms_loads_nothing_heavy():
    script = (
        "import sys, vnquant.market, vnquant.runtime, vnquant.sources, vnquant.simulation, vnquant.agents;"
        "from vnquant import Workbench;"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_replay_imports_neither_tables_nor_charts_nor_what_servers_need():
    script = (
        "import sys, vnquant.settings, vnquant.engine, vnquant.trading.ledger, vnquant.unattended;"
        "import vnquant.desk, vnquant.direct_operation, vnquant.views, vnquant.ui.progress;"
        "never = {'pandas', 'plotly', 'alembic', 'sqlalchemy.orm', 'aiohttp', 'scipy', 'vnquant.ui.charts'};"
        "print(never & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_misspelt_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="prise_chart"):
        _ = vnquant.ui.prise_chart
    with pytest.raises(AttributeError, match="Workbenhc"):
        _ = vnquant.Workbenhc
    assert "Workbench" in dir(vnquant)
