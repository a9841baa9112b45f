"""UI: charts and widgets, thin: what they show is computed in the rooms below."""

from vnquant.ui.charts import discussion_chart, price_chart
from vnquant.ui.theme import COLOURS, PriceState, price_states

__all__ = ("COLOURS", "PriceState", "discussion_chart", "price_chart", "price_states")
