"""Properties of resampling and alignment: nothing is lost, nothing is invented, no future is seen."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vnquant.market import BarPanel, default_calendar, volume_curve

CALENDAR = default_calendar()
DAYS = CALENDAR.sessions(date(2024, 1, 2), date(2024, 6, 28)).astype("datetime64[s]")
MINUTES = (np.datetime64("2025-06-02") + volume_curve().minutes.astype("timedelta64[m]")).astype(
    "datetime64[s]"
)


def panel_of(draw: st.DrawFn, stamps: np.ndarray, interval: str) -> BarPanel:
    chosen = draw(st.lists(st.integers(0, len(stamps) - 1), min_size=1, max_size=40, unique=True))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    shape = (len(chosen), 3)
    prices = np.sort(rng.integers(100, 1_000, (*shape, 4)) * 100.0, axis=-1)
    volume = rng.integers(0, 1_000, shape) * 100.0
    gone = rng.random(shape) < 0.2
    prices[gone] = np.nan
    volume[gone] = np.nan
    low, open_, close, high = np.moveaxis(prices, -1, 0)
    return BarPanel(
        ("A", "B", "C"), np.sort(stamps[chosen]), open_, high, low, close, volume, interval=interval
    )


@st.composite
def daily_panels(draw: st.DrawFn) -> BarPanel:
    return panel_of(draw, DAYS, "1D")


@st.composite
def minute_panels(draw: st.DrawFn) -> BarPanel:
    return panel_of(draw, MINUTES, "1m")


@st.composite
def panels_and_intervals(draw: st.DrawFn) -> tuple[BarPanel, str]:
    if draw(st.booleans()):
        return draw(daily_panels()), draw(st.sampled_from(["1W", "1M"]))
    return draw(minute_panels()), draw(st.sampled_from(["5m", "15m", "30m", "1h", "1D"]))


@given(panels_and_intervals())
def test_volume_and_extremes_are_preserved(given_panel) -> None:
    panel, interval = given_panel
    longer = panel.resample(interval)
    assert np.nansum(longer.volume) == np.nansum(panel.volume)
    np.testing.assert_array_equal(np.fmax.reduce(longer.high), np.fmax.reduce(panel.high))
    np.testing.assert_array_equal(np.fmin.reduce(longer.low), np.fmin.reduce(panel.low))
    present = longer.present
    assert (longer.low[present] <= longer.close[present]).all()
    assert (longer.close[present] <= longer.high[present]).all()


@given(panels_and_intervals())
def test_a_bar_exists_where_and_only_where_one_of_its_parts_does(given_panel) -> None:
    panel, interval = given_panel
    longer = panel.resample(interval)
    assert longer.present.any(axis=0).tolist() == panel.present.any(axis=0).tolist()
    assert 0.0 < longer.session_fraction <= 1.0


@given(minute_panels())
def test_resampling_in_two_steps_is_resampling_in_one(panel) -> None:
    direct, stepped = panel.resample("1h"), panel.resample("5m").resample("15m").resample("1h")
    assert direct.fingerprint() == stepped.fingerprint()


@given(daily_panels(), st.data())
def test_weeks_that_have_ended_do_not_change_when_more_days_arrive(panel, data) -> None:
    cut = data.draw(st.integers(1, len(panel.timestamps)))
    before, after = panel.rows(slice(0, cut)).resample("1W"), panel.resample("1W")
    done = len(before.timestamps) - 1
    np.testing.assert_array_equal(before.close[:done], after.close[:done])
    np.testing.assert_array_equal(before.timestamps[:done], after.timestamps[:done])


@given(daily_panels())
def test_alignment_adds_exactly_the_missing_sessions_and_changes_no_bar(panel) -> None:
    whole = panel.align()
    first, last = panel.timestamps[0].item().date(), panel.timestamps[-1].item().date()
    np.testing.assert_array_equal(whole.timestamps.astype("datetime64[D]"), CALENDAR.sessions(first, last))
    rows = np.isin(whole.timestamps, panel.timestamps)
    np.testing.assert_array_equal(whole.close[rows], panel.close)
    assert np.isnan(whole.close[~rows]).all()
    assert whole.align() is whole
