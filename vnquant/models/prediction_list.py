"""Prediction list: forecasts as a table, best first where a scan ranks them."""

from __future__ import annotations

from vnquant.models.prediction import Prediction
from vnquant.tables import Column, Table

__all__ = ("Predictions",)


class Predictions(Table[Prediction]):
    """A list of `Prediction` that shows itself as a table."""

    noun = ("prediction", "predictions")
    columns = (
        Column("symbol", lambda p: p.symbol, left=True),
        Column("as_of", lambda p: p.as_of, lambda at: f"{at:%Y-%m-%d}", left=True),
        Column("expected_return", lambda p: p.expected_return, lambda x: f"{_arrow(x)} {x:+.1%}"),
        Column("low", lambda p: p.low, lambda x: f"{x:+.1%}"),
        Column("high", lambda p: p.high, lambda x: f"{x:+.1%}"),
        Column("confidence", lambda p: p.confidence, lambda x: f"{x:.2f}"),
        Column("action", lambda p: str(p.action), left=True),
    )


def _arrow(change: float) -> str:
    return "▲" if change > 0 else "▼" if change < 0 else "■"
