"""UI: charts and widgets, thin: what they show is computed in the rooms below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnquant.lazy import lazy_names

if TYPE_CHECKING:
    from vnquant.ui.chart_export import export_html, export_png, export_svg
    from vnquant.ui.charts import discussion_chart, price_chart
    from vnquant.ui.theme import COLOURS, ChartTheme, PriceState, price_states

__all__ = (
    "COLOURS",
    "ChartTheme",
    "PriceState",
    "discussion_chart",
    "export_html",
    "export_png",
    "export_svg",
    "price_chart",
    "price_states",
)

# A workbench without a notebook shows progress bars at most, and imports no more of this room.
__getattr__ = lazy_names(
    __name__,
    {
        "COLOURS": "theme",
        "ChartTheme": "theme",
        "PriceState": "theme",
        "discussion_chart": "charts",
        "export_html": "chart_export",
        "export_png": "chart_export",
        "export_svg": "chart_export",
        "price_chart": "charts",
        "price_states": "theme",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
