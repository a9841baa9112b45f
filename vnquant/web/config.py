"""Web configuration: every bound of the broadcaster in one frozen record, with its unit in its name."""

from __future__ import annotations

import ipaddress

import msgspec

from vnquant.errors import ParameterError

__all__ = ("BroadcastConfig", "is_loopback")

_POSITIVE = (
    "max_clients", "max_message_bytes", "max_client_message_bytes", "max_client_messages", "queue_messages",
    "replay_messages", "replay_bytes", "snapshot_keys", "snapshot_bytes", "batch_bytes", "send_buffer_bytes",
    "stall_s", "heartbeat_s",
)  # fmt: skip


class BroadcastConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broadcaster listens, and how much of anything it takes."""

    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback lets other machines in and needs `allowed_hosts`."""
    port: int = 0
    """0 picks a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Further values of the Host header, with port, such as "desk.example:8080"; loopback names are known."""
    allowed_origins: tuple[str, ...] = ()
    """Further values of the Origin header; pages that this server serves are known."""
    max_clients: int = 256
    """WebSockets at a time; a few plain HTTP connections are allowed on top."""
    max_message_bytes: int = 1 << 20
    """Largest message out; a larger one is refused to its publisher."""
    max_client_message_bytes: int = 4096
    """Largest message in; a client that sends a larger one is closed with code 1009."""
    max_client_messages: int = 100
    """Messages and pings in, per `heartbeat_s`; a client that sends more is closed with code 1008."""
    queue_messages: int = 256
    """Messages that may wait for a client one by one. Behind that it gets the latest of each key; a client
    for which still more would wait is dropped."""
    replay_messages: int = 4096
    """Messages kept for clients that are behind or come back."""
    replay_bytes: int = 16 << 20
    """Bytes of these messages."""
    snapshot_keys: int = 2048
    """Keys whose latest message is kept for the snapshot; the longest unchanged goes first."""
    snapshot_events: int = 100
    """Latest messages without a key that are kept for the snapshot."""
    snapshot_bytes: int = 4 << 20
    """Bytes of keyed messages that are kept for the snapshot."""
    batch_bytes: int = 64 << 10
    """Bytes written to a client at a time, and so what may wait for it in this process (or one message)."""
    send_buffer_bytes: int = 256 << 10
    """What may wait for it in the kernel (SO_SNDBUF). The system's own limit is some megabytes a client, in
    which prices grow old."""
    stall_s: float = 10.0
    """A client that has taken nothing for so long, while something waited for it, is dropped."""
    heartbeat_s: float = 20.0
    """Seconds between pings, and the time allowed for their answer."""

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if not value > 0:
                raise ParameterError(f"{name} must be positive, got {value}.", name=name, value=value)
        if not 0 <= self.port <= 65_535:
            told = f"port = {self.port}: choose one in 1..65535, or 0 for a free one."
            raise ParameterError(told, name="port", value=self.port)
        if self.snapshot_events < 0:
            told = f"snapshot_events must be 0 or more, got {self.snapshot_events}."
            raise ParameterError(told, name="snapshot_events", value=self.snapshot_events)
        if self.replay_messages < 2 * self.queue_messages:
            told = (
                f"replay_messages = {self.replay_messages} must be at least twice queue_messages = "
                f"{self.queue_messages}: what a slow client is behind is conflated from the replay buffer."
            )
            raise ParameterError(told, name="replay_messages", value=self.replay_messages)
        if self.replay_bytes < 4 * self.max_message_bytes:
            told = (
                f"replay_bytes = {self.replay_bytes} must hold four messages of max_message_bytes = "
                f"{self.max_message_bytes}."
            )
            raise ParameterError(told, name="replay_bytes", value=self.replay_bytes)
        if not is_loopback(self.host) and not self.allowed_hosts:
            told = (
                f"host = {self.host!r} lets other machines in, so the names by which they may call this one "
                "must be known: give allowed_hosts=('name:port', ...), or stay on host='127.0.0.1'."
            )
            raise ParameterError(told, name="allowed_hosts", value=self.allowed_hosts)


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
