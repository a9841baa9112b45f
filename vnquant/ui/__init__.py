"""UI: charts and widgets, thin: what they show is computed in the rooms below."""

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
