"""VN-Quant: a Jupyter-centric async research workbench for the Vietnamese stock market.

>>> from vnquant import Workbench
>>> bench = await Workbench.open()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnquant.workbench import Workbench

__all__ = ("Workbench", "__version__")

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # The workbench pulls in the rooms; a script that only wants `vnquant.market` does not pay for them.
    if name == "Workbench":
        return import_module("vnquant.workbench").Workbench
    raise AttributeError(f"module 'vnquant' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
