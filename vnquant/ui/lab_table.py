"""Lab table: two settings' statistics side by side and the guard's badge, as escaped HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from vnquant.evaluation import Comparison, GuardFinding, Worth
from vnquant.ui.theme import COLOURS, SIGNS, PriceState

__all__ = ("badge_html", "error_html", "statistics_html", "style_html", "tries_html")

_UP, _DOWN = COLOURS[PriceState.UP], COLOURS[PriceState.DOWN]
_ARROWS = {1: SIGNS[PriceState.UP], -1: SIGNS[PriceState.DOWN], 0: ""}
_BADGES = {
    "checking": ("◌", "checking for look-ahead …", "var(--jp-ui-font-color2,#616161)"),
    "passed": ("✓", "no look-ahead", _UP),
    "leaks": ("✗", "looks ahead", _DOWN),
    "failed": ("?", "look-ahead not checked", COLOURS[PriceState.REFERENCE]),
}


def style_html() -> str:
    """Return the style sheet of a lab, in the colours of JupyterLab's theme."""
    return f"<style>{_STYLE}</style>"


def statistics_html(rows: Sequence[Comparison], saved: Worth, now: Worth) -> str:
    """Return the comparison as a table, and the returns of the fifths below it."""
    body = "".join(_row(row) for row in rows)
    caption = f"All symbols, {now.days:,} days; the score <b>{escape(now.verdict)}</b>"
    return (
        f"<table class='vnq-lab-table'><caption>{caption}</caption>"
        "<thead><tr><th scope='col'>Statistic</th><th scope='col'>Saved</th><th scope='col'>Now</th>"
        f"<th scope='col'>Change</th></tr></thead><tbody>{body}</tbody></table>{_fifths(saved, now)}"
    )


def tries_html(trials: int) -> str:
    """Return the count of settings tried, in words."""
    settings = "setting" if trials == 1 else "settings"
    return f"<span class='vnq-lab-tries' title='{_TRIES}'><b>{trials}</b> {settings} tried</span>"


def badge_html(finding: GuardFinding) -> str:
    """Return the look-ahead guard's badge; why it is not green can be unfolded."""
    sign, said, colour = _BADGES[finding.state]
    column = f": {escape(finding.column)}" if finding.column else ""
    is_bad = finding.state in ("leaks", "failed")
    more = (
        f"<details class='vnq-lab-help'><summary>why</summary>{escape(finding.text)}</details>"
        if is_bad
        else ""
    )
    return (
        f"<span class='vnq-lab-badge' role='status' title='{escape(finding.text, quote=True)}' "
        f"style='border-color:{colour}'><b style='color:{colour}'>{sign}</b> {said}{column}</span>{more}"
    )


def error_html(message: str) -> str:
    """Return a message that needs attention, "" for none."""
    return f"<div class='vnq-lab-error' role='alert'>{escape(message)}</div>" if message else ""


def _row(row: Comparison) -> str:
    colour = "" if row.better is None else f" style='color:{_UP if row.better else _DOWN}'"
    word = "" if row.better is None else " better" if row.better else " worse"
    change = f"{_ARROWS[row.direction]} {escape(row.change)}{word}" if row.change else ""
    return (
        f"<tr title='{escape(row.help, quote=True)}'><th scope='row'>{escape(row.name)}</th>"
        f"<td>{escape(row.before)}</td><td><b>{escape(row.after)}</b></td><td{colour}>{change}</td></tr>"
    )


def _fifths(saved: Worth, now: Worth) -> str:
    names = ["least"] + [str(k) for k in range(2, len(now.quantile_returns))] + ["best"]
    head = "".join(f"<th scope='col'>{name}</th>" for name in names)
    lines = "".join(
        f"<tr><th scope='row'>{label}</th>{''.join(_return(value) for value in worth.quantile_returns)}</tr>"
        for label, worth in (("Saved", saved), ("Now", now))
    )
    return (
        "<table class='vnq-lab-table'><caption>Return beyond the market by fifth of the score, "
        f"{now.horizon} ahead</caption><thead><tr><th scope='col'>Fifth</th>{head}</tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def _return(value: float) -> str:
    if not math.isfinite(value):
        return "<td>–</td>"
    colour = _UP if value > 0 else _DOWN
    return f"<td style='color:{colour}'>{100.0 * value:+.2f} %</td>"


_TRIES = (
    "Distinct settings of this agent whose worth was seen on this workbench. The best of many looks good by "
    "luck: the Sharpe ratio is deflated by this count."
)
_STYLE = """
.vnq-lab-table{border-collapse:collapse;width:100%;margin:2px 0 10px;font-size:12px;
color:var(--jp-ui-font-color1,#222);font-variant-numeric:tabular-nums}
.vnq-lab-table caption{caption-side:top;text-align:left;padding:2px 6px;color:var(--jp-ui-font-color1,#222)}
.vnq-lab-table th,.vnq-lab-table td{padding:2px 4px;text-align:right;white-space:nowrap;line-height:1.45;
border-bottom:1px solid var(--jp-border-color2,#ddd)}
.vnq-lab-table th:first-child{text-align:left;font-weight:normal}
.vnq-lab-table thead th{font-weight:600;color:var(--jp-ui-font-color2,#616161)}
.vnq-lab-badge,.vnq-lab-tries{display:inline-block;padding:0 8px;margin-right:6px;line-height:22px;
border:1px solid var(--jp-border-color1,#bbb);border-radius:11px;color:var(--jp-ui-font-color1,#222)}
.vnq-lab-error{padding:4px 8px;line-height:1.4;border-left:4px solid #e0364c;
color:var(--jp-ui-font-color1,#222);background:var(--jp-layout-color2,#eee);white-space:normal}
.vnq-lab-note{line-height:1.4;color:var(--jp-ui-font-color2,#616161);white-space:normal}
.vnq-lab-title{font-size:var(--jp-ui-font-size2,16px);font-weight:600;color:var(--jp-ui-font-color1,#222)}
.vnq-lab-help{color:var(--jp-ui-font-color1,#222);line-height:1.4;white-space:normal}
.vnq-lab-help dt{font-weight:600;margin-top:4px}.vnq-lab-help dd{margin:0 0 0 12px}
"""
