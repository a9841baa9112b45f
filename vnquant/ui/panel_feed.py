"""Panel feed: the engine's events as one line each, and the filter that a person puts on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from vnquant.engine import (
    ActionBooked,
    EngineEvent,
    ExitSignalled,
    LeadFound,
    LeadSettled,
    NewsFinished,
    OrchestratorState,
    OrderChanged,
    OrderPlaced,
    RoundFailed,
    ScanFinished,
    StateChanged,
    VerdictReached,
)
from vnquant.runtime import Admission, Severity, SupervisionEvent, SupervisionKind
from vnquant.trading import JournalEntry, OrderStatus, Side

__all__ = ("FeedFilter", "FeedGroup", "FeedLine", "Tone", "entry_line", "event_line", "matching")


class FeedGroup(StrEnum):
    """What an event is about; the filter chooses among these."""

    DECISION = "decision"
    ORDER = "order"
    SCAN = "scan"
    SYSTEM = "system"


class Tone(StrEnum):
    """How an event is marked: by a sign and a colour."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class FeedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event in words."""

    at: datetime
    group: FeedGroup
    kind: str
    """One word: "scan", "verdict", "filled" ..."""
    text: str
    symbol: str = ""
    tone: Tone = Tone.PLAIN


class FeedFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are shown: a group (None for all), and words that must all occur, whatever their case."""

    group: FeedGroup | None = None
    words: str = ""

    @classmethod
    def read(cls, group: object, words: object) -> FeedFilter:
        """Read what a front end sends; what is no group means all."""
        known = {one.value: one for one in FeedGroup}
        return cls(group=known.get(str(group)), words=str(words or "").strip()[:100])

    def takes(self, line: FeedLine) -> bool:
        """Return whether a line is shown."""
        if self.group is not None and line.group is not self.group:
            return False
        if not self.words:
            return True
        text = f"{line.symbol} {line.kind} {line.text}".casefold()
        return all(word in text for word in self.words.casefold().split())


def matching(lines: Iterable[FeedLine], wanted: FeedFilter) -> list[FeedLine]:
    """Return the lines that a filter takes."""
    return [line for line in lines if wanted.takes(line)]


def event_line(event: EngineEvent | SupervisionEvent) -> FeedLine | None:
    """Return an event in words; None for what other sections show better, such as a routine health report."""
    match event:
        case StateChanged():
            return _state_line(event)
        case ScanFinished():
            text = (
                f"{event.predictions} predictions, {event.opportunities} pass the filter, {event.leads} new; "
                f"{event.coverage} ({event.elapsed_s:.1f} s)"
            )
            return FeedLine(at=event.at, group=FeedGroup.SCAN, kind="scan", text=text)
        case NewsFinished():
            levels = ", ".join(f"{count} {level}" for level, count in sorted(event.levels.items()))
            text = f"{event.articles} headlines, {event.new} new" + (f": {levels}" if levels else "")
            return FeedLine(at=event.at, group=FeedGroup.SCAN, kind="news", text=text)
        case LeadFound():
            return _lead_line(event)
        case VerdictReached():
            verdict = event.verdict
            points = f"{verdict.points:.0f} of 100" if verdict.has_opinion else "no opinion"
            text = f"{verdict.action}, {points}, confidence {verdict.confidence:.2f}" + (
                ", buy vetoed" if verdict.vetoed else ""
            )
            return _decision(event.at, "verdict", event.lead.symbol, text)
        case LeadSettled():
            tone = Tone.GOOD if event.client_order_id else Tone.PLAIN
            return _decision(event.at, "outcome", event.lead.symbol, event.outcome, tone)
        case ActionBooked():
            return _decision(event.at, "entitlement", event.action.symbol, event.outcome)
        case ExitSignalled():
            return _order(event.at, "exit", event.signal.symbol, event.signal.reason, Tone.WARNING)
        case OrderPlaced():
            order = event.order
            return _order(event.at, "order", order.symbol, f"{order}", Tone.PLAIN)
        case OrderChanged():
            return _order_line(event)
        case RoundFailed():
            text = f"a round came to nothing: {event.error}"
            return _system(event.at, "failed round", f"{event.component}: {text}", Tone.WARNING)
        case SupervisionEvent():
            return _supervision_line(event)
        case _:
            return None


def entry_line(entry: JournalEntry) -> FeedLine:
    """Return a decision of the ledger's journal in words, the same as those of its event if there was one."""
    if entry.kind.startswith("exit"):
        return _order(entry.at, "exit", entry.symbol, entry.outcome, Tone.WARNING)
    if entry.kind == "alert":
        return FeedLine(
            at=entry.at, group=FeedGroup.SCAN, kind="alert", text=entry.outcome, symbol=entry.symbol
        )
    tone = Tone.GOOD if entry.client_order_id else Tone.PLAIN
    kind = "outcome" if entry.kind in ("verdict", "lead") else entry.kind
    return _decision(entry.at, kind, entry.symbol, entry.outcome, tone)


def _state_line(event: StateChanged) -> FeedLine:
    tone = {OrchestratorState.FAILED: Tone.BAD, OrchestratorState.RUNNING: Tone.GOOD}.get(event.state)
    text = f"{event.before} → {event.state}" + (f": {event.reason}" if event.reason else "")
    return _system(event.at, "state", text, tone or Tone.PLAIN)


def _lead_line(event: LeadFound) -> FeedLine | None:
    """Return a lead in words; scans find the same one again and again, which only the queue counts."""
    lead, admission = event.lead, event.admission
    if admission is Admission.DUPLICATE:
        return None
    what = f"{lead.origin} says {lead.direction}"
    if lead.expected_return is not None:
        what += f", {lead.expected_return:+.1%} expected"
    if lead.level is not None:
        what += f", {lead.level}: {lead.headlines[0]}" if lead.headlines else f", {lead.level}"
    if admission is Admission.ACCEPTED:
        return _decision(event.at, "lead", lead.symbol, what)
    return _decision(event.at, "lead", lead.symbol, f"{what}; not taken: {admission}", Tone.WARNING)


def _order_line(event: OrderChanged) -> FeedLine:
    order = event.order
    last = order.history[-1].what if order.history else ""
    tones = {OrderStatus.FILLED: Tone.GOOD, OrderStatus.REJECTED: Tone.BAD, OrderStatus.EXPIRED: Tone.WARNING}
    kind = order.status.value.lower().replace("_", " ")
    side = "buys" if order.side is Side.BUY else "sells"
    text = f"{side} {order.quantity:,}: {last}" if last else f"{side} {order.quantity:,}"
    return _order(event.at, kind, order.symbol, text, tones.get(order.status, Tone.PLAIN))


def _supervision_line(event: SupervisionEvent) -> FeedLine:
    tones = {Severity.WARNING: Tone.WARNING, Severity.CRITICAL: Tone.BAD}
    tone = tones.get(event.severity, Tone.PLAIN)
    if event.kind is SupervisionKind.STARTED and event.restarts:
        tone = Tone.GOOD
    return _system(event.at, event.kind.value, event.message, tone)


def _decision(at: datetime, kind: str, symbol: str, text: str, tone: Tone = Tone.PLAIN) -> FeedLine:
    return FeedLine(at=at, group=FeedGroup.DECISION, kind=kind, text=text, symbol=symbol, tone=tone)


def _order(at: datetime, kind: str, symbol: str, text: str, tone: Tone) -> FeedLine:
    return FeedLine(at=at, group=FeedGroup.ORDER, kind=kind, text=text, symbol=symbol, tone=tone)


def _system(at: datetime, kind: str, text: str, tone: Tone) -> FeedLine:
    return FeedLine(at=at, group=FeedGroup.SYSTEM, kind=kind, text=text, tone=tone)
