"""One simulated market and one folder of trained models for all integration tests of a run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sklearn.linear_model import Ridge

from vnquant import Workbench
from vnquant.simulation import SimulatedExchange, SimulatedMarket

AT = "2025-06-02 10:00"


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    return SimulatedMarket(7)


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
async def exchange(market: SimulatedMarket) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(at=AT, market=market) as running:
        yield running


@pytest.fixture
def quick_predictor() -> Ridge:
    """A user's own predictor, which also trains in a fraction of the trees' time."""
    return Ridge(alpha=1000.0)


@pytest.fixture
async def bench(
    exchange: SimulatedExchange, model_cache: Path, quick_predictor: Ridge
) -> AsyncIterator[Workbench]:
    async with Workbench.open(
        exchange, cache_dir=model_cache, predictor=quick_predictor, progress=False
    ) as opened:
        yield opened
