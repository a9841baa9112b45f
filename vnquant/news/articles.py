"""Articles: headlines with what they mean: the stocks, the sentiment, the event and how urgent it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from html import escape

import msgspec

from vnquant.market.symbols import Symbol
from vnquant.news.linking import link_symbols, without_names
from vnquant.news.sentiment import Sentiment, is_routine, label_of, score_sentiment
from vnquant.news.text import fold
from vnquant.sources.base import FeedItem

__all__ = ("AlertLevel", "Article", "EventType", "alert_level", "article_from", "event_type", "repeated")

# A title says what happened, a summary mostly repeats it.
_TITLE_SHARE = 0.7


class AlertLevel(StrEnum):
    """How soon a headline should be discussed: CRITICAL and HIGH at once, MEDIUM and LOW are kept."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class EventType(StrEnum):
    """What kind of thing happened."""

    LEGAL = "legal"
    LISTING = "listing"
    SOLVENCY = "solvency"
    EARNINGS = "earnings"
    DIVIDEND = "dividend"
    OWNERSHIP = "ownership"
    CAPITAL = "capital"
    CONTRACT = "contract"
    FOREIGN_FLOW = "foreign_flow"
    PRICE_MOVE = "price_move"
    OTHER = "other"


# First match wins, so the gravest comes first.
_EVENTS: tuple[tuple[EventType, tuple[str, ...]], ...] = (
    (
        EventType.LEGAL,
        (
            "khởi tố",
            "bị bắt",
            "tạm giam",
            "truy tố",
            "truy nã",
            "thao túng",
            "lừa đảo",
            "xử phạt",
            "bị phạt",
            "phạt nặng",
            "vi phạm",
            "điều tra",
            "bị kiện",
            "khởi kiện",
        ),
    ),
    (
        EventType.LISTING,
        (
            "hủy niêm yết",
            "huỷ niêm yết",
            "đình chỉ",
            "hạn chế giao dịch",
            "diện kiểm soát",
            "diện cảnh báo",
            "ký quỹ",
            "chuyển sàn",
            "niêm yết",
            "lên sàn",
            "vào rổ",
            "lọt rổ",
        ),
    ),
    (
        EventType.SOLVENCY,
        (
            "phá sản",
            "vỡ nợ",
            "mất khả năng thanh toán",
            "quá hạn",
            "nợ xấu",
            "chậm trả",
            "chậm thanh toán",
            "cưỡng chế",
        ),
    ),
    (EventType.DIVIDEND, ("cổ tức", "cổ phiếu thưởng", "chia thưởng")),
    (
        EventType.EARNINGS,
        (
            "lợi nhuận",
            "lãi ròng",
            "báo lãi",
            "báo lỗ",
            "doanh thu",
            "lnst",
            "lntt",
            "thua lỗ",
            "kết quả kinh doanh",
            "lãi quý",
            "lỗ quý",
            "lãi sau thuế",
            "lãi trước thuế",
            "eps",
        ),
    ),
    (EventType.FOREIGN_FLOW, ("khối ngoại", "mua ròng", "bán ròng", "tự doanh")),
    (
        EventType.OWNERSHIP,
        (
            "đăng ký mua",
            "đăng ký bán",
            "cổ đông lớn",
            "mua thêm",
            "bán ra",
            "cổ phiếu quỹ",
            "thoái vốn",
            "bán bớt",
            "nâng sở hữu",
        ),
    ),
    (EventType.CAPITAL, ("tăng vốn", "phát hành", "chào bán", "trái phiếu", "esop")),
    (EventType.CONTRACT, ("trúng thầu", "hợp đồng", "khởi công", "m&a", "hợp tác", "dự án")),
    (
        EventType.PRICE_MOVE,
        ("tăng trần", "giảm sàn", "bứt phá", "lao dốc", "tăng mạnh", "giảm mạnh", "bán tháo"),
    ),
)

# Events that may stop a stock from being traded or a company from existing: seen first, whatever the score.
_GRAVE: tuple[str, ...] = (
    "khởi tố",
    "bị bắt",
    "tạm giam",
    "truy nã",
    "truy tố",
    "thao túng",
    "hủy niêm yết",
    "huỷ niêm yết",
    "phá sản",
    "đình chỉ giao dịch",
    "tạm ngừng giao dịch",
    "vỡ nợ",
    "mất khả năng thanh toán",
)


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """One headline, judged. `published_at` is aware ICT, or None where the feed does not say."""

    title: str
    summary: str
    url: str
    source: str
    published_at: datetime | None
    symbols: tuple[str, ...]
    sentiment: Sentiment
    event: EventType
    level: AlertLevel

    def __str__(self) -> str:
        when = "time unknown" if self.published_at is None else f"{self.published_at:%Y-%m-%d %H:%M}"
        about = f"  {' '.join(self.symbols)}" if self.symbols else ""
        return f"{when}  {self.level} {self.sentiment.score:+.2f}{about}  {self.title} ({self.source})"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        # The address comes from a feed: only what a browser opens as a page becomes a link.
        title, address = escape(self.title), self.url if self.url.startswith(("https://", "http://")) else ""
        linked = f'<a href="{escape(address)}" rel="noopener noreferrer">{title}</a>' if address else title
        when = "time unknown" if self.published_at is None else f"{self.published_at:%Y-%m-%d %H:%M}"
        said = f"{self.level} · {self.sentiment.label} {self.sentiment.score:+.2f} · {self.event}"
        about = f" · {' '.join(self.symbols)}" if self.symbols else ""
        return (
            f"<div><p><b>{linked}</b></p><p>{escape(self.summary)}</p>"
            f"<p><small>{when} · {escape(self.source)} · {escape(said + about)}</small></p></div>"
        )


def article_from(item: FeedItem, universe: Mapping[str, Symbol] | None = None) -> Article:
    """Return a feed's item with its meaning: linked symbols, sentiment, event and alert level."""
    symbols = link_symbols(f"{item.title}\n{item.summary}", universe)
    title = score_sentiment(without_names(item.title, universe))
    summary = score_sentiment(without_names(item.summary, universe))
    # A routine title stays neutral, whatever words its summary lists.
    share = _TITLE_SHARE if item.summary and not is_routine(item.title) else 1.0
    score = share * title.score + (1.0 - share) * summary.score
    sentiment = Sentiment(label=label_of(score), score=score, terms=(*title.terms, *summary.terms))
    return Article(
        title=item.title,
        summary=item.summary,
        url=item.url,
        source=item.source,
        published_at=item.published_at,
        symbols=symbols,
        sentiment=sentiment,
        event=event_type(item.title),
        level=alert_level(item.title, sentiment, symbols),
    )


def repeated(article: Article, *, url: str, source: str) -> Article:
    """Return a story as another feed carries it: what it says is the same."""
    return msgspec.structs.replace(article, url=url, source=source)


def event_type(text: str) -> EventType:
    """Return the gravest kind of event that a text names."""
    folded = fold(text)
    for kind, words in _EVENTS:
        for word in words:
            if word in folded:
                return kind
    return EventType.OTHER


def alert_level(title: str, sentiment: Sentiment, symbols: tuple[str, ...]) -> AlertLevel:
    """Return how soon a headline should be discussed.

    CRITICAL needs a stock and an event that may end its trading; HIGH a stock and a clear judgement (0.6 and
    more either way); MEDIUM a stock and some judgement. What names no stock of the universe, or half a dozen,
    is about the market and LOW.
    """
    if not 0 < len(symbols) <= 5:
        return AlertLevel.LOW
    folded = fold(title)
    if sentiment.score < 0.0 and any(word in folded for word in _GRAVE):
        return AlertLevel.CRITICAL
    strength = abs(sentiment.score)
    if strength >= 0.6:
        return AlertLevel.HIGH
    return AlertLevel.MEDIUM if strength >= 0.2 else AlertLevel.LOW
