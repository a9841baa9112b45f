"""Models: forecasts at many instants of one session, computed together and told one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from vnquant.features import FeatureInputs, FeatureSet, MarketContext
from vnquant.features.forks import as_forked
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.market.panel import OHLCV
from vnquant.market.running import RunningSession
from vnquant.models.calibration import Calibration
from vnquant.models.confidence import Surroundings, market_regime, symbol_parts
from vnquant.models.config import ModelConfig
from vnquant.models.dataset import bar_deviation
from vnquant.models.prediction import Prediction, action_for
from vnquant.models.predictor import Predictor
from vnquant.models.walk_forward import apply_calibration, predict_rows
from vnquant.runtime.clock import ICT

__all__ = ("SessionForecast", "SessionPredictions", "forecast_session")

IndexArray = npt.NDArray[np.intp]
Told = tuple[tuple[str, float], ...]
Drivers = Callable[[IndexArray, IndexArray], list[Told]]
Explain = Callable[[npt.NDArray[np.float32], FloatArray], list[Told]]

# Rows that the market's context looks back over: its longest window and what that one stands on.
_CONTEXT_ROWS = 90


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionForecast:
    """Forecasts of N symbols at S instants, each from what was known then.

    Attributes
    ----------
    symbols : tuple of str, length N
    instants : datetime64[s], shape (S,)
    expected_return, low, high, confidence : float64, shape (S, N)
        NaN where a symbol has too few bars.
    behind : bool, shape (S, N)
        Where the symbol has not matched yet, and the forecast stands on its bar of the session before.
    waits : bool, shape (S,)
        Where no symbol has matched yet.
    session, previous : datetime64[s]
        Dates of this session and of the one before.
    horizon, interval_level
        As in `Prediction`.
    drivers : callable
        Returns what moved the forecasts at (instants, symbols).
    """

    symbols: tuple[str, ...]
    instants: TimeArray
    expected_return: FloatArray
    low: FloatArray
    high: FloatArray
    confidence: FloatArray
    behind: npt.NDArray[np.bool_]
    waits: npt.NDArray[np.bool_]
    session: np.datetime64
    previous: np.datetime64
    horizon: int
    interval_level: float
    drivers: Drivers
    _passing: dict[tuple[float, float], npt.NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    def at(self, place: int) -> SessionPredictions:
        """Return the predictions at one instant, by symbol."""
        return SessionPredictions(self, place)

    def prediction(self, place: int, column: int, *, drivers: bool = True) -> Prediction:
        """Return one prediction, with what moved it or without."""
        expected = self.expected_return[place, column].item()
        confidence = self.confidence[place, column].item()
        behind = bool(self.behind[place, column])
        return Prediction(
            symbol=self.symbols[column],
            as_of=_aware(self.previous if behind else self.session),
            expected_return=expected,
            low=self.low[place, column].item(),
            high=self.high[place, column].item(),
            confidence=confidence,
            action=action_for(expected, confidence),
            horizon=self.horizon,
            interval_level=self.interval_level,
            stale_sessions=int(behind and not self.waits[place]),
            drivers=self.drivers(np.array([place]), np.array([column]))[0] if drivers else (),
        )

    def above(self, place: int, expected_return: float, confidence: float) -> list[Prediction]:
        """Return the predictions at one instant that exceed both, in the order of the symbols.

        What moved them is left out: a replay finds a hundred a session, and nobody looks.
        """
        columns = np.flatnonzero(self.passing(expected_return, confidence)[place]).tolist()
        return [self.prediction(place, column, drivers=False) for column in columns]

    def passing(self, expected_return: float, confidence: float) -> npt.NDArray[np.bool_]:
        """Return where both are exceeded, shape (S, N)."""
        key = (expected_return, confidence)
        if key not in self._passing:
            self._passing[key] = (self.expected_return > expected_return) & (self.confidence > confidence)
        return self._passing[key]


class SessionPredictions(Mapping[str, Prediction]):
    """Predictions at one instant, by symbol, each made when it is looked at."""

    def __init__(self, forecast: SessionForecast, place: int) -> None:
        self._forecast = forecast
        self._place = place
        self._known = np.isfinite(forecast.expected_return[place])

    def __getitem__(self, symbol: str) -> Prediction:
        try:
            column = self._forecast.symbols.index(symbol)
        except ValueError:
            raise KeyError(symbol) from None
        if not self._known[column]:
            raise KeyError(symbol)
        return self._forecast.prediction(self._place, column)

    def __iter__(self) -> Iterator[str]:
        return (s for s, known in zip(self._forecast.symbols, self._known, strict=True) if known)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._known))

    def above(self, expected_return: float, confidence: float) -> list[Prediction]:
        """Return the predictions that exceed both, in the order of the symbols."""
        return self._forecast.above(self._place, expected_return, confidence)


def _aware(stamp: np.datetime64) -> datetime:
    moment: datetime = stamp.astype("datetime64[s]").item()
    return moment.replace(tzinfo=ICT)


def forecast_session(
    running: RunningSession,
    *,
    features: FeatureSet,
    final: Predictor,
    calibration: Calibration,
    config: ModelConfig,
    explain: Explain,
) -> SessionForecast:
    """Forecast all symbols at each instant of a session, in one batch.

    The numbers are those of `ForecastModel.predict` on `running.panel(place)`, to rounding.

    Parameters
    ----------
    running : RunningSession
        Its completed sessions lack no bar, and are enough for the features.
    explain : callable
        Returns what moved forecasts, from rows of features and their scale.

    Raises
    ------
    InputError, TypeError
        If the history has gaps, or a feature cannot be computed on forked arrays.
    """
    shape = running.close.shape
    inputs = FeatureInputs.forked(running)
    matrix = features.compute_session(running, inputs).astype(np.float32)
    deviation = _last(bar_deviation(inputs.close, config.horizon), shape)
    started = running.started
    usable = np.isfinite(deviation) & started
    raw = np.full(shape, np.nan)
    raw[usable] = _predicted(final, matrix[usable])
    known = MarketContext.of(running.complete.tail(_CONTEXT_ROWS)).before(np.atleast_1d(running.session))
    calm, activity, trend = symbol_parts(inputs.close, inputs.volume)
    around = Surroundings.at(
        _last(calm, shape),
        _last(activity, shape),
        _last(trend, shape),
        np.broadcast_to(market_regime(known), shape),
    )
    expected, confidence, low, high = apply_calibration(raw, deviation, calibration, around)
    inputs.release()
    whole = SessionForecast(
        symbols=running.complete.symbols,
        instants=running.instants,
        expected_return=expected,
        low=low,
        high=high,
        confidence=confidence,
        behind=~started,
        waits=np.logical_not(started.any(axis=1)),
        session=running.session,
        previous=running.complete.timestamps[-1],
        horizon=config.horizon,
        interval_level=config.interval_level,
        drivers=lambda places, columns: explain(
            matrix[places, columns], calibration.slope * deviation[places, columns]
        ),
    )
    return (
        whole
        if started.all()
        else _with_bars_before(
            whole,
            running,
            before=lambda: forecast_session(
                _session_before(running),
                features=features,
                final=final,
                calibration=calibration,
                config=config,
                explain=explain,
            ),
        )
    )


def _with_bars_before(
    whole: SessionForecast, running: RunningSession, before: Callable[[], SessionForecast]
) -> SessionForecast:
    """Let symbols that have not matched yet stand on their bar of the session before."""
    earlier = before()
    told = {
        name: np.where(whole.behind, getattr(earlier, name), getattr(whole, name))
        for name in ("expected_return", "low", "high", "confidence")
    }

    def drivers(places: IndexArray, columns: IndexArray) -> list[Told]:
        now, then = whole.drivers(places, columns), earlier.drivers(np.zeros_like(places), columns)
        behind = whole.behind[places, columns].tolist()
        return [b if late else a for a, b, late in zip(now, then, behind, strict=True)]

    return replace(whole, **told, drivers=drivers, _passing={})


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


def _predicted(final: Predictor, matrix: npt.NDArray[np.float32]) -> FloatArray:
    """Return the predictor's forecasts, by its way for many rows where it has one."""
    many = getattr(final, "predict_many", None)
    if many is None:
        return predict_rows(final, matrix)
    found: FloatArray = many(matrix)
    return found


def _last(column: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Return the last rows of a forked array at every instant."""
    forked = as_forked(column)
    if forked is None:
        raise TypeError("expected a forked array")
    return np.broadcast_to(forked.last, shape)
