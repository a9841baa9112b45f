"""A small panel with the troubles of a real one: late listings, suspensions, a day without volume."""

import numpy as np
import pytest

from vnquant.market.panel import BarPanel


def synthetic_panel(rows: int = 700, columns: int = 8, seed: int = 0, *, gaps: bool = True) -> BarPanel:
    rng = np.random.default_rng(seed)
    close = 20_000.0 * np.exp(rng.normal(0.0, 0.02, size=(rows, columns)).cumsum(axis=0))
    before = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0.0, 0.004, size=close.shape))
    high = np.maximum(close, before) * np.exp(np.abs(rng.normal(0.0, 0.005, size=close.shape)))
    low = np.minimum(close, before) * np.exp(-np.abs(rng.normal(0.0, 0.005, size=close.shape)))
    volume = np.round(np.exp(rng.normal(12.0, 0.6, size=close.shape)))
    arrays = [before, high, low, close, volume]
    if gaps:
        volume[rows // 2, 0] = 0.0
        for array in arrays:
            array[: rows // 3, 1] = np.nan
            array[rows // 2 : rows // 2 + 30, 2] = np.nan
            array[rng.random(rows) < 0.05, 3] = np.nan
    days = np.datetime64("2021-01-04", "s") + np.arange(rows) * np.timedelta64(86_400, "s")
    return BarPanel(tuple(f"S{n:02d}" for n in range(columns)), days, *arrays)


@pytest.fixture(scope="session")
def gappy_panel() -> BarPanel:
    return synthetic_panel()


@pytest.fixture(scope="session")
def whole_panel() -> BarPanel:
    return synthetic_panel(gaps=False)
