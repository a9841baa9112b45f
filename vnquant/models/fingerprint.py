"""Models: the fingerprint of a fitted model, a hash of everything that it depends on."""

from __future__ import annotations

import hashlib

from vnquant.features import FeatureSet
from vnquant.market.panel import BarPanel
from vnquant.models.config import ModelConfig
from vnquant.models.predictor import Predictor, predictor_fingerprint

__all__ = ("MODEL_VERSION", "model_fingerprint")

# Raise it when training or calibration changes its meaning, so that stored models are trained anew.
MODEL_VERSION = 1


def model_fingerprint(
    panel: BarPanel, config: ModelConfig, predictor: Predictor, features: FeatureSet
) -> str:
    """Return a hash of data, features, parameters and code version; equal inputs have equal ones.

    A session that still runs takes no part in training and none in the hash.
    """
    whole = panel.rows(slice(0, len(panel.timestamps) - int(panel.partial)))
    digest = hashlib.blake2b(digest_size=16)
    told = (str(MODEL_VERSION), whole.fingerprint(), features.fingerprint(), predictor_fingerprint(predictor))
    digest.update("|".join(told).encode())
    digest.update(config.identity())
    return digest.hexdigest()
