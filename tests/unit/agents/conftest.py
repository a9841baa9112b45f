"""Fixtures of the agents' tests: one panel with everything that goes wrong in real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from vnquant.market.panel import BarPanel

SYMBOLS = ("FPT", "VCB", "HPG", "VNM", "SHS", "PVS", "ACV", "SSI", "MWG", "VIC", "NEW", "GONE")


def random_panel(rows: int = 400, *, seed: int = 11, session_fraction: float = 1.0) -> BarPanel:
    """Return a seeded random walk without gaps or fields, one column a symbol."""
    rng = np.random.default_rng(seed)
    shape = (rows, len(SYMBOLS))
    moves = rng.standard_t(5, shape) * np.linspace(0.008, 0.025, shape[1])
    close = 20_000.0 * np.exp(np.cumsum(moves, axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.005, shape))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.004, shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.004, shape)))
    volume = 100.0 * np.round(rng.lognormal(9.0, 0.6, shape) * np.exp(8.0 * np.abs(moves)))
    days = np.datetime64("2022-01-03") + np.arange(rows)
    return BarPanel(SYMBOLS, days, opened, high, low, close, volume, session_fraction=session_fraction)


def gappy_panel(rows: int = 400, *, seed: int = 11, session_fraction: float = 1.0) -> BarPanel:
    """Return a panel with gaps, a late listing, a delisting, a suspension, a flat price and sparse fields."""
    whole = random_panel(rows, seed=seed, session_fraction=session_fraction)
    rng = np.random.default_rng(seed + 1)
    missing = rng.random(whole.shape) < 0.04
    missing[: rows // 2, SYMBOLS.index("NEW")] = True
    missing[rows - 30 :, SYMBOLS.index("GONE")] = True
    missing[rows // 3 : rows // 3 + 40, SYMBOLS.index("SHS")] = True
    arrays = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(whole, name).copy()
        if name != "volume":
            values[:, SYMBOLS.index("ACV")] = 15_000.0
        else:
            values[rng.random(whole.shape) < 0.02] = 0.0
        values[missing] = np.nan
        arrays[name] = values
    fields = {
        "expected_return": rng.normal(0.0, 0.03, whole.shape),
        "forecast_confidence": rng.uniform(0.4, 0.9, whole.shape),
        "news_sentiment": rng.uniform(-1.0, 1.0, whole.shape),
        "foreign_net": rng.normal(0.0, 1e9, whole.shape),
    }
    for values in fields.values():
        values[rng.random(whole.shape) < 0.5] = np.nan
    return BarPanel(
        whole.symbols, whole.timestamps, **arrays, session_fraction=session_fraction, fields=fields
    )


@pytest.fixture(scope="session")
def panel() -> BarPanel:
    return gappy_panel()


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail where a test leaves a task behind."""
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before - {asyncio.current_task()} if not task.done()}
    assert not left, f"tasks left: {sorted(task.get_name() for task in left)}"
