"""Every source keeps the protocol it claims, and the room exports what it should."""

import importlib
import pkgutil
import subprocess
import sys

import pandas as pd
import pytest

import vnquant.sources
from vnquant.market import default_calendar
from vnquant.runtime.clock import MarketClock
from vnquant.sources import (
    BarCache,
    BarSource,
    CachedBars,
    CafefSource,
    Endpoints,
    FileSource,
    HttpClient,
    LoopClock,
    NewsSource,
    QuoteSource,
    RssSource,
    SourceChain,
    VpsSource,
)

CLIENT, ENDPOINTS = HttpClient(), Endpoints.live()
VPS = VpsSource(CLIENT, ENDPOINTS)


@pytest.mark.parametrize(
    "source",
    [
        VPS,
        CafefSource(CLIENT, ENDPOINTS),
        FileSource(pd.DataFrame()),
        SourceChain([VPS]),
        CachedBars(VPS, BarCache("unused", "vps"), default_calendar()),
    ],
    ids=lambda source: type(source).__name__,
)
def test_bar_sources(source):
    assert isinstance(source, BarSource)
    assert source.name
    assert "1D" in source.intervals


def test_quote_and_news_sources():
    assert isinstance(VPS, QuoteSource)
    assert isinstance(RssSource(CLIENT, ENDPOINTS), NewsSource)


async def test_the_loop_clock_is_the_one_installed():
    from vnquant.runtime import install_clock, now

    install_clock(MarketClock.frozen(now()))
    assert LoopClock().now() == now()


def test_all_lists_what_is_there_in_every_module():
    for module in pkgutil.iter_modules(vnquant.sources.__path__, "vnquant.sources."):
        loaded = importlib.import_module(module.name)
        assert all(hasattr(loaded, name) for name in loaded.__all__)
    assert all(hasattr(vnquant.sources, name) for name in vnquant.sources.__all__)


def test_importing_the_room_loads_no_heavy_library():
    heavy = {"pandas", "pyarrow", "feedparser", "aiohttp"}
    code = f"import sys, vnquant.sources; print(*{heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
