"""Models: trees, evaluated in numpy from LightGBM's model text.

Importing LightGBM brings scikit-learn and pandas along and takes longer than everything else between opening
the workbench and the first scan. A batch of symbols needs none of it: all trees are walked at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.errors import ModelError
from vnquant.market.bars import FloatArray

__all__ = ("TreeEnsemble",)

IntArray = npt.NDArray[np.intp]

# Of LightGBM's `decision_type`: bit 0 categorical, bit 1 missing goes left, bits 2-3 what counts as missing.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT, _MISSING_IS_NAN = 1, 2, 2, 2


class TreeEnsemble:
    """The sum of regression trees.

    Nodes of all trees stand in one list; a leaf is a node whose children are itself, so that rows which
    arrive early wait there.
    """

    def __init__(self, text: str) -> None:
        self.features = len(_field(text.split("\nTree=", 1)[0], "feature_names").split(" "))
        parts: list[tuple[Any, ...]] = []
        offset = 0
        roots = []
        for block in text.split("\nTree=")[1:]:
            roots.append(offset)
            parts.append(_nodes(block, offset))
            offset += len(parts[-1][0])
        if not parts:
            raise ModelError("The text holds no trees, so it is no LightGBM model; train it anew.")
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        self._feature, self._threshold, self._nan_left, self._left, self._right, self._value = columns
        self._roots = np.array(roots, dtype=np.intp)
        self._kernel: tuple[Any, ...] | None = None

    def predict(self, X: npt.ArrayLike) -> FloatArray:
        """Return the sum of the leaves that each row reaches, shape (rows,)."""
        return self._walk(X)[0]

    def predict_series(self, X: npt.NDArray[np.float32], there: npt.NDArray[np.bool_]) -> FloatArray:
        """Return the same as `predict` for series of rows that resemble each other, by a compiled kernel.

        It adds the trees up in another order, so that the last bit may differ.

        Parameters
        ----------
        X : float32, shape (N, F, S)
            N series of S rows.
        there : bool, shape (N, S)
            Which rows are asked for.

        Returns
        -------
        float64, shape (N, S)
            NaN where no row is asked for.
        """
        from vnquant.models.tree_kernel import walk_series

        unknown = there & np.isnan(X).any(axis=1)
        out: FloatArray = walk_series(np.ascontiguousarray(X), there & ~unknown, *self._packed())
        if unknown.any():
            out[unknown] = self.predict(np.moveaxis(X, 1, 2)[unknown])
        return out

    def _packed(self) -> tuple[Any, ...]:
        """Return the nodes as the kernel takes them."""
        if self._kernel is None:
            child = np.stack([self._left, self._right], axis=1).astype(np.int32).ravel()
            self._kernel = (
                self._roots.astype(np.int32),
                self._deepest(),
                self._feature.astype(np.int32),
                _rounded_down(self._threshold),
                child,
                self._value,
            )
        return self._kernel

    def _deepest(self) -> int:
        """Return the splits on the longest path of all trees."""
        inner = self._left != np.arange(len(self._left))
        depth = np.zeros(len(self._left), dtype=np.intp)
        # A child stands after its parent in LightGBM's text, so parents are complete when children are read.
        for node in np.flatnonzero(inner)[::-1]:
            depth[node] = 1 + max(depth[self._left[node]], depth[self._right[node]])
        return int(depth.max())

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return what each feature's splits changed along the paths, shape (rows, features).

        The value of a node is the mean of the training rows in it; a split on a feature moves the forecast
        from the node's value to the child's (Saabas 2014). They sum to the prediction less the mean forecast.
        """
        return self._walk(X)[1]

    def _walk(self, X: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        rows = np.asarray(X, dtype=np.float64)
        count = len(rows)
        node = np.broadcast_to(self._roots, (count, len(self._roots)))
        cell = np.arange(count)[:, None] * self.features
        moved = np.zeros(count * self.features)
        while True:
            feature = self._feature[node]
            x = np.take_along_axis(rows, feature, axis=1)
            left = np.where(np.isnan(x), self._nan_left[node], x <= self._threshold[node])
            following = np.where(left, self._left[node], self._right[node])
            if np.array_equal(following, node):
                break
            gained = self._value[following] - self._value[node]
            moved += np.bincount((cell + feature).ravel(), weights=gained.ravel(), minlength=len(moved))
            node = following
        return self._value[node].sum(axis=1), moved.reshape(count, self.features)


def _nodes(block: str, offset: int) -> tuple[Any, ...]:
    """Return feature, threshold, where NaN goes, children and value of each node: splits, then leaves."""
    leaves = np.array(_field(block, "leaf_value").split(" "), dtype=np.float64)
    splits = len(leaves) - 1
    itself = offset + splits + np.arange(len(leaves))
    end = np.zeros(len(leaves), dtype=np.intp)
    if not splits:
        return end, end.astype(np.float64), end.astype(bool), itself, itself, leaves
    kind = np.array(_field(block, "decision_type").split(" "), dtype=np.intp)
    if (kind & _CATEGORICAL).any():
        raise ModelError("The model splits on categories, which no feature here has; train it anew.")
    threshold = np.array(_field(block, "threshold").split(" "), dtype=np.float64)
    # Where training saw no NaN, LightGBM reads one as 0.
    by_default = (kind >> _MISSING_SHIFT) == _MISSING_IS_NAN
    nan_left = np.where(by_default, (kind & _DEFAULT_LEFT) > 0, threshold >= 0.0)
    children = (
        np.array(_field(block, name).split(" "), dtype=np.intp) for name in ("left_child", "right_child")
    )
    # A child below zero is the leaf of its complement.
    left, right = (np.where(c >= 0, offset + c, offset + splits - c - 1) for c in children)
    return (
        np.concatenate([np.array(_field(block, "split_feature").split(" "), dtype=np.intp), end]),
        np.concatenate([threshold, np.zeros(len(leaves))]),
        np.concatenate([nan_left, end.astype(bool)]),
        np.concatenate([left, itself]),
        np.concatenate([right, itself]),
        np.concatenate([np.array(_field(block, "internal_value").split(" "), dtype=np.float64), leaves]),
    )


def _rounded_down(threshold: FloatArray) -> npt.NDArray[np.float32]:
    """Return the greatest float32 that is not above each threshold: a float32 is below both or neither."""
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def _field(block: str, name: str) -> str:
    start = block.find(f"\n{name}=")
    if start < 0:
        raise ModelError(f"The model text has no {name}, so it is no LightGBM model; train it anew.")
    start += len(name) + 2
    return block[start : block.index("\n", start)]
