"""Models: the report, how good the forecasts were out of sample."""

from __future__ import annotations

from datetime import date
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.features import RankIC, rank_ic
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.models.config import ModelConfig
from vnquant.models.dataset import Dataset
from vnquant.models.predictor import Explains
from vnquant.models.walk_forward import Forecasts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("ConfidenceBucket", "FoldReport", "IcReport", "ModelReport", "make_report")

_BUCKETS = (0.0, 0.5, 0.52, 0.54, 0.57, 0.6, 0.65, 0.7, 0.75, 0.8, 1.0)


class IcReport(msgspec.Struct, frozen=True, kw_only=True):
    """Mean rank IC with its 95 % interval."""

    mean: float
    low: float
    high: float
    standard_error: float
    days: int

    @classmethod
    def of(cls, ic: RankIC) -> IcReport:
        """Keep the numbers of a RankIC without its days."""
        return cls(mean=ic.mean, low=ic.low, high=ic.high, standard_error=ic.standard_error, days=ic.days)

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f}, {self.days} days)"


class FoldReport(msgspec.Struct, frozen=True, kw_only=True):
    """One test block: its first and last session, the rows learnt from, and its rank IC."""

    start: date
    end: date
    train_rows: int
    rank_ic: float


class ConfidenceBucket(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts whose confidence lay in [low, high): what they claimed and how many came true."""

    low: float
    high: float
    count: int
    mean_confidence: float
    hit_rate: float


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Out-of-sample quality of a forecast.

    Attributes
    ----------
    horizon, sessions, symbols, rows : int
        `rows` is the number of forecasts with a known outcome.
    rank_ic : IcReport
    baselines : mapping of str to IcReport
        The same of plain 20-bar momentum and plain 5-bar reversal, on the same cells.
    folds : tuple of FoldReport
    hit_rate : float
        Share of forecasts whose sign came true.
    buckets : tuple of ConfidenceBucket
    interval_level, interval_coverage : float
        Promised and found share of outcomes inside the interval.
    slope : float
        Outcome per unit of calibrated expected return; 1 is honest, below 1 the forecasts are too bold.
    importances : tuple of (str, float)
        Features by their share of what the final model learnt, largest first; empty where it cannot tell.
    """

    horizon: int
    sessions: int
    symbols: int
    rows: int
    rank_ic: IcReport
    baselines: dict[str, IcReport]
    folds: tuple[FoldReport, ...]
    hit_rate: float
    buckets: tuple[ConfidenceBucket, ...]
    interval_level: float
    interval_coverage: float
    slope: float
    importances: tuple[tuple[str, float], ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the confidence buckets as a frame: claimed against found."""
        import pandas as pd

        return pd.DataFrame([msgspec.structs.asdict(b) for b in self.buckets])

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [
            f"{self.horizon}-session forecasts of {self.symbols} symbols, out of sample: {self.rows:,} known",
            f"rank IC       {self.rank_ic}",
            *(f"  {name:<12}{ic}" for name, ic in self.baselines.items()),
            f"sign right    {self.hit_rate:.1%}",
            f"interval      {self.interval_coverage:.1%} inside, {self.interval_level:.0%} promised",
            f"slope         {self.slope:.2f} outcome per unit of expected return",
            *(
                f"confidence {b.low:.2f}-{b.high:.2f}: said {b.mean_confidence:.3f}, right {b.hit_rate:.3f} "
                f"({b.count:,})"
                for b in self.buckets
            ),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def make_report(
    data: Dataset, forecasts: Forecasts, config: ModelConfig, timestamps: TimeArray
) -> ModelReport:
    """Measure out-of-sample forecasts against their outcomes."""
    scored = forecasts.raw * data.deviation
    known = np.isfinite(scored) & np.isfinite(data.forward)
    expected, outcome = forecasts.expected_return, data.forward
    told = np.isfinite(expected) & np.isfinite(outcome)
    inside = (outcome >= forecasts.low) & (outcome <= forecasts.high)
    right = np.sign(expected[told]) == np.sign(outcome[told])
    ic = rank_ic(scored, data.forward, horizon=config.horizon)
    days = timestamps.astype("datetime64[D]")
    return ModelReport(
        horizon=config.horizon,
        sessions=len(data.usable),
        symbols=data.usable.shape[1],
        rows=int(known.sum()),
        rank_ic=IcReport.of(ic),
        baselines=_baselines(data, known, config.horizon),
        folds=tuple(
            FoldReport(
                start=days[f.start].item(),
                end=days[f.end - 1].item(),
                train_rows=f.train_rows,
                rank_ic=_mean(ic.daily[f.start : f.end]),
            )
            for f in forecasts.folds
        ),
        hit_rate=_mean(right.astype(np.float64)),
        buckets=_buckets(forecasts.confidence[told], right),
        interval_level=config.interval_level,
        interval_coverage=_mean(inside[told].astype(np.float64)),
        slope=float(expected[told] @ outcome[told] / max(float(expected[told] @ expected[told]), 1e-12)),
        importances=_importances(data.features.names, forecasts),
    )


def _baselines(data: Dataset, known: npt.NDArray[np.bool_], horizon: int) -> dict[str, IcReport]:
    found = {}
    for name, feature, sign in (("momentum", "return_20", 1.0), ("reversal", "return_5", -1.0)):
        if feature in data.features.names:
            plain = np.where(known, sign * data.features[feature], np.nan)
            found[name] = IcReport.of(rank_ic(plain, data.forward, horizon=horizon))
    return found


def _buckets(confidence: FloatArray, right: npt.NDArray[np.bool_]) -> tuple[ConfidenceBucket, ...]:
    place = np.digitize(confidence, _BUCKETS[1:-1])
    return tuple(
        ConfidenceBucket(
            low=low,
            high=high,
            count=int((place == k).sum()),
            mean_confidence=float(confidence[place == k].mean()),
            hit_rate=float(right[place == k].mean()),
        )
        for k, (low, high) in enumerate(pairwise(_BUCKETS))
        if (place == k).any()
    )


def _importances(names: tuple[str, ...], forecasts: Forecasts) -> tuple[tuple[str, float], ...]:
    if not isinstance(forecasts.final, Explains):
        return ()
    shares = forecasts.final.importances()
    order = np.argsort(-shares, kind="stable")
    return tuple((names[k], float(shares[k])) for k in order)


def _mean(values: FloatArray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
