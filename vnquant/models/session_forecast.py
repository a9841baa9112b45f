"""Models: forecasts at many instants of one session, told one by one; `session_batch` computes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vnquant.market.bars import FloatArray
from vnquant.market.running import RunningSession
from vnquant.models.prediction import Prediction, action_for
from vnquant.runtime.clock import ICT

__all__ = ("Before", "Drivers", "IndexArray", "Outlook", "SessionForecast", "SessionPredictions", "Told")

IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
Told = tuple[tuple[str, float], ...]
Drivers = Callable[[IndexArray, IndexArray], list[Told]]


class Outlook(NamedTuple):
    """Forecasts as arrays of one shape, NaN where there is none."""

    expected_return: FloatArray
    confidence: FloatArray
    low: FloatArray
    high: FloatArray


class Before:
    """The forecasts on bars of the last completed session, as it was when it was over; made when needed.

    They are the same for all instants of a session, so its forecasts share them.
    """

    def __init__(self, make: Callable[[], SessionForecast]) -> None:
        self._make = make

    @cached_property
    def forecast(self) -> SessionForecast:
        """The forecast, at one instant."""
        return self._make()


class SessionForecast:
    """Forecasts of N symbols at S instants, each from what was known then.

    A symbol that has not matched yet has a forecast as well, which stands on its bar of the session before.
    It is computed when it is asked for: a replay seldom does.

    Parameters
    ----------
    running : RunningSession
    today : Outlook
        On bars of this session, shape (S, N); NaN where a symbol has not matched, or has too few bars.
    before : Before
        Of the last completed session.
    drivers : callable
        Returns what moved the forecasts of `today` at (instants, symbols).
    horizon, interval_level
        As in `Prediction`.

    Attributes
    ----------
    symbols : tuple of str, length N
    instants : datetime64[s], shape (S,)
    expected_return, confidence, low, high : float64, shape (S, N)
        NaN where a symbol has too few bars.
    behind : bool, shape (S, N)
        Where the forecast stands on the bar of the session before.
    some_behind : list of bool, length S
        Whether it does so for any symbol.
    """

    def __init__(
        self,
        running: RunningSession,
        today: Outlook,
        *,
        before: Before,
        drivers: Drivers,
        horizon: int,
        interval_level: float,
    ) -> None:
        self.symbols = running.complete.symbols
        self.instants = running.instants
        self.today = today
        self.behind = ~running.started
        self.horizon = horizon
        self.interval_level = interval_level
        self._drivers = drivers
        self.before = before
        self._session, self._previous = _aware(running.session), _aware(running.complete.timestamps[-1])
        behind: Any = self.behind
        self.some_behind: list[bool] = behind.any(axis=1).tolist()
        self._all_behind: list[bool] = behind.all(axis=1).tolist()
        self._passing: dict[tuple[float, float], BoolArray] = {}
        # The columns that pass, by instant.
        self._columns: dict[tuple[float, float], list[list[int]]] = {}

    @property
    def expected_return(self) -> FloatArray:
        """Expected returns, shape (S, N)."""
        return self._whole.expected_return

    @property
    def confidence(self) -> FloatArray:
        """Probabilities that the sign is right, shape (S, N)."""
        return self._whole.confidence

    @property
    def low(self) -> FloatArray:
        """Lower ends of the intervals, shape (S, N)."""
        return self._whole.low

    @property
    def high(self) -> FloatArray:
        """Upper ends of the intervals, shape (S, N)."""
        return self._whole.high

    @cached_property
    def _whole(self) -> Outlook:
        if not any(self.some_behind):
            return self.today
        pairs = zip(self.before.forecast.today, self.today, strict=True)
        return Outlook(*(np.where(self.behind, then, now) for then, now in pairs))

    def _outlook(self, place: int) -> Outlook:
        """Return arrays that hold the forecasts of one instant."""
        return self._whole if self.some_behind[place] else self.today

    def drivers(self, places: IndexArray, columns: IndexArray) -> list[Told]:
        """Return what moved the forecasts at (instants, symbols)."""
        now = self._drivers(places, columns)
        behind = self.behind[places, columns].tolist()
        if not any(behind):
            return now
        then = self.before.forecast._drivers(np.zeros_like(places), columns)
        return [b if late else a for a, b, late in zip(now, then, behind, strict=True)]

    def settle(self, place: int) -> None:
        """Compute now what `at(place)` would compute when it is looked at.

        Raises
        ------
        InputError, TypeError
            As `forecast_session`.
        """
        if self.some_behind[place]:
            _ = self._whole

    def at(self, place: int) -> SessionPredictions:
        """Return the predictions at one instant, by symbol."""
        return SessionPredictions(self, place)

    def known(self, place: int) -> BoolArray:
        """Return which symbols have a forecast at one instant, shape (N,)."""
        known: BoolArray = np.isfinite(self._outlook(place).expected_return[place])
        return known

    def prediction(self, place: int, column: int, *, drivers: bool = True) -> Prediction:
        """Return one prediction, with what moved it or without."""
        outlook, cell = self._outlook(place), (place, column)
        expected, confidence = outlook.expected_return.item(cell), outlook.confidence.item(cell)
        behind = self.behind.item(cell)
        return Prediction(
            symbol=self.symbols[column],
            as_of=self._previous if behind else self._session,
            expected_return=expected,
            low=outlook.low.item(cell),
            high=outlook.high.item(cell),
            confidence=confidence,
            action=action_for(expected, confidence),
            horizon=self.horizon,
            interval_level=self.interval_level,
            stale_sessions=int(behind and not self._all_behind[place]),
            drivers=self.drivers(np.array([place]), np.array([column]))[0] if drivers else (),
        )

    def above(self, place: int, expected_return: float, confidence: float) -> list[Prediction]:
        """Return the predictions at one instant that exceed both, in the order of the symbols.

        What moved them is left out: a replay finds a hundred a session, and nobody looks.
        """
        key = (expected_return, confidence)
        columns = self._columns.get(key)
        if columns is None:
            columns = self._columns[key] = [[] for _ in self.instants]
            for row, column in np.argwhere(self.passing(*key)).tolist():
                columns[row].append(column)
        return [self.prediction(place, column, drivers=False) for column in columns[place]]

    def passing(self, expected_return: float, confidence: float) -> BoolArray:
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

    @cached_property
    def _known(self) -> list[bool]:
        known: list[bool] = self._forecast.known(self._place).tolist()
        return known

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
        return int(np.count_nonzero(self._forecast.known(self._place)))

    def above(self, expected_return: float, confidence: float) -> list[Prediction]:
        """Return the predictions that exceed both, in the order of the symbols."""
        return self._forecast.above(self._place, expected_return, confidence)


def _aware(stamp: np.datetime64) -> datetime:
    moment: datetime = stamp.astype("datetime64[s]").item()
    return moment.replace(tzinfo=ICT)
