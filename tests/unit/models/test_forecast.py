"""The forecast model: out of sample, causal, deterministic, one batch for all symbols."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from vnquant.errors import LookaheadError, ModelError, ParameterError
from vnquant.evaluation import check_lookahead
from vnquant.features import FeatureSet, MarketContext, forward_return, rank_ic
from vnquant.models import ForecastModel, LightGBMPredictor, ModelConfig
from vnquant.models.walk_forward import fold_bounds

from .conftest import SMALL, momentum_panel, small_model


def test_planted_momentum_is_found_out_of_sample(fitted_model):
    report = fitted_model.report
    assert report.rank_ic.low > 0.0
    assert report.interval_coverage == pytest.approx(0.8, abs=0.05)
    assert "rank IC" in str(report)
    assert "momentum" in report.baselines


def test_history_is_unknown_before_the_first_calibration_and_known_after(fitted_model, planted_panel):
    expected, confidence = fitted_model.history(planted_panel)
    start = SMALL.first_train_sessions + SMALL.calibration_sessions
    assert np.isnan(expected[:start]).all()
    assert np.isfinite(expected[start:]).all()
    assert ((confidence[start:] > 0.0) & (confidence[start:] < 1.0)).all()


def test_history_after_training_is_out_of_sample_and_finds_the_factor(fitted_model):
    later = momentum_panel(rows=760)
    expected, _ = fitted_model.history(later)
    new = later.timestamps > np.datetime64(fitted_model.trained_to.replace(tzinfo=None))
    ic = rank_ic(expected[new], forward_return(later)[new])
    assert ic.low > 0.0


def test_training_never_sees_beyond_the_purge():
    seen = []

    class Spy:
        def fit(self, X, y):
            seen.append(len(y))
            return self

        def predict(self, X):
            return np.zeros(len(X))

    panel = momentum_panel()
    # __deepcopy__ is not needed: `seen` is a closure, shared by all copies.
    model = ForecastModel(replace_config(train_step=1), predictor=Spy()).fit(panel)
    usable_from = 48  # bars that the volatility needs
    starts = [start for start, _ in fold_bounds(len(panel.timestamps), SMALL)] + [len(panel.timestamps)]
    assert seen == [(start - 5 - 1 - usable_from) * 24 for start in starts]
    assert [f.train_rows for f in model.report.folds] == seen[:-1]


def replace_config(**changes):
    import msgspec

    return msgspec.structs.replace(SMALL, **changes)


def test_model_passes_the_look_ahead_guard(planted_panel):
    check_lookahead(small_model(), planted_panel, points=1)


def test_model_that_is_fitted_on_everything_fails_the_guard(planted_panel):
    def leaking(panel):
        whole = small_model().fit(panel)
        return whole.history(panel).expected_return * whole.calibration.slope

    with pytest.raises(LookaheadError):
        check_lookahead(leaking, planted_panel, points=1)


def test_prediction_is_the_last_row_of_the_history(fitted_model, planted_panel):
    predictions = fitted_model.predict(planted_panel)
    history = fitted_model.history(planted_panel)
    assert tuple(predictions) == planted_panel.symbols
    for n, prediction in enumerate(predictions.values()):
        assert prediction.expected_return == pytest.approx(history.expected_return[-1, n], abs=1e-9)
        assert prediction.confidence == pytest.approx(history.confidence[-1, n], abs=1e-9)
        assert prediction.low < prediction.expected_return < prediction.high


def test_symbol_alone_is_predicted_as_in_the_batch(fitted_model, planted_panel):
    context = MarketContext.of(planted_panel)
    batch = fitted_model.predict(planted_panel)
    alone = fitted_model.predict(planted_panel.select("S07"), context=context)
    assert alone["S07"].expected_return == pytest.approx(batch["S07"].expected_return, abs=1e-12)
    assert alone["S07"].confidence == pytest.approx(batch["S07"].confidence, abs=1e-12)


def test_drivers_name_features_and_can_be_left_out(fitted_model, planted_panel):
    prediction = fitted_model.predict(planted_panel)["S00"]
    assert len(prediction.drivers) == 3
    assert {name for name, _ in prediction.drivers} <= set(fitted_model.features.names)
    assert fitted_model.predict(planted_panel, drivers=False)["S00"].drivers == ()
    assert "S00" in prediction._repr_html_()
    assert "confidence" in str(prediction)


def test_stale_symbol_is_predicted_at_its_last_bar_and_says_so(fitted_model, planted_panel):
    close = np.array(planted_panel.close)
    close[-2:, 3] = np.nan
    panel = replace(planted_panel, close=close)
    stale = fitted_model.predict(panel)["S03"]
    fresh = fitted_model.predict(planted_panel.rows(slice(0, -2)))["S03"]
    assert stale.stale_sessions == 2
    assert stale.as_of == fresh.as_of
    assert stale.expected_return == pytest.approx(fresh.expected_return, abs=1e-9)


def test_symbol_without_history_is_not_predicted(fitted_model, planted_panel):
    arrays = {n: np.array(getattr(planted_panel, n)) for n in ("open", "high", "low", "close", "volume")}
    for array in arrays.values():
        array[:, 5] = np.nan
        array[:-20, 6] = np.nan
    predictions = fitted_model.predict(replace(planted_panel, **arrays))
    assert set(planted_panel.symbols) - set(predictions) == {"S05", "S06"}


def test_running_session_takes_no_part_in_training(planted_panel):
    running = replace(planted_panel.rows(slice(0, -29)), session_fraction=0.4)
    complete = planted_panel.rows(slice(0, -30))
    assert small_model().fit(running).to_bytes() == small_model().fit(complete).to_bytes()


def test_same_inputs_give_the_same_bytes_whatever_the_threads(planted_panel, fitted_model):
    again = small_model().fit(planted_panel.rows(slice(0, -30)))
    assert again.to_bytes() == fitted_model.to_bytes()
    two = LightGBMPredictor(trees=30, leaves=7, threads=2)
    threaded = ForecastModel(SMALL, predictor=two).fit(planted_panel.rows(slice(0, -30)))
    assert threaded.history(planted_panel).expected_return.tobytes() == (
        fitted_model.history(planted_panel).expected_return.tobytes()
    )


def test_bytes_hold_the_whole_model(fitted_model, planted_panel):
    loaded = ForecastModel.from_bytes(fitted_model.to_bytes())
    assert loaded.predict(planted_panel) == fitted_model.predict(planted_panel)
    np.testing.assert_array_equal(loaded.history(planted_panel), fitted_model.history(planted_panel))
    assert loaded.report == fitted_model.report
    assert loaded.fingerprint == fitted_model.fingerprint
    assert loaded.to_bytes() == fitted_model.to_bytes()


def test_bytes_of_something_else_or_of_other_features_are_refused(fitted_model):
    with pytest.raises(ModelError, match="not a stored model"):
        ForecastModel.from_bytes(b"nonsense")
    with pytest.raises(ModelError, match="fitted on 28 features"):
        ForecastModel.from_bytes(fitted_model.to_bytes(), features=FeatureSet().dropping("gap"))


def test_fingerprint_follows_data_parameters_and_features_but_not_threads(fitted_model, planted_panel):
    from vnquant.models import model_fingerprint

    panel = planted_panel.rows(slice(0, -30))
    predictor = LightGBMPredictor(trees=30, leaves=7, threads=2)
    features = fitted_model.features
    same = model_fingerprint(panel, replace_config(threads=2), predictor, features)
    assert same == fitted_model.fingerprint
    others = {
        model_fingerprint(panel.rows(slice(1, None)), SMALL, predictor, features),
        model_fingerprint(panel, replace_config(seed=8), predictor, features),
        model_fingerprint(panel, SMALL, LightGBMPredictor(trees=31, leaves=7), features),
        model_fingerprint(panel, SMALL, predictor, features.dropping("gap")),
    }
    assert len(others | {same}) == 5


def test_any_scikit_learn_regressor_is_a_predictor(planted_panel):
    model = ForecastModel(SMALL, predictor=Ridge(alpha=100.0)).fit(planted_panel)
    assert model.report.rank_ic.low > 0.0
    assert model.report.importances == ()
    loaded = ForecastModel.from_bytes(model.to_bytes())
    assert loaded.predict(planted_panel) == model.predict(planted_panel)
    assert loaded.predict(planted_panel)["S00"].drivers == ()


def test_short_history_and_wrong_interval_are_refused(planted_panel):
    with pytest.raises(ModelError, match="needs at least 205"):
        small_model().fit(planted_panel.tail(100))
    with pytest.raises(ModelError, match="daily bars"):
        small_model().fit(replace(planted_panel, interval="5m"))
    with pytest.raises(ModelError, match="has not been fitted"):
        small_model().predict(planted_panel)


class Failing:
    def __init__(self, where):
        self.where = where

    def fit(self, X, y):
        if self.where == "fit":
            raise ZeroDivisionError("by zero")
        return self

    def predict(self, X):
        return np.full(len(X), np.nan) if self.where == "nan" else np.zeros(3)


@pytest.mark.parametrize(
    ("where", "message"),
    [("fit", "failed in fit: ZeroDivisionError"), ("nan", "not finite"), ("shape", r"shape \(3,\)")],
)
def test_failing_predictor_is_named(planted_panel, where, message):
    with pytest.raises(ModelError, match=message):
        ForecastModel(SMALL, predictor=Failing(where)).fit(planted_panel)


def test_parameters_are_checked():
    with pytest.raises(ParameterError, match="horizon"):
        ModelConfig(horizon=0)
    with pytest.raises(ParameterError, match="interval_level"):
        ModelConfig(interval_level=1.0)
    with pytest.raises(ParameterError, match="trees"):
        LightGBMPredictor(trees=0)
