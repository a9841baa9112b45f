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
_EPOCH, _SECOND = datetime(1970, 1, 1, tzinfo=ICT), timedelta(seconds=1)


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
    heard = [
        ((when - _EPOCH) // _SECOND, article.sentiment.score / len(article.symbols), columns[symbol])
        for when, article in _dated(articles)
        for symbol in article.symbols
        if symbol in columns
    ]
    published = np.array([when for when, _, _ in heard], dtype="datetime64[s]")
    score = np.array([score for _, score, _ in heard], dtype=np.float64)
    column = np.array([column for _, _, column in heard], dtype=np.intp)
    horizon = np.timedelta64(round(horizon_days * 86_400), "s")
    first = np.searchsorted(known, published, side="left")
    bars = np.searchsorted(known, published + horizon, side="left") - first
    # Each at each bar that hears it, in their order, so that no sum depends on how they came.
    which = np.repeat(np.arange(len(heard)), bars)
    rows = np.arange(len(which)) - np.repeat(np.cumsum(bars) - bars - first, bars)
    age_days = (known[rows] - published[which]) / np.timedelta64(86_400, "s")
    fading = score[which] * 0.5 ** (age_days / half_life_days)
    cells = rows * len(columns) + column[which]
    shape = (len(known), len(columns))
    total = np.bincount(cells, weights=fading, minlength=shape[0] * shape[1]).reshape(shape)
    silent = np.bincount(cells, minlength=total.size).reshape(shape) == 0
    return np.where(silent, np.nan, np.clip(total, -1.0, 1.0))


def _known_until(timestamps: TimeArray, daily_close: timedelta) -> TimeArray:
    """Return the moment up to which each bar knows the news."""
    stamps = np.asarray(timestamps, dtype="datetime64[s]")
    daily = stamps == stamps.astype("datetime64[D]")
    close = np.timedelta64(round(daily_close.total_seconds()), "s")
    return np.where(daily, stamps + close, stamps)


def _dated(articles: Iterable[Article]) -> list[tuple[datetime, Article]]:
    """Return the articles with their time, in an order that does not depend on how they came.

    Each URL stands once.
    """
    dated = [(one.published_at, one) for one in articles if one.published_at is not None and one.symbols]
    unique: dict[str, tuple[datetime, Article]] = {}
    for when, article in sorted(dated, key=lambda pair: (pair[0], pair[1].url, pair[1].title)):
        unique.setdefault(article.url or article.title, (when, article))
    return list(unique.values())
