"""News scan: one look at the feeds; new CRITICAL and HIGH headlines become leads, the others are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import EngineEvent, NewsFinished
from vnquant.engine.inbox import Inbox
from vnquant.engine.leads import Lead, lead_of_article
from vnquant.engine.research import AtHand, Research
from vnquant.engine.rounds import Stage
from vnquant.news import AlertLevel, Article
from vnquant.runtime import now, within
from vnquant.trading import JournalEntry

__all__ = ("NewsScan",)

_URGENT = (AlertLevel.CRITICAL, AlertLevel.HIGH)
# Feeds repeat a headline for days; what is kept must outlast what a feed still shows.
_REMEMBERED = 1_000
_SHOWN = 200


class NewsScan:
    """Path B: urgent headlines go straight to discussion.

    Attributes
    ----------
    articles : tuple of Article
        The latest that were kept, newest look first.
    """

    def __init__(
        self,
        research: Research,
        inbox: Inbox,
        *,
        seen: Sequence[str],
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self._research = research
        self._at_hand = research if isinstance(research, AtHand) else None
        self._inbox = inbox
        self._config = config
        self._tell = tell
        self._seen = dict.fromkeys(seen)
        self._looked_at: Sequence[Article] = ()
        self.articles: tuple[Article, ...] = ()

    def glance(self) -> bool:
        """Look without waiting, and return whether that was enough: nothing is new, as mostly."""
        articles = None if self._at_hand is None else self._at_hand.news_at_hand()
        if articles is None or articles is not self._looked_at:
            return False
        self._tell_nothing_new(now(), articles)
        return True

    async def run_once(self) -> tuple[Lead, ...]:
        """Look at the feeds, and offer what is urgent to the inbox; return what was taken.

        Raises
        ------
        VnQuantError
            If no feed answers.
        """
        at = now()
        articles = await within(self._config.news_timeout_s, self._research.news())
        if articles is self._looked_at:
            self._tell_nothing_new(at, articles)
            return ()
        self._looked_at = articles
        new = [article for article in articles if article.url not in self._seen]
        urgent = self._urgent(new, at)
        accepted: tuple[Lead, ...] = ()
        if urgent:
            leads, entries = self._leads(urgent, at), [_alert(article, at) for article in urgent]
            # Others may be looked at again after a kill: nothing follows from them.
            seen = tuple(article.url for article in urgent)
            accepted = await self._inbox.offer(leads, Stage.NEWS, entries=entries, seen=seen)
        if new:
            self._seen |= dict.fromkeys(article.url for article in new)
            while len(self._seen) > _REMEMBERED:
                del self._seen[next(iter(self._seen))]
            self.articles = (*new, *self.articles)[:_SHOWN]
        levels = dict(Counter(article.level for article in new))
        self._tell(
            NewsFinished(at=at, articles=len(articles), new=len(new), leads=len(accepted), levels=levels)
        )
        return accepted

    def _tell_nothing_new(self, at: datetime, articles: Sequence[Article]) -> None:
        """Tell of a look at the same headlines as before: a source says so by giving the same list."""
        self._tell(NewsFinished(at=at, articles=len(articles), new=0, leads=0, levels={}))

    def _urgent(self, articles: Sequence[Article], at: datetime) -> list[Article]:
        oldest = at - timedelta(seconds=self._config.news_max_age_s)
        return [
            article
            for article in articles
            if article.level in _URGENT and (article.published_at is None or article.published_at >= oldest)
        ]

    def _leads(self, articles: Sequence[Article], at: datetime) -> list[Lead]:
        """Return one lead for each symbol and direction, of all headlines that say so."""
        found: dict[tuple[str, bool], list[Article]] = {}
        for article in articles:
            for symbol in article.symbols:
                found.setdefault((symbol, article.sentiment.score >= 0), []).append(article)
        order = {level: place for place, level in enumerate(_URGENT)}
        leads = (
            lead_of_article(
                symbol,
                about,
                at,
                level=min((a.level for a in about), key=order.__getitem__),
                expires_s=self._config.news_lead_expires_s,
            )
            for (symbol, _), about in found.items()
        )
        # In the order in which a restart would take them up.
        return sorted(leads, key=lambda lead: lead.lead_id)


def _alert(article: Article, at: datetime) -> JournalEntry:
    return JournalEntry(
        at=at,
        kind="alert",
        symbol=article.symbols[0] if len(article.symbols) == 1 else "",
        outcome=f"{article.level}: {article.title}",
        cause=article.url,
        seen=article,
        entry_id=f"alert:{article.url}",
    )
