"""Lab names: gives the sliders of a lab names for screen readers, which ipywidgets leaves out."""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets

__all__ = ("LabNames",)


class LabNames(anywidget.AnyWidget):
    """Shows nothing; stands in a lab whose outermost box has the class `vnq-lab`."""

    _esm = traitlets.Unicode((files("vnquant.ui") / "static" / "lab_names.js").read_text("utf-8")).tag(
        sync=True
    )
    count = traitlets.Int().tag(sync=True)
    """How many sliders there are to be named."""
