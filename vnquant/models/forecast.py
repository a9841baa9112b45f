"""Models: the forecast model, fitted walk-forward, predicting all symbols in one batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from vnquant.errors import ModelError
from vnquant.features import WARMUP_BARS, FeatureSet, MarketContext
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.market.panel import BarPanel
from vnquant.market.running import RunningSession
from vnquant.models.calibration import Calibration
from vnquant.models.confidence import Surroundings
from vnquant.models.config import ModelConfig
from vnquant.models.dataset import Dataset, build_dataset, horizon_deviation
from vnquant.models.fingerprint import model_fingerprint
from vnquant.models.prediction import Prediction, action_for
from vnquant.models.predictor import Explains, LightGBMPredictor, Predictor
from vnquant.models.report import ModelReport, make_report
from vnquant.models.session_batch import forecast_session
from vnquant.models.session_forecast import SessionForecast
from vnquant.models.state import decode_state, encode_state
from vnquant.models.walk_forward import (
    Forecasts,
    Progress,
    apply_calibration,
    predict_rows,
    prepared,
    walk_forward,
)
from vnquant.runtime.clock import ICT

__all__ = ("MODEL_FEATURES", "ForecastHistory", "ForecastModel")

IndexArray = npt.NDArray[np.intp]

# Without the market context: one number a session for all symbols lets trees memorise sessions. With it, four
# fifths of what they learnt on the real bars was the calendar, and the rank IC was lower.
MODEL_FEATURES = FeatureSet(context=False)

# Rows that a prediction reads: enough for every feature, and some more for symbols that lag behind.
_TAIL = WARMUP_BARS + 60
_DRIVERS = 3


class ForecastHistory(NamedTuple):
    """Forecasts of each row, made without knowledge of later rows; float64 of shape (T, N).

    NaN before the first calibrated fold and where a symbol has no bar or too short a history. These are the
    panel fields `expected_return` and `forecast_confidence`.
    """

    expected_return: FloatArray
    confidence: FloatArray


class ForecastModel:
    """Expected return over the next sessions, with an interval and a calibrated confidence.

    Parameters
    ----------
    config : ModelConfig, optional
    predictor : Predictor, optional
        Unfitted; default gradient-boosted trees. Any scikit-learn-like regressor will do::

            from sklearn.linear_model import Ridge
            model = ForecastModel(predictor=Ridge(alpha=100)).fit(panel)
            model.report
    features : FeatureSet, optional

    Notes
    -----
    `fit` takes seconds of CPU: on an event loop use `ModelStore.load_or_train`, which fits elsewhere.
    """

    def __init__(
        self,
        config: ModelConfig | None = None,
        *,
        predictor: Predictor | None = None,
        features: FeatureSet | None = None,
    ) -> None:
        self.config = ModelConfig() if config is None else config
        self.features = MODEL_FEATURES if features is None else features
        self.predictor: Predictor = (
            LightGBMPredictor(threads=self.config.threads, seed=self.config.seed)
            if predictor is None
            else predictor
        )
        self.fingerprint = ""
        self._final: Predictor | None = None
        self._calibration: Calibration | None = None
        self._report: ModelReport | None = None
        self._symbols: tuple[str, ...] = ()
        self._timestamps: TimeArray = np.empty(0, dtype="datetime64[s]")
        self._past = ForecastHistory(np.empty((0, 0)), np.empty((0, 0)))

    # -- learning -----------------------------------------------------------------------------------------

    def fit(self, panel: BarPanel, *, progress: Progress | None = None) -> Self:
        """Fit walk-forward on a daily panel; a session that still runs is left out.

        Raises
        ------
        ModelError
            If the history is too short, or the predictor fails.
        """
        whole = panel.rows(slice(0, len(panel.timestamps) - int(panel.partial)))
        if whole.interval != "1D":
            raise ModelError(
                f"The model learns from daily bars, this panel has {whole.interval}; pass interval '1D'."
            )
        data = build_dataset(whole, self.features, self.config.horizon)
        forecasts = walk_forward(data, Surroundings(whole), self.predictor, self.config, progress)
        self._keep(whole, data, forecasts)
        return self

    def _keep(self, panel: BarPanel, data: Dataset, forecasts: Forecasts) -> None:
        self._final = forecasts.final
        self._calibration = forecasts.calibration
        self._report = make_report(data, forecasts, self.config, panel.timestamps)
        self._symbols = panel.symbols
        self._timestamps = panel.timestamps
        self._past = ForecastHistory(forecasts.expected_return, forecasts.confidence)
        self.fingerprint = model_fingerprint(panel, self.config, self.predictor, self.features)

    def to_bytes(self) -> bytes:
        """Return the fitted model as bytes, equal for equal inputs; the features' code is not among them."""
        final, calibration = self._ready()
        return encode_state(
            fingerprint=self.fingerprint,
            config=self.config,
            features=self.features,
            final=final,
            calibration=calibration,
            report=self.report,
            symbols=self._symbols,
            timestamps=self._timestamps,
            expected_return=self._past.expected_return,
            confidence=self._past.confidence,
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, features: FeatureSet | None = None) -> Self:
        """Rebuild a fitted model; `features` must be the set it was fitted with (default: the default one).

        Raises
        ------
        ModelError
            If the bytes are not a model, or of other features.
        """
        state, final = decode_state(data)
        model = cls(state.config, predictor=final, features=features)
        if model.features.names != state.feature_names:
            raise ModelError(
                f"The stored model was fitted on {len(state.feature_names)} features, not on the "
                f"{len(model.features.names)} given; pass the FeatureSet it was fitted with."
            )
        timestamps, expected, confidence = state.past()
        model.fingerprint = state.fingerprint
        model._final, model._calibration, model._report = final, state.calibration, state.report
        model._symbols, model._timestamps = state.symbols, timestamps
        model._past = ForecastHistory(expected, confidence)
        return model

    # -- what it knows ------------------------------------------------------------------------------------

    @property
    def report(self) -> ModelReport:
        """Out-of-sample quality."""
        self._ready()
        assert self._report is not None
        return self._report

    @property
    def trained_to(self) -> datetime:
        """Last session that the model has seen, aware, in ICT."""
        self._ready()
        return _aware(self._timestamps[-1])

    @property
    def calibration(self) -> Calibration:
        """Scale, interval and confidence in force after the last training session."""
        return self._ready()[1]

    # -- forecasting --------------------------------------------------------------------------------------

    def predict(
        self, panel: BarPanel, *, context: MarketContext | None = None, drivers: bool = True
    ) -> dict[str, Prediction]:
        """Predict every symbol of the panel at its last bar, in one batch.

        Parameters
        ----------
        panel : BarPanel
            Daily bars, `WARMUP_BARS` or more; the last row may be a session that still runs.
        context : MarketContext, optional
            Needed for the same numbers as in a batch of all where the panel holds only some symbols.
        drivers : bool
            Whether to say what moved each forecast.

        Returns
        -------
        dict
            By symbol, in panel order. A symbol without a bar, or with too few, is not among them.
        """
        final, calibration = self._ready()
        recent = panel.tail(_TAIL)
        rows, columns = _last_bars(recent)
        if not len(rows):
            return {}
        table = self.features.compute(recent, context=context)
        deviation = horizon_deviation(recent, self.config.horizon)[rows, columns]
        usable = np.isfinite(deviation)
        rows, columns, deviation = rows[usable], columns[usable], deviation[usable]
        matrix = table.values[rows, columns].astype(np.float32)
        raw = predict_rows(final, matrix)
        around = Surroundings(recent, context=context).cells(rows, columns)
        expected, confidence, low, high = apply_calibration(raw, deviation, calibration, around)
        reasons = self._drivers(final, matrix, calibration.slope * deviation) if drivers else [()] * len(rows)
        newest = int(np.flatnonzero(recent.present.any(axis=1))[-1])
        return {
            recent.symbols[column]: Prediction(
                symbol=recent.symbols[column],
                as_of=_aware(recent.timestamps[row]),
                expected_return=float(expected[k]),
                low=float(low[k]),
                high=float(high[k]),
                confidence=float(confidence[k]),
                action=action_for(float(expected[k]), float(confidence[k])),
                horizon=self.config.horizon,
                interval_level=self.config.interval_level,
                stale_sessions=newest - int(row),
                drivers=reasons[k],
            )
            for k, (row, column) in enumerate(zip(rows, columns, strict=True))
        }

    def predict_session(
        self, running: RunningSession, *, beside: SessionForecast | None = None
    ) -> SessionForecast:
        """Predict every symbol at each instant of a session, as `predict` does at one, all together.

        Parameters
        ----------
        running : RunningSession
        beside : SessionForecast, optional
            Of other instants of the same session over the same history, to share what is the same.

        Raises
        ------
        InputError, TypeError
            If the completed sessions have gaps, or a feature of one's own cannot be computed that way.
        """
        final, calibration = self._ready()
        past = running.complete.tail(_TAIL - 1)
        return forecast_session(
            replace(running, complete=past),
            features=self.features,
            final=final,
            calibration=calibration,
            config=self.config,
            explain=lambda matrix, scale: self._drivers(final, matrix, scale),
            before=None if beside is None else beside.before,
        )

    def history(self, panel: BarPanel, *, context: MarketContext | None = None) -> ForecastHistory:
        """Return the forecasts of every row, out of sample.

        Up to the last training session they are those of the walk-forward folds, afterwards those of the
        final model, which knows nothing of these rows.
        """
        final, calibration = self._ready()
        out = ForecastHistory(np.full(panel.shape, np.nan), np.full(panel.shape, np.nan))
        self._recall(panel, out)
        first = int(np.searchsorted(panel.timestamps, self._timestamps[-1], side="right"))
        if first >= len(panel.timestamps):
            return out
        since = max(0, first - _TAIL)
        recent = panel.rows(slice(since, None))
        data = build_dataset(recent, self.features, self.config.horizon, context=context)
        new = data.session >= first - since
        raw = np.full(recent.shape, np.nan)
        cells = data.usable.copy()
        cells[: first - since] = False
        raw[cells] = predict_rows(final, data.matrix[new])
        expected, confidence, _, _ = apply_calibration(
            raw, data.deviation, calibration, Surroundings(recent, context=context)
        )
        out.expected_return[first:] = expected[first - since :]
        out.confidence[first:] = confidence[first - since :]
        return out

    def _recall(self, panel: BarPanel, out: ForecastHistory) -> None:
        """Copy the stored forecasts of the rows and symbols that the panel shares with the training panel."""
        _, here, there = np.intersect1d(panel.timestamps, self._timestamps, return_indices=True)
        place = {symbol: column for column, symbol in enumerate(self._symbols)}
        shared = [(n, place[s]) for n, s in enumerate(panel.symbols) if s in place]
        if not shared or not len(here):
            return
        columns, stored = (np.array(side) for side in zip(*shared, strict=True))
        for target, past in zip(out, self._past, strict=True):
            target[np.ix_(here, columns)] = past[np.ix_(there, stored)]

    def _drivers(
        self, final: Predictor, matrix: np.ndarray, scale: FloatArray
    ) -> list[tuple[tuple[str, float], ...]]:
        if not isinstance(final, Explains):
            return [()] * len(matrix)
        shares = final.contributions(prepared(final, matrix)) * scale[:, None]
        top = np.argsort(-np.abs(shares), axis=1, kind="stable")[:, :_DRIVERS]
        names = self.features.names
        return [tuple((names[c], float(shares[k, c])) for c in top[k]) for k in range(len(matrix))]

    def _ready(self) -> tuple[Predictor, Calibration]:
        if self._final is None or self._calibration is None:
            raise ModelError(
                "The model has not been fitted; call fit(panel), or take it from ModelStore.load_or_train."
            )
        return self._final, self._calibration

    def __repr__(self) -> str:
        if self._report is None:
            return f"ForecastModel(unfitted, {self.config.horizon} sessions ahead)"
        return (
            f"ForecastModel({self.config.horizon} sessions ahead, trained to {self.trained_to:%Y-%m-%d}, "
            f"rank IC {self.report.rank_ic})"
        )


def _last_bars(panel: BarPanel) -> tuple[IndexArray, IndexArray]:
    """Return row and column of each symbol's last bar, for the symbols that have one."""
    present = panel.present
    columns = np.flatnonzero(present.any(axis=0))
    rows = len(present) - 1 - np.argmax(present[::-1, columns], axis=0)
    return rows, columns


def _aware(stamp: np.datetime64) -> datetime:
    moment: datetime = stamp.astype("datetime64[s]").item()
    return moment.replace(tzinfo=ICT)
