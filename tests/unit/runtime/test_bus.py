import asyncio

import msgspec
import pytest

from vnquant.errors import BusFullError, ClosedError, InputError, ParameterError, StateError
from vnquant.runtime import EventBus

pytestmark = pytest.mark.virtual


class Quote(msgspec.Struct, frozen=True):
    symbol: str
    price: int = 0


class Halt(msgspec.Struct, frozen=True):
    symbol: str


class IndexQuote(Quote, frozen=True):
    pass


def quotes(*texts: str) -> list[Quote]:
    """`"FPT1"` is the quote of FPT at 1."""
    return [Quote(text[:-1], int(text[-1])) for text in texts]


async def drain(subscription) -> list:
    """Take what waits, without waiting."""
    taken = []
    while subscription.statistics().depth:
        taken.append(await anext(subscription))
    return taken


async def collect(bus, topic, into, **options):
    async with bus.subscribe(topic, **options) as events:
        async for event in events:
            into.append(event)


async def test_every_matching_subscription_gets_every_event_in_order():
    bus, first, second = EventBus(), [], []
    sent = [Quote("FPT", n) for n in range(2500)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(collect(bus, Quote, first))
        tasks.create_task(collect(bus, Quote, second, maxsize=1))
        await asyncio.sleep(0)
        for quote in sent:
            await bus.publish(quote)
        bus.close()
    assert first == second == sent


async def test_a_topic_is_a_type_with_its_subclasses_several_types_or_a_predicate():
    bus = EventBus()
    async with (
        bus.subscribe(Quote) as all_quotes,
        bus.subscribe((IndexQuote, Halt)) as some,
        bus.subscribe(Quote, lambda quote: quote.symbol == "FPT") as fpt,
        bus.subscribe(msgspec.Struct) as everything,
    ):
        for event in (Quote("FPT"), Halt("FPT"), IndexQuote("VNINDEX")):
            bus.publish_nowait(event)
        assert await drain(all_quotes) == [Quote("FPT"), IndexQuote("VNINDEX")]
        assert await drain(some) == [Halt("FPT"), IndexQuote("VNINDEX")]
        assert await drain(fpt) == [Quote("FPT")]
        assert len(await drain(everything)) == 3


async def test_a_subscription_gets_only_what_is_published_while_it_is_open():
    bus = EventBus()
    bus.publish_nowait(Quote("FPT", 1))
    async with bus.subscribe(Quote) as events:
        bus.publish_nowait(Quote("FPT", 2))
        assert await drain(events) == [Quote("FPT", 2)]
    bus.publish_nowait(Quote("FPT", 3))
    assert bus.statistics().subscriptions == ()
    with pytest.raises(ClosedError, match="async with"):
        await anext(events)


@pytest.mark.parametrize(
    ("when_full", "kept"), [("drop_oldest", ("FPT2", "FPT3")), ("drop_newest", ("FPT1", "FPT2"))]
)
async def test_a_full_subscription_drops_as_it_chose_and_counts_it(when_full, kept):
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=2, when_full=when_full) as events:
        for quote in quotes("FPT1", "FPT2", "FPT3"):
            await bus.publish(quote)
        assert events.statistics().dropped == bus.statistics().dropped == 1
        assert await drain(events) == quotes(*kept)
    assert bus.statistics().dropped == 1


@pytest.mark.parametrize(
    ("sent", "kept", "conflated", "dropped"),
    [
        (("FPT1", "FPT2", "VCB1"), ("FPT1", "FPT2", "VCB1"), 0, 0),  # not full: nothing is lost
        (("FPT1", "VCB1", "HPG1", "FPT2"), ("VCB1", "HPG1", "FPT2"), 1, 0),
        (("FPT1", "VCB1", "VCB2", "HPG1"), ("FPT1", "VCB2", "HPG1"), 1, 0),  # VCB1 is overtaken, FPT1 is not
        (("FPT1", "FPT2", "FPT3", "FPT4", "FPT5", "FPT6"), ("FPT4", "FPT5", "FPT6"), 3, 0),
        (("FPT1", "VCB1", "HPG1", "SSI1"), ("VCB1", "HPG1", "SSI1"), 0, 1),  # more keys than places
    ],
)
async def test_a_full_conflating_subscription_keeps_the_latest_of_each_key(sent, kept, conflated, dropped):
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=3, when_full="conflate", key=lambda q: q.symbol) as events:
        for quote in quotes(*sent):
            await bus.publish(quote)
        assert (events.statistics().conflated, events.statistics().dropped) == (conflated, dropped)
        assert await drain(events) == quotes(*kept)


async def test_a_full_blocking_subscription_makes_the_publisher_wait_and_loses_nothing():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=1) as events, asyncio.TaskGroup() as tasks:
        await bus.publish(Quote("FPT", 1))
        waiting = tasks.create_task(bus.publish(Quote("FPT", 2)))
        await asyncio.sleep(60)
        assert not waiting.done()
        assert bus.statistics().blocked_publishers == events.statistics().blocked_publishers == 1
        assert await anext(events) == Quote("FPT", 1)
        assert await anext(events) == Quote("FPT", 2)
    assert bus.statistics().blocked_publishers == 0


async def test_waiting_publishers_are_served_first_come_first_served():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=1) as events, asyncio.TaskGroup() as tasks:
        for price in range(10):
            tasks.create_task(bus.publish(Quote("FPT", price)))
        await asyncio.sleep(1)
        assert [(await anext(events)).price for _ in range(10)] == list(range(10))


async def test_a_slow_or_dead_subscriber_that_does_not_block_stops_nobody():
    bus, seen = EventBus(), []
    async with (
        bus.subscribe(Quote, maxsize=5, when_full="drop_oldest") as dead,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(collect(bus, Quote, seen))
        await asyncio.sleep(0)
        for price in range(5000):
            await bus.publish(Quote("FPT", price))
        bus.close()
    assert len(seen) == 5000
    assert dead.statistics().dropped == 4995


async def test_a_blocked_publisher_stops_no_publisher_of_another_topic():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=1), bus.subscribe(Halt) as halts, asyncio.TaskGroup() as tasks:
        await bus.publish(Quote("FPT"))
        blocked = tasks.create_task(bus.publish(Quote("FPT")))
        await asyncio.sleep(1)
        async with asyncio.timeout(1):
            await bus.publish(Halt("VCB"))
        assert await anext(halts) == Halt("VCB")
        blocked.cancel()


async def test_a_blocked_event_that_the_predicate_refuses_does_not_wait():
    bus = EventBus()
    async with bus.subscribe(Quote, lambda q: q.symbol == "FPT", maxsize=1) as events:
        await bus.publish(Quote("FPT"))
        async with asyncio.timeout(1):
            await bus.publish(Quote("VCB"))
        bus.publish_nowait(Quote("VCB"))
        assert events.statistics().depth == 1


async def test_a_cancelled_publisher_has_delivered_to_nobody_and_frees_those_behind_it():
    bus = EventBus()
    async with (
        bus.subscribe(Quote, maxsize=1) as full,
        bus.subscribe(Quote) as roomy,
        bus.subscribe(Halt, maxsize=1),
        asyncio.TaskGroup() as tasks,
    ):
        await bus.publish(Quote("FPT", 1))
        cancelled = tasks.create_task(bus.publish(Quote("FPT", 2)))
        behind = tasks.create_task(bus.publish(Quote("FPT", 3)))
        await asyncio.sleep(1)
        cancelled.cancel()
        await asyncio.sleep(1)
        assert not behind.done()
        assert await drain(full) == quotes("FPT1", "FPT3")
        assert await drain(roomy) == quotes("FPT1", "FPT3")


async def test_two_subscriptions_that_block_get_a_waiting_event_at_one_instant():
    bus = EventBus()
    async with (
        bus.subscribe(Quote, maxsize=1) as first,
        bus.subscribe(Quote, maxsize=1) as second,
        asyncio.TaskGroup() as tasks,
    ):
        await bus.publish(Quote("FPT", 1))
        tasks.create_task(bus.publish(Quote("FPT", 2)))
        await asyncio.sleep(1)
        assert await anext(first) == Quote("FPT", 1)
        assert first.statistics().depth == 0
        assert await anext(second) == Quote("FPT", 1)
        assert await anext(first) == await anext(second) == Quote("FPT", 2)


async def test_a_publisher_behind_a_cancelled_one_goes_on_at_once():
    bus = EventBus()
    async with (
        bus.subscribe(Quote, maxsize=1),
        bus.subscribe((Quote, Halt)) as both,
        asyncio.TaskGroup() as tasks,
    ):
        await bus.publish(Quote("FPT"))
        first = tasks.create_task(bus.publish(Quote("FPT")))
        await asyncio.sleep(1)
        second = tasks.create_task(bus.publish(Halt("FPT")))
        await asyncio.sleep(1)
        assert not second.done()
        first.cancel()
        await asyncio.sleep(1)
        assert second.done()
        assert await drain(both) == [Quote("FPT"), Halt("FPT")]


async def test_an_event_does_not_overtake_one_that_waits_longer_for_a_common_reader():
    bus = EventBus()
    async with (
        bus.subscribe(Halt, maxsize=1) as halts,
        bus.subscribe((Quote, Halt)) as both,
        bus.subscribe(Quote, maxsize=1) as only_quotes,
        asyncio.TaskGroup() as tasks,
    ):
        await bus.publish(Quote("FPT", 1))
        await bus.publish(Halt("FPT"))
        tasks.create_task(bus.publish(Quote("FPT", 2)))  # waits for `only_quotes`
        await asyncio.sleep(1)
        tasks.create_task(bus.publish(Halt("VCB")))  # waits for `halts`, and behind the quote
        await asyncio.sleep(1)
        await anext(halts)
        assert both.statistics().depth == 2
        await anext(only_quotes)
        assert await drain(both) == [Quote("FPT", 1), Halt("FPT"), Quote("FPT", 2), Halt("VCB")]


async def test_leaving_a_subscription_frees_the_publishers_that_waited_for_it():
    bus = EventBus()
    async with asyncio.TaskGroup() as tasks, bus.subscribe(Quote) as other:
        async with bus.subscribe(Quote, maxsize=1):
            for price in range(500):
                tasks.create_task(bus.publish(Quote("FPT", price)))
            await asyncio.sleep(1)
            assert bus.statistics().blocked_publishers == 499
        assert other.statistics().depth == 500
        assert bus.statistics().blocked_publishers == 0
        assert [quote.price for quote in await drain(other)] == list(range(500))


async def test_publish_nowait_is_refused_by_a_full_blocking_subscription_and_reaches_nobody():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=1, name="ledger"), bus.subscribe(Quote) as other:
        bus.publish_nowait(Quote("FPT", 1))
        with pytest.raises(BusFullError, match="ledger"):
            bus.publish_nowait(Quote("FPT", 2))
        assert await drain(other) == quotes("FPT1")


async def test_close_lets_readers_finish_what_waits_and_ends_their_iterations():
    bus, seen = EventBus(), []
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(collect(bus, Quote, seen))
        idle = tasks.create_task(collect(bus, Halt, seen))
        await asyncio.sleep(0)
        for quote in quotes("FPT1", "FPT2"):
            bus.publish_nowait(quote)
        await bus.close()
        bus.close()
    assert reader.done()
    assert idle.done()
    assert seen == quotes("FPT1", "FPT2")
    with pytest.raises(ClosedError):
        await bus.publish(Quote("FPT"))
    with pytest.raises(ClosedError):
        async with bus.subscribe(Quote):
            pass


async def test_close_refuses_the_events_of_waiting_publishers():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=1) as events:
        await bus.publish(Quote("FPT", 1))
        waiting = [asyncio.ensure_future(bus.publish(Quote("FPT", price))) for price in (2, 3)]
        await asyncio.sleep(1)
        bus.close()
        waiting[1].cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ClosedError, asyncio.CancelledError]
        assert [quote async for quote in events] == quotes("FPT1")


async def test_process_all_events_drains_and_returns_also_when_the_handler_publishes():
    bus, seen = EventBus(maxsize=3), []

    async def handle(quote):
        seen.append(quote.price)
        for price in (10 * quote.price, 10 * quote.price + 1):
            if price < 400:
                await bus.publish(Quote("FPT", price))

    for price in (1, 2, 3):
        await bus.publish(Quote("FPT", price))
    assert await bus.process_all_events(handle) == len(seen)
    # 3 events with two children each, down to three digits: 3 * (1 + 2 + 4)
    assert len(seen) == 21
    assert bus.statistics().backlog == bus.statistics().backlog_overwritten == 0
    assert await bus.process_all_events(handle) == 0


async def test_process_all_events_works_beside_subscriptions_and_with_a_plain_handler():
    bus, seen = EventBus(), []
    async with bus.subscribe(Quote) as events:
        bus.publish_nowait(Quote("FPT"))
        await bus.process_all_events(seen.append)
        assert seen == await drain(events) == [Quote("FPT")]


async def test_a_handler_that_always_publishes_can_be_cancelled():
    bus = EventBus()
    bus.publish_nowait(Quote("FPT"))
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    with pytest.raises(asyncio.CancelledError):
        await bus.process_all_events(bus.publish_nowait)
    asyncio.current_task().uncancel()


async def test_a_handler_that_fails_leaves_the_rest_for_the_next_call():
    bus, seen = EventBus(), []
    for quote in quotes("FPT1", "FPT2"):
        bus.publish_nowait(quote)
    with pytest.raises(ZeroDivisionError):
        await bus.process_all_events(lambda _: 1 / 0)
    await bus.process_all_events(seen.append)
    assert seen == quotes("FPT2")


async def test_the_backlog_is_bounded_and_counts_what_it_forgets():
    bus, seen = EventBus(maxsize=3), []
    for price in range(5):
        bus.publish_nowait(Quote("FPT", price))
    assert bus.statistics().backlog_overwritten == 2
    await bus.process_all_events(seen.append)
    assert [quote.price for quote in seen] == [2, 3, 4]


async def test_depth_and_lag_are_counted_in_loop_seconds():
    bus = EventBus()
    async with bus.subscribe(Quote, name="slow") as events:
        bus.publish_nowait(Quote("FPT", 1))
        await asyncio.sleep(30)
        bus.publish_nowait(Quote("FPT", 2))
        await asyncio.sleep(10)
        waiting = events.statistics()
        assert (waiting.depth, waiting.lag_s) == (2, pytest.approx(40))
        await drain(events)
        taken = events.statistics()
    assert (taken.depth, taken.peak_depth, taken.delivered, taken.lag_s) == (0, 2, 2, 0)
    assert (taken.max_lag_s, taken.last_lag_s) == (pytest.approx(40), pytest.approx(10))
    assert bus.statistics().delivered == 2


async def test_statistics_become_a_frame_with_one_row_a_subscription():
    bus = EventBus()
    async with bus.subscribe(Quote, name="a"), bus.subscribe((Quote, Halt), name="b"):
        bus.publish_nowait(Quote("FPT"))
        frame = bus.statistics().to_frame()
    assert frame.set_index("name")["topic"].to_dict() == {"a": "Quote", "b": "Quote | Halt"}
    assert list(frame["depth"]) == [1, 1]


@pytest.mark.parametrize("options", [{"where": lambda q: q.missing}, {"key": lambda q: q.missing}])
async def test_a_subscribers_own_code_that_raises_ends_its_subscription_alone(options):
    bus = EventBus()
    when_full = "conflate" if "key" in options else "block"
    async with bus.subscribe(Quote, when_full=when_full, **options) as broken, bus.subscribe(Quote) as sound:
        await bus.publish(Quote("FPT", 1))
        await bus.publish(Quote("FPT", 2))
        with pytest.raises(AttributeError, match="missing"):
            await anext(broken)
        assert await drain(sound) == quotes("FPT1", "FPT2")
        await asyncio.sleep(0)
        assert [one.name for one in bus.statistics().subscriptions] == [sound.name]


async def test_an_idle_reader_can_be_cancelled_without_losing_an_event():
    bus = EventBus()
    async with bus.subscribe(Quote) as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await anext(events)
        bus.publish_nowait(Quote("FPT"))
        assert await anext(events) == Quote("FPT")


async def test_a_publisher_that_never_waits_does_not_starve_its_reader():
    bus, seen = EventBus(), []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(collect(bus, Quote, seen, when_full="drop_oldest"))
        await asyncio.sleep(0)
        for price in range(10_000):
            await bus.publish(Quote("FPT", price))
        bus.close()
    assert len(seen) == 10_000


async def test_two_readers_of_one_subscription_are_refused():
    bus = EventBus()
    async with bus.subscribe(Quote) as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        with pytest.raises(StateError, match="WorkQueue"):
            await anext(events)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"maxsize": 0}, "at least 1"),
        ({"when_full": "explode"}, "'conflate'"),
        ({"key": str}, "when_full='conflate'"),
    ],
)
async def test_an_unusable_subscription_is_refused_with_what_would_do(options, told):
    with pytest.raises(ParameterError, match=told):
        EventBus().subscribe(Quote, **options)


async def test_an_event_or_topic_that_is_no_type_is_refused():
    with pytest.raises(InputError, match=r"msgspec\.Struct"):
        await EventBus().publish({"symbol": "FPT"})
    with pytest.raises(ParameterError, match="where="):
        EventBus().subscribe("Quote")
    with pytest.raises(ParameterError, match="at least 1"):
        EventBus(maxsize=0)


async def test_an_announcement_reaches_everybody_but_the_blocking_reader_that_is_full():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=2) as slow, bus.subscribe(Quote) as quick:
        for number in range(5):
            bus.announce(Quote("FPT", number))
        assert await drain(slow) == quotes("FPT0", "FPT1")
        assert await drain(quick) == quotes("FPT0", "FPT1", "FPT2", "FPT3", "FPT4")
        assert slow.statistics().dropped == bus.statistics().dropped == 3
        bus.announce(Quote("FPT", 5))
        assert await drain(slow) == quotes("FPT5")


async def test_an_announcement_overtakes_no_publisher_that_waits():
    bus = EventBus()
    async with bus.subscribe(Quote, maxsize=1) as events:
        bus.announce(Quote("FPT", 1))
        waiting = asyncio.ensure_future(bus.publish(Quote("FPT", 2)))
        await asyncio.sleep(0)
        bus.announce(Quote("FPT", 3))
        assert await anext(events) == Quote("FPT", 1)
        await waiting
        assert await drain(events) == quotes("FPT2")
    bus.close()
    with pytest.raises(ClosedError):
        bus.announce(Quote("FPT"))
