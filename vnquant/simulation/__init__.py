"""Simulation: a seeded Vietnamese market, and the exchange that serves it like the live endpoints."""

from __future__ import annotations

from vnquant.simulation.delivery import Delivery
from vnquant.simulation.direct import DirectMarket, DirectNews, DirectQuotes
from vnquant.simulation.direct_actions import DirectActions
from vnquant.simulation.draws import Draw
from vnquant.simulation.exchange import SimulatedExchange, serve_forever
from vnquant.simulation.faults import Fault, Faults
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.headlines import Headline
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.latency import Latency
from vnquant.simulation.memory_transport import MEMORY_URL, MemoryTransport
from vnquant.simulation.planted import Planted
from vnquant.simulation.request_log import RequestLog, RequestRecord
from vnquant.simulation.truth import TrueIC, Truth
from vnquant.simulation.wire import Answer

__all__ = (
    "MEMORY_URL",
    "Answer",
    "DailyHistory",
    "Delivery",
    "DirectActions",
    "DirectMarket",
    "DirectNews",
    "DirectQuotes",
    "Draw",
    "Fault",
    "Faults",
    "Headline",
    "Latency",
    "MemoryTransport",
    "Planted",
    "RequestLog",
    "RequestRecord",
    "SimulatedExchange",
    "SimulatedMarket",
    "TrueIC",
    "Truth",
    "serve_forever",
)
