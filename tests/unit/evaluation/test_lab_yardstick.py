"""A yardstick's reports are those of factor_report, to the last bit, whatever is missing where."""

from dataclasses import fields

import numpy as np
import pytest

from vnquant.errors import AlignmentError, MissingDataError, ParameterError
from vnquant.evaluation import Yardstick, factor_report
from vnquant.market import BarPanel


def market(rng: np.random.Generator, *, missing: float) -> BarPanel:
    shape = (180, 14)
    close = np.round(20_000.0 * np.exp(rng.normal(0.0, 0.02, shape).cumsum(axis=0)) / 50.0) * 50.0
    close[:60, :3] = np.nan
    close[rng.random(shape) < missing] = np.nan
    days = np.datetime64("2023-01-02", "s") + np.arange(shape[0]) * np.timedelta64(86_400, "s")
    names = tuple(f"S{n:02}" for n in range(shape[1]))
    return BarPanel(names, days, close, close, close, close, np.ones_like(close), session_fraction=0.4)


@pytest.mark.parametrize("missing", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("unsaid", [0.0, 0.1, 0.4])
def test_a_report_is_the_same_with_ranks_made_before(missing: float, unsaid: float) -> None:
    rng = np.random.default_rng(int(100 * missing + 10 * unsaid))
    panel = market(rng, missing=missing)
    scores, first, second = (np.round(np.tanh(rng.normal(size=panel.shape)), 1) for _ in range(3))
    scores[rng.random(panel.shape) < unsaid] = np.nan
    first[rng.random(panel.shape) < 0.3] = np.nan
    yardstick = Yardstick(panel, horizons=(1, 5))
    others = {"first": yardstick.prepare(first), "second": yardstick.prepare(second)}
    plain = factor_report(scores, panel, horizons=(1, 5), others={"first": first, "second": second})
    for _ in range(2):  # nothing is used up
        report = yardstick.report(scores, others=others)
        for one in fields(plain.days):
            np.testing.assert_array_equal(
                getattr(report.days, one.name), getattr(plain.days, one.name), err_msg=one.name
            )
        assert str(report) == str(plain)


def test_what_factor_report_refuses_is_refused() -> None:
    panel = market(np.random.default_rng(0), missing=0.0)
    with pytest.raises(ParameterError, match="horizons"):
        Yardstick(panel, horizons=(0,))
    with pytest.raises(AlignmentError, match="Score this very panel"):
        Yardstick(panel).report(np.zeros((3, 3)))
    with pytest.raises(AlignmentError):
        Yardstick(panel).prepare(np.zeros((3, 3)))
    with pytest.raises(MissingDataError, match="No day has"):
        Yardstick(panel).report(np.full(panel.shape, np.nan))
