"""Whatever the pace of publisher and client: what arrives is in order, complete by key, and adds up."""

import asyncio
import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from vnquant.runtime import run_virtual
from vnquant.web import BroadcastConfig, Conflated, Delta, Departure, Snapshot, decode_server_message
from vnquant.web.fanout import Fanout
from vnquant.web.protocol import encode_delta, frame_body

AT = datetime.datetime(2025, 6, 2, tzinfo=datetime.UTC)
CONFIG = BroadcastConfig(queue_messages=6, replay_messages=40, batch_bytes=400, stall_s=1e6, heartbeat_s=1e6)


class Pipe:
    """A transport whose peer takes bytes when it is told to."""

    def __init__(self) -> None:
        self.room, self.taken, self.kept, self.gone = 0, bytearray(), bytearray(), False
        self.empty = asyncio.Event()
        self.empty.set()

    def write(self, data):
        assert not self.kept  # nothing piles up
        self.kept += data
        self.take(0)

    def take(self, room):
        self.room += room
        size = min(self.room, len(self.kept))
        self.taken += self.kept[:size]
        del self.kept[:size]
        self.room -= size
        (self.empty.clear if self.kept else self.empty.set)()

    def get_write_buffer_size(self):
        return len(self.kept)

    def is_closing(self):
        return self.gone

    def close(self):
        self.gone = True

    def abort(self):
        self.gone = True
        self.empty.set()

    async def drained(self):
        await self.empty.wait()


def frames(data: bytes):
    while len(data) > 2:
        extended = {126: 4, 127: 10}.get(data[1], 2)
        end = extended + (data[1] if extended == 2 else int.from_bytes(data[2:extended], "big"))
        if len(data) < end:
            return
        yield decode_server_message(frame_body(data[:end]))
        data = data[end:]


key = st.sampled_from([None, "a", "a", "b", "b", "b", "c", "c"])
publish = st.tuples(st.just("publish"), st.lists(key, min_size=1, max_size=15))
take = st.tuples(st.just("take"), st.integers(1, 3000))
turn = st.tuples(st.just("turn"), st.none())
join = st.tuples(st.just("join"), st.booleans())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(publish, publish, take, turn, join), min_size=5, max_size=40))
def test_a_stream_is_ordered_complete_by_key_and_adds_up(steps):
    run_virtual(_play(steps), start="2025-06-02 09:00")


async def _play(steps) -> None:
    fanout = Fanout(CONFIG, "stream")
    clients: list[tuple[object, Pipe, int | None]] = []
    published: dict[int, str | None] = {}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fanout.write_for_ever())]

        def come(after: int | None) -> None:
            pipe = Pipe()
            client = fanout.add(pipe, "", stream="stream", after=after)
            resumed = after if fanout.log.reaches_back_to(-1 if after is None else after) else None
            clients.append((client, pipe, resumed))
            tasks.append(group.create_task(fanout.catch_up_for_ever(client, pipe.drained)))

        for step, value in steps:
            match step:
                case "publish":
                    for one in value:
                        while not fanout.has_room:
                            await fanout.moved()
                        seq = fanout.log.head + 1
                        published[seq] = one
                        framed = encode_delta(seq, seq=seq, topic="t", key=one, at=AT, max_bytes=1000)
                        fanout.append(framed, one)
                case "take" if clients:
                    clients[value % len(clients)][1].take(value)
                case "turn":
                    await asyncio.sleep(0)
                case "join":
                    come(fanout.log.head // 2 if value else None)
        for _, pipe, _ in clients:
            pipe.take(10**9)
        await asyncio.sleep(1)
        for client, pipe, resumed in clients:
            check(client, pipe, resumed, published)
        for task in tasks:
            task.cancel()


def check(client, pipe: Pipe, resumed: int | None, published: dict[int, str | None]) -> None:
    seq, upto, given_up, got = 0 if resumed is None else resumed, 0, 0, []
    latest: dict[str, int] = {}
    for message in frames(bytes(pipe.taken)):
        match message:
            case Snapshot():
                assert resumed is None
                seq = message.seq
                latest = latest if message.part > 1 else {}
                latest |= {delta.key: delta.seq for delta in message.messages if delta.key is not None}
            case Conflated():
                assert message.after == seq
                upto, given_up = message.upto, given_up + message.given_up
            case Delta():
                assert message.seq == seq + 1 or seq < message.seq <= upto
                got.append(message.seq)
                seq = message.seq
                if message.key is not None:
                    latest[message.key] = message.seq
    assert (len(got), given_up) == (client.delivered, client.conflated)
    if client.departure is Departure.BEHIND:
        return
    assert client.departure is None
    assert client.live
    assert seq == len(published)
    if resumed is None:  # else it has the rest from its first connection
        keyed = {number: key for number, key in published.items() if key is not None}
        assert latest == {key: number for number, key in keyed.items()}
    missing = set(range((got[0] if got else seq) + 1, seq + 1)) - set(got)
    assert all(published[number] is not None for number in missing)
    assert all(_overtaken(number, published) for number in missing)


def _overtaken(number: int, published: dict[int, str | None]) -> bool:
    return any(published[later] == published[number] for later in range(number + 1, len(published) + 1))
