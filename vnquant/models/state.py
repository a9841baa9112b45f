"""Models: a fitted model as bytes, the same for the same inputs, and back."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from vnquant.errors import ModelError
from vnquant.features import FeatureSet
from vnquant.market.bars import FloatArray
from vnquant.models.calibration import Calibration
from vnquant.models.config import ModelConfig
from vnquant.models.predictor import dump_predictor, load_predictor
from vnquant.models.report import ModelReport

__all__ = ("ModelState", "decode_state", "encode_state")

_FORMAT = 1


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a fitted model is, without its feature definitions, which are code."""

    format: int = _FORMAT
    fingerprint: str
    config: ModelConfig
    feature_names: tuple[str, ...]
    predictor_kind: str
    predictor: bytes
    calibration: Calibration
    report: ModelReport
    symbols: tuple[str, ...]
    timestamps: bytes
    expected_return: bytes
    confidence: bytes

    def past(self) -> tuple[np.ndarray[Any, Any], FloatArray, FloatArray]:
        """Return timestamps, and the out-of-sample expected return and confidence of shape (T, N)."""
        stamps = np.frombuffer(self.timestamps, dtype="<i8").astype("datetime64[s]")
        shape = (len(stamps), len(self.symbols))
        expected, confidence = (
            np.frombuffer(data, dtype="<f8").reshape(shape)
            for data in (self.expected_return, self.confidence)
        )
        return stamps, expected, confidence


def encode_state(
    *,
    fingerprint: str,
    config: ModelConfig,
    features: FeatureSet,
    final: Any,
    calibration: Calibration,
    report: ModelReport,
    symbols: tuple[str, ...],
    timestamps: np.ndarray[Any, Any],
    expected_return: FloatArray,
    confidence: FloatArray,
) -> bytes:
    """Return a fitted model as bytes."""
    kind, data = dump_predictor(final)
    state = ModelState(
        fingerprint=fingerprint,
        config=config,
        feature_names=features.names,
        predictor_kind=kind,
        predictor=data,
        calibration=calibration,
        report=report,
        symbols=symbols,
        timestamps=timestamps.astype("datetime64[s]").astype("<i8").tobytes(),
        expected_return=np.ascontiguousarray(expected_return, dtype="<f8").tobytes(),
        confidence=np.ascontiguousarray(confidence, dtype="<f8").tobytes(),
    )
    return msgspec.msgpack.encode(state, order="sorted")


def decode_state(data: bytes) -> tuple[ModelState, Any]:
    """Return the state and its predictor.

    Raises
    ------
    ModelError
        If the bytes are not a model of this version.
    """
    try:
        state = msgspec.msgpack.decode(data, type=ModelState)
        if state.format != _FORMAT:
            raise ModelError(
                f"The model has format {state.format}, this version reads {_FORMAT}; train it anew."
            )
        state.past()
        return state, load_predictor(state.predictor_kind, state.predictor)
    except ModelError:
        raise
    except Exception as exc:
        raise ModelError(
            f"The bytes are not a stored model: {exc}. Delete the file; it is trained anew."
        ) from exc
