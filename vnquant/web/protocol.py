"""Protocol: the typed messages between broadcaster and client, and their WebSocket frames.

A connection begins with a `Welcome`, followed by the missing deltas where the client is resumed, else by a
`Snapshot` in one or more parts. Then come `Delta`s with rising sequence numbers. A number that is missing was
given up for a later message of the same key, which a `Conflated` before it has told; anything else is a
fault, upon which a client may ask for a `Resync`, a new snapshot.

To resume, a client connects with `?stream=...&after=...`: the stream that its `Welcome` named and the last
number that it has seen.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from vnquant.errors import ParameterError, RecordError

__all__ = (
    "PROTOCOL",
    "Conflated",
    "Delta",
    "Resync",
    "ServerMessage",
    "Snapshot",
    "Welcome",
    "decode_client_message",
    "decode_server_message",
    "encode_delta",
    "encode_snapshot",
    "frame",
    "frame_body",
    "text_frame",
)

PROTOCOL = "vnquant.v1"
"""The WebSocket subprotocol."""

T = TypeVar("T")

# RFC 6455, 5.2: FIN and opcode; a server does not mask.
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag="welcome"):
    """The first message of a connection."""

    stream: str
    """Names this broadcaster's run; sequence numbers mean nothing in another."""
    seq: int
    """The number after which this connection goes on if it is resumed; else its snapshot tells."""
    resumed: bool
    """Deltas after `seq` follow, and no snapshot."""
    heartbeat_s: float
    """Seconds between the server's pings."""


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta"):
    """One message as it was broadcast."""

    seq: int
    topic: str
    """What it is: the type's name unless the publisher said otherwise."""
    key: str | None
    """Messages of one key overtake each other; None is never given up for another."""
    at: datetime
    """Market time of the broadcast."""
    data: Any


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """The latest delta of each key and the last deltas without one, by number; it replaces all before."""

    seq: int
    part: int
    """1 to `parts`."""
    parts: int
    messages: tuple[Delta, ...]


class Conflated(msgspec.Struct, frozen=True, kw_only=True, tag="conflated"):
    """Between `after` and `upto`, `given_up` messages have been overtaken and will not come."""

    after: int
    upto: int
    given_up: int


class Resync(msgspec.Struct, frozen=True, kw_only=True, tag="resync", forbid_unknown_fields=True):
    """From the client: send a new snapshot."""


ServerMessage = Welcome | Delta | Snapshot | Conflated


def _plain(value: Any) -> Any:
    """Turn numpy's scalars and arrays into plain numbers and lists."""
    for name in ("tolist", "item"):
        convert = getattr(value, name, None)
        if convert is not None:
            return convert()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_server_messages: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_client_messages = msgspec.json.Decoder(Resync)


def encode_delta(
    message: Any, *, seq: int, topic: str | None, key: str | None, at: datetime, max_bytes: int
) -> bytes:
    """Return one message's text frame.

    Raises
    ------
    ParameterError
        If it has no JSON form, or one of more than `max_bytes`.
    """
    name = topic or (type(message).__name__ if isinstance(message, msgspec.Struct) else "message")
    try:
        body = _encoder.encode(Delta(seq=seq, topic=name, key=key, at=at, data=message))
    except (NotImplementedError, TypeError, ValueError, RecursionError) as exc:
        told = (
            f"A message of type {type(message).__name__} cannot be broadcast: {exc}. "
            "Send a msgspec.Struct, or a dict of numbers, text, dates and lists."
        )
        raise ParameterError(told, name="message") from exc
    if len(body) > max_bytes:
        told = (
            f"The {name} message has {len(body):,} bytes, but max_message_bytes is {max_bytes:,}, so nobody "
            "got it. Send less at a time, or raise the limit in BroadcastConfig."
        )
        raise ParameterError(told, name="message")
    return frame(TEXT, body)


def encode_snapshot(seq: int, deltas: list[bytes], *, part: int, parts: int) -> bytes:
    """Return the text frame of a part of a snapshot from the JSON of its deltas."""
    told = {
        "type": "snapshot",
        "seq": seq,
        "part": part,
        "parts": parts,
        "messages": [msgspec.Raw(delta) for delta in deltas],
    }
    return frame(TEXT, _encoder.encode(told))


def text_frame(message: Welcome | Conflated | Resync) -> bytes:
    """Return the text frame of a message about the connection itself."""
    return frame(TEXT, _encoder.encode(message))


def frame(first_byte: int, payload: bytes) -> bytes:
    """Return an unmasked, unfragmented WebSocket frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first_byte, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first_byte, 126, size) + payload
    return struct.pack("!BBQ", first_byte, 127, size) + payload


def frame_body(framed: bytes) -> bytes:
    """Return the payload of a frame made by `frame`."""
    return framed[{126: 4, 127: 10}.get(framed[1], 2) :]


def decode_server_message(data: str | bytes) -> ServerMessage:
    """Return a message of the server, as a client reads it; raises RecordError."""
    return _decode(_server_messages, data)


def decode_client_message(data: str | bytes) -> Resync:
    """Return a client's message; raises RecordError."""
    return _decode(_client_messages, data)


def _decode(decoder: msgspec.json.Decoder[T], data: str | bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise RecordError("", "message", data, f"it is not of the protocol {PROTOCOL}: {exc}") from exc
