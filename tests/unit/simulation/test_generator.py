"""The simulated market: reproducible, causal, and the same through every door."""

import hashlib
import os
import subprocess
import sys
from datetime import date, datetime, time

import numpy as np
import pytest

from vnquant.errors import DateRangeError, InputError, ParameterError, UnknownSymbolError
from vnquant.market import OHLCV, load_universe, price_limits, tick_size
from vnquant.simulation.generator import SimulatedMarket
from vnquant.simulation.planted import Planted

END = date(2019, 12, 31)
# What `python tests/unit/simulation/test_generator.py` prints. It changes only together with the process, and
# then every stored result of the simulated market is void.
GOLDEN = "5e52cf86fc0793c44d5786d5f5991aab"


def digest() -> str:
    """Hash two years of days, one session of minutes, boards and headlines."""
    market = SimulatedMarket(7)
    days = market.daily(END)
    found = hashlib.blake2b(digest_size=16)
    names = ("reference", "ceiling", "floor", "average", "ex_rights_factor", "foreign_buy", "foreign_room")
    for name in (*OHLCV, *names):
        found.update(np.ascontiguousarray(getattr(days, name), dtype="<f8").tobytes())
    for symbol in market.symbols:
        minutes = market.minutes(symbol, date(2019, 6, 3))
        found.update(np.stack([getattr(minutes, name) for name in OHLCV]).astype("<f8").tobytes())
    for when in (datetime(2019, 6, 3, 10), datetime(2019, 6, 3, 14, 50)):
        found.update(repr(market.quotes_at(when)).encode())
        found.update(repr(market.headlines_at(when)).encode())
    return found.hexdigest()


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(7)


# -- reproducible ---------------------------------------------------------------------------------------


def test_same_seed_gives_the_golden_bytes():
    assert digest() == GOLDEN


def test_bytes_do_not_depend_on_the_vector_unit_of_the_cpu():
    extensions = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not extensions:
        pytest.skip("numpy found no optional vector extension on this machine")
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(extensions)}
    plain = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True, timeout=50
    )
    assert plain.stdout.strip() == GOLDEN


def test_another_seed_gives_another_market():
    one, other = SimulatedMarket(1).daily(date(2018, 3, 1)), SimulatedMarket(2).daily(date(2018, 3, 1))
    assert (one.close != other.close).mean() > 0.95


def test_negative_and_huge_seeds_are_seeds_like_any_other():
    closes = [SimulatedMarket(seed).daily(date(2018, 1, 5)).close for seed in (-1, 0, 2**64 - 2)]
    assert not np.array_equal(closes[0], closes[1])
    assert not np.array_equal(closes[0], closes[2])


# -- causal ---------------------------------------------------------------------------------------------


def test_asking_for_more_never_changes_earlier_sessions(market):
    early = SimulatedMarket(7)
    before = early.daily(date(2018, 6, 29))
    later = market.daily(date(2020, 6, 30))
    for name in (*OHLCV, "reference", "average", "ex_rights_factor", "foreign_buy", "foreign_room"):
        np.testing.assert_array_equal(
            getattr(before, name), getattr(later, name)[: len(before)], err_msg=name
        )
    early.daily(date(2020, 6, 30))
    np.testing.assert_array_equal(early.daily(date(2018, 6, 29)).close, before.close)


def test_years_asked_one_by_one_equal_years_asked_at_once(market):
    step = SimulatedMarket(7)
    for year in (2018, 2019, 2020):
        step.daily(date(year, 5, 4))
    end = date(2020, 12, 31)
    assert step.panel(end).fingerprint() == market.panel(end).fingerprint()


def test_headlines_and_boards_of_a_day_do_not_depend_on_what_was_asked_before(market):
    market.daily(date(2020, 12, 31))
    now = datetime(2018, 9, 14, 11)
    fresh = SimulatedMarket(7)
    assert fresh.headlines_at(now) == market.headlines_at(now)
    assert fresh.quotes_at(now) == market.quotes_at(now)


def test_what_is_seen_at_an_instant_is_never_revised_within_the_session(market):
    day = date(2019, 6, 3)
    early = market.bars_at(datetime(2019, 6, 3, 10, 30), "FPT", day, day, "1m")
    late = market.bars_at(datetime(2019, 6, 3, 14, 10), "FPT", day, day, "1m")
    assert 0 < len(early) < len(late)
    for name in OHLCV:
        np.testing.assert_array_equal(getattr(early, name), getattr(late, name)[: len(early)])
    assert early.timestamps[-1] < np.datetime64("2019-06-03T10:30:00")


# -- days -----------------------------------------------------------------------------------------------


def test_history_has_the_universe_and_the_calendar(market):
    days = market.daily(END)
    assert market.symbols == load_universe().tickers == days.symbols
    assert len(market.symbols) == 102
    np.testing.assert_array_equal(days.sessions, market.calendar.sessions(date(2018, 1, 2), END))


def test_an_end_that_is_no_session_stops_at_the_session_before(market):
    assert market.daily(date(2019, 2, 6)).sessions[-1] == np.datetime64(
        "2019-02-01"
    )  # Tết 2019: 02-04 to 02-08


def test_bands_and_ticks_agree_with_the_market_room_session_by_session(market):
    days = market.daily(END)
    generator = np.random.default_rng(3)
    for row, column in zip(
        generator.integers(0, len(days), 300), generator.integers(0, 102, 300), strict=True
    ):
        exchange = market.universe[market.symbols[column]].exchange
        limits = price_limits(days.reference[row, column], exchange)
        assert (limits.ceiling, limits.floor) == (days.ceiling[row, column], days.floor[row, column])
        assert days.close[row, column] % tick_size(days.close[row, column], exchange) == 0


def test_reference_is_the_previous_close_or_on_upcom_the_previous_average(market):
    days = market.daily(END)
    plain = days.ex_rights_factor[1:] == 1.0
    upcom = np.array([market.universe[s].exchange == "UPCOM" for s in market.symbols])
    same = days.reference[1:] == days.close[:-1]
    assert same[:, ~upcom][plain[:, ~upcom]].all()
    nearest = np.floor(days.average[:-1, upcom] / 100 + 0.5) * 100
    assert (days.reference[1:, upcom] == nearest)[plain[:, upcom]].all()
    assert (days.reference[1:, upcom] != days.close[:-1, upcom]).mean() > 0.3


def test_adjusted_returns_are_the_returns_of_the_session_on_ex_dates_too(market):
    days = market.daily(END)
    rows, columns = np.nonzero(days.ex_rights_factor != 1.0)
    assert len(rows) > 50
    adjusted = days.adjusted_close
    expected = days.close[rows, columns] / (
        days.close[rows - 1, columns] * days.ex_rights_factor[rows, columns]
    )
    np.testing.assert_allclose(adjusted[rows, columns] / adjusted[rows - 1, columns], expected, rtol=1e-12)
    # Without the adjustment many of these would be falls beyond the band.
    assert (days.close[rows, columns] / days.close[rows - 1, columns] < 0.9).sum() > 5


def test_panel_is_rounded_to_whole_vnd_and_ends_unadjusted(market):
    days, panel = market.daily(END), market.panel(END)
    np.testing.assert_array_equal(panel.close[-1], days.close[-1])
    np.testing.assert_array_equal(panel.close, np.rint(days.adjusted_close))
    np.testing.assert_array_equal(panel.volume, days.volume)
    assert panel.symbols == market.symbols
    assert not panel.partial


def test_splits_multiply_the_shares_traded(market):
    days = market.daily(date(2025, 12, 31))
    rows, columns = np.nonzero(days.ex_rights_factor <= 0.51)
    around = [
        days.volume[row : row + 20, column].mean() / days.volume[row - 20 : row, column].mean()
        for row, column in zip(rows, columns, strict=True)
        if 20 <= row < len(days) - 20
    ]
    assert len(around) > 10
    assert 1.5 < np.median(around) < 2.7


# -- within a day ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [date(2018, 1, 2), date(2019, 2, 1), date(2019, 6, 3)])
def test_minutes_add_up_to_the_daily_bar_exactly(market, session):
    days = market.daily(END)
    row = int(np.searchsorted(days.sessions, np.datetime64(session, "D")))
    for column, symbol in enumerate(market.symbols):
        bars = market.minutes(symbol, session)
        whole = (bars.open[0], bars.high.max(), bars.low.min(), bars.close[-1], bars.volume.sum())
        assert whole == tuple(getattr(days, name)[row, column] for name in OHLCV), symbol
        assert (bars.volume > 0).all()
        assert (bars.volume % 100 == 0).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()


def test_minutes_keep_each_boards_hours(market):
    day = date(2019, 6, 3)
    hours = {s: market.minutes(s, day).timestamps.astype("datetime64[m]") for s in ("FPT", "SHS", "ACV")}
    clock = {s: [str(t)[11:] for t in stamps] for s, stamps in hours.items()}
    assert (clock["FPT"][0], clock["FPT"][-1]) == ("09:15", "14:45")
    assert clock["SHS"][0] < "09:15"
    assert clock["SHS"][-1] == "14:45"
    assert "14:30" < clock["ACV"][-1] < "15:00"
    for times in clock.values():
        assert not [t for t in times if "11:30" <= t < "13:00"]
    assert not [t for t in clock["FPT"] if "14:30" <= t < "14:45"]


@pytest.mark.parametrize(("interval", "minutes"), [("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60)])
def test_coarser_bars_gather_the_minutes(market, interval, minutes):
    now, day = datetime(2019, 6, 3, 16), date(2019, 6, 3)
    fine = market.bars_at(now, "HPG", day, day, "1m")
    coarse = market.bars_at(now, "HPG", day, day, interval)
    minute = fine.timestamps.astype("datetime64[m]").astype(np.int64)
    starts = np.unique(minute // minutes)
    np.testing.assert_array_equal(
        coarse.timestamps.astype("datetime64[m]").astype(np.int64), starts * minutes
    )
    for place, start in enumerate(starts):
        inside = minute // minutes == start
        assert coarse.open[place] == fine.open[inside][0]
        assert coarse.high[place] == fine.high[inside].max()
        assert coarse.low[place] == fine.low[inside].min()
        assert coarse.close[place] == fine.close[inside][-1]
        assert coarse.volume[place] == fine.volume[inside].sum()


def test_intraday_bars_reach_back_six_sessions(market):
    bars = market.bars_at(datetime(2019, 6, 3, 16), "FPT", date(2018, 1, 2), date(2019, 6, 3), "1m")
    assert len(np.unique(bars.timestamps.astype("datetime64[D]"))) == 6
    assert 1100 < len(bars) <= 6 * 226


def test_running_daily_bar_is_the_minutes_so_far(market):
    now, day = datetime(2019, 6, 3, 10, 30), date(2019, 6, 3)
    daily = market.bars_at(now, "FPT", date(2019, 5, 27), day)
    minutes = market.bars_at(now, "FPT", day, day, "1m")
    assert daily.timestamps[-1] == np.datetime64("2019-06-03T00:00:00")
    assert daily.open[-1] == minutes.open[0]
    assert daily.high[-1] == minutes.high.max()
    assert daily.low[-1] == minutes.low.min()
    assert daily.close[-1] == minutes.close[-1]
    assert daily.volume[-1] == minutes.volume.sum()


def test_before_the_first_match_there_is_no_bar_of_the_day(market):
    for clock in ((8, 45), (9, 10)):
        bars = market.bars_at(datetime(2019, 6, 3, *clock), "FPT", date(2019, 5, 27), date(2019, 6, 3))
        assert bars.timestamps[-1] == np.datetime64("2019-05-31T00:00:00")


def test_after_the_close_the_day_is_complete(market):
    panel = market.panel(date(2019, 6, 3))
    seen = market.panel_at(datetime(2019, 6, 3, 15))
    assert seen.fingerprint() == panel.fingerprint()
    assert market.panel_at(datetime(2019, 6, 3, 14, 40)).partial
    just_before = market.panel_at(datetime(2019, 6, 3, 14, 46))
    hose = [s for s in market.symbols if market.universe[s].exchange != "UPCOM"]
    np.testing.assert_array_equal(just_before.select(hose).close, panel.select(hose).close)
    assert not np.array_equal(just_before.close, panel.close)  # UPCoM trades on to 15:00


def test_history_is_adjusted_on_the_morning_of_the_ex_date(market):
    days = market.daily(END)
    row, column = next(
        (r, c) for r, c in zip(*np.nonzero(days.ex_rights_factor < 0.9), strict=True) if r > 30
    )
    ex_date, symbol = days.sessions[row].item(), market.symbols[column]
    before = datetime.combine(days.sessions[row - 1].item(), time(16))
    eve = market.bars_at(before, symbol, date(2018, 1, 2), ex_date)
    morning = market.bars_at(datetime.combine(ex_date, time(8, 45)), symbol, date(2018, 1, 2), ex_date)
    assert morning.timestamps[-1] == eve.timestamps[-1]
    assert morning.close[-1] == np.rint(eve.close[-1] * days.ex_rights_factor[row, column])


def test_volume_is_busiest_at_the_open_and_the_close(market):
    sessions = market.daily(END).sessions[-8:]
    total = np.zeros(24)
    for day in sessions:
        for symbol in market.symbols[:30]:
            bars = market.minutes(symbol, day.item())
            hour = (bars.timestamps - np.datetime64(day, "s")).astype(np.int64) // 3600
            np.add.at(total, hour, bars.volume)
    pace = total[[9, 10, 11, 13, 14]] / (45, 60, 30, 60, 45)
    assert pace[0] > 1.3 * pace[2]
    assert pace[4] > 1.3 * pace[2]


# -- board ----------------------------------------------------------------------------------------------


def test_board_stays_inside_the_band_on_tick_with_best_prices_first(market):
    for clock in ((9, 5), (9, 30), (11, 45), (14, 35), (14, 50), (20, 0)):
        for symbol, quote in market.quotes_at(datetime(2019, 6, 3, *clock)).items():
            exchange = market.universe[symbol].exchange
            bids = [price for price, _ in quote.bids if price is not None]
            asks = [price for price, _ in quote.asks if price is not None]
            assert bids == sorted(bids, reverse=True)
            assert asks == sorted(asks)
            if bids and asks:
                assert bids[0] < asks[0]
            for price in (*bids, *asks):
                assert quote.floor_price <= price <= quote.ceiling_price
                assert price % tick_size(price, exchange) == 0
            assert all(volume > 0 and volume % 100 == 0 for _, volume in (*quote.bids, *quote.asks))
            if quote.last_price is not None:
                assert quote.low_price <= quote.last_price <= quote.high_price
                assert quote.low_price <= quote.average_price <= quote.high_price


def test_a_locked_share_has_nobody_on_the_other_side(market):
    days = market.daily(END)
    row = int(np.argmax((days.close == days.ceiling).sum(axis=1)))
    quotes = market.quotes_at(datetime.combine(days.sessions[row].item(), time(15)))
    locked = [q for q in quotes.values() if q.last_price == q.ceiling_price]
    assert locked
    assert all(q.asks == () and q.bids[0][0] == q.ceiling_price for q in locked)
    row = int(np.argmax((days.close == days.floor).sum(axis=1)))
    quotes = market.quotes_at(datetime.combine(days.sessions[row].item(), time(15)))
    locked = [q for q in quotes.values() if q.last_price == q.floor_price]
    assert locked
    assert all(q.bids == () and q.asks[0][0] == q.floor_price for q in locked)


def test_board_turns_in_the_morning_and_stands_on_closed_days(market):
    friday = market.quotes_at(datetime(2019, 5, 31, 15, 0), ["FPT"])["FPT"]
    sunday = market.quotes_at(datetime(2019, 6, 2, 12, 0), ["FPT"])["FPT"]
    assert sunday.last_price == friday.last_price
    assert sunday.total_volume == friday.total_volume
    monday = market.quotes_at(datetime(2019, 6, 3, 8, 45), ["FPT"])["FPT"]
    assert monday.last_price is None
    assert monday.total_volume == 0
    assert monday.reference_price == friday.last_price
    # The foreign figures of the last session stay until the first match, as on the real boards.
    assert monday.foreign_buy_volume == friday.foreign_buy_volume


def test_auction_orders_have_no_price(market):
    quote = market.quotes_at(datetime(2019, 6, 3, 9, 5), ["FPT"])["FPT"]
    assert quote.bids[0][0] is None
    assert quote.asks[0][0] is None
    upcom = market.quotes_at(datetime(2019, 6, 3, 14, 35), ["ACV"])["ACV"]
    assert all(price is not None for price, _ in (*upcom.bids, *upcom.asks))


def test_board_agrees_with_the_running_bars(market):
    now = datetime(2019, 6, 3, 10, 30)
    panel = market.panel_at(now)
    for column, quote in enumerate(market.quotes_at(now).values()):
        assert quote.last_price == panel.close[-1, column]
        assert quote.open_price == panel.open[-1, column]
        assert quote.high_price == panel.high[-1, column]
        assert quote.low_price == panel.low[-1, column]
        assert quote.total_volume == panel.volume[-1, column]


def test_quotes_come_in_the_order_asked(market):
    assert list(market.quotes_at(datetime(2019, 6, 3, 10), ["vcb", "FPT"])) == ["VCB", "FPT"]


# -- bad input ------------------------------------------------------------------------------------------


def test_unknown_symbols_are_refused_with_a_suggestion(market):
    with pytest.raises(UnknownSymbolError, match="FPT"):
        market.bars_at(datetime(2019, 6, 3, 10), "FPTS", date(2019, 6, 3), date(2019, 6, 3))
    with pytest.raises(UnknownSymbolError):
        market.quotes_at(datetime(2019, 6, 3, 10), ["FPT", "XXXX"])


def test_impossible_dates_are_refused(market):
    with pytest.raises(DateRangeError, match="2018-01-02"):
        market.daily(date(2017, 12, 29))
    with pytest.raises(DateRangeError, match="not a session"):
        market.minutes("FPT", date(2019, 6, 2))
    with pytest.raises(DateRangeError, match="backwards"):
        market.bars_at(datetime(2019, 6, 3, 10), "FPT", date(2019, 6, 3), date(2019, 6, 1))
    with pytest.raises(DateRangeError, match="2016-09-12"):
        SimulatedMarket(7, start=date(2015, 1, 5))
    with pytest.raises(DateRangeError):
        market.daily(date(2035, 1, 1))


def test_unknown_intervals_are_refused(market):
    with pytest.raises(InputError, match="15m"):
        market.bars_at(datetime(2019, 6, 3, 10), "FPT", date(2019, 6, 3), date(2019, 6, 3), "2h")


@pytest.mark.parametrize("strength", [-0.1, 0.6, float("nan"), "strong"])
def test_strengths_out_of_bounds_are_refused(strength):
    with pytest.raises(ParameterError, match="momentum"):
        Planted(momentum=strength)


if __name__ == "__main__":
    print(digest())
