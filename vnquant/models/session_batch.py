"""Models: forecasts at many instants of one session, computed together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vnquant.features import FeatureInputs, FeatureSet, MarketContext
from vnquant.features.forks import as_forked
from vnquant.market.bars import FloatArray
from vnquant.market.panel import OHLCV
from vnquant.market.running import RunningSession
from vnquant.models.calibration import Calibration
from vnquant.models.confidence import Surroundings, market_regime, symbol_parts
from vnquant.models.config import ModelConfig
from vnquant.models.dataset import bar_deviation
from vnquant.models.predictor import Predictor
from vnquant.models.session_forecast import Before, Drivers, IndexArray, Outlook, SessionForecast, Told
from vnquant.models.walk_forward import apply_calibration, predict_rows

__all__ = ("forecast_session",)

Series = npt.NDArray[np.float32]
Explain = Callable[[npt.NDArray[np.float32], FloatArray], list[Told]]

# Rows that the market's context looks back over: its longest window and what that one stands on.
_CONTEXT_ROWS = 90


def forecast_session(
    running: RunningSession,
    *,
    features: FeatureSet,
    final: Predictor,
    calibration: Calibration,
    config: ModelConfig,
    explain: Explain,
    before: Before | None = None,
) -> SessionForecast:
    """Forecast all symbols at each instant of a session, in one batch.

    The numbers are those of `ForecastModel.predict` on `running.panel(place)`, to rounding.

    Parameters
    ----------
    running : RunningSession
        Its completed sessions lack no bar, and are enough for the features.
    explain : callable
        Returns what moved forecasts, from rows of features and their scale.
    before : Before, optional
        Of a forecast of other instants of the same session.

    Raises
    ------
    InputError, TypeError
        If the history has gaps, or a feature cannot be computed on forked arrays.
    """
    drivers: Drivers
    if running.started.any():
        today, drivers = _forecast_today(
            running,
            features=features,
            final=final,
            calibration=calibration,
            config=config,
            explain=explain,
        )
    else:
        nothing = np.full(running.close.shape, np.nan)
        today = Outlook(nothing, nothing, nothing, nothing)
        drivers = _no_drivers
    return SessionForecast(
        running,
        today,
        before=Before(
            lambda: forecast_session(
                _session_before(running),
                features=features,
                final=final,
                calibration=calibration,
                config=config,
                explain=explain,
            )
        )
        if before is None
        else before,
        drivers=drivers,
        horizon=config.horizon,
        interval_level=config.interval_level,
    )


def _forecast_today(
    running: RunningSession,
    *,
    features: FeatureSet,
    final: Predictor,
    calibration: Calibration,
    config: ModelConfig,
    explain: Explain,
) -> tuple[Outlook, Drivers]:
    """Forecast the symbols that have matched; return that, and what tells of it what moved it."""
    shape = running.close.shape
    inputs = FeatureInputs.forked(running)
    # By symbol, feature and instant, as it lies in memory: what moves little is together.
    series = np.moveaxis(features.compute_session(running, inputs, dtype=np.float32), 0, -1)
    deviation = _last(bar_deviation(inputs.close, config.horizon), shape)
    raw = _predicted(final, series, np.isfinite(deviation) & running.started)
    known = MarketContext.of(running.complete.tail(_CONTEXT_ROWS)).before(np.atleast_1d(running.session))
    calm, activity, trend = symbol_parts(inputs.close, inputs.volume)
    around = Surroundings.at(
        _last(calm, shape),
        _last(activity, shape),
        _last(trend, shape),
        np.broadcast_to(market_regime(known), shape),
    )
    inputs.release()

    def drivers(places: IndexArray, columns: IndexArray) -> list[Told]:
        return explain(series[columns, :, places], calibration.slope * deviation[places, columns])

    return Outlook(*apply_calibration(raw, deviation, calibration, around)), drivers


def _no_drivers(places: IndexArray, columns: IndexArray) -> list[Told]:
    return [()] * len(places)


def _session_before(running: RunningSession) -> RunningSession:
    """Return the last completed session, seen when it was over."""
    past = running.complete
    last = {name: getattr(past, name)[-1:] for name in OHLCV}
    return RunningSession(
        complete=past.rows(slice(0, len(past.timestamps) - 1)),
        session=past.timestamps[-1],
        instants=past.timestamps[-1:],
        fraction=np.ones(1),
        **last,
    )


def _predicted(final: Predictor, series: Series, usable: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the predictor's forecasts, shape (S, N), by its way for series of rows where it has one."""
    at_once = getattr(final, "predict_series", None)
    if at_once is not None:
        if len(usable) == 1:  # the rows of its symbols make one series, walked faster than as many of one row
            single: FloatArray = at_once(np.ascontiguousarray(series.T), usable)
            return single
        found: FloatArray = at_once(series, np.ascontiguousarray(usable.T))
        return np.ascontiguousarray(found.T)
    raw = np.full(usable.shape, np.nan)
    raw[usable] = predict_rows(final, np.moveaxis(series, -1, 0)[usable])
    return raw


def _last(column: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Return the last rows of a forked array at every instant."""
    forked = as_forked(column)
    if forked is None:
        raise TypeError("expected a forked array")
    return np.broadcast_to(forked.last, shape)
