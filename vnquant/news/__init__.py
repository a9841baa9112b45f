"""News: headlines with their stocks, Vietnamese sentiment, event and alert level; news as a panel field."""

from __future__ import annotations

from vnquant.news.article_list import Articles
from vnquant.news.articles import (
    AlertLevel,
    Article,
    EventType,
    alert_level,
    article_from,
    event_type,
    repeated,
)
from vnquant.news.field import news_sentiment
from vnquant.news.linking import link_symbols
from vnquant.news.sentiment import Sentiment, SentimentLabel, score_sentiment

__all__ = (
    "AlertLevel",
    "Article",
    "Articles",
    "EventType",
    "Sentiment",
    "SentimentLabel",
    "alert_level",
    "article_from",
    "event_type",
    "link_symbols",
    "news_sentiment",
    "repeated",
    "score_sentiment",
)
