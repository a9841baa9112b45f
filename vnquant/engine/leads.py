"""Leads: what the scanners found worth a discussion, and how urgent it is. The work queue's items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from vnquant.models import Prediction
from vnquant.news import AlertLevel, Article
from vnquant.trading import Side

__all__ = ("Lead", "Origin", "lead_key", "lead_of_article", "lead_urgency", "leads_of_predictions")

_URGENCY = {AlertLevel.CRITICAL: 3.0, AlertLevel.HIGH: 2.0, AlertLevel.MEDIUM: 1.0, AlertLevel.LOW: 0.0}
_MODEL_URGENCY = 1.0


class Origin(StrEnum):
    """Which scanner found a lead."""

    MODEL = "model"
    NEWS = "news"


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol in one direction that deserves a discussion.

    Attributes
    ----------
    lead_id : str
        Unique for ever; the cause of what comes of it.
    symbol : str
    direction : Side
        Which way it points; the verdict may say otherwise.
    origin : Origin
    found_at, expires_at : datetime
    level : AlertLevel or None
        Of the headline.
    expected_return, confidence : float or None
        Of the prediction.
    headlines : tuple of str
    urls : tuple of str
    coverage : str
        How complete the scan was.
    not_before : datetime or None
        It was discussed while the market was shut, and is taken up again then.
    """

    lead_id: str
    symbol: str
    direction: Side
    origin: Origin
    found_at: datetime
    expires_at: datetime
    level: AlertLevel | None = None
    expected_return: float | None = None
    confidence: float | None = None
    headlines: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    coverage: str = ""
    not_before: datetime | None = None

    def deferred(self, until: datetime, expires_at: datetime) -> Lead:
        """Return the lead as it is taken up again when the market is open."""
        return msgspec.structs.replace(self, not_before=until, expires_at=expires_at)


def lead_urgency(lead: Lead) -> tuple[float, ...]:
    """Return what the work queue compares: the alert's level, then the size of the expected return."""
    level = _MODEL_URGENCY if lead.level is None else _URGENCY[lead.level]
    return level, abs(lead.expected_return or 0.0)


def lead_key(lead: Lead) -> tuple[str, ...]:
    """Return what makes two leads the same; one that is taken up again is like no other."""
    if lead.not_before is not None:
        return ("again", lead.lead_id)
    return (lead.symbol, lead.direction.value)


def leads_of_predictions(
    predictions: Iterable[Prediction], at: datetime, *, expires_s: float, coverage: str
) -> list[Lead]:
    """Return the leads of predictions that passed the scanner's filter."""
    stamp, expires_at = f"{at:%Y%m%d-%H%M%S}", at + timedelta(seconds=expires_s)
    leads = []
    for prediction in predictions:
        direction = Side.BUY if prediction.expected_return >= 0 else Side.SELL
        leads.append(
            Lead(
                lead_id=f"{stamp}-{prediction.symbol}-{direction}-{Origin.MODEL}",
                symbol=prediction.symbol,
                direction=direction,
                origin=Origin.MODEL,
                found_at=at,
                expires_at=expires_at,
                expected_return=prediction.expected_return,
                confidence=prediction.confidence,
                coverage=coverage,
            )
        )
    return leads


def lead_of_article(
    symbol: str, articles: Sequence[Article], at: datetime, *, level: AlertLevel, expires_s: float
) -> Lead:
    """Return the lead that headlines of one direction about one symbol make together."""
    direction = Side.BUY if articles[0].sentiment.score >= 0 else Side.SELL
    return Lead(
        lead_id=f"{at:%Y%m%d-%H%M%S}-{symbol}-{direction}-{Origin.NEWS}",
        symbol=symbol,
        direction=direction,
        origin=Origin.NEWS,
        found_at=at,
        expires_at=at + timedelta(seconds=expires_s),
        level=level,
        headlines=tuple(article.title for article in articles),
        urls=tuple(article.url for article in articles),
    )
