"""What goes over the wire."""

import datetime
import json

import msgspec
import numpy as np
import pytest

from vnquant.errors import ParameterError, RecordError
from vnquant.web import Conflated, Delta, Resync, Snapshot, Welcome, decode_server_message
from vnquant.web.protocol import (
    TEXT,
    decode_client_message,
    encode_delta,
    encode_snapshot,
    frame,
    frame_body,
    text_frame,
)

AT = datetime.datetime(2025, 6, 2, 3, 0, tzinfo=datetime.UTC)


class Fill(msgspec.Struct, tag="filled"):
    symbol: str
    quantity: int


def encode(message, **options) -> bytes:
    given = {"seq": 1, "topic": None, "key": None, "at": AT, "max_bytes": 10_000} | options
    return encode_delta(message, **given)


# The first, third and fourth are examples of RFC 6455, 5.7 (there with "Hello" and binary data).
@pytest.mark.parametrize(
    ("first_byte", "size", "header"),
    [
        (TEXT, 5, "8105"),
        (TEXT, 125, "817d"),
        (0x82, 256, "827e0100"),
        (0x82, 65_536, "827f0000000000010000"),
        (TEXT, 126, "817e007e"),
        (TEXT, 65_535, "817effff"),
    ],
)
def test_frames_are_those_of_the_rfc(first_byte, size, header):
    payload = b"x" * size
    assert frame(first_byte, payload) == bytes.fromhex(header) + payload
    assert frame_body(frame(first_byte, payload)) == payload


def test_a_delta_names_its_type_and_holds_the_message():
    read = decode_server_message(frame_body(encode(Fill("FPT", 100), seq=7, key="k")))
    content = {"type": "filled", "symbol": "FPT", "quantity": 100}
    assert read == Delta(seq=7, topic="Fill", key="k", at=AT, data=content)
    assert decode_server_message(frame_body(encode({"a": 1}))).topic == "message"
    assert decode_server_message(frame_body(encode({"a": 1}, topic="t"))).topic == "t"


def test_numpy_and_missing_numbers_have_a_plain_form():
    message = {"one": np.float64(1.5), "many": np.arange(3), "none": float("nan")}
    assert json.loads(frame_body(encode(message)))["data"] == {"one": 1.5, "many": [0, 1, 2], "none": None}


@pytest.mark.parametrize("message", [object(), {1j: 2}, {"f": print}], ids=["object", "key", "function"])
def test_what_has_no_json_form_is_refused(message):
    with pytest.raises(ParameterError, match="cannot be broadcast"):
        encode(message)


def test_a_message_that_contains_itself_is_refused():
    message: list[object] = []
    message.append(message)
    with pytest.raises(ParameterError, match="cannot be broadcast"):
        encode(message)


def test_a_message_too_large_is_refused_with_its_size():
    with pytest.raises(ParameterError, match="max_message_bytes is 100"):
        encode("x" * 100, max_bytes=100)


def test_a_snapshot_holds_the_deltas_as_they_were_broadcast():
    bodies = [frame_body(encode({"n": n}, seq=n)) for n in (1, 2)]
    read = decode_server_message(frame_body(encode_snapshot(2, bodies, part=1, parts=1)))
    assert isinstance(read, Snapshot)
    assert [(m.seq, m.data) for m in read.messages] == [(1, {"n": 1}), (2, {"n": 2})]


@pytest.mark.parametrize(
    "message",
    [Welcome(stream="s", seq=1, resumed=True, heartbeat_s=2.0), Conflated(after=1, upto=5, given_up=3)],
)
def test_messages_about_the_connection_round_trip(message):
    assert decode_server_message(frame_body(text_frame(message))) == message


@pytest.mark.parametrize(
    "data", ["", "[]", "{", '{"type":"order"}', '{"type":"resync","x":1}', b"\xff", "[" * 9999]
)
def test_what_is_not_of_the_protocol_is_a_record_error(data):
    with pytest.raises(RecordError, match=r"vnquant\.v1"):
        decode_client_message(data)


def test_a_client_can_ask_for_a_snapshot():
    assert decode_client_message('{"type":"resync"}') == Resync()
