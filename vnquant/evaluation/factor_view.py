"""Evaluation: a factor report as aligned text and as compact HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from vnquant.evaluation.factor_findings import HorizonFindings, Verdict, overall
from vnquant.evaluation.intervals import Estimate
from vnquant.tables import html_table, text_table

__all__ = ("as_html", "as_text")

_Table = tuple[Sequence[str], Sequence[Sequence[str]]]

_HEADER = ("rows ahead", "rank IC", "95 % interval", "days", "hit rate", "by chance", "auto-corr.", "verdict")


def as_text(findings: tuple[HorizonFindings, ...], overlap: Mapping[str, float]) -> str:
    """Return a headline and the tables below each other."""
    tables = (text_table(header, rows) for header, rows in _tables(findings, overlap))
    return "\n\n".join([_headline(findings), *tables])


def as_html(findings: tuple[HorizonFindings, ...], overlap: Mapping[str, float]) -> str:
    """Return the same as HTML."""
    tables = (html_table(header, rows) for header, rows in _tables(findings, overlap))
    return f"<p><b>{escape(_headline(findings))}</b></p>{''.join(tables)}"


def _headline(findings: tuple[HorizonFindings, ...]) -> str:
    verdict = overall(findings)
    measured = [f for f in findings if f.verdict is not Verdict.UNMEASURED]
    if not measured:
        return "The score could not be measured: too few days, or it does not differ between symbols."
    best = min(measured, key=lambda f: f.rank_ic.p_value)
    tries = ""
    if len(measured) > 1:
        alone = verdict is Verdict.NOISE and not best.rank_ic.is_zero
        tries = (
            f", the clearest of {len(measured)} horizons{', too little for so many tries' if alone else ''}"
        )
    return f"The score {_SAYS[verdict]}: rank IC {best.rank_ic} over {_rows(best.horizon)}{tries}."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


_SAYS = {
    Verdict.PREDICTS: "predicts returns",
    Verdict.INVERSE: "predicts the opposite of returns",
    Verdict.NOISE: "is not told from noise",
}


def _tables(findings: tuple[HorizonFindings, ...], overlap: Mapping[str, float]) -> list[_Table]:
    tables: list[_Table] = [
        (_HEADER, [_horizon_row(found) for found in findings]),
        (_quantile_header(findings), _quantile_rows(findings)),
    ]
    if overlap:
        tables.append((("overlap with", "rank correlation"), [(n, f"{x:+.3f}") for n, x in overlap.items()]))
    return tables


def _horizon_row(found: HorizonFindings) -> tuple[str, ...]:
    ic, hits = found.rank_ic, found.hit_rate
    return (
        str(found.horizon),
        f"{ic.mean:+.4f}",
        f"{ic.low:+.4f} to {ic.high:+.4f}",
        f"{ic.count:,}",
        f"{hits.mean:.1%}",
        f"{hits.mean - found.hit_edge.mean:.1%}",
        f"{found.autocorrelation:+.2f}",
        str(found.verdict),
    )


def _quantile_header(findings: tuple[HorizonFindings, ...]) -> tuple[str, ...]:
    ahead = (f"excess ± error, {found.horizon} ahead" for found in findings)
    first = findings[0].horizon
    return ("quantile", *ahead, f"pairs, {first} ahead", f"turnover in {first}")


def _quantile_rows(findings: tuple[HorizonFindings, ...]) -> list[tuple[str, ...]]:
    first = findings[0]
    rows = [
        (
            f"{quantile.quantile}{_NAMES.get(place, '')}",
            *(_percent(found.quantiles[place].excess) for found in findings),
            f"{quantile.pairs:,}",
            f"{quantile.turnover:.0%}",
        )
        for place, quantile in enumerate(first.quantiles)
    ]
    rows[-1] = (f"{len(rows)} (best scores)", *rows[-1][1:])
    return [*rows, ("best - least", *(_percent(found.spread) for found in findings), "", "")]


_NAMES = {0: " (least scores)"}


def _percent(estimate: Estimate) -> str:
    return f"{estimate.mean:+.3%} ± {estimate.standard_error:.3%}"
