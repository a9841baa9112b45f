"""Headlines: the simulated newsroom.

What it prints is tied to the jumps, to what goes ex, and to the index; the rest is noise. News of a jump
breaks on the day of the jump, before, during or after the session. Nothing printed depends on a later one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.market import FloatArray, TradingCalendar, Universe
from vnquant.runtime.clock import ICT
from vnquant.simulation import headline_texts as texts
from vnquant.simulation import market_texts
from vnquant.simulation.corporate import ExRights
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.process import RETURN_UNIT
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import Stream, lanes

__all__ = ("Headline", "Newsroom")

SentimentLabel = Literal["negative", "neutral", "positive"]

_TOLD = 0.85  # share of jumps that the newsroom learns of
_SEVERE = 0.055  # a jump of this size is told in stronger words
_FIRST_INDEX = 1000.0
_FLAT_INDEX = 0.002
_DAYS_KEPT = 64
_EX_NOTICE = 7  # sessions between the notice and the ex-date
_FIRST_NUMBER = 100_000


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """One headline.

    `symbol` is the company it is about, None for the market as a whole. `sentiment_truth` is what its words
    say. `slug` is the address without host and ending, `number` an article id that rises with time.
    """

    published_at: datetime
    title: str
    summary: str
    symbol: str | None
    sentiment_truth: SentimentLabel
    slug: str
    number: int


@dataclass(frozen=True, slots=True)
class NewsEvents:
    """What there is to report, by session: history, exact returns (1e-8), jumps, and planned ex-rights."""

    history: DailyHistory
    returns: npt.NDArray[np.int64]
    jump: FloatArray
    ex_rights: Mapping[int, ExRights]


class Newsroom:
    """Writes each calendar day's headlines, the same whichever day is asked for first."""

    def __init__(self, universe: Universe, profiles: Profiles, calendar: TradingCalendar, seed: int) -> None:
        self._tickers = profiles.tickers
        self._names = {t: short_name(universe[t].company) for t in profiles.tickers}
        self._calendar = calendar
        self._seed = seed
        # Whole weights and whole returns make the index exact on every CPU.
        weight = np.rint(np.minimum(profiles.lots * profiles.first_price / 1e7, 1e4)).astype(np.int64)
        self._weight = np.maximum(weight, 1)
        self._days: OrderedDict[tuple[date, int], tuple[Headline, ...]] = OrderedDict()
        self._levels: tuple[npt.NDArray[np.int64], FloatArray] | None = None

    def latest(self, events: NewsEvents, now: datetime, limit: int) -> list[Headline]:
        """Return the latest `limit` headlines published by `now`, newest first."""
        found: list[Headline] = []
        first = events.history.sessions[0].item()
        day = now.date()
        while len(found) < limit and day >= first:
            printed = self.printed(events, day)
            found.extend(h for h in reversed(printed) if h.published_at <= now)
            day -= timedelta(days=1)
        return found[:limit]

    def printed(self, events: NewsEvents, day: date) -> tuple[Headline, ...]:
        """Return all headlines of a calendar day in order of time."""
        sessions = events.history.sessions
        row = int(np.searchsorted(sessions, np.datetime64(day, "D")))
        trades = row < len(sessions) and sessions[row] == np.datetime64(day, "D")
        key = (day, row)
        if key not in self._days:
            desk = _Desk(self._seed, day)
            if trades:
                self._session_news(desk, events, row)
            self._noise(desk, trades)
            self._days[key] = desk.printed()
            while len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return self._days[key]

    def _session_news(self, desk: _Desk, events: NewsEvents, row: int) -> None:
        for column in np.flatnonzero(events.jump[row]).tolist():
            size = float(events.jump[row, column])
            if desk.chance() >= _TOLD:
                continue
            severe = abs(size) >= _SEVERE and desk.chance() < 0.5
            if size > 0:
                chosen = texts.VERY_GOOD_NEWS if severe else texts.GOOD_NEWS
            else:
                chosen = texts.VERY_BAD_NEWS if severe else texts.BAD_NEWS
            self._about(desk, column, chosen, "positive" if size > 0 else "negative", desk.news_minute())
        self._notices(desk, events, row + _EX_NOTICE)
        self._index_report(desk, events.returns, row)

    def _notices(self, desk: _Desk, events: NewsEvents, row: int) -> None:
        """Announce what is planned to go ex in some sessions; plans that hang on the price stay unsaid."""
        actions = events.ex_rights.get(row)
        if actions is None:
            return
        when = f"{events.history.sessions[row].item():%d/%m/%Y}"
        for column, cash, issue, condition in zip(
            actions.columns.tolist(),
            actions.cash_yield.tolist(),
            actions.issue_ratio.tolist(),
            actions.only_above_vnd.tolist(),
            strict=True,
        ):
            if cash > 0.0:
                self._about(desk, column, texts.DIVIDEND_NOTES, "neutral", 965, date=when)
            elif condition == 0.0:
                ratio = f"{round(issue * 100.0):d}"
                self._about(desk, column, texts.ISSUE_NOTES, "neutral", 960, date=when, ratio=ratio)

    def _index_report(self, desk: _Desk, returns: npt.NDArray[np.int64], row: int) -> None:
        level, before = self._index(returns, row)
        move = level / before - 1.0
        if abs(move) < _FLAT_INDEX:
            chosen: Sequence[texts.Text] = market_texts.MARKET_FLAT
            label: SentimentLabel = "neutral"
        elif move > 0:
            chosen, label = market_texts.MARKET_UP, "positive"
        else:
            chosen, label = market_texts.MARKET_DOWN, "negative"
        values = {"points": _vietnamese(abs(level - before)), "index": _vietnamese(level)}
        desk.write(chosen, label, 15 * 60 + 6, **values)

    def _index(self, returns: npt.NDArray[np.int64], row: int) -> tuple[float, float]:
        """Return the index at the close of a session and before it."""
        if self._levels is None or self._levels[0] is not returns:
            # Of all sessions at once: a level is made of the one before it, and later ones change nothing.
            total = float(self._weight.sum())
            daily = (returns @ self._weight).astype(np.float64) * RETURN_UNIT / total
            levels = _FIRST_INDEX * np.cumprod(np.concatenate([[1.0], 1.0 + daily]))
            self._levels = (returns, levels)
        before, level = self._levels[1][row : row + 2].tolist()
        return level, before

    def _noise(self, desk: _Desk, trades: bool) -> None:
        """Write what moves nothing: notices, macro news, and company news that turns out empty."""
        count = len(self._tickers)
        for _ in range(7 if trades else 1):
            self._about(desk, desk.below(count), texts.COMPANY_NOTES, "neutral", desk.day_minute())
        for _ in range(2 if trades else 0):
            self._about(desk, desk.below(count), texts.EMPTY_GOOD_NEWS, "positive", desk.day_minute())
            self._about(desk, desk.below(count), texts.EMPTY_BAD_NEWS, "negative", desk.day_minute())
        for _ in range(6 if trades else 3):
            desk.write(market_texts.MACRO_NOTES, "neutral", desk.day_minute())

    def _about(
        self,
        desk: _Desk,
        column: int,
        chosen: Sequence[texts.Text],
        label: SentimentLabel,
        minute: int,
        **values: str,
    ) -> None:
        symbol = self._tickers[column]
        desk.write(chosen, label, minute, symbol=symbol, company=self._names[symbol], **values)


class _Desk:
    """One calendar day's draws and drafts."""

    def __init__(self, seed: int, day: date) -> None:
        self._day = day
        self._drawn: list[int] = lanes(seed, Stream.HEADLINES, day.toordinal(), 1024).tolist()
        self._facts = {
            "quarter": str((day.month - 1) // 3 or 4),
            "year": str(day.year),
            "date": f"{day:%d/%m}",
        }
        self._next = 0
        self._drafts: list[tuple[int, int, str, str, str | None, SentimentLabel]] = []

    def chance(self) -> float:
        """Draw a uniform in (0, 1)."""
        value = (self._drawn[self._next % len(self._drawn)] + 0.5) / 65_536.0
        self._next += 1
        return value

    def below(self, count: int) -> int:
        """Draw a whole number in [0, count)."""
        return int(self.chance() * count)

    def day_minute(self) -> int:
        """Draw a minute of the newsroom's day, 06:30 to 21:30."""
        return 390 + self.below(900)

    def news_minute(self) -> int:
        """Draw when company news breaks: before the open, in the morning session, or after the close."""
        part = self.chance()
        if part < 0.4:
            return 420 + self.below(115)
        if part < 0.8:
            return 560 + self.below(120)
        return 915 + self.below(300)

    def write(
        self,
        chosen: Sequence[texts.Text],
        label: SentimentLabel,
        minute: int,
        *,
        symbol: str | None = None,
        **values: str,
    ) -> None:
        """Draft one headline from one of the texts."""
        title, summary = chosen[self.below(len(chosen))]
        # All are drawn for every text, so that texts may change without moving other draws.
        drawn = {
            "number": f"{20 + self.below(40) * 15}",
            "percent": f"{18 + self.below(70)}",
            "shares": f"{1 + self.below(20)}",
            "symbol": symbol or "",
        }
        facts = self._facts | drawn | values
        if facts.get("company") == symbol:
            # "FPT", not "FPT (FPT)".
            title, summary = (text.replace("{company} ({symbol})", "{symbol}") for text in (title, summary))
        second = self.below(60)
        self._drafts.append((minute, second, title.format(**facts), summary.format(**facts), symbol, label))

    def printed(self) -> tuple[Headline, ...]:
        """Return the day's headlines in order of time, without repeated titles."""
        opened = datetime(self._day.year, self._day.month, self._day.day, tzinfo=ICT)
        unique = {draft[2]: draft for draft in reversed(self._drafts)}
        ordered = sorted(unique.values(), key=lambda d: (d[0], d[1], d[2]))
        base = _FIRST_NUMBER + self._day.toordinal() % 100_000 * 100
        return tuple(
            Headline(
                published_at=opened + timedelta(minutes=minute, seconds=second),
                title=title,
                summary=summary,
                symbol=symbol,
                sentiment_truth=label,
                slug=slug_of(title),
                number=base + place,
            )
            for place, (minute, second, title, summary, symbol, label) in enumerate(ordered)
        )


_LEGAL_FORMS = re.compile(
    r"^(tổng\s+)?(công ty|ctcp|tập đoàn)(\s+(cổ phần|tnhh|cp))?\s+(?=\S)"
    r"|\s*[-–]\s*(ctcp|công ty cổ phần|tổng công ty)\.?$"
    r"|\s*[-–]\s*(?=tổng công ty)",
    re.IGNORECASE,
)
_SLUG_WORD = re.compile(r"[a-z0-9]+")
_BANK = re.compile(r"^ngân hàng (tmcp|thương mại cổ phần)\s+", re.IGNORECASE)


def short_name(company: str) -> str:
    """Return a company's name as headlines write it, without its legal form; banks stay banks."""
    name = _BANK.sub("Ngân hàng ", company.strip())
    for _ in range(3):
        name = _LEGAL_FORMS.sub("", name).strip()
    return name or company


def slug_of(title: str) -> str:
    """Return a title as the feeds write it into addresses: ASCII letters and digits joined by hyphens."""
    return "-".join(_SLUG_WORD.findall(title.lower().translate(_unmarked)))


class _Unmarked(dict[int, str]):
    """Letters without their marks, by code, worked out when they are first met."""

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFD", chr(code))
        self[code] = "".join(letter for letter in apart if not unicodedata.combining(letter))
        return self[code]


_unmarked = _Unmarked({ord("đ"): "d"})


def _vietnamese(value: float) -> str:
    """Return a number with two decimals, dots between thousands and a comma before decimals."""
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))
