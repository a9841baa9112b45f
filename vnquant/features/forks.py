"""Forks: one history with many last rows, computed together.

A running session is looked at a hundred times a day, and each time only the last row of 400 is new. An array
of `Forked` holds the rows that all looks share once, and the last row of each look beside them. Indicators
and features are computed on it by the code that computes them on plain arrays: an operation on single cells
acts on both parts, a window folds the end of the history into each last row. History is computed lazily, and
only so far back as a later window asks for.

What it gives at a last row equals the plain computation to rounding; `tests/unit/features/test_forks.py`
holds every feature to it. Only complete histories can be forked: a row that lacks a symbol inside the history
shifts its windows, which is the business of `Gaps`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar, cast

import bottleneck as bn
import numpy as np

from vnquant.errors import InputError
from vnquant.features.fork_windows import FOLDS
from vnquant.market.bars import FloatArray

__all__ = ("Forked", "as_array", "as_forked", "cellwise")

P = ParamSpec("P")
R = TypeVar("R")

Tail = Callable[[int], FloatArray]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
# What was made of an array and of what was made of it, with the arrays in the key, by which they live on.
Made = dict[Hashable, "tuple[Forked, Any]"]


class Forked(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of shape (T + 1, N) whose last row is many.

    Parameters
    ----------
    rows : int
        T, the rows of the history.
    tail : callable
        Returns the last k rows of the history, k <= T, shape (k, N).
    last : float64, shape (S, N) or (1, N)
        The last row at each of S instants; a single one where it is the same at all of them.
    """

    __slots__ = ("_gaps", "_known", "_made", "_tail", "last", "rows")

    def __init__(self, rows: int, tail: Tail, last: FloatArray, made: Made | None = None) -> None:
        self.rows = rows
        self.last = last
        self._tail = tail
        self._known: FloatArray | None = None
        self._gaps: tuple[BoolArray | None] | None = None
        self._made: Made = {} if made is None else made

    @classmethod
    def of(cls, history: FloatArray, last: FloatArray) -> Forked:
        """Fork a plain history."""
        return cls(len(history), lambda k: history[len(history) - k :], last)

    @classmethod
    def ending(cls, rows: int, last: FloatArray) -> Forked:
        """Return an array of which only the last rows are known, so that no window can look back on it."""

        def tail(k: int) -> FloatArray:
            raise TypeError("only the last rows of this forked array are known")

        return cls(rows, tail, last)

    def tail(self, rows: int) -> FloatArray:
        """Return the last rows of the history, at most all of them."""
        wanted = min(rows, self.rows)
        if self._known is None or len(self._known) < wanted:
            self._known = self._tail(wanted)
        return self._known[len(self._known) - wanted :]

    @property
    def shape(self) -> tuple[int, ...]:
        """(T + 1, N), as that of a plain array."""
        return (self.rows + 1, self.last.shape[-1])

    def __len__(self) -> int:
        return self.rows + 1

    def astype(self, dtype: Any) -> Forked:
        """Return the array with another type of number."""
        return self._child(lambda k: self.tail(k).astype(dtype), self.last.astype(dtype))

    def copy(self) -> Forked:
        """Return itself: nothing writes into a forked array."""
        return self

    # -- cells --------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        return map_cells(ufunc, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.shape:
            return self.shape
        if function not in _CELLWISE:
            return NotImplemented
        return map_cells(functools.partial(function, **kwargs) if kwargs else function, *args)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a forked array is no plain array; use operations on cells and the indicators")

    # -- time ---------------------------------------------------------------------------------------------

    def _child(self, tail: Tail, last: FloatArray) -> Forked:
        """Return what is made of this array: forgotten together."""
        return Forked(self.rows, tail, last, self._made)

    def _once(self, make: Callable[..., Forked], *given: Hashable) -> Forked:
        """Return what a method makes of this array, made now if it was not; features share beginnings."""
        key = (id(self), make.__name__, given)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = (make(*given), self)
        return made[0]

    def release(self) -> None:
        """Forget what was made of this array, and of that: each knows what it was made of, in circles.

        Without it the arrays of past sessions wait for the garbage collector, some sixty megabytes each.
        """
        self._made.clear()

    def shift(self, rows: int) -> Forked:
        """Return the array moved `rows` later."""
        return self if rows == 0 else self._once(self._shifted, rows)

    def _shifted(self, rows: int) -> Forked:
        def tail(k: int) -> FloatArray:
            return _padded(self.tail(k + rows)[: max(min(k + rows, self.rows) - rows, 0)], k)

        return self._child(
            tail,
            _padded(self.tail(rows)[:1] if rows <= self.rows else self.last[:0], 1, self.last),
        )

    def previous(self) -> Forked:
        """Return the last value before each row, looking over missing ones."""
        return self._once(self._previous)

    def _previous(self) -> Forked:
        before = bn.push(self.tail(self.rows), axis=0) if self.rows else self.tail(0)

        def tail(k: int) -> FloatArray:
            return _padded(before[max(self.rows - k - 1, 0) : self.rows - 1], k)

        return self._child(tail, _padded(before[-1:], 1, self.last))

    def carried(self) -> Forked:
        """Return the last value at or before each row, looking over missing ones."""
        return self._once(self._carried)

    def _carried(self) -> Forked:
        known = bn.push(self.tail(self.rows), axis=0)
        last = np.where(np.isfinite(self.last), self.last, known[-1:])
        return self._child(lambda k: known[self.rows - k :], last)

    def moving(self, kernel: Any, window: int, needed: int) -> Forked:
        """Return a bottleneck window over the last `window` rows, with at least `needed` values."""
        return self._once(self._moving, kernel, window, needed)

    def _moving(self, kernel: Any, window: int, needed: int) -> Forked:
        fold = FOLDS.get(kernel)
        if fold is None:
            raise InputError(f"{kernel} is not known to forked arrays; compute it on a plain panel.")

        def tail(k: int) -> FloatArray:
            given = self.tail(k + window - 1)
            whole: FloatArray = kernel(given, min(window, len(given)), min_count=needed, axis=0)
            return whole[len(whole) - k :]

        before = self.tail(window - 1)
        given = np.isfinite(before)
        # Mostly nothing is missing, and one number counts for all.
        earlier: Any = len(before) if given.all() else given.sum(axis=0)
        if (earlier if isinstance(earlier, int) else earlier.min()) >= needed:
            return self._child(tail, fold(before, self, earlier))
        with np.errstate(invalid="ignore", divide="ignore"):
            value = fold(before, self, earlier)
        count = earlier + (1 if self.missing is None else ~self.missing)
        return self._child(tail, np.where(count >= needed, value, np.nan))

    @property
    def missing(self) -> BoolArray | None:
        """Where the last rows have no value; None where nothing is missing."""
        if self._gaps is None:
            there = np.isfinite(self.last)
            self._gaps = (None if there.all() else ~there,)
        return self._gaps[0]

    def recursive(self, weight: float, min_count: int) -> Forked:
        """Return a recursive average, y[t] = (1 - weight) y[t-1] + weight x[t], from the first value on."""
        return self._once(self._recursive, weight, min_count)

    def _recursive(self, weight: float, min_count: int) -> Forked:
        from vnquant.features.recurrence_kernel import recursive_average

        averages, first = recursive_average(self.tail(self.rows), weight)
        if first < 0:
            raise InputError("the history has missing values, so its averages cannot be forked")
        last = (1.0 - weight) * averages[-1:] + weight * self.last
        averages[: first + min_count - 1] = np.nan
        if self.rows - first + 1 < min_count:
            last = np.full_like(last, np.nan)
        return self._child(lambda k: averages[self.rows - k :], last)


def as_forked(x: object) -> Forked | None:
    """Return x where it is forked."""
    return x if isinstance(x, Forked) else None


def as_array(x: Forked) -> FloatArray:
    """Tell the type checker that what computes on arrays computes on this."""
    return cast("FloatArray", x)


def cellwise(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of cells, which may write into its own results, take forked arrays as well."""

    @functools.wraps(function)
    def either(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(isinstance(a, Forked) for a in args):
            return cast("R", map_cells(functools.partial(function, **kwargs) if kwargs else function, *args))
        return function(*args, **kwargs)

    return either


def map_cells(function: Callable[..., Any], *inputs: Any) -> Forked:
    """Apply a function of cells to the history and to the last rows."""
    leading: Forked | None = None
    key: list[Hashable] = [function]
    for x in inputs:
        if isinstance(x, Forked):
            leading = x if leading is None else leading
            key.append(id(x))
        elif isinstance(x, _NUMBER):
            key.append(x)
        elif np.ndim(x) > 1:
            raise TypeError("a plain array of many rows cannot be combined with a forked one")
        else:
            key.append(id(x))
    assert leading is not None
    if isinstance(function, functools.partial):
        return _mapped(leading, function, inputs)
    made = leading._made.get(known := tuple(key))
    if made is None:
        made = leading._made[known] = (_mapped(leading, function, inputs), inputs)
    return made[0]


def _mapped(leading: Forked, function: Callable[..., Any], inputs: tuple[Any, ...]) -> Forked:
    def tail(k: int) -> FloatArray:
        got: FloatArray = function(*[x.tail(k) if isinstance(x, Forked) else x for x in inputs])
        return got

    last = function(*[x.last if isinstance(x, Forked) else x for x in inputs])
    return Forked(leading.rows, tail, last, leading._made)


_NUMBER = (int, float)
_CELLWISE = frozenset({np.where, np.clip, np.nan_to_num, np.isclose})


def _padded(rows: FloatArray, wanted: int, like: FloatArray | None = None) -> FloatArray:
    """Return rows with NaN rows before them, so many as are wanted."""
    if len(rows) == wanted:
        return rows
    columns = rows.shape[-1] if like is None else like.shape[-1]
    out = np.full((wanted, columns), np.nan)
    out[wanted - len(rows) :] = rows
    return out
