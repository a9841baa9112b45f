"""Whatever is put, expires, displaces or is cancelled: every accepted item has exactly one end."""

import asyncio
from collections import Counter
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from vnquant.errors import ClosedError
from vnquant.runtime import Admission, WorkQueue, now, run_virtual


class Item(msgspec.Struct, frozen=True):
    number: int
    key: int
    priority: float
    lives_s: int | None
    after_s: int


items = st.lists(
    st.builds(
        Item,
        number=st.just(0),
        key=st.integers(0, 6),
        priority=st.integers(0, 4).map(float),
        lives_s=st.none() | st.integers(0, 90),
        after_s=st.integers(0, 60),
    ),
    max_size=40,
).map(lambda made: [msgspec.structs.replace(item, number=n) for n, item in enumerate(made)])
worker_plans = st.lists(
    st.fixed_dictionaries({"work_s": st.integers(0, 120), "dies_after_s": st.none() | st.integers(0, 600)}),
    min_size=1,
    max_size=4,
)


async def play(puts, workers, maxsize):
    handed, discarded, admissions, accepted_at = [], [], {}, {}
    expiry = {}
    queue = WorkQueue(
        priority=lambda item: (item.priority,),
        key=lambda item: item.key,
        expires_at=lambda item: expiry[item.number],
        repeat_after=timedelta(seconds=300),
        maxsize=maxsize,
        on_discard=lambda item, why: discarded.append(item.number),
    )

    async def work(work_s):
        while True:
            async with queue.take() as item:
                assert expiry[item.number] is None or now() < expiry[item.number]
                handed.append(item.number)
                await asyncio.sleep(work_s)

    async def live(plan):
        try:
            async with asyncio.timeout(plan["dies_after_s"]):
                await work(plan["work_s"])
        except (TimeoutError, ClosedError):
            pass

    async with asyncio.TaskGroup() as tasks:
        for plan in [*workers, {"work_s": 1, "dies_after_s": None}]:
            tasks.create_task(live(plan))
        for item in puts:
            await asyncio.sleep(item.after_s)
            expiry[item.number] = None if item.lives_s is None else now() + timedelta(seconds=item.lives_s)
            admissions[item.number] = queue.put(item)
            assert len(queue) <= maxsize
            accepted_at[item.number] = now()
        await queue.join()
        queue.close()
    return handed, discarded, admissions, accepted_at, queue.statistics()


@settings(max_examples=200, deadline=None)
@given(items, worker_plans, st.integers(1, 4))
def test_every_accepted_item_is_handed_to_one_worker_or_discarded_once(puts, workers, maxsize):
    handed, discarded, admissions, accepted_at, statistics = run_virtual(play(puts, workers, maxsize))
    accepted = {number for number, admission in admissions.items() if admission is Admission.ACCEPTED}
    assert Counter(handed + discarded) == Counter(accepted)
    assert statistics.handed_out == len(handed)
    assert statistics.accepted == statistics.handed_out + statistics.expired + statistics.displaced
    assert statistics.in_hand == statistics.depth == 0
    by_key = {}
    for number in sorted(set(handed)):
        key, at = puts[number].key, accepted_at[number]
        assert key not in by_key or at - by_key[key] >= timedelta(seconds=300)
        by_key[key] = at
