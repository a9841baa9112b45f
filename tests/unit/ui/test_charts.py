"""Charts are pure functions: what they draw is read off the figure, without a browser."""

import json
from datetime import datetime

import numpy as np
import pytest

from vnquant.agents import AgentSignal
from vnquant.market import Action, BarPanel, Exchange
from vnquant.ui import COLOURS, PriceState, discussion_chart, price_chart, price_states

DAYS = np.array(["2025-05-28", "2025-05-29", "2025-05-30", "2025-06-02", "2025-06-03"], dtype="datetime64[s]")
# Up, at the ceiling (+7 %), unchanged, at the floor (-7 %).
CLOSE = np.array([20_000.0, 20_500.0, 21_900.0, 21_900.0, 20_400.0])


@pytest.fixture
def panel() -> BarPanel:
    column = CLOSE[:, None]
    return BarPanel(("FPT",), DAYS, column, column * 1.01, column * 0.99, column, np.full((5, 1), 1e6))


def signal(agent: str, score: float, **fields) -> AgentSignal:
    return AgentSignal(
        agent=agent,
        symbol="FPT",
        as_of=datetime(2025, 6, 3, 10),
        action=Action.HOLD,
        score=score,
        confidence=0.5,
        reasons=("a reason",),
        **fields,
    )


def test_candles_are_coloured_as_vietnamese_boards_do(panel):
    figure = price_chart(panel, "FPT", exchange=Exchange.HOSE)
    candles = {trace.legendgroup: trace for trace in figure.data if trace.type == "candlestick"}
    assert list(candles["ceiling"].x) == ["2025-05-30"]
    assert list(candles["floor"].x) == ["2025-06-03"]
    assert list(candles["up"].x) == ["2025-05-29"]
    assert set(candles["reference"].x) == {"2025-05-28", "2025-06-02"}
    assert candles["ceiling"].increasing.line.color == COLOURS[PriceState.CEILING]
    assert "▲▲" in candles["ceiling"].name  # colour is not the only sign


def test_sessions_follow_each_other_without_a_gap_for_the_weekend(panel):
    figure = price_chart(panel, "FPT")
    assert figure.layout.xaxis.type == "category"
    assert list(figure.layout.xaxis.categoryarray) == [str(d)[:10] for d in DAYS]


def test_scores_stand_below_the_volume_and_missing_bars_are_left_out(panel):
    scores = {"bull": np.array([np.nan, 0.1, 0.2, 0.3, 0.4]), "chief": np.linspace(-1, 1, 5)}
    figure = price_chart(panel, "FPT", scores=scores, fingerprint="abc")
    lines = {trace.name: trace for trace in figure.data if trace.yaxis == "y3"}
    assert set(lines) == {"bull", "chief"}
    assert lines["chief"].line.width > lines["bull"].line.width
    assert len(lines["bull"].x) == 5
    assert any("abc" in a.text for a in figure.layout.annotations)
    json.loads(figure.to_json())


def test_a_partial_session_is_named_in_the_title(panel):
    from dataclasses import replace

    assert "running session" in price_chart(replace(panel, session_fraction=0.3), "FPT").layout.title.text
    assert "running session" not in price_chart(panel, "FPT").layout.title.text


def test_a_discussion_diverges_from_zero_and_names_who_is_missing():
    verdict = signal(
        "chief",
        -0.1,
        components=(signal("bull", 0.6), signal("scout", float("nan"))),
        missing=("bear: no answer within 5 s",),
        vetoed=True,
    )
    figure = discussion_chart(verdict, fingerprint="abc")
    (bars,) = figure.data
    assert list(bars.y) == ["chief", "scout", "bull"]
    assert list(bars.x) == [-0.1, 0.0, 0.6]
    assert "no opinion" in bars.text[1]
    assert "missing: bear" in figure.layout.title.text
    assert "VETO" in figure.layout.title.text
    assert bars.marker.color[0] == COLOURS[PriceState.DOWN]


def test_price_states_tell_the_five_colours_apart():
    close = np.array([107.0, 93.0, 101.0, 99.0, 100.0])
    states = price_states(close, np.full(5, 100.0), np.full(5, 107.0), np.full(5, 93.0))
    assert list(states) == ["ceiling", "floor", "up", "down", "reference"]
