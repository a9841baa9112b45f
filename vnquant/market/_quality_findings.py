"""Findings of the data report: what a check returns, and how one is made from the rows it marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from vnquant.market._quality_rows import BoolArray, IndexArray, Rows
from vnquant.market.bars import FloatArray

__all__ = ("EXAMPLES", "Example", "Finding", "Severity", "finding", "ohlc_text")

Severity = Literal["error", "warning", "fact"]

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One odd row in words."""

    symbol: str
    date: str
    detail: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    `count` counts rows, gaps or symbols, as `title` says; `by_symbol` holds the symbols that have any.
    """

    name: str
    title: str
    count: int
    severity: Severity
    explanation: str
    by_symbol: MappingProxyType[str, int] = field(default_factory=lambda: MappingProxyType({}))
    examples: tuple[Example, ...] = ()


def finding(
    rows: Rows,
    name: str,
    title: str,
    where: BoolArray,
    severity: Severity,
    explanation: str,
    detail: Callable[[int], str],
    badness: FloatArray | None = None,
) -> Finding:
    """Return a finding from a mask over the rows; examples are the worst by `badness`, else the first."""
    at: IndexArray = np.flatnonzero(where)
    counts = np.bincount(rows.code[at], minlength=len(rows.labels))
    shown = at if badness is None else at[np.argsort(-badness[at], kind="stable")]
    return Finding(
        name,
        title,
        len(at),
        severity,
        explanation,
        MappingProxyType({rows.labels[i]: int(counts[i]) for i in np.flatnonzero(counts)}),
        tuple(
            Example(rows.labels[rows.code[i]], str(rows.day[i]), detail(int(i)))
            for i in shown[:EXAMPLES].tolist()
        ),
    )


def ohlc_text(rows: Rows, i: int) -> str:
    """Return the four prices of a row."""
    return f"o {rows.open[i]:,.0f} h {rows.high[i]:,.0f} l {rows.low[i]:,.0f} c {rows.close[i]:,.0f}"
