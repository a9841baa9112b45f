from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from tests.unit.agents.conftest import gappy_panel, random_panel
from vnquant.agents import Agent, AgentSignal, BullAgent, Part, RiskDoctorAgent, Scores, StockData, parameter
from vnquant.errors import AgentError, EmptySelectionError, InputError, UnknownSymbolError
from vnquant.features.indicators import rolling_std, shift
from vnquant.market.actions import Action
from vnquant.market.panel import BarPanel
from vnquant.runtime.clock import ICT


class GapAgent(Agent):
    name = "gap"
    days: int = parameter(20, 5, 60, unit="bars", help="days that a gap is compared with")

    def score(self, panel: BarPanel) -> Scores:
        gap = panel.open / shift(panel.close) - 1.0
        return Scores(np.tanh(gap / rolling_std(gap, self.days)), confidence=0.5)


async def test_a_ten_line_agent_works_like_the_shipped_ones() -> None:
    panel = random_panel(60)
    signal = await GapAgent(days=30).analyze(StockData(panel, "FPT"))
    assert signal.agent == "gap"
    assert signal.score == GapAgent(days=30).score(panel).score[-1, 0]
    assert signal.confidence == 0.5
    assert signal.parameters == {"days": 30}
    assert signal.as_of == datetime(2022, 3, 3, tzinfo=ICT)


def test_an_agent_without_a_name_is_called_after_its_class() -> None:
    class TurnOfMonthAgent(Agent):
        def score(self, panel: BarPanel) -> Scores:
            return Scores(np.zeros(panel.shape), 0.1)

    assert TurnOfMonthAgent.name == "turn_of_month"


@pytest.mark.parametrize(
    ("score", "confidence", "told"),
    [
        (1.2, 0.5, "score runs from"),
        (-7.0, 0.5, "numpy.tanh"),
        (0.5, 1.1, "confidence runs"),
        (0.5, -0.1, "confidence"),
    ],
)
def test_scores_out_of_bounds_are_refused(score: float, confidence: float, told: str) -> None:
    with pytest.raises(AgentError, match=told):
        Scores(np.full((3, 2), score), confidence)


def test_scores_of_odd_shapes_and_nan_confidence_are_refused() -> None:
    with pytest.raises(AgentError, match="must be equal"):
        Scores(np.zeros((3, 2)), np.zeros((2, 3)))
    with pytest.raises(AgentError, match="confidence is NaN"):
        Scores(np.zeros((3, 2)), np.full((3, 2), np.nan))
    with pytest.raises(AgentError, match="veto has shape"):
        Scores(np.zeros((3, 2)), 0.5, veto=np.zeros((1, 2), dtype=bool))


def test_rounding_over_a_bound_is_forgiven_and_clipped() -> None:
    assert Scores(np.array([[1.0 + 1e-12]]), 0.5).score[0, 0] == 1.0


def test_no_opinion_has_no_confidence() -> None:
    scores = Scores(np.array([[np.nan, 0.5]]), np.array([[np.nan, 0.7]]))
    assert scores.certainty.tolist() == [[0.0, 0.7]]


async def test_scores_that_do_not_fit_the_panel_are_refused() -> None:
    class Lopsided(Agent):
        def score(self, panel: BarPanel) -> Scores:
            return Scores(np.zeros((2, 2)), 0.5)

    class Bare(Agent):
        def score(self, panel: BarPanel) -> Scores:
            return panel.close  # type: ignore[return-value]

    panel = random_panel(30)
    with pytest.raises(AgentError, match=r"lopsided\.score has shape \(2, 2\), the panel is \(30, 12\)"):
        await Lopsided().analyze(StockData(panel, "FPT"))
    with pytest.raises(AgentError, match="return Scores"):
        await Bare().analyze(StockData(panel, "FPT"))


async def test_a_stock_may_come_as_panel_or_frame() -> None:
    panel = random_panel(120)
    expected = await BullAgent().analyze(StockData(panel, "VCB"))
    assert (await BullAgent().analyze(panel.select("VCB"))).score == expected.score
    frame = panel.select("VCB").to_frame()
    assert (await BullAgent().analyze(frame)).score == expected.score
    assert (await BullAgent().analyze(frame.drop(columns="symbol"))).score == expected.score


async def test_data_that_names_no_single_stock_is_refused() -> None:
    panel = random_panel(30)
    with pytest.raises(InputError, match="12 symbols and does not say which"):
        await BullAgent().analyze(panel)
    with pytest.raises(InputError, match="Cannot analyse a list"):
        await BullAgent().analyze([1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(UnknownSymbolError, match="did you mean FPT"):
        StockData(panel, "FTP")
    with pytest.raises(EmptySelectionError, match="no rows"):
        StockData(panel.tail(0), "FPT")


async def test_a_missing_bar_gives_no_opinion_and_says_so() -> None:
    panel = gappy_panel()
    signal = await BullAgent().analyze(StockData(panel, "GONE"))
    assert not signal.has_opinion
    assert (signal.action, signal.confidence) == (Action.HOLD, 0.0)
    assert "no bar of GONE" in signal.reasons[0]
    assert "the last one is of" in signal.reasons[0]
    short = await BullAgent().analyze(StockData(panel.rows(slice(0, 3)), "FPT"))
    assert "nothing to judge by" in short.reasons[0]


def test_part_texts_carry_the_numbers_of_their_point() -> None:
    part = Part(
        np.array([[0.2, -0.1, np.nan]]),
        "up {x:.1f} of {n:.0f}",
        values={"x": np.array([[1.0, 2.0, 3.0]]), "n": 9},
        against="down {x:.1f}",
        absent="nothing known",
    )
    assert [part.describe(0, column) for column in range(3)] == ["up 1.0 of 9", "down 2.0", "nothing known"]
    scores = Scores(np.array([[0.2, -0.1, np.nan]]), 0.5, {"x": part})
    assert scores.reasons(0, 0) == ("up 1.0 of 9",)
    assert scores.reasons(-1, 2) == ("nothing known",)


async def test_a_signal_reads_well_in_text_and_html() -> None:
    signal = await RiskDoctorAgent().analyze(StockData(random_panel(120), "FPT"))
    text = str(signal)
    assert text.splitlines()[0].startswith("FPT  2022-05-02 00:00  risk_doctor: ")
    assert "% of equity" in text
    page = signal._repr_html_()
    assert page.count("<tr>") == 2
    assert "risk_doctor" in page


def test_html_escapes_what_others_wrote() -> None:
    signal = AgentSignal(
        agent="<b>", symbol="FPT", as_of=datetime(2025, 6, 2, tzinfo=ICT), action=Action.BUY, score=0.4,
        confidence=0.5, reasons=("<script>alert(1)</script>",), missing=("x: <img>",), coverage="<i>",
    )  # fmt: skip
    assert not any(tag in signal._repr_html_() for tag in ("<script", "<img", "<i>"))
