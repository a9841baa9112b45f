"""Web: tells browsers and programs on this machine what happens, by WebSocket and on a live page."""

from vnquant.web.broadcast import Broadcaster, broadcast_to_clients
from vnquant.web.client import Departure
from vnquant.web.config import BroadcastConfig
from vnquant.web.protocol import (
    PROTOCOL,
    Conflated,
    Delta,
    Resync,
    ServerMessage,
    Snapshot,
    Welcome,
    decode_server_message,
)
from vnquant.web.security import Refusal
from vnquant.web.statistics import BroadcastStatistics, ClientStatistics

__all__ = (
    "PROTOCOL",
    "BroadcastConfig",
    "BroadcastStatistics",
    "Broadcaster",
    "ClientStatistics",
    "Conflated",
    "Delta",
    "Departure",
    "Refusal",
    "Resync",
    "ServerMessage",
    "Snapshot",
    "Welcome",
    "broadcast_to_clients",
    "decode_server_message",
)
