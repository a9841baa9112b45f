"""A street of a few stocks without a network: prices, news and verdicts depend on market time alone."""

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta
from hashlib import blake2b

from vnquant.agents import AgentSignal
from vnquant.engine import Lead
from vnquant.market import (
    Action,
    CashDividend,
    CorporateAction,
    Quote,
    TradingCalendar,
    Universe,
    action_of,
    default_calendar,
    load_universe,
)
from vnquant.models import Prediction
from vnquant.news import Article, article_from
from vnquant.runtime import ICT, MarketClock, now
from vnquant.scanners import Coverage, OpportunityFilter, ScanResult
from vnquant.sources import FeedItem, QuoteBoard

TICKERS = ("ACB", "FPT", "HPG", "MWG", "SSI", "VCB")
FIRST_SESSION = date(2025, 6, 2)
_CLOSE = 14 * 60 + 45


def drawn(*parts: object) -> float:
    """Return a number in [0, 1) that depends on its arguments only."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class StreetQuotes:
    """A board whose prices wander within the day, every minute, from where the last session left them."""

    name = "street"

    def __init__(self, street: "Street") -> None:
        self._street = street
        self._references: dict[tuple[str, date], int] = {}

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        self._street.asked["quotes"] += 1
        await self._street.trouble("quotes")
        return QuoteBoard({symbol: self.quote(symbol) for symbol in symbols})

    def quote(self, symbol: str) -> Quote:
        at = now()
        day, minute = at.date(), at.hour * 60 + at.minute
        reference = self.reference(symbol, day)
        price = self._price(symbol, day, minute)
        return Quote(
            symbol=symbol,
            as_of=at,
            reference_price=reference,
            ceiling_price=int(reference * 1.07 // 50) * 50,
            floor_price=-int(-reference * 0.93 // 50) * 50,
            last_price=price,
            total_volume=1_000.0 * max(min(minute, _CLOSE) - 540, 0),
            open_price=reference,
            average_price=price,
            bids=((price - 50, 40_000.0), (price - 100, 60_000.0)),
            asks=((price, 40_000.0), (price + 50, 60_000.0)),
        )

    def reference(self, symbol: str, day: date) -> int:
        """Return what the last session left, less what went ex; drawn anew before the first session."""
        key = (symbol, day)
        if key not in self._references:
            if day <= FIRST_SESSION:
                self._references[key] = 20_000 + round(drawn("reference", symbol, day) * 60) * 50
            else:
                before = self._price(symbol, self._street.calendar.previous_session(day), _CLOSE)
                self._references[key] = round(self._street.ex_price(symbol, day, before) / 50) * 50
        return self._references[key]

    def _price(self, symbol: str, day: date, minute: int) -> int:
        """Return two waves of a few hours and noise, as much as 6 % either way, until the close."""
        minute = min(minute, _CLOSE)
        wave = 0.04 * math.sin(minute / 40 + 6 * drawn(symbol, day)) + 0.02 * (
            drawn(symbol, day, minute) - 0.5
        )
        return round(self.reference(symbol, day) * (1 + wave) / 50) * 50


class StreetActions:
    """Tells what went ex on the street."""

    name = "street events"

    def __init__(self, street: "Street") -> None:
        self._street = street
        self.asked = 0

    async def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[CorporateAction, ...]:
        self.asked += 1
        await self._street.trouble("actions")
        return tuple(a for a in self._street.went_ex if a.symbol in symbols and start <= a.ex_date <= end)


class Street:
    """A `Research` of a few stocks. `down` names what does not answer; `hang_s` makes it silent instead.

    `went_ex` is what companies did; without `actions` only the prices tell.
    """

    def __init__(self, tickers: Sequence[str] = TICKERS) -> None:
        whole = load_universe()
        self.universe = Universe(whole[ticker] for ticker in tickers)
        self.calendar: TradingCalendar = default_calendar()
        self.quotes = StreetQuotes(self)
        self.actions: StreetActions | None = StreetActions(self)
        self.went_ex: tuple[CorporateAction, ...] = ()
        self.asked = dict.fromkeys(("quotes", "scan", "news", "discuss"), 0)
        self.down: Callable[[str], Exception | None] = lambda what: None
        self.hang_s: Callable[[str], float] = lambda what: 0.0
        self.score: Callable[[Lead, datetime], float] = self._score
        self.headlines: Callable[[datetime], list[FeedItem]] = self._headlines
        self.min_confidence = 0.7
        self.judged: dict[FeedItem, Article] = {}
        self.discussed: list[tuple[datetime, str]] = []

    def ex_price(self, symbol: str, day: date, before: float) -> float:
        """Return what is left of a price when its holders have got what they get."""
        for action in self.went_ex:
            if (action.symbol, action.ex_date) == (symbol, day):
                if isinstance(action, CashDividend):
                    before -= action.per_share_vnd
                else:
                    before *= action.held / action.become
        return before

    @property
    def clock(self) -> MarketClock:
        return MarketClock(now())

    async def trouble(self, what: str) -> None:
        if (wait_s := self.hang_s(what)) > 0:
            await asyncio.sleep(wait_s)
        if (error := self.down(what)) is not None:
            raise error

    async def scan(self, *, held: Collection[str]) -> ScanResult:
        self.asked["scan"] += 1
        await self.trouble("scan")
        at = now()
        midnight = datetime.combine(at.date(), datetime.min.time(), tzinfo=ICT)
        predictions = {
            symbol: Prediction(
                symbol=symbol,
                as_of=midnight,
                expected_return=0.08 * drawn("return", symbol, at) - 0.02,
                low=-0.05,
                high=0.1,
                confidence=0.5 + 0.3 * drawn("confidence", symbol, at),
                action=Action.BUY,
            )
            for symbol in self.universe
        }
        return ScanResult(
            predictions,
            as_of=at,
            coverage=Coverage(requested=len(self.universe.tickers), fresh=self.universe.tickers),
            elapsed_s=0.0,
            criteria=OpportunityFilter(min_confidence=self.min_confidence),
        )

    async def news(self) -> list[Article]:
        self.asked["news"] += 1
        await self.trouble("news")
        items = self.headlines(now())
        for item in items:
            if item not in self.judged:
                self.judged[item] = article_from(item, self.universe)
        return [self.judged[item] for item in items]

    async def discuss(self, lead: Lead, *, timeout_s: float) -> AgentSignal:
        self.asked["discuss"] += 1
        await self.trouble("discuss")
        at = now()
        self.discussed.append((at, lead.symbol))
        score = self.score(lead, at)
        return AgentSignal(
            agent="chief",
            symbol=lead.symbol,
            as_of=at,
            action=action_of(score),
            score=score,
            confidence=0.5,
            position_fraction=0.1,
            reasons=("the street says so",),
        )

    @staticmethod
    def _score(lead: Lead, at: datetime) -> float:
        return min(2.4 * drawn("score", lead.symbol, at) - 1.0, 1.0)

    def _headlines(self, at: datetime) -> list[FeedItem]:
        """Return the headlines of the last 12 hours, one an hour at most."""
        items = []
        for back in range(12):
            hour = at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back)
            if drawn("headline", hour) < 0.4:
                tickers = self.universe.tickers
                symbol = tickers[int(drawn("about", hour) * len(tickers))]
                told = (
                    "báo lỗ kỷ lục, lao dốc mạnh" if drawn("sense", hour) < 0.5 else "lãi kỷ lục, tăng mạnh"
                )
                items.append(
                    FeedItem(
                        title=f"{symbol} {told}",
                        summary="",
                        url=f"street/{hour:%Y%m%d%H}",
                        source="street",
                        published_at=hour,
                    )
                )
        return items
