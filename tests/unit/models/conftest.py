"""A market with one planted factor (own 20-day momentum), and models of it that train in a second."""

import numpy as np
import pytest

from vnquant.market.panel import BarPanel
from vnquant.models import ForecastModel, LightGBMPredictor, ModelConfig

SMALL = ModelConfig(
    first_train_sessions=160, fold_sessions=120, calibration_sessions=40, train_step=2, threads=1
)


def momentum_panel(rows: int = 520, columns: int = 24, strength: float = 0.15, seed: int = 0) -> BarPanel:
    """Daily moves of 2 %, whose mean is `strength` deviations a unit of the own scaled 20-day return."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows, columns))
    moves = np.zeros((rows, columns))
    for t in range(rows):
        trend = moves[max(0, t - 20) : t].sum(axis=0) / (0.02 * np.sqrt(20.0))
        moves[t] = 0.02 * (noise[t] + strength * np.clip(trend, -2.0, 2.0))
    close = 20_000.0 * np.exp(moves.cumsum(axis=0))
    opened = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(close, opened) * 1.003, np.minimum(close, opened) * 0.997
    volume = np.round(np.exp(rng.normal(12.0, 0.5, size=close.shape)))
    days = np.datetime64("2023-01-02", "s") + np.arange(rows) * np.timedelta64(86_400, "s")
    return BarPanel(tuple(f"S{n:02d}" for n in range(columns)), days, opened, high, low, close, volume)


def small_model(**changes: object) -> ForecastModel:
    return ForecastModel(SMALL, predictor=LightGBMPredictor(trees=30, leaves=7, threads=1, **changes))


@pytest.fixture(scope="session")
def planted_panel() -> BarPanel:
    return momentum_panel()


@pytest.fixture(scope="session")
def fitted_model(planted_panel: BarPanel) -> ForecastModel:
    """Fitted on all but the last 30 sessions."""
    return small_model().fit(planted_panel.rows(slice(0, -30)))
