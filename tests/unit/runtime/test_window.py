import asyncio

import pytest

from vnquant.runtime import sliding_window


async def _collect(work, items, width):
    async with sliding_window(work, items, width=width) as outcomes:
        return [outcome async for outcome in outcomes]


async def test_every_item_yields_one_outcome_and_failures_are_outcomes():
    async def work(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n * n

    outcomes = await _collect(work, range(6), 2)
    assert {o.item: o.value for o in outcomes if o.error is None} == {0: 0, 1: 1, 2: 4, 4: 16, 5: 25}
    assert [type(o.error) for o in outcomes if o.error is not None] == [ValueError]


async def test_never_more_than_width_run_at_once():
    running = peak = 0

    async def work(_: int) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1

    await _collect(work, range(50), 7)
    assert peak == 7


async def test_a_slow_item_delays_no_other():
    gate = asyncio.Event()

    async def work(n: int) -> int:
        if n == 0:
            await gate.wait()
        return n

    seen = []
    async with sliding_window(work, range(10), width=2) as outcomes:
        async for outcome in outcomes:
            seen.append(outcome.item)
            if len(seen) == 9:
                gate.set()
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


async def test_leaving_early_cancels_the_rest_and_leaves_no_task():
    cancelled = []

    async def work(n: int) -> int:
        try:
            await asyncio.sleep(0 if n == 0 else 3600)
        except asyncio.CancelledError:
            cancelled.append(n)
            raise
        return n

    async with sliding_window(work, range(5), width=3) as outcomes:
        assert (await anext(outcomes)).item == 0
        await asyncio.sleep(0)
    assert sorted(cancelled) == [1, 2, 3]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_callers_own_exception_comes_out_bare():
    async def work(n: int) -> int:
        return n

    with pytest.raises(KeyError, match="mine"):
        async with sliding_window(work, range(5), width=2):
            raise KeyError("mine")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_items_are_taken_only_when_a_worker_is_free():
    taken = []

    def items():
        for n in range(1000):
            taken.append(n)
            yield n

    async def work(n: int) -> int:
        await asyncio.sleep(0)
        return n

    async with sliding_window(work, items(), width=4) as outcomes:
        await anext(outcomes)
        for _ in range(50):
            await asyncio.sleep(0)
    assert len(taken) <= 4 + 4 + 4


async def test_an_unusable_width_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        async with sliding_window(asyncio.sleep, [0], width=0):
            pass
