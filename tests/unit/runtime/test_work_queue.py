import asyncio
import math
from datetime import datetime, timedelta

import msgspec
import pytest

from vnquant.errors import ClosedError, InputError, ParameterError
from vnquant.runtime import ICT, Admission, Discard, MarketClock, WorkQueue, install_clock, now

pytestmark = pytest.mark.virtual(start="2025-06-02 10:00")

START = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)


class Opportunity(msgspec.Struct, frozen=True):
    symbol: str
    level: int = 0
    expected_return: float = 0.0
    good_until: datetime | None = None


def opportunity_queue(**options) -> WorkQueue[Opportunity]:
    return WorkQueue(
        priority=lambda o: (o.level, o.expected_return),
        key=lambda o: o.symbol,
        expires_at=lambda o: o.good_until,
        **options,
    )


async def take_all(queue) -> list[str]:
    symbols = []
    while queue.statistics().depth:
        async with queue.take() as opportunity:
            symbols.append(opportunity.symbol)
    return symbols


async def test_the_highest_level_is_served_first_then_the_greater_return_then_the_earlier():
    queue = opportunity_queue()
    for opportunity in (
        Opportunity("FPT", 1, 0.05),
        Opportunity("VCB", 3, 0.01),
        Opportunity("HPG", 1, 0.09),
        Opportunity("SSI", 1, 0.05),
    ):
        assert queue.put(opportunity) is Admission.ACCEPTED
    assert await take_all(queue) == ["VCB", "HPG", "FPT", "SSI"]


async def test_each_item_goes_to_exactly_one_worker():
    queue = WorkQueue(priority=lambda n: (n,))
    taken = []

    async def worker():
        while True:
            async with queue.take() as item:
                await asyncio.sleep(1)
                taken.append(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(7)]
    await asyncio.sleep(1)
    for item in range(100):
        queue.put(item)
    await queue.join()
    queue.close()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(taken) == list(range(100))
    assert {type(outcome) for outcome in outcomes} == {ClosedError}
    assert now() == START + timedelta(seconds=1 + math.ceil(100 / 7))


async def test_a_key_is_refused_for_an_hour_of_market_time():
    queue = opportunity_queue()
    assert queue.put(Opportunity("FPT")) is Admission.ACCEPTED
    await take_all(queue)
    await asyncio.sleep(3599)
    assert queue.put(Opportunity("FPT", 9)) is Admission.DUPLICATE
    assert queue.put(Opportunity("VCB")) is Admission.ACCEPTED
    await asyncio.sleep(1)
    assert queue.put(Opportunity("FPT")) is Admission.ACCEPTED
    assert queue.statistics().refused_duplicate == 1


async def test_a_clock_set_back_refuses_no_key_for_longer_than_the_hour():
    queue = opportunity_queue()
    queue.put(Opportunity("FPT"))
    install_clock(MarketClock(START - timedelta(hours=5)))
    assert queue.put(Opportunity("FPT")) is Admission.ACCEPTED


async def test_the_distance_counts_where_the_clock_was_set_back_a_little():
    queue = opportunity_queue()
    queue.put(Opportunity("FPT"))
    await asyncio.sleep(50 * 60)
    queue.put(Opportunity("VCB"))
    install_clock(MarketClock(START - timedelta(minutes=15)))
    assert set(queue.recent()) == {"FPT"}
    assert queue.put(Opportunity("FPT")) is Admission.DUPLICATE
    assert queue.put(Opportunity("VCB")) is Admission.ACCEPTED


async def test_a_discarded_item_frees_no_key_that_was_accepted_again_since():
    queue = opportunity_queue(maxsize=2)
    queue.put(Opportunity("FPT", 1))
    await asyncio.sleep(3600)
    assert queue.put(Opportunity("FPT", 2)) is Admission.ACCEPTED
    assert queue.put(Opportunity("VCB", 3)) is Admission.ACCEPTED  # displaces the first
    assert queue.put(Opportunity("FPT", 9)) is Admission.DUPLICATE


async def test_join_ends_when_the_last_item_turns_out_to_have_expired():
    queue = opportunity_queue()
    queue.put(Opportunity("FPT", good_until=START + timedelta(seconds=10)))

    async def worker():
        async with queue.take():
            pass

    async with asyncio.TaskGroup() as tasks:
        joining = tasks.create_task(queue.join())
        await asyncio.sleep(20)
        working = tasks.create_task(worker())
        async with asyncio.timeout(1):
            await joining
        working.cancel()


async def test_an_expired_item_reaches_no_worker_and_its_key_is_free_again():
    gone = []
    queue = opportunity_queue(on_discard=lambda item, why: gone.append((item.symbol, why)))
    queue.put(Opportunity("FPT", 9, good_until=START + timedelta(minutes=5)))
    queue.put(Opportunity("VCB"))
    await asyncio.sleep(300)
    async with queue.take() as opportunity:
        assert opportunity.symbol == "VCB"
    assert gone == [("FPT", Discard.EXPIRED)]
    assert queue.put(Opportunity("FPT")) is Admission.ACCEPTED
    assert queue.put(Opportunity("HPG", good_until=now())) is Admission.EXPIRED


async def test_a_full_queue_gives_up_the_least_urgent():
    gone = []
    queue = opportunity_queue(maxsize=2, on_discard=lambda item, why: gone.append((item.symbol, why)))
    queue.put(Opportunity("FPT", 1))
    queue.put(Opportunity("VCB", 2))
    assert queue.put(Opportunity("HPG", 1)) is Admission.FULL
    assert queue.put(Opportunity("SSI", 3)) is Admission.ACCEPTED
    assert gone == [("FPT", Discard.DISPLACED)]
    assert queue.put(Opportunity("HPG", 9)) is Admission.ACCEPTED  # refused before, so not a repeat
    assert await take_all(queue) == ["HPG", "SSI"]


async def test_expired_items_make_room_before_others_are_given_up():
    queue = opportunity_queue(maxsize=2)
    queue.put(Opportunity("FPT", 9, good_until=START + timedelta(seconds=1)))
    queue.put(Opportunity("VCB", 1))
    await asyncio.sleep(1)
    assert queue.put(Opportunity("HPG", 1)) is Admission.ACCEPTED
    assert await take_all(queue) == ["VCB", "HPG"]


async def test_a_worker_cancelled_while_it_is_called_passes_the_item_on():
    queue = WorkQueue(priority=lambda n: (n,))
    taken = []

    async def worker():
        async with queue.take() as item:
            taken.append(item)

    first, second = (asyncio.ensure_future(worker()) for _ in range(2))
    await asyncio.sleep(1)
    queue.put(7)
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert first.cancelled()
    assert taken == [7]


async def test_join_waits_for_work_in_hand():
    queue = WorkQueue(priority=lambda n: (n,))
    await queue.join()

    async def worker():
        async with queue.take():
            await asyncio.sleep(60)

    queue.put(1)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker())
        await asyncio.sleep(1)
        assert queue.statistics().in_hand == 1
        await queue.join()
    assert now() == START + timedelta(seconds=60)


async def test_close_hands_out_what_waits_and_then_ends_the_workers():
    queue = WorkQueue(priority=lambda n: (n,))
    queue.put(1)
    queue.close()
    async with queue.take() as item:
        assert item == 1
    with pytest.raises(ClosedError):
        async with queue.take():
            pass
    with pytest.raises(ClosedError):
        queue.put(2)


async def test_a_restored_filter_repeats_nothing():
    before, after = opportunity_queue(), opportunity_queue()
    before.put(Opportunity("FPT"))
    await asyncio.sleep(1800)
    before.put(Opportunity("VCB"))
    after.restore(before.recent())
    assert after.put(Opportunity("FPT")) is Admission.DUPLICATE
    await asyncio.sleep(1800)
    assert after.put(Opportunity("FPT")) is Admission.ACCEPTED
    assert after.put(Opportunity("VCB")) is Admission.DUPLICATE
    assert before.recent() == {"VCB": START + timedelta(minutes=30)}


async def test_a_failing_discard_callback_disturbs_neither_put_nor_take(caplog):
    queue = WorkQueue(priority=lambda n: (n,), maxsize=1, on_discard=lambda item, why: 1 / 0)
    queue.put(1)
    assert queue.put(2) is Admission.ACCEPTED
    assert "ZeroDivisionError" in caplog.text


async def test_thousands_at_once_keep_the_most_urgent():
    queue = WorkQueue(priority=lambda n: (n % 1009,), maxsize=100)
    for item in range(20_000):
        queue.put(item)
    statistics = queue.statistics()
    assert statistics.depth == 100
    assert statistics.accepted == 100 + statistics.displaced
    async with queue.take() as first:
        assert first == 1008


async def test_what_has_no_order_or_no_size_is_refused():
    with pytest.raises(InputError, match="not a number"):
        opportunity_queue().put(Opportunity("FPT", 1, math.nan))
    with pytest.raises(ParameterError, match="at least 1"):
        opportunity_queue(maxsize=0)
