"""Sources: bars, quotes and news, through one HTTP client or from files, validated at the door."""

from vnquant.sources.arguments import Clock, LoopClock
from vnquant.sources.base import (
    ActionSource,
    BarSource,
    FeedItem,
    NewsFeed,
    NewsSource,
    QuoteBoard,
    QuoteSource,
    Remembering,
)
from vnquant.sources.breaker import BreakerState
from vnquant.sources.cache import BarCache, CachedHistory
from vnquant.sources.cached import CachedBars
from vnquant.sources.cafef import CafefSource
from vnquant.sources.chain import SourceChain
from vnquant.sources.config import HttpConfig
from vnquant.sources.corporate_events import CorporateEventFeed
from vnquant.sources.endpoints import Endpoints
from vnquant.sources.feed import merge_feeds
from vnquant.sources.files import FileSource
from vnquant.sources.http import HttpClient
from vnquant.sources.lane import SourceStatistics
from vnquant.sources.rss import RssSource
from vnquant.sources.transport import AiohttpTransport, Response, Transport
from vnquant.sources.vps import VpsSource

__all__ = (
    "ActionSource",
    "AiohttpTransport",
    "BarCache",
    "BarSource",
    "BreakerState",
    "CachedBars",
    "CachedHistory",
    "CafefSource",
    "Clock",
    "CorporateEventFeed",
    "Endpoints",
    "FeedItem",
    "FileSource",
    "HttpClient",
    "HttpConfig",
    "LoopClock",
    "NewsFeed",
    "NewsSource",
    "QuoteBoard",
    "QuoteSource",
    "Remembering",
    "Response",
    "RssSource",
    "SourceChain",
    "SourceStatistics",
    "Transport",
    "VpsSource",
    "merge_feeds",
)
