"""Models: walk-forward. Fits on the past, forecasts the block after it, and calibrates in the same way.

::

    sessions  0 ------------ first_train ------ +fold ------ +2 fold ------ ... -- T
    fold 1    [ train ]purge|emb[   test   ]
    fold 2    [ train               ]purge|emb[   test   ]
    final     [ train                                          ]purge|emb[ live

A label at session s is known at the close of s + horizon. A fold whose test block starts at b learns from
sessions s < b - horizon - embargo only. Blocks are counted from the first session, so that more history at
the end changes no earlier block. Calibrations follow the same rule on the forecasts themselves.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnquant.errors import ModelError
from vnquant.features import indicators as ind
from vnquant.market.bars import FloatArray
from vnquant.models.calibration import LEAST_OUTCOMES, Calibration, fit_confidence, fit_interval, fit_slope
from vnquant.models.confidence import Surroundings, blend
from vnquant.models.config import ModelConfig
from vnquant.models.dataset import Dataset
from vnquant.models.predictor import Predictor

__all__ = (
    "Fold",
    "Forecasts",
    "Progress",
    "apply_calibration",
    "fold_bounds",
    "predict_rows",
    "prepared",
    "walk_forward",
)

Matrix = npt.NDArray[np.float32]
Progress = Callable[[float, str], None]

# Sessions of the trailing hit rate, about a quarter.
_ACCURACY_SESSIONS = 60
_OUTCOME_LIMIT = 4.0
_LEAST_ROWS = 500


@dataclass(frozen=True)
class Fold:
    """One test block [start, end) and how many rows its model learnt from."""

    start: int
    end: int
    train_rows: int


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Out-of-sample forecasts of a panel, and what serves from its end on.

    Attributes
    ----------
    raw : float64, shape (T, N)
        Forecast in deviations as the folds' models gave it; NaN before the first test block.
    expected_return, confidence, low, high : float64, shape (T, N)
        Calibrated; NaN before the first calibration.
    folds : tuple of Fold
    final : Predictor
        Fitted on everything whose outcome is known.
    calibration : Calibration
        From every forecast whose outcome is known.
    """

    raw: FloatArray
    expected_return: FloatArray
    confidence: FloatArray
    low: FloatArray
    high: FloatArray
    folds: tuple[Fold, ...]
    final: Predictor
    calibration: Calibration


def fold_bounds(sessions: int, config: ModelConfig) -> list[tuple[int, int]]:
    """Return the test blocks of a panel of so many sessions."""
    starts = range(config.first_train_sessions, sessions, config.fold_sessions)
    return [(start, min(start + config.fold_sessions, sessions)) for start in starts]


def walk_forward(
    data: Dataset,
    around: Surroundings,
    predictor: Predictor,
    config: ModelConfig,
    progress: Progress | None = None,
) -> Forecasts:
    """Fit, forecast and calibrate a panel out of sample.

    Raises
    ------
    ModelError
        If the panel is too short, or the predictor fails or returns something that is not a number a row.
    """
    sessions = len(data.usable)
    blocks = fold_bounds(sessions, config)
    if not blocks or sessions < config.first_train_sessions + config.calibration_sessions + config.horizon:
        needed = config.first_train_sessions + config.calibration_sessions + config.horizon
        raise ModelError(
            f"The panel has {sessions} sessions, the model needs at least {needed} (first_train_sessions + "
            "calibration_sessions + horizon). Load a longer history, or lower first_train_sessions."
        )
    raw = np.full(data.usable.shape, np.nan)
    folds = []
    for number, (start, end) in enumerate(blocks, 1):
        if progress is not None:
            progress((number - 1) / (len(blocks) + 1), f"fold {number} of {len(blocks)}")
        fitted, rows = _fit_before(start, data, predictor, config)
        inside = slice(*np.searchsorted(data.session, [start, end]))
        raw[start:end][data.usable[start:end]] = predict_rows(fitted, data.matrix[inside])
        folds.append(Fold(start, end, rows))
    if progress is not None:
        progress(len(blocks) / (len(blocks) + 1), "final fit")
    final, _ = _fit_before(sessions, data, predictor, config)
    calibrated, calibration = _calibrate_forward(raw, data, around, config)
    if progress is not None:
        progress(1.0, "done")
    return Forecasts(raw, *calibrated, tuple(folds), final, calibration)


def predict_rows(predictor: Predictor, matrix: Matrix) -> FloatArray:
    """Return the predictor's forecasts, checked; missing features become 0 where it cannot take them."""
    if not len(matrix):
        return np.empty(0)
    try:
        found = np.asarray(predictor.predict(prepared(predictor, matrix)), dtype=np.float64).reshape(-1)
    except Exception as exc:
        raise ModelError(f"The predictor {type(predictor).__name__} failed in predict: {exc!r}.") from exc
    if found.shape != (len(matrix),) or not np.isfinite(found).all():
        raise ModelError(
            f"The predictor {type(predictor).__name__} returned shape {found.shape} for {len(matrix)} rows, "
            "or values that are not finite; predict(X) must return one finite number for each row."
        )
    return found


def apply_calibration(
    raw: FloatArray, deviation: FloatArray, calibration: Calibration, around: Surroundings
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return expected return, confidence, low and high of raw forecasts."""
    scaled = calibration.slope * raw
    expected = np.expm1(scaled * deviation)
    mixed = blend(expected, calibration.accuracy, around)
    low = np.expm1((scaled + calibration.error_low) * deviation)
    high = np.expm1((scaled + calibration.error_high) * deviation)
    return expected, calibration.confidence(np.abs(scaled), mixed), low, high


def _fit_before(
    start: int, data: Dataset, predictor: Predictor, config: ModelConfig
) -> tuple[Predictor, int]:
    """Fit a fresh copy on the labels known before a test block."""
    last = start - config.horizon - config.embargo_sessions
    known = (data.session < last) & (data.session % config.train_step == 0) & np.isfinite(data.label)
    rows = np.flatnonzero(known)
    if len(rows) < _LEAST_ROWS:
        raise ModelError(
            f"Only {len(rows)} rows have a known outcome before session {start}; a fit needs {_LEAST_ROWS}. "
            "Load more symbols or a longer history."
        )
    fresh = copy.deepcopy(predictor)
    try:
        fitted = fresh.fit(prepared(fresh, data.matrix[rows]), data.label[rows])
    except Exception as exc:
        raise ModelError(f"The predictor {type(predictor).__name__} failed in fit: {exc!r}.") from exc
    return (fresh if fitted is None else fitted), len(rows)


def prepared(predictor: Predictor, matrix: Matrix) -> Matrix:
    """Return the features as the predictor can take them: NaN becomes 0 unless it accepts missing values."""
    return matrix if getattr(predictor, "accepts_missing", False) else np.nan_to_num(matrix)


def _calibrate_forward(
    raw: FloatArray, data: Dataset, around: Surroundings, config: ModelConfig
) -> tuple[tuple[FloatArray, FloatArray, FloatArray, FloatArray], Calibration]:
    """Calibrate each stretch of sessions on the forecasts whose outcome was known at its start."""
    with np.errstate(divide="ignore"):
        outcome = np.clip(np.log1p(data.forward) / data.deviation, -_OUTCOME_LIMIT, _OUTCOME_LIMIT)
    right = np.where(np.isfinite(outcome) & np.isfinite(raw), np.sign(raw) == np.sign(outcome), np.nan)
    accuracy = _trailing_accuracy(right, config.horizon)
    sessions = len(raw)
    out = tuple(np.full(raw.shape, np.nan) for _ in range(4))
    first = config.first_train_sessions
    stops = [*range(first + config.calibration_sessions, sessions, config.calibration_sessions), sessions]
    calibration: Calibration | None = None
    for stop, following in zip(stops, [*stops[1:], sessions], strict=True):
        past = slice(first, stop - config.horizon)
        known = np.isfinite(outcome[past]) & np.isfinite(raw[past])
        if int(known.sum()) < LEAST_OUTCOMES:
            continue
        calibration = _calibrate(
            raw[past],
            outcome[past],
            right[past],
            known,
            data.deviation[past],
            accuracy[past],
            around.rows(past),
            float(accuracy[stop - 1, 0]),
            config.interval_level,
        )
        ahead = slice(stop, following)
        for target, values in zip(
            out,
            apply_calibration(raw[ahead], data.deviation[ahead], calibration, around.rows(ahead)),
            strict=True,
        ):
            target[ahead] = values
    if calibration is None:
        raise ModelError(
            f"Fewer than {LEAST_OUTCOMES} out-of-sample forecasts have a known outcome: too few. "
            "Load more symbols or a longer history."
        )
    return (out[0], out[1], out[2], out[3]), calibration


def _calibrate(
    raw: FloatArray,
    outcome: FloatArray,
    right: FloatArray,
    known: npt.NDArray[np.bool_],
    deviation: FloatArray,
    accuracy: FloatArray,
    around: Surroundings,
    accuracy_now: float,
    level: float,
) -> Calibration:
    # Within sessions: the market's moves would drown a slope that is estimated across them.
    slope = fit_slope(_less_session_mean(raw, known)[known], _less_session_mean(outcome, known)[known])
    low, high = fit_interval((outcome - slope * raw)[known], level)
    mixed = blend(np.expm1(slope * raw * deviation), accuracy, around)
    bias, strength, weight = fit_confidence(np.abs(slope * raw)[known], mixed[known], right[known])
    return Calibration(
        slope=slope,
        error_low=low,
        error_high=high,
        bias=bias,
        strength_weight=strength,
        blend_weight=weight,
        accuracy=accuracy_now,
        outcomes=int(known.sum()),
    )


def _less_session_mean(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    mean = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    within: FloatArray = values - mean[:, None]
    return within


def _trailing_accuracy(right: FloatArray, horizon: int) -> FloatArray:
    """Return the share that came true of the forecasts whose outcome is known at each row, shape (T, 1)."""
    counted = np.isfinite(right)
    hits, total = np.nansum(right, axis=1), counted.sum(axis=1).astype(np.float64)
    hits, total = (
        ind.rolling_sum(ind.shift(x, horizon), _ACCURACY_SESSIONS, min_count=1) for x in (hits, total)
    )
    share = np.divide(hits, total, out=np.full_like(hits, 0.5), where=total > 0.0)
    return share[:, None]
