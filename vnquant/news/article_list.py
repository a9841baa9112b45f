"""Article list: headlines as a table, newest first as the feeds give them."""

from __future__ import annotations

from datetime import datetime

from vnquant.news.articles import Article
from vnquant.tables import Column, Table

__all__ = ("Articles",)

_TITLE_LENGTH = 80


class Articles(Table[Article]):
    """A list of `Article` that shows itself as a table."""

    noun = ("article", "articles")
    columns = (
        Column("published_at", lambda a: a.published_at, lambda at: _time_text(at), left=True),
        Column("level", lambda a: str(a.level), left=True),
        Column("sentiment", lambda a: a.sentiment.score, lambda score: f"{_arrow(score)} {score:+.2f}"),
        Column("event", lambda a: str(a.event), left=True),
        Column("symbols", lambda a: " ".join(a.symbols), lambda names: _short(names, 24), left=True),
        Column("title", lambda a: a.title, lambda title: _short(title, _TITLE_LENGTH), left=True),
        Column("source", lambda a: a.source, left=True),
    )


def _time_text(at: datetime | None) -> str:
    return "unknown" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _arrow(score: float) -> str:
    return "▲" if score > 0 else "▼" if score < 0 else "■"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
