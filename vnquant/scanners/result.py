"""ScanResult: what one scan of the market found, saw and missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from vnquant.errors import VnQuantError
from vnquant.models import Prediction, Predictions, SessionPredictions
from vnquant.scanners.coverage import Coverage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("OpportunityFilter", "ScanResult")

_SHOWN_ROWS = 10


class OpportunityFilter:
    """Which predictions are opportunities: expected return and confidence above their thresholds.

    Parameters
    ----------
    min_expected_return : float
        Expected 5-session return, as a fraction (0.03 is 3 %).
    min_confidence : float
        Calibrated probability that the sign is right, in [0, 1].
    """

    __slots__ = ("min_confidence", "min_expected_return")

    def __init__(self, *, min_expected_return: float = 0.03, min_confidence: float = 0.7) -> None:
        self.min_expected_return = min_expected_return
        self.min_confidence = min_confidence

    def passes(self, prediction: Prediction) -> bool:
        """Return whether both thresholds are exceeded."""
        return (
            prediction.expected_return > self.min_expected_return
            and prediction.confidence > self.min_confidence
        )

    def choose(self, predictions: Mapping[str, Prediction]) -> list[Prediction]:
        """Return those of many predictions that pass."""
        if isinstance(predictions, SessionPredictions):
            return predictions.above(self.min_expected_return, self.min_confidence)
        return [p for p in predictions.values() if self.passes(p)]

    def __repr__(self) -> str:
        return f"expected return > {self.min_expected_return:.1%}, confidence > {self.min_confidence:.2f}"


class ScanResult(Mapping[str, Prediction]):
    """Predictions by symbol, with what was missing and why.

    Attributes
    ----------
    as_of : datetime
        Market time at which the scan began.
    failures : mapping of str to VnQuantError
        Symbols that could not be fetched freshly, with the reason.
    coverage : Coverage
    opportunities : Predictions
        Those that pass the filter, best expected return first.
    elapsed_s : float
        Seconds of the loop's time.
    fingerprint : str
        Of the data, code, parameters and seed that the predictions stand on.
    """

    def __init__(
        self,
        predictions: Mapping[str, Prediction],
        *,
        as_of: datetime,
        coverage: Coverage,
        elapsed_s: float,
        criteria: OpportunityFilter,
        fingerprint: str = "",
    ) -> None:
        self._predictions = predictions
        self.as_of = as_of
        self.coverage = coverage
        self.elapsed_s = elapsed_s
        self.criteria = criteria
        self.fingerprint = fingerprint

    @property
    def failures(self) -> Mapping[str, VnQuantError]:
        """Why symbols are stale or missing."""
        return self.coverage.failures

    @cached_property
    def opportunities(self) -> Predictions:
        """The predictions that pass the filter, best first."""
        return _best_first(self.criteria.choose(self._predictions))

    def ranked(self) -> Predictions:
        """Return all predictions by expected return, best first."""
        return _best_first(self._predictions.values())

    def __getitem__(self, symbol: str) -> Prediction:
        try:
            return self._predictions[symbol]
        except KeyError:
            why = self.failures.get(symbol)
            raise KeyError(f"{symbol}: {why}" if why else f"{symbol} was not part of this scan") from why

    def __iter__(self) -> Iterator[str]:
        return iter(self._predictions)

    def __len__(self) -> int:
        return len(self._predictions)

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self._predictions)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a symbol, best expected return first, indexed by symbol."""
        import pandas as pd

        columns = ["as_of", "expected_return", "low", "high", "confidence", "action", "opportunity"]
        rows = [
            (
                p.symbol,
                p.as_of,
                p.expected_return,
                p.low,
                p.high,
                p.confidence,
                str(p.action),
                self.criteria.passes(p),
            )
            for p in self.ranked()
        ]
        return pd.DataFrame(rows, columns=["symbol", *columns]).set_index("symbol")

    def __repr__(self) -> str:
        lines = [
            f"Scan of {self.as_of:%Y-%m-%d %H:%M} ICT: {self.coverage}",
            f"{len(self.opportunities)} opportunities ({self.criteria})",
        ]
        if self._predictions:
            lines.append(f"{'symbol':<8}{'expected':>9}{'low':>8}{'high':>8}{'conf.':>7}  action")
        for p in self.ranked()[:_SHOWN_ROWS]:
            mark = " *" if self.criteria.passes(p) else ""
            lines.append(
                f"{p.symbol:<8}{p.expected_return:>+9.1%}{p.low:>+8.1%}{p.high:>+8.1%}{p.confidence:>7.2f}"
                f"  {p.action}{mark}"
            )
        if len(self) > _SHOWN_ROWS:
            lines.append(f"... and {len(self) - _SHOWN_ROWS} more; .to_frame() has them all")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><td><b>{escape(p.symbol)}</b></td>"
            f"<td style='color:{'#0a8f3c' if p.expected_return > 0 else '#d02030'}'>"
            f"{'▲' if p.expected_return > 0 else '▼'} {p.expected_return:+.1%}</td>"
            f"<td>{p.low:+.1%} … {p.high:+.1%}</td><td>{p.confidence:.2f}</td><td>{p.action}</td>"
            f"<td>{'★' if self.criteria.passes(p) else ''}</td></tr>"
            for p in self.ranked()[:_SHOWN_ROWS]
        )
        more = (
            f"<p>… and {len(self) - _SHOWN_ROWS} more: <code>.to_frame()</code></p>"
            if len(self) > _SHOWN_ROWS
            else ""
        )
        return (
            f"<p><b>Scan of {self.as_of:%Y-%m-%d %H:%M} ICT</b> — {escape(str(self.coverage))}; "
            f"<b>{len(self.opportunities)}</b> opportunities ({escape(repr(self.criteria))})</p>"
            "<table><thead><tr><th>symbol</th><th>expected 5-session return</th><th>80 % interval</th>"
            f"<th>confidence</th><th>action</th><th></th></tr></thead><tbody>{body}</tbody></table>{more}"
            f"<p><small>fingerprint {escape(self.fingerprint)}</small></p>"
        )


def _best_first(predictions: Iterable[Prediction]) -> Predictions:
    return Predictions(sorted(predictions, key=lambda p: (-p.expected_return, p.symbol)))
