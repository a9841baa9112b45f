"""Realism: the simulated daily bars beside what real Vietnamese bars of 2015 to 2026 show.

The real figures in the comments were measured on 82 listed shares; bounds are wide enough for any seed.
"""

from datetime import date, datetime, time

import numpy as np
import pytest

from vnquant.market import Exchange
from vnquant.runtime.clock import ICT
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.headlines import short_name
from vnquant.simulation.history import DailyHistory

END = date(2025, 12, 31)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(5)


@pytest.fixture(scope="module")
def days(market) -> DailyHistory:
    return market.daily(END)


@pytest.fixture(scope="module")
def returns(days):
    return np.diff(np.log(days.adjusted_close), axis=0)


def autocorrelation(values, lag):
    centred = values - values.mean(axis=0)
    return float(((centred[lag:] * centred[:-lag]).mean(axis=0) / (centred**2).mean(axis=0)).mean())


def test_daily_volatility(returns):
    spread = returns.std(axis=0)
    assert 0.020 < np.median(spread) < 0.028  # real 0.025
    assert spread.min() > 0.012
    assert spread.max() < 0.045


def test_fat_tails_within_the_band(returns):
    centred = returns - returns.mean(axis=0)
    excess = (centred**4).mean(axis=0) / (centred**2).mean(axis=0) ** 2 - 3.0
    assert 1.0 < np.median(excess) < 3.0  # real 1.5 since 2021, 2.1 over all years


def test_volatility_clusters(returns):
    size = np.abs(returns)
    assert 0.15 < autocorrelation(size, 1) < 0.35  # real 0.25
    assert 0.06 < autocorrelation(size, 10) < 0.2  # real 0.14
    assert abs(autocorrelation(returns, 1)) < 0.1  # real 0.06


def test_shares_move_together_and_more_so_within_a_sector(market, returns):
    correlation = np.corrcoef(returns.T)
    sector = np.array([market.universe[s].sector for s in market.symbols])
    pairs = np.triu(np.ones_like(correlation, dtype=bool), 1)
    same = sector[:, None] == sector[None, :]
    assert 0.2 < correlation[pairs].mean() < 0.45  # real 0.34
    assert correlation[pairs & same].mean() > correlation[pairs & ~same].mean() + 0.04


def test_some_days_end_locked_at_the_limit(market, days):
    locked = (days.close == days.ceiling) | (days.close == days.floor)
    hose = np.array([market.universe[s].exchange is Exchange.HOSE for s in market.symbols])
    assert 0.01 < locked[:, hose].mean() < 0.06  # real: 5 % of the days since 2021 move 6.6 % or more
    whole_day = locked & (days.high == days.low)
    assert 0 < whole_day.mean() < 0.01


def test_big_news_days_trade_several_times_the_usual_volume(days, returns):
    usual = np.array([days.volume[row - 20 : row].mean(axis=0) for row in range(20, len(days))])
    ratio = days.volume[20:] / usual
    big = np.abs(returns[19:]) > 0.06
    assert np.median(ratio[big]) > 1.6
    assert 0.75 < np.median(ratio[~big]) < 1.1


def test_dividends_and_bonus_issues_happen_at_a_usual_rate(days):
    years = len(days) / 248
    ex_days = (days.ex_rights_factor != 1.0).sum(axis=0) / years
    assert 0.4 < ex_days.mean() < 1.3
    assert (days.ex_rights_factor > 1.05).sum() < 30  # consolidations of shares that became too cheap


def test_prices_stay_where_a_tick_is_a_small_step(days):
    assert days.close.min() >= 1_500
    assert days.close.max() < 500_000
    assert 10_000 < np.median(days.close[-1]) < 100_000


def test_tet_is_a_gap_of_a_week(days):
    gap = np.diff(days.sessions).astype(int)
    assert (gap >= 6).sum() >= 7


def test_headlines_tell_of_most_jumps_on_their_day(market, days):
    rows = range(300, 400)
    told = {
        (h.symbol, h.published_at.date()): h.sentiment_truth
        for row in rows
        for h in market.headlines_at(datetime.combine(days.sessions[row].item(), time(23, 59)), limit=60)
        if h.symbol and h.sentiment_truth != "neutral"
    }
    move = days.close / days.reference - 1.0
    alone = move - np.median(move, axis=1, keepdims=True)
    for sign, label, opposite in ((1, "positive", "negative"), (-1, "negative", "positive")):
        found = [
            told.get((market.symbols[column], days.sessions[row].item()))
            for row in rows
            for column in np.flatnonzero(
                (sign * alone[row] > 0.045)
                & (days.volume[row] > 2.5 * days.volume[row - 20 : row].mean(axis=0))
            )
        ]
        assert len(found) > 40
        assert found.count(label) > 0.55 * len(found)
        assert found.count(opposite) < 0.1 * len(found)


def test_headlines_are_newest_first_and_never_from_the_future(market):
    now = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)
    news = market.headlines_at(now, limit=80)
    assert len(news) == 80
    times = [h.published_at for h in news]
    assert times == sorted(times, reverse=True)
    assert times[0] <= now
    assert len({h.slug + str(h.number) for h in news}) == 80
    assert all(h.symbol is None or h.symbol in h.title + h.summary for h in news)
    assert all("{" not in h.title + h.summary for h in news)
    assert all(set(h.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for h in news)


@pytest.mark.parametrize(
    ("company", "short"),
    [
        ("Ngân hàng TMCP Á Châu", "Ngân hàng Á Châu"),
        (
            "Tập đoàn Đầu tư và Phát triển Công nghiệp Becamex - CTCP",
            "Đầu tư và Phát triển Công nghiệp Becamex",
        ),
        ("Tổng Công ty cổ phần Bia - Rượu - Nước giải khát Sài Gòn", "Bia - Rượu - Nước giải khát Sài Gòn"),
        ("Công ty Cổ phần FPT", "FPT"),
    ],
)
def test_company_names_lose_their_legal_form(company, short):
    assert short_name(company) == short
