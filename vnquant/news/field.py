"""Field: news as a panel field, so that agents see at each bar what had been published by then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np

from vnquant.errors import InputError
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.news.articles import Article
from vnquant.runtime.clock import ICT

__all__ = ("news_sentiment",)

# A daily bar is decided on at its close; what appears later belongs to the next one (HOSE closes at 14:45).
DAILY_CLOSE = timedelta(hours=14, minutes=45)


def news_sentiment(
    articles: Iterable[Article],
    symbols: Sequence[str],
    timestamps: TimeArray,
    *,
    half_life_days: float = 2.0,
    horizon_days: float = 10.0,
    daily_close: timedelta = DAILY_CLOSE,
) -> FloatArray:
    """Return the sentiment of each symbol at each bar from what had been published by then.

    The value is the sum of the article scores, each halved every `half_life_days` since its publication and
    forgotten after `horizon_days`, bounded to [-1, 1].

    Parameters
    ----------
    articles : iterable of Article
        In any order; each URL counts once, and one without a time of publication not at all, since it cannot
        be placed. An article about k symbols counts 1 / k for each.
    symbols : sequence of str
    timestamps : datetime64, shape (T,)
        Those of a panel, ascending, ICT. A bar at 00:00 is a day and knows what was published up to
        `daily_close`; any other knows what was published up to its start.

    Returns
    -------
    float64, shape (T, N)
        NaN where nothing was published within the horizon.
    """
    if half_life_days <= 0 or horizon_days <= 0:
        raise InputError(
            f"half_life_days={half_life_days}, horizon_days={horizon_days}: both must be positive, "
            "such as 2 and 10."
        )
    known = _known_until(timestamps, daily_close)
    columns = {symbol: column for column, symbol in enumerate(symbols)}
    total = np.zeros((len(known), len(columns)))
    heard = np.zeros(total.shape, dtype=np.bool_)
    horizon = np.timedelta64(round(horizon_days * 86_400), "s")
    placed = _placed(articles)
    published = np.array([when for when, _ in placed], dtype="datetime64[s]")
    first = np.searchsorted(known, published, side="left").tolist()
    last = np.searchsorted(known, published + horizon, side="left").tolist()
    for place, (_, article) in enumerate(placed):
        rows = slice(first[place], last[place])
        if rows.start == rows.stop:
            continue
        age_days = (known[rows] - published[place]) / np.timedelta64(86_400, "s")
        fading = article.sentiment.score / len(article.symbols) * 0.5 ** (age_days / half_life_days)
        for symbol in article.symbols:
            if (column := columns.get(symbol)) is not None:
                total[rows, column] += fading
                heard[rows, column] = True
    return np.where(heard, np.clip(total, -1.0, 1.0), np.nan)


def _known_until(timestamps: TimeArray, daily_close: timedelta) -> TimeArray:
    """Return the moment up to which each bar knows the news."""
    stamps = np.asarray(timestamps, dtype="datetime64[s]")
    daily = stamps == stamps.astype("datetime64[D]")
    close = np.timedelta64(round(daily_close.total_seconds()), "s")
    return np.where(daily, stamps + close, stamps)


def _placed(articles: Iterable[Article]) -> list[tuple[datetime, Article]]:
    """Return the articles with their ICT wall time, in an order that does not depend on how they came.

    Each URL stands once.
    """
    dated = [
        (one.published_at.astimezone(ICT).replace(tzinfo=None), one)
        for one in articles
        if one.published_at is not None and one.symbols
    ]
    unique: dict[str, tuple[datetime, Article]] = {}
    for when, article in sorted(dated, key=lambda pair: (pair[0], pair[1].url, pair[1].title)):
        unique.setdefault(article.url or article.title, (when, article))
    return list(unique.values())
