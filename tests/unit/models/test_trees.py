"""Trees in numpy: the same numbers as LightGBM's own, with missing values, and contributions that add up."""

import subprocess
import sys

import lightgbm
import numpy as np
import pytest

from vnquant.errors import ModelError
from vnquant.models import LightGBMPredictor
from vnquant.models.trees import TreeEnsemble


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4_000, 6)).astype(np.float32)
    X[rng.random(X.shape) < 0.15] = np.nan
    X[:, 5] = np.nan_to_num(X[:, 5])  # a feature that is never missing in training
    return X


@pytest.fixture(scope="module")
def fitted(rows) -> LightGBMPredictor:
    y = np.nan_to_num(rows[:, 0]) * 2.0 + np.isnan(rows[:, 1]) + np.nan_to_num(rows[:, 2]) * rows[:, 5]
    return LightGBMPredictor(trees=40, leaves=9, threads=1).fit(rows, y)


def test_predictions_equal_lightgbms(fitted, rows):
    fresh = rows[::-1].copy()
    fresh[::7, 5] = np.nan  # missing where training saw none
    want = lightgbm.Booster(model_str=fitted.text_).predict(fresh)
    np.testing.assert_allclose(TreeEnsemble(fitted.text_).predict(fresh), want, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(fitted.predict(fresh), TreeEnsemble(fitted.text_).predict(fresh))


def test_large_batches_go_through_lightgbm_and_agree(fitted, rows):
    many = np.tile(rows, (2, 1))
    np.testing.assert_allclose(fitted.predict(many)[: len(rows)], fitted.predict(rows), rtol=0, atol=1e-12)


def test_contributions_add_up_to_the_prediction_less_one_base(fitted, rows):
    base = fitted.predict(rows) - fitted.contributions(rows).sum(axis=1)
    assert np.ptp(base) < 1e-9
    assert base[0] == pytest.approx(fitted.predict(rows).mean(), abs=0.05)


def test_feature_that_matters_most_contributes_most(fitted, rows):
    assert np.argmax(np.abs(fitted.contributions(rows)).mean(axis=0)) == 0


def test_trees_without_a_split_are_constants(rows):
    flat = LightGBMPredictor(trees=3, threads=1).fit(rows, np.full(len(rows), 0.25))
    np.testing.assert_allclose(flat.predict(rows), 0.25, atol=1e-9)
    assert (flat.contributions(rows) == 0.0).all()


def test_other_text_and_unfitted_predictors_are_refused(rows):
    with pytest.raises(ModelError, match="no LightGBM model"):
        TreeEnsemble("a word\n")
    with pytest.raises(ModelError, match="has not been fitted"):
        LightGBMPredictor().predict(rows)


def test_predicting_with_a_stored_model_does_not_import_lightgbm(fitted_model, planted_panel, tmp_path):
    (tmp_path / "model").write_bytes(fitted_model.to_bytes())
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from vnquant.models import ForecastModel\n"
        "from vnquant.market.panel import BarPanel\n"
        "rng = np.random.default_rng(0)\n"
        "close = 2e4 * np.exp(rng.normal(0, 0.02, (400, 3)).cumsum(axis=0))\n"
        "days = np.datetime64('2025-01-01', 's') + np.arange(400) * np.timedelta64(86400, 's')\n"
        "panel = BarPanel(('A', 'B', 'C'), days, close, close, close, close, np.full(close.shape, 1e5))\n"
        "model = ForecastModel.from_bytes(Path(sys.argv[1]).read_bytes())\n"
        "assert len(model.predict(panel)) == 3\n"
        "heavy = {'lightgbm', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], check=True, timeout=50)
