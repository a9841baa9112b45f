"""Models: predictors, the regressions inside the forecast: any object with `fit` and `predict`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from vnquant.errors import ModelError, ParameterError
from vnquant.market.bars import FloatArray
from vnquant.models.trees import TreeEnsemble

__all__ = (
    "Explains",
    "LightGBMPredictor",
    "Predictor",
    "dump_predictor",
    "load_predictor",
    "predictor_fingerprint",
)


@runtime_checkable
class Predictor(Protocol):
    """What a regression must do. Scikit-learn's regressors do.

    `X` is float32 of shape (rows, features), `y` float64 of shape (rows,): the forward return in deviations.
    A predictor with a true attribute `accepts_missing` is given NaN; for others NaN becomes 0, which for
    these features means "nothing unusual".
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Learn y from X."""
        ...

    def predict(self, X: Any) -> Any:
        """Return the expectation of y for each row of X."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A predictor that can say what moved each prediction."""

    def contributions(self, X: Any) -> FloatArray:
        """Return each feature's share of each prediction, shape (rows, features)."""
        ...

    def importances(self) -> FloatArray:
        """Return each feature's share of what was learnt, summing to 1, shape (features,)."""
        ...


# Up to so many rows the trees are walked in numpy, which spares a batch of symbols the import of LightGBM.
_BATCH_ROWS = 5_000


class LightGBMPredictor:
    """Gradient-boosted trees, small and heavily regularised: returns are nearly all noise.

    Parameters
    ----------
    trees, leaves, learning_rate, least_rows_per_leaf, feature_share, row_share : numbers
        LightGBM's num_iterations, num_leaves, learning_rate, min_data_in_leaf, feature_fraction and
        bagging_fraction.
    threads : int
        Threads for fitting. The result does not depend on it.
    seed : int
    """

    accepts_missing = True

    def __init__(
        self,
        *,
        trees: int = 120,
        leaves: int = 15,
        learning_rate: float = 0.05,
        least_rows_per_leaf: int = 300,
        feature_share: float = 0.6,
        row_share: float = 0.7,
        threads: int = 2,
        seed: int = 7,
    ) -> None:
        for name, value, low in (("trees", trees, 1), ("leaves", leaves, 2), ("threads", threads, 1)):
            if value < low:
                raise ParameterError(f"{name} must be {low} or more, got {value}.", name=name, value=value)
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.least_rows_per_leaf = least_rows_per_leaf
        self.feature_share = feature_share
        self.row_share = row_share
        self.threads = threads
        self.seed = seed
        self.text_: str | None = None
        self._booster: Any = None
        self._ensemble: TreeEnsemble | None = None

    def parameters(self) -> dict[str, float]:
        """Return the parameters that decide the result; threads do not."""
        names = (
            "trees",
            "leaves",
            "learning_rate",
            "least_rows_per_leaf",
            "feature_share",
            "row_share",
            "seed",
        )
        return {name: getattr(self, name) for name in names}

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit on the rows given."""
        import lightgbm

        params = {
            "objective": "regression",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": max(1, min(self.least_rows_per_leaf, len(y) // 20)),
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "lambda_l2": 20.0,
            "max_bin": 63,
            "bin_construct_sample_cnt": 50_000,
            "num_threads": self.threads,
            "seed": self.seed,
            # Without these two, sums depend on the number of threads and on a timing trial at the start.
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(X, y, params=params)
        self._booster = lightgbm.train(params, data, num_boost_round=self.trees)
        self.text_ = self._booster.model_to_string()
        self._ensemble = None
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """Return the expectation for each row."""
        if len(X) <= _BATCH_ROWS:
            return self._trees().predict(X)
        found: FloatArray = self._fitted_booster().predict(X, num_threads=self.threads)
        return found

    def predict_series(self, X: Any, there: Any) -> FloatArray:
        """Return the same as `predict` for series of rows, faster; see `TreeEnsemble.predict_series`."""
        return self._trees().predict_series(X, there)

    def contributions(self, X: FloatArray) -> FloatArray:
        """Return how much each feature moved each prediction, shape (rows, features)."""
        return self._trees().contributions(X)

    def importances(self) -> FloatArray:
        """Return each feature's share of the total gain."""
        gain = np.asarray(self._fitted_booster().feature_importance("gain"), dtype=np.float64)
        return gain / max(float(gain.sum()), 1e-12)

    def prepare(self) -> Self:
        """Read the trees now rather than at the first prediction."""
        self._trees()
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_booster": None, "_ensemble": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    def _fitted_text(self) -> str:
        if self.text_ is None:
            raise ModelError("This predictor has not been fitted; call fit(X, y) first.")
        return self.text_

    def _trees(self) -> TreeEnsemble:
        if self._ensemble is None:
            self._ensemble = TreeEnsemble(self._fitted_text())
        return self._ensemble

    def _fitted_booster(self) -> Any:
        if self._booster is None:
            text = self._fitted_text()
            import lightgbm

            self._booster = lightgbm.Booster(model_str=text)
        return self._booster

    def __repr__(self) -> str:
        return f"LightGBMPredictor({', '.join(f'{k}={v}' for k, v in self.parameters().items())})"


def dump_predictor(predictor: Predictor) -> tuple[str, bytes]:
    """Return the kind and the bytes of a predictor, to be stored.

    The default one is written as its own text, since a pickle's bytes depend on which strings are shared.
    """
    if type(predictor) is LightGBMPredictor:
        import msgspec

        state = {**predictor.parameters(), "text_": predictor.text_}
        return "lightgbm", msgspec.json.encode(state, order="sorted")
    import cloudpickle

    try:
        return "pickle", cloudpickle.dumps(predictor)
    except Exception as exc:
        raise ModelError(
            f"The predictor {type(predictor).__name__} cannot be sent to the training process: {exc}. "
            "Keep open files, locks and generators out of its attributes."
        ) from exc


def load_predictor(kind: str, data: bytes, *, threads: int = 1) -> Predictor:
    """Rebuild a predictor from `dump_predictor`. Reads pickles: only from the user's own store."""
    if kind == "lightgbm":
        import msgspec

        state = msgspec.json.decode(data)
        text = state.pop("text_")
        predictor = LightGBMPredictor(**state, threads=threads)
        predictor.text_ = text
        return predictor.prepare()
    import cloudpickle

    loaded: Predictor = cloudpickle.loads(data)
    return loaded


def predictor_fingerprint(predictor: Predictor) -> str:
    """Return a hash of the class and parameters of an unfitted predictor."""
    import msgspec

    if isinstance(predictor, LightGBMPredictor):
        told = msgspec.json.encode(predictor.parameters(), order="sorted").decode()
    elif callable(getattr(predictor, "get_params", None)):
        told = repr(sorted(predictor.get_params().items(), key=lambda item: item[0]))  # type: ignore[attr-defined]
    else:
        told = dump_predictor(predictor)[1].hex()
    kind = type(predictor)
    return hashlib.blake2b(
        f"{kind.__module__}.{kind.__qualname__}|{told}".encode(), digest_size=16
    ).hexdigest()
