"""The panel: selection, conversion and what it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from vnquant.errors import AlignmentError, DateRangeError, EmptySelectionError, InputError, UnknownSymbolError
from vnquant.market import OHLCV, BarPanel, BarSeries, to_timestamp

FRAME = pd.DataFrame(
    {
        "symbol": ["VCB", "FPT", "FPT"],
        "date": pd.to_datetime(["2025-06-03", "2025-06-02", "2025-06-03"]),
        "open": [60.0, 100.0, 101.0],
        "high": [62.0, 103.0, 104.0],
        "low": [59.0, 99.0, 100.0],
        "close": [61.0, 102.0, 103.0],
        "volume": [10.0, 20.0, 30.0],
        "foreign_net": [1.0, -2.0, np.nan],
    }
)


def test_frame_becomes_time_by_symbol_arrays_with_nan_where_nothing_is() -> None:
    panel = BarPanel.from_frame(FRAME)
    assert panel.symbols == ("FPT", "VCB")
    np.testing.assert_array_equal(panel.close, [[102.0, np.nan], [103.0, 61.0]])
    np.testing.assert_array_equal(panel.fields["foreign_net"], [[-2.0, np.nan], [np.nan, 1.0]])


def test_to_frame_and_from_frame_are_inverse() -> None:
    panel = BarPanel.from_frame(FRAME)
    again = BarPanel.from_frame(panel.to_frame())
    assert again.fingerprint() == panel.fingerprint()
    expected = FRAME.sort_values(["symbol", "date"], ignore_index=True)
    got = panel.to_frame()
    got["date"] = got["date"].astype(expected["date"].dtype)
    pd.testing.assert_frame_equal(got, expected, check_dtype=False)


def test_aware_dates_are_converted_to_ict() -> None:
    aware = FRAME.assign(date=FRAME["date"].dt.tz_localize("Asia/Ho_Chi_Minh").dt.tz_convert("UTC"))
    assert BarPanel.from_frame(aware).fingerprint() == BarPanel.from_frame(FRAME).fingerprint()


def test_duplicates_are_refused_unless_the_last_is_asked_for() -> None:
    twice = pd.concat([FRAME, FRAME.iloc[[1]].assign(close=99.0)])
    with pytest.raises(InputError, match="1 symbol-dates occur more than once"):
        BarPanel.from_frame(twice)
    assert BarPanel.from_frame(twice, duplicates="last").close[0, 0] == 99.0


def test_frames_without_columns_or_rows_are_refused() -> None:
    with pytest.raises(InputError, match="volume"):
        BarPanel.from_frame(FRAME.drop(columns="volume"))
    with pytest.raises(EmptySelectionError):
        BarPanel.from_frame(FRAME.head(0))


def test_series_are_aligned_on_the_union_of_their_times() -> None:
    panel = BarPanel.from_frame(FRAME)
    again = BarPanel.from_series([panel.series("FPT"), panel.series("VCB")])
    for name in OHLCV:
        np.testing.assert_array_equal(getattr(again, name), getattr(panel, name))
    assert len(panel.series("VCB")) == 1
    with pytest.raises(EmptySelectionError):
        BarPanel.from_series([])


def test_selection_by_symbol_and_time() -> None:
    panel = BarPanel.from_frame(FRAME)
    assert panel.select("VCB").symbols == ("VCB",)
    assert panel.between("2025-06-02", "2025-06-02").shape == (1, 2)
    assert panel.up_to(date(2025, 6, 2)).shape == (1, 2)
    assert panel.up_to(datetime(2025, 6, 2, 17, 0, tzinfo=UTC)).shape == (2, 2)
    assert panel.tail(1).timestamps[0] == np.datetime64("2025-06-03")
    with pytest.raises(UnknownSymbolError, match="FPT"):
        panel.select(["FTP"])
    with pytest.raises(EmptySelectionError):
        panel.select([])
    with pytest.raises(DateRangeError, match="backwards"):
        panel.between("2025-06-03", "2025-06-02")


def test_a_partial_last_row_scales_its_volume_and_earlier_rows_are_whole() -> None:
    whole = BarPanel.from_frame(FRAME)
    arrays = {name: getattr(whole, name) for name in OHLCV}
    running = BarPanel(whole.symbols, whole.timestamps, **arrays, session_fraction=0.5)
    assert running.partial
    np.testing.assert_array_equal(running.full_day_volume[-1], [60.0, 20.0])
    assert not running.up_to("2025-06-02").partial
    assert "partial" in repr(running)


def test_arrays_are_read_only() -> None:
    panel = BarPanel.from_frame(FRAME)
    with pytest.raises(ValueError, match="read-only"):
        panel.close[0, 0] = 1.0


def test_shapes_that_do_not_fit_are_refused() -> None:
    one = np.ones((1, 1))
    stamp = np.array(["2025-06-02"], dtype="datetime64[s]")
    with pytest.raises(AlignmentError, match="shape"):
        BarPanel(("FPT", "VCB"), stamp, one, one, one, one, one)
    with pytest.raises(AlignmentError, match="once"):
        BarPanel(("FPT", "FPT"), stamp, *[np.ones((1, 2))] * 5)
    with pytest.raises(AlignmentError, match="ascend"):
        BarPanel(("FPT",), np.repeat(stamp, 2), *[np.ones((2, 1))] * 5)
    with pytest.raises(InputError, match="session_fraction"):
        BarPanel(("FPT",), stamp, one, one, one, one, one, session_fraction=0.0)
    with pytest.raises(AlignmentError, match="lengths"):
        BarSeries("FPT", stamp, np.ones(2), np.ones(1), np.ones(1), np.ones(1), np.ones(1))


def test_reading_instants() -> None:
    assert to_timestamp("2025-06-02") == np.datetime64("2025-06-02T00:00:00")
    assert to_timestamp("2025-06-02", end_of_day=True) == np.datetime64("2025-06-02T23:59:59")
    assert to_timestamp("2025-06-02 10:00", end_of_day=True) == np.datetime64("2025-06-02T10:00:00")
    assert to_timestamp(datetime(2025, 6, 2, 3, 0, tzinfo=UTC)) == np.datetime64("2025-06-02T10:00:00")
    assert to_timestamp("2025-06-02T03:00+00:00") == np.datetime64("2025-06-02T10:00:00")
    for unreadable in ("yesterday", "NaT", "2025-06-02 25:00"):
        with pytest.raises(DateRangeError, match="2025-06-30"):
            to_timestamp(unreadable)
