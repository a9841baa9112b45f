"""Models: a training job, what goes from the workbench to the training process and how it is done there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vnquant.features import FeatureSet
from vnquant.market.panel import OHLCV, BarPanel
from vnquant.models.config import ModelConfig
from vnquant.models.forecast import ForecastModel
from vnquant.models.predictor import Predictor

__all__ = ("pack_job", "run_job")


def pack_job(panel: BarPanel, config: ModelConfig, predictor: Predictor, features: FeatureSet) -> bytes:
    """Return a job as bytes; a predictor or feature defined in a notebook goes along with its code."""
    import cloudpickle

    told = {
        "symbols": panel.symbols,
        "timestamps": panel.timestamps,
        "interval": panel.interval,
        "session_fraction": panel.session_fraction,
        "fields": dict(panel.fields),
        **{name: getattr(panel, name) for name in OHLCV},
    }
    data: bytes = cloudpickle.dumps((told, config, predictor, features))
    return data


def run_job(job: bytes, progress: Callable[[float, str], None] | None = None) -> bytes:
    """Fit the model of a job and return it as bytes."""
    import cloudpickle

    told: dict[str, Any]
    told, config, predictor, features = cloudpickle.loads(job)
    model = ForecastModel(config, predictor=predictor, features=features)
    return model.fit(BarPanel(**told), progress=progress).to_bytes()
