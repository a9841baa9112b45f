from __future__ import annotations

import json
import platform
from dataclasses import replace
from time import perf_counter, process_time

import numpy as np
import pytest

from tests.pace import slowness
from tests.unit.agents.conftest import SYMBOLS, gappy_panel, random_panel
from vnquant.agents import (
    Agent,
    AnalystAgent,
    BearAgent,
    BullAgent,
    ChiefAgent,
    RiskDoctorAgent,
    Scores,
    ScoutAgent,
    StockData,
    default_agents,
)
from vnquant.errors import LookaheadError
from vnquant.evaluation.lookahead import check_lookahead
from vnquant.market.panel import OHLCV, BarPanel

EVERYONE = [*default_agents(), ChiefAgent()]
by_name = pytest.mark.parametrize("agent", EVERYONE, ids=lambda agent: agent.name)


def panel_of(
    close: list[float] | np.ndarray, volume: float | np.ndarray = 1e6, **fields: np.ndarray
) -> BarPanel:
    """Return one stock with a narrow range around each close."""
    column = np.asarray(close, dtype=np.float64)[:, None]
    days = np.datetime64("2024-01-01") + np.arange(len(column))
    traded = np.broadcast_to(np.asarray(volume, dtype=np.float64).reshape(-1, 1), column.shape)
    return BarPanel(("FPT",), days, column, column * 1.005, column * 0.995, column, traded, fields=fields)


def wobbling(drift: float, rows: int = 150, sigma: float = 0.01) -> np.ndarray:
    """Return a price that drifts and wobbles by a fixed pattern, so that volatility is not zero."""
    pattern = sigma * np.where(np.arange(rows) % 2 == 0, 1.0, -1.0)
    return 20_000.0 * np.exp(np.cumsum(drift + pattern))


@by_name
def test_scores_and_confidences_stay_in_bounds(agent: Agent, panel: BarPanel) -> None:
    for seen in (panel, gappy_panel(session_fraction=0.1), random_panel(1), random_panel(7)):
        scores = agent.score(seen)
        known = np.isfinite(scores.score)
        assert np.abs(scores.score[known]).max(initial=0.0) <= 1.0
        assert scores.certainty.min() >= 0.0
        assert scores.certainty.max() <= 1.0
        assert not scores.certainty[~known].any()
        assert not known[~seen.present].any(), "an opinion where there is no bar"


@by_name
def test_most_points_with_history_have_an_opinion(agent: Agent, panel: BarPanel) -> None:
    known = np.isfinite(agent.score(panel).score)
    history = np.cumsum(panel.present, axis=0) > 60
    assert known[panel.present & history].all()


@by_name
async def test_analyze_agrees_with_score_at_random_points(agent: Agent, panel: BarPanel) -> None:
    scores = agent.score(panel)
    rng = np.random.default_rng(3)
    rows, columns = np.nonzero(panel.present)
    checked = 0
    for point in rng.choice(len(rows), 50, replace=False):
        row, column = int(rows[point]), int(columns[point])
        data = StockData(panel.rows(slice(0, row + 1)), panel.symbols[column])
        signal = await agent.analyze(data)
        expected = scores.score[row, column]
        assert np.isnan(signal.score) == np.isnan(expected)
        if signal.has_opinion:
            checked += 1
            assert abs(signal.score - expected) <= 1e-12
        assert abs(signal.confidence - scores.certainty[row, column]) <= 1e-12
        if scores.veto is not None:
            assert signal.vetoed == scores.veto[row, column]
    assert checked > 30


@by_name
async def test_analyze_agrees_with_score_during_the_session(agent: Agent) -> None:
    panel = gappy_panel(session_fraction=0.35)
    scores = agent.score(panel)
    for column, symbol in enumerate(panel.symbols):
        signal = await agent.analyze(StockData(panel, symbol))
        np.testing.assert_allclose(signal.score, scores.score[-1, column], atol=1e-12, rtol=0)
        np.testing.assert_allclose(signal.confidence, scores.certainty[-1, column], atol=1e-12, rtol=0)


@by_name
def test_no_score_sees_its_future(agent: Agent, panel: BarPanel) -> None:
    before = agent.score(panel)
    rng = np.random.default_rng(4)
    for cut in (60, 210, 398):
        noise = np.exp(rng.normal(0.0, 0.2, panel.shape))
        noise[: cut + 1] = 1.0
        arrays = {name: getattr(panel, name) * noise for name in OHLCV}
        fields = {name: values * noise for name, values in panel.fields.items()}
        shaken = agent.score(replace(panel, **arrays, fields=fields, session_fraction=0.5))
        np.testing.assert_array_equal(shaken.score[: cut + 1], before.score[: cut + 1])
        np.testing.assert_array_equal(shaken.certainty[: cut + 1], before.certainty[: cut + 1])
        assert not np.array_equal(shaken.score[cut + 1 :], before.score[cut + 1 :], equal_nan=True)


@by_name
def test_the_lookahead_guard_passes(agent: Agent, panel: BarPanel) -> None:
    check_lookahead(agent, panel, seed=6)


def test_a_leaking_agent_fails_the_lookahead_guard(panel: BarPanel) -> None:
    class LeakingAgent(Agent):
        def score(self, panel: BarPanel) -> Scores:
            mean = np.nanmean(panel.close, axis=0)  # of the whole sample: the future is in it
            return Scores(np.tanh(panel.close / mean - 1.0), 0.5)

    with pytest.raises(LookaheadError, match="score"):
        check_lookahead(LeakingAgent(), panel, seed=6)


@by_name
def test_contributions_add_up_to_the_score(agent: Agent, panel: BarPanel) -> None:
    scores = agent.score(panel)
    total = np.nansum([part.contribution for part in scores.parts.values()], axis=0)
    expected = scores.score if scores.veto is None or agent.name != "chief" else np.where(
        scores.veto, total, scores.score
    )  # fmt: skip
    known = np.isfinite(scores.score)
    np.testing.assert_allclose(total[known], expected[known], atol=1e-12)


@by_name
async def test_every_opinion_comes_with_readable_reasons(agent: Agent, panel: BarPanel) -> None:
    for symbol in ("FPT", "NEW", "ACV"):
        signal = await agent.analyze(StockData(panel.rows(slice(0, 390)), symbol))
        if not signal.has_opinion:
            continue
        assert signal.reasons
        assert not any("nan" in reason or "{" in reason for reason in signal.reasons), signal.reasons
        assert signal.parameters == dict(agent.parameters)


@by_name
def test_one_symbol_alone_is_no_obstacle(agent: Agent) -> None:
    scores = agent.score(random_panel(120).select("FPT"))
    assert np.isfinite(scores.score[-1, 0])


@by_name
def test_the_order_and_company_of_symbols_does_not_matter(agent: Agent, panel: BarPanel) -> None:
    turned = agent.score(panel.select(panel.symbols[::-1]))
    np.testing.assert_allclose(turned.score[:, ::-1], agent.score(panel).score, atol=1e-12)


def test_volume_of_a_running_session_is_scaled_to_a_day() -> None:
    whole = random_panel(120)
    fraction = 0.4
    volume = whole.volume.copy()
    volume[-1] *= fraction
    running = replace(whole, volume=volume, session_fraction=fraction)
    for agent in default_agents():
        full, part = agent.score(whole), agent.score(running)
        np.testing.assert_array_equal(part.score[:-1], full.score[:-1])
        for name, seen in part.parts.items():
            for label, value in seen.values.items():
                np.testing.assert_allclose(
                    value, full.parts[name].values[label], err_msg=f"{agent.name}.{name}"
                )


@pytest.mark.parametrize(
    ("agent", "part"),
    [
        (BullAgent(), "accumulation"),
        (BearAgent(), "distribution"),
        (ScoutAgent(), "volume"),
        (AnalystAgent(), "profile"),
    ],
)
def test_volume_weighs_less_in_the_morning(agent: Agent, part: str) -> None:
    def share(fraction: float) -> float:
        panel = random_panel(120)
        volume = panel.volume.copy()
        volume[-1] *= fraction
        scores = agent.score(replace(panel, volume=volume, session_fraction=fraction))
        return float(np.abs(scores.parts[part].contribution[-1]).sum())

    assert share(0.1) < share(0.5) < share(1.0)


def test_bull_likes_a_rise_and_doubts_a_fall_less_strongly() -> None:
    rise = BullAgent().score(panel_of(wobbling(0.006))).score[-1, 0]
    fall = BullAgent().score(panel_of(wobbling(-0.006))).score[-1, 0]
    assert rise > 0.5
    assert -0.5 <= fall < -0.1


def test_bull_believes_a_breakout_more_on_volume() -> None:
    close = np.r_[wobbling(0.0, 100), 22_500.0]
    thin = BullAgent().score(panel_of(close, np.r_[np.full(100, 1e6), 3e5])).parts["breakout"].at(-1, 0)
    heavy = BullAgent().score(panel_of(close, np.r_[np.full(100, 1e6), 3e6])).parts["breakout"].at(-1, 0)
    assert heavy > thin > 0.0
    assert heavy == pytest.approx(2.0 * thin)


def test_bear_warns_of_a_breakdown_and_a_drawdown() -> None:
    scores = BearAgent().score(panel_of(np.r_[wobbling(0.0, 120), 20_000.0 * 0.98 ** np.arange(1, 15)]))
    assert scores.score[-1, 0] < -0.35
    assert scores.parts["breakdown"].at(-1, 0) < -0.2
    assert scores.parts["drawdown"].at(-1, 0) < -0.1


def test_bear_calls_a_steep_rise_overbought() -> None:
    part = (
        BearAgent()
        .score(panel_of(np.r_[wobbling(0.0, 120), 20_000.0 * 1.03 ** np.arange(1, 9)]))
        .parts["overbought"]
    )
    assert part.at(-1, 0) < -0.2
    assert part.describe(-1, 0).startswith("overbought: RSI(14)")


def test_bear_counts_distribution_days() -> None:
    close = wobbling(0.0, 100)
    heavy_falls = np.where(np.arange(100) % 2 == 1, 2e6, 1e6)
    heavy_rises = np.where(np.arange(100) % 2 == 0, 2e6, 1e6)
    sold = BearAgent().score(panel_of(close, heavy_falls)).parts["distribution"]
    bought = BearAgent().score(panel_of(close, heavy_rises)).parts["distribution"]
    assert sold.at(-1, 0) < -0.1 < 0.0 < bought.at(-1, 0)
    # One day in two falls on more volume than the day before it: 13 of 25.
    assert sold.values["count"][-1, 0] == pytest.approx(13.0, abs=0.51)


def test_bear_without_a_case_adds_little() -> None:
    scores = BearAgent().score(panel_of(wobbling(0.002)))
    assert -0.3 < scores.score[-1, 0] <= BearAgent().relief


def test_analyst_weighs_the_forecast_against_costs_and_risk() -> None:
    close = wobbling(0.0)
    shape = (len(close), 1)

    def forecast(expected: float, confidence: float, close: np.ndarray = close) -> float:
        fields = {
            "expected_return": np.full(shape, expected),
            "forecast_confidence": np.full(shape, confidence),
        }
        return float(AnalystAgent().score(panel_of(close, **fields)).score[-1, 0])

    assert forecast(0.05, 0.8) > forecast(0.05, 0.4) > forecast(0.0, 0.8) > forecast(-0.05, 0.8)
    assert forecast(0.05, 0.8) > forecast(0.05, 0.8, wobbling(0.0, sigma=0.04)), (
        "the same return at more risk"
    )
    within_costs = AnalystAgent().score(
        panel_of(close, expected_return=np.full(shape, 0.005), forecast_confidence=np.full(shape, 0.8))
    )
    assert within_costs.parts["forecast"].at(-1, 0) == 0.0


async def test_analyst_says_when_there_is_no_forecast() -> None:
    signal = await AnalystAgent().analyze(panel_of(wobbling(0.0)))
    assert "no model forecast here: judged by support and resistance alone" in signal.reasons


def test_analyst_likes_room_above_and_support_below() -> None:
    swing = 20_000.0 * (1.0 + 0.1 * np.sin(np.arange(200) * 2.0 * np.pi / 40.0))
    near_support = AnalystAgent().score(panel_of(swing[:191])).score[-1, 0]  # the trough is at row 190
    near_resistance = AnalystAgent().score(panel_of(swing[:171])).score[-1, 0]  # the peak at row 170
    assert near_support > 0.2
    assert near_resistance < -0.2


def test_scout_ranks_strength_and_reads_breadth() -> None:
    rows = 120
    drifts = np.linspace(-0.004, 0.008, len(SYMBOLS))
    close = np.stack([wobbling(drift, rows) for drift in drifts], axis=1)
    days = np.datetime64("2024-01-01") + np.arange(rows)
    panel = BarPanel(SYMBOLS, days, close, close * 1.005, close * 0.995, close, np.full(close.shape, 1e6))
    parts = ScoutAgent().score(panel).parts
    strength = parts["strength"].contribution[-1]
    assert (np.diff(strength) > 0).all()
    assert "ahead of 96 % of 12 symbols" in parts["strength"].describe(-1, len(SYMBOLS) - 1)
    share = parts["breadth"].values["share"][-1]
    assert (share == share[0]).all()
    assert share[0] == pytest.approx(100.0 * (drifts > 0).mean(), abs=10.0)


def test_scout_hears_volume_in_the_direction_of_the_move() -> None:
    volume = np.r_[np.full(99, 1e6) * np.exp(0.2 * np.sin(np.arange(99))), 5e6]
    close = wobbling(0.0, 99)
    up = ScoutAgent().score(panel_of(np.r_[close, close[-1] * 1.05], volume)).score[-1, 0]
    down = ScoutAgent().score(panel_of(np.r_[close, close[-1] * 0.95], volume)).score[-1, 0]
    assert up > 0.5
    assert down < -0.5


async def test_scout_names_what_it_could_not_see() -> None:
    reasons = (await ScoutAgent().analyze(panel_of(wobbling(0.0)))).reasons
    assert "no news scores on this panel" in reasons
    assert any("fewer than 5 symbols" in reason for reason in reasons)
    news = np.full((150, 1), np.nan)
    quiet = await ScoutAgent().analyze(panel_of(wobbling(0.0), news_sentiment=news))
    assert "no news about it" in quiet.reasons
    news[-1] = -0.8
    bad = await ScoutAgent().analyze(panel_of(wobbling(0.0), news_sentiment=news))
    assert bad.contributions["news"] < -0.3


async def test_risk_doctor_vetoes_what_cannot_be_sold() -> None:
    fine = await RiskDoctorAgent().analyze(panel_of(wobbling(0.0), 5e6))
    assert not fine.vetoed
    thin = await RiskDoctorAgent().analyze(panel_of(wobbling(0.0), 1e4))
    assert thin.vetoed
    assert thin.reasons[0] == "veto: trades 0.2 bn VND a day, less than 1"
    wild = await RiskDoctorAgent().analyze(panel_of(wobbling(0.0, sigma=0.065), 5e6))
    assert any(reason.startswith("veto: volatility 1") for reason in wild.reasons)
    assert wild.score < fine.score


def test_risk_doctor_vetoes_after_a_floor_lock_by_the_exchanges_own_band() -> None:
    close = np.r_[wobbling(0.0, 100), 18_650.0, 18_700.0]
    close[99] = 20_000.0
    column = close[:, None]
    days = np.datetime64("2024-01-01") + np.arange(len(close))

    def veto(symbol: str, rows: int) -> bool:
        low = column * np.where(column == 18_650.0, 1.0, 0.995)
        volume = np.full(column.shape, 5e6)
        panel = BarPanel((symbol,), days, column, column * 1.005, low, column, volume)
        scores = RiskDoctorAgent().score(panel)
        assert scores.veto is not None
        return bool(scores.veto[rows, 0])

    assert not veto("FPT", 99)
    assert veto("FPT", 100), "-6.75 % at the low of the day is a lock on HOSE (7 %)"
    assert veto("FPT", 101), "and the veto lasts some days"
    assert not veto("SHS", 100), "but not on HNX (10 %)"


def test_positions_shrink_with_volatility_and_thin_trading() -> None:
    def size(sigma: float, volume: float) -> float:
        sizes = RiskDoctorAgent().score(panel_of(wobbling(0.0, sigma=sigma), volume)).position_fraction
        assert sizes is not None
        return float(sizes[-1, 0])

    assert size(0.01, 5e6) == 0.125
    assert size(0.04, 5e6) == pytest.approx(0.0025 / 0.04, rel=0.05)
    # 5 % of 0.1 bn VND a day are 5 million, 5 % of the 100 million of equity.
    assert size(0.01, 5e3) == pytest.approx(0.05, rel=0.05)


def test_all_five_score_102_symbols_over_2000_days_within_half_a_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = random_panel(2000)
    tiled = {name: np.tile(getattr(base, name), (1, 9))[:, :102].copy() for name in OHLCV}
    gaps = np.random.default_rng(5).random((2000, 102)) < 0.01
    for values in tiled.values():
        values[gaps] = np.nan
    panel = BarPanel(tuple(f"S{i:03d}" for i in range(102)), base.timestamps, **tiled)
    panel = panel.with_fields(
        expected_return=np.full(panel.shape, 0.01), forecast_confidence=np.full(panel.shape, 0.6),
        news_sentiment=np.full(panel.shape, 0.1), foreign_net=np.ones(panel.shape),
    )  # fmt: skip
    cpu, wall = {}, {}
    for agent in default_agents():
        spent = []
        for _ in range(5):
            started = perf_counter(), process_time()
            agent.score(panel)
            spent.append((perf_counter() - started[0], process_time() - started[1]))
        wall[agent.name] = round(min(one[0] for one in spent), 4)
        cpu[agent.name] = round(min(one[1] for one in spent), 4)
    told = {"cpu_s": sum(cpu.values()), "wall_s": sum(wall.values()), "limit_s": 0.5, "each_wall_s": wall}
    with capsys.disabled():
        print(json.dumps({"agents_102x2000": told, "machine": platform.machine(), "numpy": np.__version__}))
    # Processor time, so that a busy machine does not fail the build; on an idle one they are equal.
    assert sum(cpu.values()) <= 0.5 * slowness()


@pytest.mark.parametrize(
    "agent", [BullAgent(), BearAgent(), AnalystAgent(), RiskDoctorAgent()], ids=lambda a: a.name
)
def test_windows_count_bars_and_not_missing_rows(agent: Agent, panel: BarPanel) -> None:
    suspended = panel.select("SHS")
    kept = np.flatnonzero(suspended.present[:, 0])
    arrays = {name: getattr(suspended, name)[kept] for name in OHLCV}
    fields = {name: values[kept] for name, values in suspended.fields.items()}
    traded = BarPanel(suspended.symbols, suspended.timestamps[kept], **arrays, fields=fields)
    np.testing.assert_array_equal(agent.score(suspended).score[kept], agent.score(traded).score)


def test_no_reason_is_ever_unreadable(panel: BarPanel) -> None:
    for seen in (panel, gappy_panel(120, seed=2, session_fraction=0.2), random_panel(400)):
        for agent in default_agents():
            scores = agent.score(seen)
            for row in (25, 60, len(seen.timestamps) - 1):
                for column in np.flatnonzero(np.isfinite(scores.score[row])):
                    reasons = scores.reasons(row, int(column))
                    assert reasons
                    assert not any("nan" in reason or "inf" in reason for reason in reasons), reasons
