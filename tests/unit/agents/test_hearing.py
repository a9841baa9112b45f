"""Hearings: what agents say of a moment is what they say of the panel that was seen then, to the last bit."""

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest

from vnquant.agents import (
    Agent,
    BullAgent,
    ChiefAgent,
    Hearing,
    Moment,
    Opportunity,
    RiskDoctorAgent,
    Scores,
    ScoutAgent,
    SessionScores,
    StockData,
    default_agents,
    discuss_opportunity,
)
from vnquant.agents.evidence import Bars
from vnquant.agents.hearing import score_latest
from vnquant.agents.latest import LastBars
from vnquant.agents.levels import volume_profile
from vnquant.errors import InputError, UnknownSymbolError
from vnquant.features.indicators import rolling_mean
from vnquant.market import OHLCV, RunningSession
from vnquant.runtime import ICT
from vnquant.simulation import SimulatedMarket
from vnquant.trading.journal import canonical_json

# Of the film: 08:30 before any match, 09:01 and 09:10 with some, 10:40, 14:31, and 15:00 when it is over.
MINUTES = [0, 31, 40, 130, 361, 390]
SYMBOLS = ("FPT", "SHS", "ACV")


@pytest.fixture(scope="module")
def running() -> RunningSession:
    return SimulatedMarket(7).film(date(2020, 6, 5), rows=320).running.at(MINUTES)


def moment_at(running: RunningSession, place: int, *, news: bool = True, **past: np.ndarray) -> Moment:
    rng = np.random.default_rng(place)
    count = len(running.complete.symbols)
    fields = {
        "expected_return": rng.normal(0.0, 0.03, count),
        "forecast_confidence": rng.uniform(0.3, 0.9, count),
    }
    if news:
        fields["news_sentiment"] = np.where(rng.random(count) < 0.4, rng.uniform(-1, 1, count), np.nan)
    if not running.is_matched(place):
        fields |= {name: np.full(count, np.nan) for name in ("expected_return", "forecast_confidence")}
    return Moment(running, place, fields, past)


@pytest.mark.parametrize("news", [True, False])
@pytest.mark.parametrize("place", range(len(MINUTES)))
async def test_verdicts_are_those_of_a_discussion(running, place, news):
    moment, hearing = moment_at(running, place, news=news), Hearing()
    other = type("OtherScout", (ScoutAgent,), {"judges_latest": True})
    agents = (*default_agents(), other(volume_days=30, breadth_days=60, min_symbols=50))
    for symbol in SYMBOLS:
        at = datetime(2020, 6, 5, 10, 40, tzinfo=ICT) if place % 2 else None
        case = Opportunity(symbol=symbol, panel=moment.panel, as_of=at, coverage="all")
        discussed = await discuss_opportunity(case, agents)
        heard = hearing.discuss(symbol, moment, agents, as_of=at, coverage="all")
        assert canonical_json(heard) == canonical_json(discussed)


def test_the_scout_looks_at_the_last_row_alone(running, monkeypatch):
    looked: list[tuple[int, ...]] = []
    score = ScoutAgent.score

    def noting(agent, panel):
        scores = score(agent, panel)
        looked.append(scores.shape)
        return scores

    monkeypatch.setattr(ScoutAgent, "score", noting)
    hearing, moment = Hearing(), moment_at(running, 1)
    matched = [s for s, there in zip(moment.symbols, running.started[1], strict=True) if there]
    missing = [s for s, there in zip(moment.symbols, running.started[1], strict=True) if not there]
    for symbol in matched[:2]:
        assert hearing.discuss(symbol, moment, [ScoutAgent()]).has_opinion
    assert looked == [(1, 102), (1, 102)]  # two agents, once each
    looked.clear()
    scout = ScoutAgent()
    for symbol in matched[:3]:
        hearing.discuss(symbol, moment, [scout])
    assert looked == [(1, 102)]
    silent = hearing.discuss(missing[0], moment, [scout])
    assert "scout: no opinion, no bar of" in silent.missing[0]
    assert looked == [(1, 102)]


def test_a_silent_agent_tells_of_the_bars_that_it_would_have_been_shown(running):
    moment = moment_at(running, 3)
    mute = ScoutAgent(**dict.fromkeys([p.name for p in ScoutAgent.declared() if "weight" in p.name], 0.0))
    heard, plain = Hearing().discuss("FPT", moment, [mute]), mute.signal(StockData(moment.panel, "FPT"))
    assert plain.reasons == ("nothing to judge by in 70 bars of FPT: too few, or all weights are 0",)
    assert canonical_json(heard.components[0]) == canonical_json(plain)


def test_a_subclass_has_to_say_itself_that_the_last_row_is_enough(running):
    class Looking(ScoutAgent):
        def _volume(self, bars):
            self.seen = len(bars.close)
            rolling_mean(bars.close, 5)
            return super()._volume(bars)

    agent = Looking()
    assert ScoutAgent.judges_latest
    assert not Looking.judges_latest
    heard = Hearing().discuss("FPT", moment_at(running, 3), [agent])
    assert heard.has_opinion
    assert agent.seen == 70


async def test_a_history_with_gaps_is_looked_at_as_a_whole(running):
    closes = running.complete.close.copy()
    closes[-10, :5] = np.nan
    gappy = replace(running, complete=replace(running.complete, close=closes))
    moment = moment_at(gappy, 3)
    case = Opportunity(symbol="FPT", panel=moment.panel)
    assert canonical_json(Hearing().discuss("FPT", moment)) == canonical_json(await discuss_opportunity(case))


async def test_a_field_to_look_back_on_is_looked_at_as_a_whole(running):
    flows = np.random.default_rng(0).normal(0.0, 1e9, running.complete.close.shape)
    moment = Moment(running, 3, {"foreign_net": flows[0]}, {"foreign_net": flows})
    with pytest.raises(InputError, match="'foreign_net' is known for the last row alone"):
        score_latest(ScoutAgent(), moment.latest(Hearing()._past(moment, 69)))
    heard = Hearing().discuss("FPT", moment)
    assert "foreign" in heard.component("scout").contributions
    case = Opportunity(symbol="FPT", panel=moment.panel)
    assert canonical_json(heard) == canonical_json(await discuss_opportunity(case))


@pytest.mark.parametrize("place", [0, 1, 3, 5])
def test_a_stock_alone_has_the_bars_and_fields_of_the_market(running, place):
    past = np.random.default_rng(1).normal(0.0, 0.03, running.complete.close.shape)
    moment = moment_at(running, place, expected_return=past)
    assert moment.panel.shape[0] == running.complete.shape[0] + running.is_matched(place)
    assert moment.day == moment.panel.timestamps[-1].item().date()
    np.testing.assert_array_equal(moment.panel.fields["expected_return"][: len(past)], past)
    for symbol in SYMBOLS:
        ours, theirs = moment.alone(symbol), moment.panel.select(symbol)
        assert ours.fingerprint() == theirs.fingerprint()
        for name in OHLCV:
            assert getattr(ours, name).flags.c_contiguous


def test_scores_that_are_known_are_taken(running):
    fields = {name: np.zeros(running.close.shape) for name in ("expected_return", "forecast_confidence")}
    scores, moment = SessionScores(running, fields), moment_at(running, 3)
    heard = Hearing().discuss(
        "FPT",
        moment,
        [BullAgent()],
        ChiefAgent(),
        scored=lambda agent: scores.of(agent, "FPT", 3),
    )
    alone = Hearing().discuss("FPT", moment, [BullAgent()])
    assert heard.score == pytest.approx(alone.score, rel=1e-9)
    assert heard.component("bull").reasons == alone.component("bull").reasons


def test_one_agent_that_fails_does_not_end_a_hearing(running):
    class Broken(Agent):
        name = "broken"

        def score(self, panel):
            raise ZeroDivisionError("one over none")

    class Own(Agent):
        name = "own"

        def score(self, panel):
            return Scores(np.full(panel.shape, 0.25), 0.5)

    heard = Hearing().discuss("FPT", moment_at(running, 3), [Broken(), Own()])
    assert heard.missing == ("broken: ZeroDivisionError: one over none",)
    assert heard.score == 0.25


def test_bad_arguments_are_refused(running):
    moment = moment_at(running, 3)
    with pytest.raises(UnknownSymbolError):
        Hearing().discuss("NONE", moment)
    with pytest.raises(InputError, match="at least one agent"):
        Hearing().discuss("FPT", moment, [])
    with pytest.raises(InputError, match="Two agents are called"):
        Hearing().discuss("FPT", moment, [BullAgent(), BullAgent()])


class CautiousBull(BullAgent):
    """Looks at the whole panel, as a user's own may: it says nothing of being judged by the last row."""

    def score(self, panel):
        scores = super().score(panel)
        assert scores.score.shape == panel.shape
        return Scores(np.minimum(scores.score, np.nanmedian(scores.score)), confidence=0.5)


@pytest.mark.parametrize("place", [3, 5])
@pytest.mark.parametrize("agent", [*default_agents()[:3], RiskDoctorAgent(), CautiousBull()], ids=repr)
def test_a_stock_alone_is_judged_at_its_last_row_as_in_its_whole_history(running, place, agent):
    moment = moment_at(running, place)
    for symbol in SYMBOLS:
        heard = Hearing().discuss(symbol, moment, [agent]).components[0]
        plain = agent.signal(StockData(moment.panel, symbol))
        assert canonical_json(heard) == canonical_json(plain)


@pytest.mark.parametrize("rows", [321, 31])
def test_a_volume_profile_at_the_last_row_is_that_of_the_whole_history(running, rows):
    panel = running.panel(3).select(SYMBOLS).tail(rows)
    for last, whole in zip(volume_profile(LastBars(panel), 60), volume_profile(Bars(panel), 60), strict=True):
        np.testing.assert_array_equal(last, whole[-1:])


def test_a_panel_with_gaps_has_no_last_bars(running):
    holed = running.panel(3)
    close = holed.close.copy()
    close[5, 0] = np.nan
    with pytest.raises(InputError, match="gaps"):
        LastBars(replace(holed, close=close))
