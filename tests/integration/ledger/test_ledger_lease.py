"""Two orchestrators on one ledger: the second is refused, and takes over when the first dies."""

import asyncio
import gc
import sys
from datetime import timedelta

import pytest

from vnquant.errors import DatabaseReadOnlyError, LeaseHeldError, LeaseLostError, ParameterError
from vnquant.runtime import MarketClock, now, run_virtual
from vnquant.trading import JournalEntry, Ledger

from .conftest import AT, Desk

HOLD_AND_WAIT = """
import asyncio, sys
from datetime import datetime
from vnquant.runtime import ICT, MarketClock, install_clock
from vnquant.trading import Ledger

async def main():
    install_clock(MarketClock.frozen(datetime(2025, 6, 2, 9, 30, tzinfo=ICT)))
    ledger = await Ledger.open(sys.argv[1], holder="the first")
    print("open", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_second_orchestrator_is_refused_and_told_by_whom(
    database: str, standing_clock: MarketClock
) -> None:
    async with await Ledger.open(database, holder="the first", term_s=180):
        with pytest.raises(
            LeaseHeldError, match=r"in use by the first \(process \d+ on .*read_only=True"
        ) as caught:
            await Ledger.open(database, holder="the second")
        assert caught.value.holder == "the first"
        assert caught.value.expires_at == AT + timedelta(seconds=180)


async def test_a_ledger_that_is_closed_gives_its_lease_back(
    database: str, standing_clock: MarketClock
) -> None:
    async with await Ledger.open(database, holder="the first"):
        pass
    async with await Ledger.open(database, holder="the second") as second:
        holder = await second.holder()
        assert holder is not None
        assert holder.holder == "the second"


async def test_a_lease_runs_out_in_market_time(
    database: str, standing_clock: MarketClock, desk: Desk
) -> None:
    first = await Ledger.open(database, holder="the first", term_s=180)
    standing_clock.set(at=AT + timedelta(seconds=180))
    async with await Ledger.open(database, holder="the second") as second:
        with pytest.raises(LeaseLostError, match="the second took it over") as caught:
            await first.record_intent(desk.order("behind its back"))
        assert caught.value.holder == "the second"
        with pytest.raises(LeaseLostError):
            await first.renew()
        assert await second.orders() == []
        await first.aclose()  # must not take the lease from its successor
        await second.record_intent(desk.order("o1"))


@pytest.mark.parametrize("how", ["writes", "renews"])
async def test_who_goes_on_working_keeps_the_lease(
    database: str, standing_clock: MarketClock, desk: Desk, how: str
) -> None:
    async with await Ledger.open(database, term_s=180) as first:
        standing_clock.set(at=AT + timedelta(seconds=170))
        if how == "writes":
            await first.record_journal(JournalEntry(at=AT, kind="k", outcome=""))
        else:
            await first.renew()
        standing_clock.set(at=AT + timedelta(seconds=340))
        with pytest.raises(LeaseHeldError):
            await Ledger.open(database)
        assert ((await first.recover()).ends_at is not None) == (how == "writes")


async def test_a_killed_process_is_succeeded_at_once(database: str, standing_clock: MarketClock) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD_AND_WAIT, database, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"open\n"
        with pytest.raises(LeaseHeldError, match=f"in use by the first .process {child.pid} on"):
            await Ledger.open(database)
        child.kill()
        async with await Ledger.open(database, holder="the second", wait_s=10) as ledger:
            await ledger.renew()
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_a_ledger_dropped_without_closing_is_succeeded_at_once(
    sqlite_url: str, standing_clock: MarketClock
) -> None:
    ledger = await Ledger.open(sqlite_url)
    thread = ledger._thread  # closed by hand, so that nothing but the lease is left behind
    del ledger
    gc.collect()
    async with await Ledger.open(sqlite_url):
        pass
    await thread.aclose()


async def test_an_opening_that_is_cancelled_gives_back_the_lease_that_it_was_given(
    database: str, standing_clock: MarketClock
) -> None:
    async with await Ledger.open(database):
        pass
    opening, turns = None, 0
    while opening is None or opening.cancelled():  # cancel it one turn of the loop later each time
        opening = asyncio.ensure_future(Ledger.open(database, holder="the first"))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        opening.cancel()
        await asyncio.wait({opening})
        if opening.cancelled():
            async with await Ledger.open(database, holder="the second", wait_s=0.0):
                turns += 1
    await opening.result().aclose()
    assert turns > 1


def test_waiting_for_a_lease_ends_when_it_runs_out(sqlite_url: str) -> None:
    async def main() -> None:
        begun = now()
        async with await Ledger.open(sqlite_url, term_s=180) as first:
            with pytest.raises(LeaseHeldError):
                await Ledger.open(sqlite_url, wait_s=100)
            assert now() - begun == timedelta(seconds=100)
            async with await Ledger.open(sqlite_url, wait_s=100):
                assert now() - begun == timedelta(seconds=180)
            with pytest.raises(LeaseLostError):
                await first.renew()

    run_virtual(main())


async def test_readers_need_no_lease_and_cannot_write(
    database: str, standing_clock: MarketClock, desk: Desk
) -> None:
    async with await Ledger.open(database) as writer, await Ledger.open(database, read_only=True) as reader:
        await writer.record_intent(desk.order("o1"))
        assert len(await reader.orders()) == 1
        assert reader.is_read_only
        with pytest.raises(DatabaseReadOnlyError, match="read_only=True"):
            await reader.record_intent(desk.order("o2"))
        with pytest.raises(DatabaseReadOnlyError):
            await reader.renew()


async def test_two_that_open_at_once_are_one_writer(database: str, standing_clock: MarketClock) -> None:
    opened = await asyncio.gather(*(Ledger.open(database) for _ in range(6)), return_exceptions=True)
    writers = [ledger for ledger in opened if isinstance(ledger, Ledger)]
    refused = [error for error in opened if isinstance(error, LeaseHeldError)]
    assert (len(writers), len(refused)) == (1, 5)
    await writers[0].aclose()


async def test_a_lease_without_term_is_refused(sqlite_url: str) -> None:
    with pytest.raises(ParameterError, match="term_s"):
        await Ledger.open(sqlite_url, term_s=0)
