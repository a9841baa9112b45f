"""Quality: the data report, which says what is odd about daily bars and never drops or repairs a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from vnquant.errors import EmptySelectionError, ParameterError
from vnquant.market._quality_checks import run_checks
from vnquant.market._quality_findings import Example, Finding, Severity
from vnquant.market._quality_moves import Adjustment, adjustment_of
from vnquant.market._quality_rows import Rows, rows_of
from vnquant.market.calendar import TradingCalendar
from vnquant.market.panel import BarPanel
from vnquant.market.symbols import Universe, load_universe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Adjustment", "Example", "Finding", "QualityReport", "Severity", "data_report")

_MARKS: Mapping[Severity, str] = MappingProxyType({"error": "!!", "warning": "! ", "fact": "i "})


@dataclass(frozen=True, eq=False, repr=False)
class QualityReport:
    """What is odd about a set of daily bars.

    Attributes
    ----------
    rows : int
    symbols : tuple of str
    first, last : str
        First and last day.
    adjustment : {"as traded", "back-adjusted", "off tick"}
        What the prices look like; "off tick" where they are neither.
    findings : tuple of Finding
        One a check, also where it found nothing.
    notes : tuple of str
        Facts about the whole that whoever uses it should know.
    """

    rows: int
    symbols: tuple[str, ...]
    first: str
    last: str
    adjustment: Adjustment
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    spans: Mapping[str, tuple[int, str, str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Finding:
        found = next((finding for finding in self.findings if finding.name == name), None)
        if found is None:
            raise ParameterError(
                f"No check is called {name!r}. Checks: {', '.join(f.name for f in self.findings)}.",
                name="name",
                value=name,
            )
        return found

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each check found something."""
        return MappingProxyType({finding.name: finding.count for finding in self.findings})

    def to_frame(self) -> pd.DataFrame:
        """Return one row a symbol: rows, first and last day, and the count of each check."""
        import pandas as pd

        table: dict[str, list[Any]] = {
            "rows": [self.spans[s][0] for s in self.symbols],
            "first": [self.spans[s][1] for s in self.symbols],
            "last": [self.spans[s][2] for s in self.symbols],
        }
        for finding in self.findings:
            table[finding.name] = [finding.by_symbol.get(s, 0) for s in self.symbols]
        return pd.DataFrame(table, index=pd.Index(self.symbols, name="symbol"))

    def examples(self, name: str) -> pd.DataFrame:
        """Return the examples of one check, the worst first where there is a worst."""
        import pandas as pd

        return pd.DataFrame(
            [(e.symbol, e.date, e.detail) for e in self[name].examples], columns=["symbol", "date", "detail"]
        )

    def __str__(self) -> str:
        lines = [self._headline(), *(f"  - {note}" for note in self.notes), ""]
        width = max(len(f"{finding.count:,}") for finding in self.findings)
        for finding in self.findings:
            mark = _MARKS[finding.severity] if finding.count else "  "
            lines.append(f"{mark} {finding.count:>{width},} {finding.title}{_where(finding)}")
            if finding.count:
                lines.append(f"{'':{width + 4}}{finding.explanation}")
                lines.extend(f"{'':{width + 6}}{_told(example)}" for example in finding.examples[:2])
        return "\n".join([*lines, "", "Nothing was dropped or repaired."])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        body = "".join(
            f"<tr><td style='text-align:right'>{f.count:,}</td><td style='text-align:left'>{escape(f.title)}"
            f"{escape(_where(f))}</td><td>{f.severity if f.count else 'none'}</td>"
            f"<td style='text-align:left'>{escape(f.explanation) if f.count else ''}</td>"
            f"<td style='text-align:left'>{'<br>'.join(escape(_told(e)) for e in f.examples[:3])}</td></tr>"
            for f in self.findings
        )
        return (
            f"<p><b>{escape(self._headline())}</b></p><ul>{notes}</ul>"
            "<table><thead><tr><th>count</th><th>check</th><th>kind</th><th>why</th><th>examples</th></tr></thead>"
            f"<tbody>{body}</tbody></table><p>Nothing was dropped or repaired.</p>"
        )

    def _headline(self) -> str:
        return f"Data report: {self.rows:,} rows, {len(self.symbols)} symbols, {self.first} to {self.last}"


def data_report(
    data: BarPanel | pd.DataFrame,
    *,
    universe: Universe | None = None,
    calendar: TradingCalendar | None = None,
) -> QualityReport:
    """Return what is odd about daily bars. The data is only read.

    Parameters
    ----------
    data : BarPanel or DataFrame
        A daily panel, or a long frame with symbol, date, open, high, low, close, volume in VND and shares. A
        frame may hold duplicates and malformed numbers, which a panel cannot.
    universe : Universe, optional
        Gives each symbol's present exchange; the shipped one where it is left out. Symbols it does not
        know are judged by the rules of HOSE, and a note says so.
    calendar : TradingCalendar, optional
        Sessions for all symbols; the shipped one of each symbol's own exchange where it is left out.

    Raises
    ------
    InputError
        If a column is missing, or the panel is not daily.
    EmptySelectionError
        If there are no rows.
    """
    rows = rows_of(data, load_universe() if universe is None else universe, calendar)
    if not len(rows):
        raise EmptySelectionError("There are no bars to report on.")
    adjustment, off_tick, overall, recent = adjustment_of(rows)
    findings = run_checks(rows, adjustment, off_tick)
    return QualityReport(
        rows=len(rows),
        symbols=rows.labels,
        first=str(rows.day.min()),
        last=str(rows.day.max()),
        adjustment=adjustment,
        findings=findings,
        notes=tuple(_notes(rows, adjustment, overall, recent)),
        spans=_spans(rows),
    )


def _notes(rows: Rows, adjustment: Adjustment, overall: float, recent: float) -> list[str]:
    shares = f"{overall:.0%} of the rows are off tick, {recent:.0%} of each symbol's last 20"
    looks: Mapping[Adjustment, str] = {
        "as traded": "Prices look as traded: they stand on ticks. Splits and dividends are not adjusted.",
        "back-adjusted": f"Prices look back-adjusted: {shares}. Returns hold the dividends already: do not "
        "add them again, and do not splice with another source.",
        "off tick": f"Prices are neither as traded nor plainly back-adjusted: {shares}.",
    }
    notes = [looks[adjustment]]
    median = float(np.nanmedian(rows.close))
    if median < 1_000:
        notes.append(f"The median close is {median:,.1f}: this looks like thousand VND, not VND.")
    unknown = [label for label, known in zip(rows.labels, rows.known, strict=True) if not known]
    if unknown:
        notes.append(
            f"{len(unknown)} symbols are not in the universe and judged as HOSE: {', '.join(unknown[:10])}."
        )
    first, last = rows.calendar.first, rows.calendar.last
    outside = int(((rows.day < np.datetime64(first)) | (rows.day > np.datetime64(last))).sum())
    if outside:
        notes.append(
            f"{outside:,} rows lie outside the calendar ({first} to {last}): "
            "gaps and holidays are not judged there."
        )
    if _nobody_left(rows):
        notes.append(
            f"None of the {len(rows.labels)} symbols left the market in all these years: the list was chosen "
            "by who is there today, which flatters every backtest (survivorship bias)."
        )
    return notes


def _nobody_left(rows: Rows) -> bool:
    """Whether many symbols over two years or more all reach a last day that several share."""
    if len(rows.labels) < 20 or rows.day.max() - rows.day.min() < np.timedelta64(730, "D"):
        return False
    _, shared = np.unique(rows.last_days, return_counts=True)
    return bool((shared >= 3).all())


def _spans(rows: Rows) -> dict[str, tuple[int, str, str]]:
    order = np.arange(len(rows.labels))
    starts = np.searchsorted(rows.code, order, side="left")
    ends = np.searchsorted(rows.code, order, side="right")
    return {
        label: (int(b - a), str(rows.day[a]), str(rows.day[b - 1])) if b > a else (0, "", "")
        for label, a, b in zip(rows.labels, starts.tolist(), ends.tolist(), strict=True)
    }


def _where(finding: Finding) -> str:
    named = len(finding.by_symbol)
    if not finding.count or named <= 1 or finding.count == named:
        return ""
    most, times = max(finding.by_symbol.items(), key=lambda item: item[1])
    return f", in {named} symbols (most in {most}: {times:,})"


def _told(example: Example) -> str:
    return " ".join(part for part in (example.symbol, example.date) if part) + f": {example.detail}"
