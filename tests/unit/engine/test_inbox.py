"""The inbox's duplicate filter in the ledger: what a restart finds is what the queue refuses."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from vnquant.engine import EngineConfig
from vnquant.engine.inbox import Inbox
from vnquant.engine.leads import Lead, Origin
from vnquant.engine.record import Record
from vnquant.engine.rounds import Stage
from vnquant.errors import DatabaseLockedError
from vnquant.market import default_calendar
from vnquant.runtime import now
from vnquant.trading import Batch, JournalEntry, Ledger, Side

pytestmark = [pytest.mark.virtual(start="2025-06-02 09:00")]

SYMBOLS = ("FPT", "VCB", "HPG", "SSI", "MWG", "VNM", "ACB", "TCB")


@pytest.fixture
async def ledger(tmp_path):
    async with await Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
async def record(ledger):
    return await Record.open(ledger, cash_vnd=100_000_000, calendar=default_calendar())


def inbox_on(record, **config):
    return Inbox(record, config=EngineConfig(repeat_after_s=600, **config), tell=lambda event: None)


def lead(symbol, n=0):
    return Lead(
        lead_id=f"{now():%H%M%S}-{symbol}-{n}",
        symbol=symbol,
        direction=Side.BUY,
        origin=Origin.MODEL,
        found_at=now(),
        expires_at=now() + timedelta(seconds=900),
        expected_return=0.01 + n / 1_000,
    )


async def kept(record):
    return (await record.ledger.recover()).recent


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_offered_the_ledger_keeps_the_keys_that_are_refused(record, seed):
    """Keys expire, are displaced by more urgent leads and come again; now and then the run is restarted."""
    draw = Random(seed)
    inbox = inbox_on(record, max_leads=4)
    changes = 0
    for step in range(120):
        await asyncio.sleep(draw.choice((0, 30, 200, 700)))
        if draw.random() < 0.3 and not inbox.is_empty:
            async with inbox.take() as taken:
                batch = Batch()
                record.drop_lead(batch, taken)
                await record.commit(batch, Stage.LEADS)
        found = [lead(symbol, draw.randrange(50)) for symbol in draw.sample(SYMBOLS, draw.randrange(4))]
        if await inbox.offer(found, Stage.MODEL):
            changes += 1
            assert await kept(record) == inbox._queue.recent()
        if step % 40 == 39:
            again = await Record.open(record.ledger, cash_vnd=0, calendar=default_calendar())
            assert again.recent == await kept(record)
            record, inbox = again, inbox_on(again, max_leads=4)
    assert changes > 20


async def test_an_offer_writes_only_the_keys_that_changed(record, monkeypatch):
    inbox, written = inbox_on(record), []
    monkeypatch.setattr(record.ledger, "commit", _noting(record.ledger.commit, written))
    await inbox.offer([lead("FPT"), lead("VCB")], Stage.MODEL)
    await asyncio.sleep(400)
    await inbox.offer([lead("HPG")], Stage.MODEL)
    await asyncio.sleep(400)  # the first two may come again
    await inbox.offer([lead("FPT")], Stage.NEWS)
    keys = [
        {name: value is not None for (scope, name), value in batch.states.items() if scope == "recent"}
        for batch in written
    ]
    assert keys == [
        {'["FPT","BUY"]': True, '["VCB","BUY"]': True},
        {'["HPG","BUY"]': True},
        {'["FPT","BUY"]': True, '["VCB","BUY"]': False},
    ]
    assert not any(batch.cleared for batch in written)
    assert await kept(record) == inbox._queue.recent()


async def test_after_a_failure_the_keys_are_written_whole(record, monkeypatch):
    inbox = inbox_on(record)
    await inbox.offer([lead("FPT")], Stage.MODEL)
    with monkeypatch.context() as broken:
        broken.setattr(record.ledger, "commit", _locked)
        with pytest.raises(DatabaseLockedError):
            await inbox.offer([lead("VCB")], Stage.MODEL)
    await asyncio.sleep(60)
    await inbox.offer([lead("HPG")], Stage.MODEL)
    assert set(await kept(record)) == {("FPT", "BUY"), ("VCB", "BUY"), ("HPG", "BUY")}
    assert await kept(record) == inbox._queue.recent()


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_offers_that_overlap_or_are_cancelled_leave_no_key_behind(record, monkeypatch, cancelled):
    """What is not known to be written is not counted on: the next offer replaces all keys."""
    inbox, gate = inbox_on(record), asyncio.Event()
    commit = record.ledger.commit

    async def slowly(batch):
        await gate.wait()
        await commit(batch)

    with monkeypatch.context() as slow:
        slow.setattr(record.ledger, "commit", slowly)
        offers = [asyncio.create_task(inbox.offer([lead(symbol)], Stage.MODEL)) for symbol in ("FPT", "VCB")]
        await asyncio.sleep(0)
        offers[cancelled].cancel()
        gate.set()
        for offer in offers:
            with suppress(asyncio.CancelledError):
                await offer
    for symbol in ("HPG", "SSI"):
        await asyncio.sleep(500)
        await inbox.offer([lead(symbol)], Stage.MODEL)
        assert await kept(record) == inbox._queue.recent()
    assert set(await kept(record)) == {("HPG", "BUY"), ("SSI", "BUY")}


async def test_two_tasks_that_pay_one_debt_write_it_once(record, monkeypatch):
    commit = record.ledger.commit

    async def slowly(batch):
        await asyncio.sleep(1)
        await commit(batch)

    debt = Batch()
    debt.journal(JournalEntry(at=now(), kind="fill", outcome="bought"))
    record._owed.append(debt)
    monkeypatch.setattr(record.ledger, "commit", slowly)
    await asyncio.gather(*(record.commit(Batch(), Stage.MODEL) for _ in range(2)))
    assert record._owed == []
    assert [entry.outcome for entry in await record.ledger.journal()] == ["bought"]


async def _locked(batch):
    raise DatabaseLockedError("another program writes")


def _noting(commit, written):
    async def noting(batch):
        written.append(batch)
        await commit(batch)

    return noting
