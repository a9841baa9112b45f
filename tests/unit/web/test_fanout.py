"""The fan-out on transports without sockets, on virtual time."""

import asyncio
import contextlib
import datetime

import pytest

from vnquant.web import BroadcastConfig, Conflated, Delta, Departure, Snapshot, Welcome, decode_server_message
from vnquant.web.fanout import Fanout
from vnquant.web.protocol import CLOSE, PING, PONG, TEXT, encode_delta

AT = datetime.datetime(2025, 6, 2, tzinfo=datetime.UTC)

pytestmark = pytest.mark.virtual


class Desk:
    """A fan-out with its tasks, and clients with theirs."""

    def __init__(self, fanout: Fanout, group: asyncio.TaskGroup) -> None:
        self.fanout = fanout
        self.group = group

    async def join(self, transport, *, after: int | None = None):
        stream = None if after is None else self.fanout.stream
        client = self.fanout.add(transport, "test", stream=stream, after=after)
        self.group.create_task(self.fanout.catch_up_for_ever(client, transport.drained))
        await self.rest()
        return client

    async def send(self, key: str | None = None, *, size: int = 0, rest: bool = True) -> int:
        while not self.fanout.has_room:
            await self.fanout.moved()
        seq = self.fanout.log.head + 1
        framed = encode_delta("x" * size, seq=seq, topic="t", key=key, at=AT, max_bytes=1 << 20)
        self.fanout.append(framed, key)
        if rest:
            await self.rest()
        return seq

    async def rest(self) -> None:
        """Let every task run until it waits."""
        await asyncio.sleep(1e-6)


@contextlib.asynccontextmanager
async def running(**config):
    fanout = Fanout(BroadcastConfig(**config), "stream")
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            group.create_task(fanout.write_for_ever(), name="writer")
            group.create_task(fanout.watch_for_ever(), name="watch")
            try:
                yield Desk(fanout, group)
            finally:
                for task in group._tasks:
                    task.cancel()


def seen(transport) -> list[object]:
    """Return numbers of deltas, and what else was said."""
    messages = [decode_server_message(body) for first, body in transport.frames() if first == TEXT]
    return [message.seq if isinstance(message, Delta) else message for message in messages]


def numbers(transport) -> list[int]:
    return [one for one in seen(transport) if isinstance(one, int)]


async def test_a_client_begins_with_welcome_and_snapshot_and_is_live(make_transport):
    async with running() as desk:
        await desk.send("a")
        transport = make_transport()
        client = await desk.join(transport)
        welcome, snapshot = seen(transport)
        assert isinstance(welcome, Welcome)
        assert isinstance(snapshot, Snapshot)
        assert client.live
        await desk.send("a")
        assert numbers(transport) == [2]


async def test_messages_that_come_together_are_one_write_a_client(make_transport):
    async with running() as desk:
        transport = make_transport()
        await desk.join(transport)
        before = transport.writes
        for _ in range(50):
            await desk.send(rest=False)
        await desk.rest()
        assert transport.writes == before + 1
        assert numbers(transport) == list(range(1, 51))


async def test_a_publisher_far_ahead_of_the_writer_finds_no_room():
    async with running(queue_messages=10) as desk:
        for _ in range(10):
            assert desk.fanout.has_room
            await desk.send(rest=False)
        assert not desk.fanout.has_room
        await desk.fanout.moved()
        assert desk.fanout.has_room


async def test_a_full_client_is_not_written_to_and_catches_up_when_it_reads(make_transport):
    async with running(queue_messages=100) as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 150
        for _ in range(20):
            await desk.send()
        assert not client.live
        writes = transport.writes
        await desk.send()
        assert transport.writes == writes
        assert transport.peak_kept < 400
        transport.take(100_000)
        await desk.rest()
        assert client.live
        assert numbers(transport) == list(range(1, 22))


async def test_a_client_far_behind_is_conflated_by_key(make_transport):
    async with running(queue_messages=5) as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 0
        await desk.send()  # taken by nobody: it waits in the transport
        for number in range(40):
            await desk.send("ab"[number % 2])
        await desk.send()
        transport.take(100_000)
        await desk.rest()
        assert seen(transport)[2:] == [1, Conflated(after=1, upto=42, given_up=38), 40, 41, 42]
        assert (client.delivered, client.conflated) == (4, 38)


async def test_a_client_for_which_too_much_waits_is_dropped_when_it_reads(make_transport):
    async with running(queue_messages=5) as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 0
        for _ in range(10):
            await desk.send()
        transport.take(100_000)
        await desk.rest()
        assert client.departure is Departure.BEHIND
        assert transport.closing == "aborted"
        assert desk.fanout.gone == {"behind": 1}


async def test_a_stuck_client_is_dropped_after_its_time_and_no_sooner(make_transport):
    async with running(stall_s=10, heartbeat_s=1000) as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 0
        await desk.send()
        await asyncio.sleep(9.9)
        assert client.departure is None
        await asyncio.sleep(2.7)  # the watch looks each quarter
        assert client.departure is Departure.STALLED
        assert transport.closing == "aborted"


async def test_a_client_that_takes_a_little_now_and_then_stays(make_transport):
    async with running(stall_s=10, heartbeat_s=1000) as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 0
        for _ in range(20):
            await desk.send("same")
            await asyncio.sleep(6)
            transport.take(len(transport.kept))
        assert client.departure is None


async def test_a_client_that_the_log_has_left_behind_is_dropped_without_reading(make_transport):
    async with running(queue_messages=2, replay_messages=4, stall_s=10) as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 0
        for _ in range(10):
            await desk.send("same")
        await asyncio.sleep(3)
        assert client.departure is Departure.BEHIND


async def test_pings_go_out_and_silence_is_the_end(make_transport):
    async with running(heartbeat_s=20, stall_s=20) as desk:
        mute, alive = make_transport(), make_transport()
        silent, answering = await desk.join(mute), await desk.join(alive)
        loop = asyncio.get_running_loop()
        for _ in range(12):
            await asyncio.sleep(10)
            answering.hear(loop.time())
        assert silent.departure is Departure.SILENT
        assert answering.departure is None
        assert [first for first, _ in mute.frames() if first == PING] == [PING]
        assert len([first for first, _ in alive.frames() if first == PING]) >= 4


async def test_a_ping_is_answered_only_where_nothing_waits(make_transport):
    async with running() as desk:
        transport = make_transport()
        client = await desk.join(transport)
        desk.fanout.answer_ping(client, b"hi")
        assert transport.frames()[-1] == (PONG, b"hi")
        transport.room = 0
        await desk.send()
        kept = len(transport.kept)
        desk.fanout.answer_ping(client, b"hi")
        assert len(transport.kept) == kept


async def test_a_client_without_room_for_an_answer_falls_behind(make_transport):
    async with running() as desk:
        transport = make_transport()
        client = await desk.join(transport)
        transport.room = 0
        desk.fanout.answer_ping(client, b"hi")
        kept = len(transport.kept)
        await desk.send()
        assert len(transport.kept) == kept
        assert not client.live
        transport.take(1000)
        await desk.rest()
        assert client.live
        assert numbers(transport) == [1]


async def test_a_client_that_comes_back_is_replayed_and_one_from_elsewhere_is_not(make_transport):
    async with running(queue_messages=2, replay_messages=50) as desk:
        for _ in range(20):
            await desk.send("same")
        back, late = make_transport(), make_transport()
        await desk.join(back, after=5)
        await desk.join(late, after=21)
        assert numbers(back) == list(range(6, 21))
        assert numbers(late) == []
        assert desk.fanout.resumed == 1


async def test_a_client_that_comes_in_the_middle_of_a_round_misses_and_repeats_nothing(make_transport):
    async with running() as desk:
        first = [make_transport() for _ in range(450)]
        for transport in first:
            await desk.join(transport)
        late = make_transport()
        await desk.send(rest=False)
        await asyncio.sleep(0)  # the writer has served some
        await asyncio.sleep(0)
        assert 0 < sum(bool(numbers(transport)) for transport in first) < len(first)
        place = desk.fanout.log.head
        await desk.join(late)
        await desk.send()
        assert numbers(late) == [place + 1]
        assert all(numbers(transport) == [1, 2] for transport in first)


async def test_a_transport_that_fails_is_cut_and_the_others_are_served(make_transport):
    class Failing(make_transport):
        def write(self, data):
            if self.frames():
                raise OSError("broken")
            super().write(data)

    async with running() as desk:
        bad, good = Failing(), make_transport()
        await desk.join(bad)
        await desk.join(good)
        await desk.send()
        assert bad.closing == "aborted"
        assert numbers(good) == [1]


async def test_closing_says_goodbye_to_the_live_and_cuts_the_others(make_transport):
    async with running() as desk:
        live, stuck = make_transport(), make_transport()
        await desk.join(live)
        await desk.join(stuck)
        stuck.room = 0
        await desk.send()
        desk.fanout.close()
        assert (live.closing, stuck.closing) == ("closed", "aborted")
        assert live.frames()[-1] == (CLOSE, (1001).to_bytes(2, "big"))
        assert desk.fanout.gone == {"closed": 2}
        assert not desk.fanout.clients
