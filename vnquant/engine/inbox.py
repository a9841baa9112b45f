"""Inbox: the leads that wait for a discussion, in the work queue and in the ledger alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import EngineEvent, LeadFound, LeadSettled
from vnquant.engine.leads import Lead, lead_key, lead_urgency
from vnquant.engine.record import Record
from vnquant.engine.rounds import Stage
from vnquant.runtime import Admission, Discard, WorkQueue, WorkQueueStatistics, now
from vnquant.trading import Batch, JournalEntry

__all__ = ("Inbox",)


class Inbox:
    """Takes leads from the scanners, keeps them through a kill, and hands each to one discussion."""

    def __init__(self, record: Record, *, config: EngineConfig, tell: Callable[[EngineEvent], None]) -> None:
        self._record = record
        self._tell = tell
        self._repeat_after = timedelta(seconds=config.repeat_after_s)
        self._arrived = asyncio.Event()
        self._discarded: list[tuple[Lead, Discard]] = []
        self._queue: WorkQueue[Lead] = WorkQueue(
            priority=lead_urgency,
            key=lead_key,
            expires_at=lambda lead: lead.expires_at,
            repeat_after=self._repeat_after,
            maxsize=config.max_leads,
            on_discard=lambda lead, why: self._discarded.append((lead, why)),
        )
        # Keys of the duplicate filter: as the ledger has them, None where that is not known, and as they were
        # offered to it last.
        self._kept: dict[Hashable, datetime] | None = dict(record.recent)
        self._offered: dict[Hashable, datetime] = {}
        self._restore(config)

    def _restore(self, config: EngineConfig) -> None:
        """Take up the leads that the ledger kept, in the order in which they came."""
        at = now()
        for lead in sorted(self._record.leads.values(), key=lambda one: (one.found_at, one.lead_id)):
            if lead.not_before is None or lead.not_before <= at:
                self._queue.put(lead)
        self._queue.restore(self._record.recent)
        if len(self._queue):
            self._arrived.set()

    async def offer(
        self,
        leads: Sequence[Lead],
        stage: Stage,
        *,
        entries: Sequence[JournalEntry] = (),
        seen: Sequence[str] = (),
    ) -> tuple[Lead, ...]:
        """Offer leads, and write down those that were taken and those that found no place; return the taken.

        Parameters
        ----------
        leads : sequence of Lead
        stage : Stage
        entries, seen
            What a scanner wants written in the same transaction.
        """
        batch, accepted = Batch(), []
        for lead in leads:
            admission = self._queue.put(lead)
            if admission is Admission.ACCEPTED:
                accepted.append(lead)
                self._record.add_lead(batch, lead)
            elif admission is Admission.FULL:
                batch.journal(_not_discussed(lead, "the inbox is full of leads at least as urgent"))
            self._tell(LeadFound(at=lead.found_at, lead=lead, admission=admission))
        for entry in entries:
            batch.journal(entry)
        if seen:
            self._record.add_seen(batch, seen)
        self.add_discards(batch)
        if accepted:
            recent = self._offered = self._queue.recent()
            batch.recent(recent, before=self._kept)
            self._kept = None  # until this is written, and for good where it fails or is cancelled
        if batch:
            await self._record.commit(batch, stage)
        if accepted:
            if self._offered is recent:  # else another offer is on its way to the ledger
                self._kept = recent
            self._arrived.set()
        return tuple(accepted)

    def __len__(self) -> int:
        return len(self._queue)

    async def wait(self) -> None:
        """Wait until there may be something to take."""
        await self._arrived.wait()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that is still worth a discussion; forgets what has expired."""
        if self._queue.statistics().depth:
            return False
        self._arrived.clear()
        return True

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Lead]:
        """Take the most urgent lead; its discussion lasts for the block.

        Where the block fails, as while the ledger is locked, the lead is taken up once more.
        """
        async with self._queue.take() as lead:
            try:
                yield lead
            except BaseException:
                if lead.not_before is None and lead.lead_id in self._record.leads:
                    self._queue.put(lead.deferred(now(), lead.expires_at))
                    self._arrived.set()
                raise

    def release_due(self, at: datetime) -> int:
        """Put those leads back that waited for the market to open; return how many."""
        due = [
            lead
            for lead in self._record.leads.values()
            if lead.not_before is not None and lead.not_before <= at
        ]
        released = 0
        for lead in sorted(due, key=lambda one: (one.found_at, one.lead_id)):
            released += self._queue.put(lead) is Admission.ACCEPTED
        if released:
            self._arrived.set()
        return released

    @property
    def has_discards(self) -> bool:
        """Whether there are leads of which it is still to be written down that they were never discussed."""
        return bool(self._discarded)

    def add_discards(self, batch: Batch) -> None:
        """Write down which leads were never discussed, and why."""
        for lead, why in self._discarded:
            self._record.drop_lead(batch, lead)
            entry = _not_discussed(lead, why.value)
            batch.journal(entry)
            self._tell(LeadSettled(at=entry.at, lead=lead, outcome=entry.outcome))
        self._discarded.clear()

    def statistics(self) -> WorkQueueStatistics:
        """Return the queue's counters."""
        return self._queue.statistics()


def _not_discussed(lead: Lead, why: str) -> JournalEntry:
    return JournalEntry(
        at=now(),
        kind="lead",
        symbol=lead.symbol,
        cause=lead.lead_id,
        outcome=f"not discussed: {why}",
        seen=lead,
    )
