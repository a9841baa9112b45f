"""Forecasts of a whole session in one batch: the same as one by one."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tests.unit.models.conftest import SMALL
from vnquant.market import OHLCV, RunningSession
from vnquant.models import ForecastModel
from vnquant.models.trees import TreeEnsemble


def running_on(panel, *, first_matches_nothing: bool = True) -> RunningSession:
    """Take the last row of a panel as what a session comes to, and look at it on its way there."""
    past, end = panel.rows(slice(0, len(panel.timestamps) - 1)), panel.tail(1)
    steps = np.linspace(0.0, 1.0, 6)[:, None]
    close = end.open + steps * (end.close - end.open)
    last = {
        "open": np.broadcast_to(end.open, close.shape).copy(),
        "high": np.maximum(close, end.open),
        "low": np.minimum(close, end.open),
        "close": close,
        "volume": np.round(end.volume * (0.1 + 0.9 * steps)),
    }
    for name in OHLCV:
        last[name][0, 1:4] = np.nan
        if first_matches_nothing:
            last[name][0] = np.nan
    day = end.timestamps[0]
    return RunningSession(
        complete=past,
        session=day,
        instants=day + np.arange(6) * np.timedelta64(60, "s"),
        fraction=np.append(0.1 + 0.8 * steps[:-1, 0], 1.0),
        **last,
    )


@pytest.mark.parametrize("first_matches_nothing", [True, False])
def test_a_batch_predicts_what_single_panels_do(fitted_model, planted_panel, first_matches_nothing):
    running = running_on(planted_panel, first_matches_nothing=first_matches_nothing)
    forecast = fitted_model.predict_session(running)
    for place in range(len(running.instants)):
        alone, together = fitted_model.predict(running.panel(place)), forecast.at(place)
        assert list(together) == list(alone)
        assert len(together) == len(alone)
        for symbol, one in alone.items():
            other = together[symbol]
            for name in ("expected_return", "low", "high", "confidence"):
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-9, abs=1e-12)
            assert (other.as_of, other.stale_sessions, other.horizon) == (
                one.as_of,
                one.stale_sessions,
                one.horizon,
            )
            assert [name for name, _ in other.drivers] == [name for name, _ in one.drivers]


def test_any_predictor_serves(planted_panel):
    model = ForecastModel(SMALL, predictor=Ridge(alpha=100.0)).fit(planted_panel)
    running = running_on(planted_panel)
    alone, together = model.predict(running.panel(4)), model.predict_session(running).at(4)
    assert {s: p.expected_return for s, p in together.items()} == pytest.approx(
        {s: p.expected_return for s, p in alone.items()}
    )


def test_what_passes_a_filter_is_found_without_making_the_others(fitted_model, planted_panel):
    together = fitted_model.predict_session(running_on(planted_panel)).at(5)
    level = sorted(p.expected_return for p in together.values())[-3]
    passing = together.above(level, 0.0)
    assert [p.symbol for p in passing] == [s for s, p in together.items() if p.expected_return > level]
    with pytest.raises(KeyError):
        together["NONE"]


@pytest.mark.parametrize("spread", [0.0, 0.05, 3.0])
def test_the_kernel_adds_up_the_trees_that_numpy_walks(fitted_model, spread):
    ensemble: TreeEnsemble = fitted_model._final._trees()
    rng = np.random.default_rng(5)
    middle = rng.normal(size=(13, ensemble.features, 1))
    series = (middle + spread * rng.normal(size=(13, ensemble.features, 31))).astype(np.float32)
    series[rng.random(series.shape) < 0.005] = np.nan
    there = rng.random((13, 31)) < 0.9
    there[4] = False
    together = ensemble.predict_series(series, there)
    assert np.array_equal(np.isfinite(together), there)
    one_by_one = ensemble.predict(np.moveaxis(series, 1, 2)[there])
    np.testing.assert_allclose(together[there], one_by_one, rtol=0, atol=1e-14)
    assert ensemble.predict_series(series[:0], there[:0]).shape == (0, 31)


def test_rows_on_a_threshold_and_beside_it_go_the_way_numpy_sends_them(fitted_model):
    ensemble: TreeEnsemble = fitted_model._final._trees()
    split = np.flatnonzero(ensemble._left != np.arange(len(ensemble._left)))[:40]
    series = np.zeros((len(split), ensemble.features, 4), dtype=np.float32)
    for n, node in enumerate(split):
        on = ensemble._threshold[node].astype(np.float32)
        beside = [np.nextafter(on, np.float32(side)) for side in (-np.inf, np.inf)]
        series[n, ensemble._feature[node]] = [beside[0], on, beside[1], 0.0]
    together = ensemble.predict_series(series, np.ones((len(split), 4), dtype=bool))
    one_by_one = ensemble.predict(np.moveaxis(series, 1, 2).reshape(-1, ensemble.features))
    np.testing.assert_allclose(together.ravel(), one_by_one, rtol=0, atol=1e-14)


def test_an_instant_alone_has_the_very_forecasts_it_has_among_others(fitted_model, planted_panel):
    running = running_on(planted_panel, first_matches_nothing=False)
    whole = fitted_model.predict_session(running)
    for place in range(len(running.instants)):
        alone = fitted_model.predict_session(running.at([place]))
        for one, all_of_them in zip(alone.today, whole.today, strict=True):
            np.testing.assert_array_equal(one[0], all_of_them[place])


def test_the_order_of_the_rows_in_a_series_does_not_matter(fitted_model):
    ensemble: TreeEnsemble = fitted_model._final._trees()
    rng = np.random.default_rng(6)
    series = rng.normal(size=(1, ensemble.features, 200)).astype(np.float32)
    there = np.ones((1, 200), dtype=bool)
    order = rng.permutation(200)
    together, other = (ensemble.predict_series(x, there) for x in (series, series[:, :, order]))
    assert np.array_equal(together[:, order], other)


def test_forecasts_on_the_bars_before_are_made_once_a_session_and_only_when_asked_for(
    fitted_model, planted_panel
):
    running = running_on(planted_panel)
    whole = fitted_model.predict_session(running)
    assert "forecast" not in vars(whole.before)
    assert np.isnan(whole.today.expected_return[0]).all()
    before = whole.before.forecast
    first = fitted_model.predict_session(running.at(np.array([0])), beside=whole)
    assert first.before.forecast is before
    for name in ("expected_return", "confidence", "low", "high"):
        assert np.array_equal(getattr(first, name)[0], getattr(whole, name)[0], equal_nan=True)
        assert np.array_equal(getattr(first, name)[0], getattr(before, name)[0], equal_nan=True)


def test_a_history_with_gaps_is_refused(fitted_model, planted_panel):
    running = running_on(planted_panel)
    holed = {name: getattr(running.complete, name).copy() for name in OHLCV}
    for array in holed.values():
        array[-30, 2] = np.nan
    with pytest.raises(ValueError, match="missing"):
        fitted_model.predict_session(replace(running, complete=replace(running.complete, **holed)))


def test_where_nothing_has_matched_a_history_with_gaps_is_refused_when_it_is_looked_at(
    fitted_model, planted_panel
):
    running = running_on(planted_panel).at(np.array([0]))
    holed = {name: getattr(running.complete, name).copy() for name in OHLCV}
    for array in holed.values():
        array[-30, 2] = np.nan
    forecast = fitted_model.predict_session(replace(running, complete=replace(running.complete, **holed)))
    with pytest.raises(ValueError, match="missing"):
        forecast.settle(0)
