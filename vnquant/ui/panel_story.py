"""Panel story: what the engine has told so far, folded into bounded lists. No widgets, no time, no I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence

import msgspec

from vnquant.agents import AgentSignal
from vnquant.engine import (
    EngineEvent,
    Lead,
    LeadFound,
    LeadSettled,
    OrderChanged,
    OrderPlaced,
    VerdictReached,
)
from vnquant.runtime import Admission, SupervisionEvent
from vnquant.trading import JournalEntry, Order
from vnquant.ui.panel_feed import FeedLine, entry_line, event_line

__all__ = ("Case", "Story", "Verdict")

FEED_LINES = 200
_CASES = 60
_ORDERS = 60


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the agents said of a lead."""

    action: str
    points: float | None
    """From 0 to 100; None for no opinion."""
    confidence: float
    vetoed: bool = False

    @classmethod
    def of(cls, signal: AgentSignal) -> Verdict:
        """Return what the panel shows of the Chief's signal."""
        return cls(
            action=signal.action.value,
            points=signal.points if signal.has_opinion else None,
            confidence=signal.confidence,
            vetoed=signal.vetoed,
        )


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One opportunity from its finding to its end."""

    lead: Lead
    verdict: Verdict | None = None
    outcome: str = ""
    client_order_id: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether nothing has come of it yet."""
        return not self.outcome


class Story:
    """The latest of everything that the engine told, each list bounded.

    Attributes
    ----------
    revision : int
        Changes with every fold that changes what is shown.
    feed : deque of FeedLine
        Newest last.
    cases : dict of str to Case
        By lead id, oldest first.
    orders : dict of str to Order
        By client order id, oldest first.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.feed: deque[FeedLine] = deque(maxlen=FEED_LINES)
        self.cases: dict[str, Case] = {}
        self.orders: dict[str, Order] = {}
        self._recalled: Counter[FeedLine] = Counter()
        self._overlap = 0

    def fold(self, event: EngineEvent | SupervisionEvent) -> None:
        """Take in one event."""
        line = event_line(event)
        waited, self._overlap = self._overlap > 0, max(self._overlap - 1, 0)
        # The ledger may have been quicker to tell of an event that waited meanwhile.
        if line is not None and not (waited and _take(self._recalled, line)):
            self.add(line)
        match event:
            case LeadFound(lead=lead, admission=Admission.ACCEPTED):
                self._note_case(Case(lead=lead))
            case VerdictReached(lead=lead, verdict=verdict):
                case = self.cases.get(lead.lead_id) or Case(lead=lead)
                self._note_case(msgspec.structs.replace(case, lead=lead, verdict=Verdict.of(verdict)))
            case LeadSettled(lead=lead, outcome=outcome, client_order_id=order_id):
                case = self.cases.get(lead.lead_id) or Case(lead=lead)
                self._note_case(msgspec.structs.replace(case, outcome=outcome, client_order_id=order_id))
            case OrderPlaced(order=order) | OrderChanged(order=order):
                self._note_order(order)

    def add(self, line: FeedLine) -> None:
        """Put a line at the end of the feed."""
        self.feed.append(line)
        self.revision += 1

    def recall(self, entries: Sequence[JournalEntry], orders: Iterable[Order], *, overlap: int = 0) -> None:
        """Take in what the ledger says was while nobody looked on; what was told already is not repeated.

        Parameters
        ----------
        entries : sequence of JournalEntry
            Newest first, as the ledger gives them.
        orders : iterable of Order
            Oldest first.
        overlap : int
            Events that already wait to be folded: the ledger may know of them too.
        """
        told = Counter(self.feed)
        past = [line for entry in reversed(entries) if not _take(told, line := entry_line(entry))]
        self._recalled, self._overlap = Counter(past), overlap
        # By time, and at one time as they came: on a clock that stands still all of it has one time.
        self.feed = deque(sorted([*self.feed, *past], key=lambda line: line.at), maxlen=FEED_LINES)
        for case in filter(None, map(_case_of, reversed(entries))):
            self._note_case(case)
        known, self.orders = self.orders, {}
        for order in (*orders, *known.values()):
            self._note_order(order)
        self.revision += 1

    def _note_case(self, case: Case) -> None:
        """Keep a case; one that is taken up again keeps its place."""
        self.cases[case.lead.lead_id] = case
        _forget_oldest(self.cases, _CASES)

    def _note_order(self, order: Order) -> None:
        """Keep an order as it is after the most that is known of it."""
        before = self.orders.get(order.client_order_id)
        if before is None or len(before.history) <= len(order.history):
            self.orders[order.client_order_id] = order
        _forget_oldest(self.orders, _ORDERS)


def _take(lines: Counter[FeedLine], line: FeedLine) -> bool:
    """Take a line out, and return whether it was there."""
    if not lines[line]:
        return False
    lines[line] -= 1
    return True


def _forget_oldest(kept: dict[str, Case] | dict[str, Order], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]


class _SeenVerdict(msgspec.Struct):
    """The part of a journalled verdict that the panel shows; NaN was written as null."""

    action: str
    score: float | None
    confidence: float
    vetoed: bool = False


class _Seen(msgspec.Struct):
    lead: Lead
    verdict: _SeenVerdict | None = None


def _case_of(entry: JournalEntry) -> Case | None:
    """Return the case that a journalled decision settled, None for decisions of another kind."""
    if entry.kind != "verdict":
        return None
    try:
        seen = msgspec.convert(entry.seen, _Seen)
    except msgspec.ValidationError:
        return None  # an older ledger; the feed still has the outcome in words
    verdict = None
    if (said := seen.verdict) is not None:
        verdict = Verdict(
            action=said.action,
            points=None if said.score is None else 50.0 * (said.score + 1.0),
            confidence=said.confidence,
            vetoed=said.vetoed,
        )
    return Case(lead=seen.lead, verdict=verdict, outcome=entry.outcome, client_order_id=entry.client_order_id)
