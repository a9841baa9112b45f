"""What the simulated exchange costs its loop, in CPU time of its own code and with HTTP around it."""

import asyncio
import json
import platform
import sys
import time
from collections.abc import Callable

import aiohttp
import numpy as np
import pytest

from tests.pace import slowness
from vnquant.simulation import SimulatedExchange

HISTORY = "/tradingview/history"
EVERYTHING = {"resolution": "1D", "from": "0", "to": "9999999999"}
TODAY = {"resolution": "1D", "from": "1748822400", "to": "9999999999"}

pytestmark = pytest.mark.benchmark


def best_ms(work: Callable[[], object], *, runs: int = 5) -> float:
    """Return the least CPU time of some runs in milliseconds."""
    taken = []
    for _ in range(runs):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) * 1e3)
    return min(taken)


async def test_a_request_costs_little(capsys: pytest.CaptureFixture[str]) -> None:
    async with SimulatedExchange(seed=7, at="2025-06-02 10:00") as exchange:
        symbols = exchange.market.symbols

        def ask(query: dict[str, str]) -> int:
            return sum(len(exchange.answer(HISTORY, {"symbol": s, **query}).body) for s in symbols)

        rows = json.loads(exchange.answer(HISTORY, {"symbol": "FPT", **EVERYTHING}).body)
        columns = {name: np.asarray(rows[name]) for name in "tohlcv"}
        plain = best_ms(lambda: json.dumps({name: column.tolist() for name, column in columns.items()}))
        board = f"/getliststockdata/{','.join(symbols)}"
        measured = {
            "rows": len(rows["t"]),
            "full_history_ms": best_ms(lambda: ask(EVERYTHING)) / len(symbols),
            "one_row_ms": best_ms(lambda: ask(TODAY)) / len(symbols),
            "json_dumps_full_ms": plain,
            "board_102_same_instant_ms": best_ms(lambda: exchange.answer(board, {})),
        }
        async with aiohttp.ClientSession(exchange.url) as session:

            async def fetch(symbol: str) -> bytes:
                async with session.get(HISTORY, params={"symbol": symbol, **EVERYTHING}) as response:
                    return await response.read()

            async def scan() -> float:
                began = time.process_time()
                await asyncio.gather(*map(fetch, symbols))
                return (time.process_time() - began) * 1e3 / len(symbols)

            measured["full_history_over_http_client_and_server_ms"] = min([await scan() for _ in range(5)])
    measured_on = f"{platform.machine()}, Python {sys.version.split()[0]}"
    with capsys.disabled():
        print(json.dumps({"benchmark": "exchange_cpu", "on": measured_on, **measured}))
    assert measured["rows"] >= 1_800
    slow = slowness()
    assert measured["full_history_ms"] <= 0.5 * slow
    assert measured["one_row_ms"] <= 0.15 * slow
