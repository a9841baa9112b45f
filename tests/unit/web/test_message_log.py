"""The log that all clients share."""

import datetime

import pytest

from vnquant.web import BroadcastConfig, Conflated, Delta, decode_server_message
from vnquant.web.message_log import MessageLog
from vnquant.web.protocol import encode_delta, frame_body

AT = datetime.datetime(2025, 6, 2, tzinfo=datetime.UTC)


def log_of(*keys: str | None, size: int = 0, **config) -> MessageLog:
    """Return a log with a message of each key, in order."""
    log = MessageLog(BroadcastConfig(**config))
    for key in keys:
        add(log, key, size)
    return log


def add(log: MessageLog, key: str | None, size: int = 0) -> None:
    number = log.head + 1
    message = {"n": number, "text": "x" * size}
    log.append(encode_delta(message, seq=number, topic="t", key=key, at=AT, max_bytes=1 << 20), key)


def split(data: bytes) -> list[bytes]:
    bodies = []
    while data:
        size = data[1] if data[1] < 126 else int.from_bytes(data[2 : 4 if data[1] == 126 else 10], "big")
        end = {126: 4, 127: 10}.get(data[1], 2) + size
        bodies.append(frame_body(data[:end]))
        data = data[end:]
    return bodies


def told(selection) -> list[object]:
    """Return the numbers of a selection's deltas, and what it says besides."""
    messages = [decode_server_message(body) for body in split(selection.data)]
    return [message.seq if isinstance(message, Delta) else message for message in messages]


def snapshot(log: MessageLog) -> list[int]:
    return [m.seq for body in log.snapshot() for m in decode_server_message(frame_body(body)).messages]


def test_numbers_rise_by_one_and_the_oldest_messages_go():
    log = log_of(*"abcdefgh", queue_messages=2, replay_messages=4)
    assert (log.head, log.oldest, len(log)) == (8, 5, 4)
    assert [log.reaches_back_to(after) for after in (-1, 3, 4, 8, 9)] == [False, False, True, True, False]


def test_the_log_is_bounded_in_bytes_too():
    log = log_of(*[None] * 100, size=1000, max_message_bytes=2000, replay_bytes=8000)
    assert 6000 < log.bytes <= 8000
    assert log.bytes == sum(len(entry.frame) for entry in log._entries)


def test_a_client_that_is_a_little_behind_gets_everything():
    log = log_of(*"aaaaa", queue_messages=5, replay_messages=10)
    assert told(log.select(0)) == [1, 2, 3, 4, 5]
    assert told(log.select(3)) == [4, 5]


def test_a_client_far_behind_gets_the_latest_of_each_key_and_every_message_without_one():
    log = log_of("a", "b", None, "a", "b", "a", queue_messages=3, replay_messages=10)
    selection = log.select(0)
    assert told(selection) == [Conflated(after=0, upto=6, given_up=3), 3, 5, 6]
    assert (selection.last, selection.messages, selection.given_up) == (6, 3, 3)


def test_what_is_given_up_is_counted_once_when_it_takes_several_batches():
    log = log_of(*"abcabcabcabc", size=200, queue_messages=4, replay_messages=20, batch_bytes=600)
    place, given_up, got = 0, 0, []
    while place < log.head:
        selection = log.select(place)
        place, given_up = selection.last, given_up + selection.given_up
        got += [number for number in told(selection) if isinstance(number, int)]
    assert got == [10, 11, 12]
    assert given_up == 9


def test_messages_without_a_key_are_never_given_up_so_too_many_end_it():
    assert log_of(*[None] * 4, queue_messages=3, replay_messages=10).select(0) is None


def test_a_client_that_the_log_does_not_reach_back_to_cannot_be_helped():
    log = log_of(*"aaaaaaaaaa", queue_messages=3, replay_messages=6)
    assert log.select(3) is None
    assert told(log.select(4))[-1] == 10


def test_a_client_that_came_back_is_replayed_one_by_one():
    log = log_of(*"aaaaaaaaaa", queue_messages=3, replay_messages=20)
    assert told(log.select(0, lossless_upto=8)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert told(log.select(8, lossless_upto=8)) == [9, 10]


def test_a_batch_is_bounded_but_takes_at_least_one_message():
    log = log_of(*"abc", size=1000, batch_bytes=500)
    assert told(log.batch(0)) == [1]
    log = log_of(*"abc", size=100, batch_bytes=500)
    assert told(log.batch(0)) == [1, 2]
    assert len(log.batch(0).data) <= 500


def test_a_snapshot_is_the_latest_of_each_key_and_the_last_events():
    log = log_of("a", None, "b", None, "a", None, snapshot_events=2)
    assert snapshot(log) == [3, 4, 5, 6]


def test_a_snapshot_reaches_further_back_than_the_log():
    log = log_of("a", *[None] * 10, queue_messages=1, replay_messages=2, snapshot_events=0)
    assert snapshot(log) == [1]


def test_an_empty_log_has_an_empty_snapshot():
    (part,) = log_of().snapshot()
    read = decode_server_message(frame_body(part))
    assert (read.seq, read.part, read.parts, read.messages) == (0, 1, 1, ())


def test_the_keys_of_a_snapshot_are_bounded_the_longest_unchanged_going_first():
    assert snapshot(log_of("a", "b", "a", "c", snapshot_keys=2)) == [3, 4]
    assert snapshot(log_of("a", "b", "c", size=1000, snapshot_bytes=2500)) == [2, 3]


def test_messages_of_a_forgotten_key_are_all_kept():
    log = log_of("a", "a", "b", "b", snapshot_keys=1, queue_messages=3, replay_messages=10)
    assert told(log.select(0))[1:] == [1, 2, 4]


def test_a_snapshot_is_encoded_once_for_all_who_ask():
    log = log_of("a")
    first = log.snapshot()
    assert log.snapshot() is first
    add(log, "a")
    assert log.snapshot() is not first


@pytest.mark.parametrize("size", [10, 70_000])
def test_a_large_snapshot_is_split_into_parts_of_a_batch(size):
    log = log_of(*"abcd", size=size)
    parts = [decode_server_message(frame_body(part)) for part in log.snapshot()]
    assert [(part.part, part.parts) for part in parts] == [(n + 1, len(parts)) for n in range(len(parts))]
    assert len(parts) == (1 if size == 10 else 4)
