"""Features: the table that models learn from, time x symbol x feature, causal, equal live and in research."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.errors import AlignmentError, InputError, ParameterError
from vnquant.features.context import CONTEXT_NAMES, MarketContext
from vnquant.features.definitions import DEFAULT_FEATURES, Feature, FeatureInputs
from vnquant.features.forks import as_forked
from vnquant.features.gaps import Gaps
from vnquant.market.bars import FloatArray, TimeArray
from vnquant.market.panel import BarPanel
from vnquant.market.running import RunningSession

__all__ = ("WARMUP_BARS", "FeatureSet", "Features", "compute_features")

# Bars after which a value no longer depends (to 1e-9) on where the history starts: the slowest recursive
# average is Wilder's over 14 bars, (13/14)^n < 1e-9 from n = 280 on; the longest window has 252 bars.
WARMUP_BARS = 300

# Raise it when a definition changes its meaning, so that stored models are not fed other numbers.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Features:
    """Feature values of a panel.

    Attributes
    ----------
    names : tuple of str, length F
    symbols : tuple of str, length N
    timestamps : datetime64[s], shape (T,)
    values : float64, shape (T, N, F)
        NaN where a symbol has no bar, or not enough of them yet.
    """

    names: tuple[str, ...]
    symbols: tuple[str, ...]
    timestamps: TimeArray
    values: FloatArray

    def __getitem__(self, name: str) -> FloatArray:
        """Return one feature, shape (T, N)."""
        if name not in self.names:
            raise ParameterError(
                f"There is no feature {name!r}; this table has {', '.join(self.names)}.", name=name
            )
        return self.values[:, :, self.names.index(name)]

    def last(self) -> FloatArray:
        """Return the values at the last row, shape (N, F)."""
        newest: FloatArray = self.values[-1]
        return newest


class FeatureSet:
    """Which features a table holds. Immutable; `adding` and `dropping` return new sets.

    Parameters
    ----------
    features : iterable of Feature
        Per-symbol features, in column order.
    context : bool
        Whether to append the market context of the previous close (`CONTEXT_NAMES`).
    """

    def __init__(self, features: Iterable[Feature] = DEFAULT_FEATURES, *, context: bool = True) -> None:
        self.features = tuple(features)
        self.context = context
        names = self.names
        if repeated := sorted({n for n in names if names.count(n) > 1}):
            raise InputError(f"Features of the same name: {', '.join(repeated)}. Rename one of each.")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(f.name for f in self.features) + (CONTEXT_NAMES if self.context else ())

    def adding(self, *features: Feature) -> FeatureSet:
        """Return the set with more features after the present ones."""
        return FeatureSet((*self.features, *features), context=self.context)

    def dropping(self, *names: str) -> FeatureSet:
        """Return the set without some features."""
        if unknown := set(names) - set(self.names):
            raise ParameterError(f"No such feature: {', '.join(sorted(unknown))}.", name=min(unknown))
        kept = [f for f in self.features if f.name not in names]
        return FeatureSet(kept, context=self.context)

    def compute(self, panel: BarPanel, *, context: MarketContext | None = None) -> Features:
        """Compute the table of a panel.

        Parameters
        ----------
        panel : BarPanel
            Daily bars; the last row may be a session that still runs.
        context : MarketContext, optional
            Market numbers of the completed sessions. Give it where the panel holds only some of the symbols;
            otherwise it is read off the panel.
        """
        gaps = Gaps(panel.present)
        inputs = FeatureInputs.of(panel, gaps)
        rows, columns = panel.shape
        # Feature-major while it is filled, since each feature is written as one block.
        values = np.empty((len(self.names), rows, columns))
        for k, feature in enumerate(self.features):
            column = feature.compute(inputs)
            if np.shape(column) != panel.shape:
                raise AlignmentError(
                    f"Feature {feature.name!r} returned shape {np.shape(column)} for a panel {panel.shape}; "
                    "return one value for each time and symbol."
                )
            values[k] = gaps.spread(column)
        if self.context:
            market = (MarketContext.of(panel) if context is None else context).before(panel.timestamps)
            values[len(self.features) :] = np.where(panel.present, market.T[:, :, None], np.nan)
        values[~np.isfinite(values)] = np.nan
        return Features(self.names, panel.symbols, panel.timestamps, np.moveaxis(values, 0, -1))

    def compute_session(
        self,
        running: RunningSession,
        inputs: FeatureInputs | None = None,
        *,
        dtype: npt.DTypeLike = np.float64,
    ) -> npt.NDArray[Any]:
        """Compute the last row of the table at each instant of a running session, shape (S, N, F).

        In memory the instants of each symbol and feature lie together.

        Parameters
        ----------
        running : RunningSession
            Its completed sessions lack no bar.
        inputs : FeatureInputs, optional
            `FeatureInputs.forked(running)`, where the caller has made it already.
        dtype : dtype
            Floating-point type of the table; what is infinite in it counts as missing.

        Raises
        ------
        InputError, TypeError
            If the history has gaps, or a feature does something that forked arrays cannot; compute the panels
            one by one then.
        """
        inputs = FeatureInputs.forked(running) if inputs is None else inputs
        instants, symbols = running.close.shape
        values = np.empty((symbols, len(self.names), instants), dtype)
        for k, feature in enumerate(self.features):
            column = as_forked(feature.compute(inputs))
            if column is None:
                raise TypeError(f"feature {feature.name!r} left the forked arrays; return what they gave")
            # First the type, then the order: moved eight bytes at a time, the cells take twice as long.
            values[:, k] = column.last.astype(dtype, copy=False).T
        if self.context:
            market = MarketContext.of(running.complete).before(np.atleast_1d(running.session))
            values[:, len(self.features) :] = market.T
        np.moveaxis(values, 1, -1)[~running.started.T] = np.nan
        infinite = np.isinf(values)
        if infinite.any():
            values[infinite] = np.nan
        return np.moveaxis(values, -1, 0)

    def fingerprint(self) -> str:
        """Return a hash of what the columns mean: names, version, and the code of each definition."""
        digest = hashlib.blake2b(f"{_VERSION}|{'|'.join(self.names)}".encode(), digest_size=16)
        for feature in self.features:
            _hash_callable(digest, feature.compute)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"FeatureSet({len(self.names)} features: {', '.join(self.names)})"


def compute_features(
    panel: BarPanel, *, features: FeatureSet | None = None, context: MarketContext | None = None
) -> Features:
    """Compute the default features (or those of a set) of a panel; see `FeatureSet.compute`."""
    return (FeatureSet() if features is None else features).compute(panel, context=context)


def _hash_callable(digest: hashlib.blake2b, function: object) -> None:
    """Feed what a function says, not its address: the hash is the same in every process and Python version.

    A source that cannot be read, as of code typed into a plain interpreter, is replaced by its bytecode,
    which differs between Python versions.
    """
    if isinstance(function, partial):
        digest.update(repr((function.args, sorted(function.keywords.items()))).encode())
        function = function.func
    if isinstance(function, FunctionType):
        try:
            digest.update(inspect.getsource(function).strip().encode())
        except (OSError, TypeError):
            _hash_code(digest, function.__code__)
        for cell in function.__closure__ or ():
            digest.update(repr(cell.cell_contents).encode())
    else:
        digest.update(type(function).__qualname__.encode())


def _hash_code(digest: hashlib.blake2b, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _hash_code(digest, constant)
        else:
            digest.update(repr(constant).encode())
