"""What a kernel runs to show a live board of an exchange in another process, and to say what it cost."""

import asyncio
import gc
import os
from datetime import datetime

import psutil

from vnquant.market import load_universe
from vnquant.runtime import MarketClock
from vnquant.sources import Endpoints, HttpClient, VpsSource
from vnquant.ui.price_board import PriceBoard

_process = psutil.Process(os.getpid())


def open_board(url: str, at: str, speed: float, fps: float) -> tuple[PriceBoard, HttpClient]:
    """Return a live board and the client that asks for it."""
    loop = asyncio.get_running_loop()
    clock, universe, client = (
        MarketClock(datetime.fromisoformat(at), speed=speed),
        load_universe(),
        HttpClient(),
    )
    quotes = VpsSource(client, Endpoints.local(url), clock)
    return PriceBoard(quotes, universe=universe, clock=clock, loop=loop, interval_s=1 / fps), client


async def cpu_of(seconds: float) -> dict[str, float]:
    """Return the CPU time of this process over some seconds, and its memory before and after."""
    gc.collect()
    memory, began = _process.memory_info().rss, _process.cpu_times()
    await asyncio.sleep(seconds)
    ended = _process.cpu_times()
    gc.collect()
    return {
        "cpu_s": ended.user + ended.system - began.user - began.system,
        "growth_kb": (_process.memory_info().rss - memory) / 1024,
    }
