"""VN-Quant: a Jupyter-centric async research workbench for the Vietnamese stock market.

>>> from vnquant import Workbench
>>> bench = await Workbench.open()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnquant.lazy import lazy_names

if TYPE_CHECKING:
    from vnquant.workbench import Workbench

__all__ = ("Workbench", "__version__")

__version__ = "0.1.0"


# The workbench pulls in the rooms; a script that only wants `vnquant.market` does not pay for them.
__getattr__ = lazy_names(__name__, {"Workbench": "workbench"})


def __dir__() -> list[str]:
    return sorted(__all__)
