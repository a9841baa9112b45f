"""Panel cells: the small pieces of HTML of which the control panel's tables are made.

Colour is never the only sign: profit has an arrow, a badge its mark, a level its word. What comes from
outside is escaped here, so that whoever makes a table need not think of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape

from vnquant.ui.panel_feed import Tone

__all__ = (
    "ARROWS",
    "MARKS",
    "badge",
    "empty_text",
    "fraction",
    "level_badge",
    "long_text",
    "money",
    "mood_sign",
    "side_text",
    "span_text",
    "table",
    "time_text",
    "whole",
)

ARROWS = {"up": "▲", "down": "▼", "flat": "■"}
MARKS = {Tone.PLAIN: "·", Tone.GOOD: "✓", Tone.WARNING: "!", Tone.BAD: "✕"}
_LEVEL_TONES = {"CRITICAL": Tone.BAD, "HIGH": Tone.WARNING}


def table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already; a column whose name begins with > holds numbers."""
    names = tuple(columns)
    numeric = [name.startswith(">") for name in names]
    head = "".join(
        f"<th{_NUMERIC if number else ''}>{escape(name.lstrip('>'))}</th>"
        for name, number in zip(names, numeric, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_NUMERIC if n else ''}>{cell}</td>" for cell, n in zip(row, numeric, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_NUMERIC = ' class="n"'


def empty_text(text: str) -> str:
    """Return what a section says when there is nothing to show."""
    return f"<p>{text}</p>"


def badge(text: str, tone: Tone) -> str:
    """Return a word with the mark and the colour of its tone."""
    return f'<span class="vnq-badge vnq-{tone}">{MARKS[tone]} {escape(text)}</span>'


def level_badge(level: str) -> str:
    """Return an alert level."""
    return f'<span class="vnq-badge vnq-{_LEVEL_TONES.get(level, Tone.PLAIN)}">{escape(level)}</span>'


def mood_sign(sentiment: str) -> str:
    """Return the sign of a sentiment: positive, neutral, negative."""
    tone = {"positive": "up", "negative": "down"}.get(sentiment, "flat")
    return f'<span class="vnq-{tone}" title="{escape(sentiment)}">{ARROWS[tone]}</span>'


def side_text(side: str) -> str:
    """Return BUY or SELL with its arrow."""
    tone = "up" if side == "BUY" else "down"
    return f'<span class="vnq-{tone}">{ARROWS[tone]} {side.lower()}</span>'


def money(amount_vnd: int) -> str:
    """Return a gain or a loss in VND."""
    return _signed(amount_vnd, f"{amount_vnd:+,}")


def fraction(value: float) -> str:
    """Return a gain or a loss as a percentage."""
    # What rounds to nothing is neither gain nor loss.
    return _signed(round(value, 4), f"{value:+.2%}")


def _signed(value: float, text: str) -> str:
    tone = "up" if value > 0 else "down" if value < 0 else "flat"
    return f'<span class="vnq-{tone}">{ARROWS[tone]} {text.replace("-", "−")}</span>'


def whole(amount_vnd: int | None) -> str:
    """Return an amount, or a dash where it is not known."""
    return "–" if amount_vnd is None else f"{amount_vnd:,}"


def long_text(text: str, sign: str = "", note: str = "") -> str:
    """Return a text that may take several lines, after a sign that is HTML and before a small note."""
    after = f" <small>{escape(note)}</small>" if note else ""
    return f'<span class="vnq-long">{sign} {escape(text)}{after}</span>'


def time_text(at: datetime, today: date, *, seconds: bool = True) -> str:
    """Return a market time, with its day where that is not today."""
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    return clock if at.date() == today else f"{at:%d %b} {clock[:5]}"


def span_text(seconds: int | None) -> str:
    """Return a span of time as its largest unit says it: 12 s, 3 min, 2 h, 5 d."""
    if seconds is None:
        return "–"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and unit == "min"):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
