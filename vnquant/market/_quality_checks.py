"""Checks of the data report: each looks at all rows at once and says which are odd, and why that may be."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from vnquant.market._quality_findings import EXAMPLES, Example, Finding, finding, ohlc_text
from vnquant.market._quality_moves import Adjustment, check_moves, check_ticks
from vnquant.market._quality_rows import BoolArray, Rows

__all__ = ("EARLY_END_SESSIONS", "SHORT_HISTORY_ROWS", "run_checks")

SHORT_HISTORY_ROWS = 250
EARLY_END_SESSIONS = 5


def run_checks(rows: Rows, adjustment: Adjustment, off_tick: BoolArray) -> tuple[Finding, ...]:
    """Return the findings of all checks, those that found nothing included."""
    return (
        _duplicates(rows),
        _missing_values(rows),
        _inconsistentohlc_text(rows),
        _non_trading_days(rows),
        _gaps(rows),
        _missing_sessions(rows),
        _zero_volume(rows),
        check_ticks(rows, adjustment, off_tick),
        *check_moves(rows),
        _short_histories(rows),
        _early_ends(rows),
    )


# -- single checks ------------------------------------------------------------------------------------------


def _duplicates(rows: Rows) -> Finding:
    before = np.maximum(np.arange(len(rows)) - 1, 0)
    conflicting = rows.repeated & (
        (rows.close != rows.close[before])
        | (rows.volume != rows.volume[before])
        | (rows.open != rows.open[before])
    )
    return finding(
        rows,
        "duplicates",
        "rows that repeat a symbol's day",
        rows.repeated,
        "error",
        f"{int(conflicting.sum()):,} of them differ from the row before. A panel needs a decision: "
        "duplicates='last' keeps the last of each.",
        lambda i: f"close {rows.close[i]:,.0f} after {rows.close[i - 1]:,.0f}",
    )


def _missing_values(rows: Rows) -> Finding:
    bad = ~rows.positive | ~(rows.volume >= 0)
    return finding(
        rows,
        "missing_values",
        "rows with a missing or non-positive price, or no valid volume",
        bad,
        "error",
        "Such a bar cannot be used; a panel treats a missing close as no bar at all.",
        lambda i: f"{ohlc_text(rows, i)}, volume {rows.volume[i]:,.0f}",
    )


def _inconsistentohlc_text(rows: Rows) -> Finding:
    excess = np.maximum(
        np.maximum(rows.open, rows.close) - rows.high, rows.low - np.minimum(rows.open, rows.close)
    )
    excess = np.maximum(excess, rows.low - rows.high) / rows.close
    bad = rows.positive & (excess > 1e-9)
    worst = (
        f"By {np.median(excess[bad]):.1%} of the close in the median, {excess[bad].max():.1%} at most. "
        if bad.any()
        else ""
    )
    return finding(
        rows,
        "inconsistent_ohlc",
        "rows whose high is below, or low above, open or close",
        bad,
        "error",
        f"{worst}Often an open or close carried over from the reference price on a thin day.",
        lambda i: ohlc_text(rows, i),
        excess,
    )


def _non_trading_days(rows: Rows) -> Finding:
    first, last = np.datetime64(rows.calendar.first), np.datetime64(rows.calendar.last)
    bad = (rows.day >= first) & (rows.day <= last) & ~rows.calendar.are_trading_days(rows.day)
    names = rows.calendar.holidays
    return finding(
        rows,
        "non_trading_days",
        "rows on weekends or holidays",
        bad,
        "error",
        "The exchanges were closed on those days.",
        lambda i: names.get(rows.day[i].item(), f"{rows.day[i].item():%A}"),
    )


def _gaps(rows: Rows) -> Finding:
    missed = rows.missed
    longest = ""
    if missed.any():
        top = int(missed.argmax())
        days = int((rows.day[top] - rows.day[rows.previous[top]]).astype(np.int64))
        longest = (
            f"{int(missed.sum()):,} sessions are missing in all; the longest is "
            f"{rows.labels[rows.code[top]]} with {days} days ({missed[top]} sessions) to {rows.day[top]}. "
        )
    return finding(
        rows,
        "gaps",
        "gaps inside a symbol's own span",
        missed > 0,
        "warning",
        f"{longest}A suspension, a board without a match that day, or rows that were lost.",
        lambda i: f"{missed[i]} sessions missing since {rows.day[rows.previous[i]]}",
        missed.astype(np.float64),
    )


def _missing_sessions(rows: Rows) -> Finding:
    first = max(rows.day.min(), np.datetime64(rows.calendar.first))
    last = min(rows.day.max(), np.datetime64(rows.calendar.last))
    missing: list[str] = []
    if first <= last:
        sessions = rows.calendar.sessions(first.item(), last.item())
        missing = [str(day) for day in np.setdiff1d(sessions, rows.day)]
    return Finding(
        "missing_sessions",
        "sessions on which no symbol has a row",
        len(missing),
        "warning",
        "The exchanges traded on those days.",
        examples=tuple(Example("", day, "no rows at all") for day in missing[:EXAMPLES]),
    )


def _zero_volume(rows: Rows) -> Finding:
    return finding(
        rows,
        "zero_volume",
        "rows without a traded share",
        rows.volume == 0,
        "warning",
        "No match or a suspension that day; the price is carried over and says nothing new.",
        lambda i: f"close {rows.close[i]:,.0f}",
    )


def _short_histories(rows: Rows) -> Finding:
    counts = np.bincount(rows.code, minlength=len(rows.labels))
    short = {
        rows.labels[i]: int(counts[i]) for i in np.flatnonzero((counts > 0) & (counts < SHORT_HISTORY_ROWS))
    }
    return Finding(
        "short_history",
        f"symbols with fewer than {SHORT_HISTORY_ROWS} rows",
        len(short),
        "warning",
        "Too short for yearly features and for walk-forward training.",
        MappingProxyType(dict.fromkeys(short, 1)),
        tuple(
            Example(name, "", f"{count} rows")
            for name, count in sorted(short.items(), key=lambda item: item[1])[:EXAMPLES]
        ),
    )


def _early_ends(rows: Rows) -> Finding:
    ends = rows.last_days
    late = rows.day.max()
    early = late - ends > np.timedelta64(2 * EARLY_END_SESSIONS, "D")
    days, counts = np.unique(ends[early], return_counts=True)
    why = "Every symbol reaches the end."
    if len(days):
        most = int(counts.argmax())
        why = f"{counts[most]} of them stop on {days[most]}, the data ends on {late}. "
        why += "A common last day is where a source ends; a lone one a delisting or a lost symbol."
    names = [rows.labels[i] for i in np.flatnonzero(early)]
    return Finding(
        "early_end",
        "symbols that stop before the data does",
        len(names),
        "warning",
        why,
        MappingProxyType(dict.fromkeys(names, 1)),
        tuple(Example(rows.labels[i], str(ends[i]), "last row") for i in np.flatnonzero(early)[:EXAMPLES]),
    )
