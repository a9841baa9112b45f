"""Whatever is published, read and left in whatever order: the bus keeps order, counts and bounds."""

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from vnquant.runtime import EventBus, run_virtual

TOPICS = 3


class Numbered(msgspec.Struct, frozen=True):
    number: int


EVENT_TYPES = tuple(msgspec.defstruct(f"Topic{n}", [], bases=(Numbered,), frozen=True) for n in range(TOPICS))

reader_plans = st.fixed_dictionaries(
    {
        "topics": st.sets(st.integers(0, TOPICS - 1), min_size=1),
        "when_full": st.sampled_from(("block", "drop_oldest", "drop_newest", "conflate")),
        "maxsize": st.integers(1, 4),
        "pauses": st.lists(st.integers(0, 3), min_size=1, max_size=5),
        "leaves_after": st.none() | st.integers(0, 10),
    }
)
publisher_plans = st.fixed_dictionaries(
    {
        "topics": st.lists(st.integers(0, TOPICS - 1), max_size=15),
        "pauses": st.lists(st.integers(0, 2), min_size=1, max_size=3),
        "patience": st.none() | st.integers(1, 3),
    }
)


async def play(readers, publishers):
    """Return the numbers that each reader saw, its statistics at the end, and the numbers published."""
    bus, seen, statistics, published = EventBus(), [[] for _ in readers], {}, []

    async def read(index, plan):
        key = (lambda event: event.number % 2) if plan["when_full"] == "conflate" else None
        topic = tuple(EVENT_TYPES[n] for n in sorted(plan["topics"]))
        async with bus.subscribe(
            topic, maxsize=plan["maxsize"], when_full=plan["when_full"], key=key
        ) as events:
            async for event in events:
                seen[index].append(event.number)
                assert events.statistics().depth <= plan["maxsize"]
                if len(seen[index]) == plan["leaves_after"]:
                    break
                await asyncio.sleep(plan["pauses"][len(seen[index]) % len(plan["pauses"])])
            statistics[index] = events.statistics()

    async def publish(index, plan):
        for step, topic in enumerate(plan["topics"]):
            event = EVENT_TYPES[topic](1000 * index + step)
            try:
                async with asyncio.timeout(plan["patience"]):
                    await bus.publish(event)
            except TimeoutError:
                continue
            published.append(event.number)
            await asyncio.sleep(plan["pauses"][step % len(plan["pauses"])])

    async with asyncio.TaskGroup() as reading:
        for index, plan in enumerate(readers):
            reading.create_task(read(index, plan))
        await asyncio.sleep(0)
        async with asyncio.TaskGroup() as publishing:
            for index, plan in enumerate(publishers):
                publishing.create_task(publish(index, plan))
        assert bus.statistics().blocked_publishers == 0
        bus.close()
    return seen, statistics, published


@settings(max_examples=150, deadline=None)
@given(st.lists(reader_plans, max_size=4), st.lists(publisher_plans, max_size=3))
def test_order_counts_and_bounds_hold(readers, publishers):
    seen, statistics, published = run_virtual(play(readers, publishers))
    place = {
        (reader, number): position
        for reader in range(len(readers))
        for position, number in enumerate(seen[reader])
    }
    by_number = {1000 * p + s: t for p, plan in enumerate(publishers) for s, t in enumerate(plan["topics"])}
    for reader, plan in enumerate(readers):
        assert len(set(seen[reader])) == len(seen[reader])
        assert {by_number[number] for number in seen[reader]} <= plan["topics"]
        for other in range(len(readers)):
            common = [number for number in seen[reader] if (other, number) in place]
            assert common == sorted(common, key=lambda number, other=other: place[other, number])
        if plan["leaves_after"] is None or plan["leaves_after"] > len(seen[reader]):
            expected = {number for number in published if by_number[number] in plan["topics"]}
            lost = statistics[reader].dropped + statistics[reader].conflated
            assert len(seen[reader]) + lost == len(expected)
            assert set(seen[reader]) <= expected
            if plan["when_full"] == "block":
                assert set(seen[reader]) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 8))
def test_a_conflating_reader_that_wakes_late_has_the_latest_of_each_key(keys, maxsize):
    async def main():
        bus = EventBus()
        async with bus.subscribe(
            Numbered, maxsize=maxsize, when_full="conflate", key=lambda event: keys[event.number]
        ) as events:
            for number in range(len(keys)):
                bus.publish_nowait(Numbered(number))
            waiting = events.statistics()
            bus.close()
            return [event.number async for event in events], waiting

    seen, waiting = run_virtual(main())
    assert seen == sorted(seen)
    latest = sorted({key: number for number, key in enumerate(keys)}.values())
    assert set(latest[-maxsize:]) <= set(seen)
    assert (waiting.dropped > 0) <= (len(latest) > maxsize)
    assert waiting.dropped + waiting.conflated + waiting.depth == len(keys)
