"""The cache asks only for what is missing, never keeps a running session, and notices re-adjusted prices."""

import asyncio
import subprocess
import sys
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vnquant.errors import EmptyAnswerError, ParameterError, SourceConnectionError
from vnquant.market import BarSeries, default_calendar
from vnquant.runtime.clock import ICT, MarketClock
from vnquant.sources import BarCache, CachedBars
from vnquant.sources.selection import between

CALENDAR = default_calendar()
START = date(2025, 5, 5)
MONDAY = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)


class Feed:
    """A source with a bar for every session up to its clock; `factor` re-adjusts all of the past."""

    name = "feed"

    def __init__(self, clock):
        self.clock = clock
        self.factor = 1.0
        self.lag = 0
        self.asked = []
        self.error = None

    async def bars(self, symbol, start, end, *, interval="1D"):
        self.asked.append((symbol, start, end, interval))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        last = CALENDAR.add_sessions(CALENDAR.latest_session(self.clock.now()), -self.lag)
        days = CALENDAR.sessions(date(2025, 1, 2), last).astype("datetime64[s]")
        close = (10_000.0 + np.arange(len(days))) * self.factor
        volume = np.full(len(days), 100.0)
        return between(BarSeries(symbol, days, close, close, close, close, volume, source="feed"), start, end)


@pytest.fixture
def clock():
    return MarketClock.frozen(MONDAY)


@pytest.fixture
def feed(clock):
    return Feed(clock)


@pytest.fixture
def cached(feed, clock, tmp_path):
    return CachedBars(feed, BarCache(tmp_path, "feed"), clock=clock)


def last_day(series):
    return str(series.timestamps[-1])[:10]


async def test_the_second_call_asks_for_the_overlap_and_the_running_session_only(cached, feed):
    first = await cached.bars("FPT", START, MONDAY.date())
    again = await cached.bars("FPT", START, MONDAY.date())
    assert feed.asked[1] == ("FPT", date(2025, 5, 30), date(2025, 6, 2), "1D")
    assert last_day(first) == last_day(again) == "2025-06-02"
    assert np.array_equal(first.close, again.close)
    assert np.array_equal(first.timestamps, again.timestamps)


async def test_nothing_is_asked_when_no_session_is_missing(cached, feed, clock):
    clock.set(at=datetime(2025, 6, 2, 8, 0, tzinfo=ICT))
    await cached.bars("FPT", START, date(2025, 6, 2))
    for end in (date(2025, 6, 2), date(2025, 5, 30), date(2025, 5, 20)):
        series = await cached.bars("FPT", date(2025, 5, 6), end)
        assert series.timestamps[0] == np.datetime64("2025-05-06")
    assert len(feed.asked) == 1


async def test_the_running_session_is_passed_on_and_never_stored(cached, feed, clock, tmp_path):
    await cached.bars("FPT", START, MONDAY.date())
    stored = await BarCache(tmp_path, "feed").get("FPT")
    assert last_day(stored) == "2025-05-30"
    clock.set(at=datetime(2025, 6, 2, 15, 0, tzinfo=ICT))
    await cached.bars("FPT", START, MONDAY.date())
    assert last_day(await BarCache(tmp_path, "feed").get("FPT")) == "2025-06-02"
    asked = len(feed.asked)
    await cached.bars("FPT", START, MONDAY.date())
    assert len(feed.asked) == asked


async def test_re_adjusted_prices_are_fetched_anew_from_the_beginning(cached, feed, clock):
    await cached.bars("FPT", START, MONDAY.date())
    clock.set(at=MONDAY + timedelta(days=1))
    feed.factor = 0.98
    series = await cached.bars("FPT", START, date(2025, 6, 3))
    assert [a[1] for a in feed.asked] == [START, date(2025, 5, 30), START]
    whole = await feed.bars("FPT", START, date(2025, 6, 3))
    assert np.array_equal(series.close, whole.close)


async def test_an_earlier_start_fetches_the_whole_and_keeps_what_lay_beyond_the_end(cached, feed):
    await cached.bars("FPT", START, MONDAY.date())
    await cached.bars("FPT", date(2025, 3, 3), date(2025, 4, 1))
    assert feed.asked[-1][1:3] == (date(2025, 3, 3), date(2025, 5, 30))
    before = len(feed.asked)
    assert last_day(await cached.bars("FPT", date(2025, 3, 3), date(2025, 5, 30))) == "2025-05-30"
    assert len(feed.asked) == before


async def test_a_source_that_lags_is_asked_again_for_what_it_did_not_have(cached, feed):
    feed.lag = 3
    await cached.bars("FPT", START, MONDAY.date())
    assert cached.staleness("FPT") == 2
    feed.lag = 0
    await cached.bars("FPT", START, MONDAY.date())
    assert cached.staleness("FPT") == 0


async def test_staleness_counts_complete_sessions_and_is_unknown_without_history(cached):
    assert cached.staleness("FPT") is None
    await cached.bars("FPT", START, MONDAY.date())
    assert cached.staleness("FPT", MONDAY) == 0
    assert cached.staleness("FPT", datetime(2025, 6, 2, 15, 0, tzinfo=ICT)) == 1
    assert cached.staleness("FPT", datetime(2025, 6, 8, 12, 0, tzinfo=ICT)) == 5


async def test_a_failing_source_raises_and_the_cache_still_tells_what_it_holds(cached, feed):
    await cached.bars("FPT", START, MONDAY.date())
    feed.error = SourceConnectionError("down")
    with pytest.raises(SourceConnectionError):
        await cached.bars("FPT", START, MONDAY.date())
    assert last_day(await cached.cached("FPT", START, MONDAY.date())) == "2025-05-30"
    assert await cached.cached("VNM", START, MONDAY.date()) is None


async def test_two_callers_at_once_cost_one_request(cached, feed, clock):
    clock.set(at=datetime(2025, 6, 1, 12, 0, tzinfo=ICT))
    await asyncio.gather(*(cached.bars("FPT", START, date(2025, 6, 1)) for _ in range(5)))
    assert len(feed.asked) == 1


async def test_intraday_bars_pass_through(cached, feed):
    await cached.bars("FPT", START, MONDAY.date(), interval="5m")
    await cached.bars("FPT", START, MONDAY.date(), interval="5m")
    assert [a[3] for a in feed.asked] == ["5m", "5m"]


async def test_no_bars_in_the_range_is_an_empty_answer_from_memory_as_well(cached):
    await cached.bars("FPT", START, MONDAY.date())
    with pytest.raises(EmptyAnswerError):
        await cached.bars("FPT", date(2025, 5, 10), date(2025, 5, 11))  # a weekend


async def test_what_was_stored_is_read_back_exactly(cached, tmp_path):
    await cached.bars("FPT", START, MONDAY.date())
    await cached.bars("VNM", START, MONDAY.date())
    fresh = BarCache(tmp_path, "feed")
    assert await fresh.load(["FPT", "VNM", "ACB"]) == 2
    for name in ("timestamps", "open", "high", "low", "close", "volume"):
        assert np.array_equal(
            getattr(await fresh.get("FPT"), name), getattr(await cached._cache.get("FPT"), name)
        )
    assert fresh.peek("FPT").start == START


@pytest.mark.parametrize("damage", [b"", b"PAR1 rubbish", b"{}"])
async def test_a_corrupt_file_is_fetched_again_and_logged(damage, feed, clock, tmp_path, caplog):
    first = CachedBars(feed, BarCache(tmp_path, "feed"), clock=clock)
    await first.bars("FPT", START, MONDAY.date())
    (path,) = tmp_path.rglob("FPT.parquet")
    path.write_bytes(damage)
    second = CachedBars(feed, BarCache(tmp_path, "feed"), clock=clock)
    assert len(await second.bars("FPT", START, MONDAY.date())) > 15
    assert "fetched again" in caplog.text
    assert len(feed.asked) == 2


async def test_what_is_read_is_what_pyarrow_reads(cached, tmp_path):
    await cached.bars("FPT", START, MONDAY.date())
    (path,) = tmp_path.rglob("FPT.parquet")
    stored, table = await BarCache(tmp_path, "feed").get("FPT"), pq.read_table(path)
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(stored, name).tobytes() == table[name].to_numpy().tobytes()
    assert stored.timestamps.dtype == "datetime64[s]"
    assert np.array_equal(stored.timestamps, table["timestamp"].to_numpy())


async def test_a_file_with_a_gap_in_a_column_is_fetched_again(cached, feed, clock, tmp_path, caplog):
    await cached.bars("FPT", START, MONDAY.date())
    (path,) = tmp_path.rglob("FPT.parquet")
    table = pq.read_table(path)
    gap = pa.array([None, *table["close"].to_pylist()[1:]], pa.float64())
    pq.write_table(table.set_column(table.schema.get_field_index("close"), "close", gap), path)
    again = CachedBars(feed, BarCache(tmp_path, "feed"), clock=clock)
    assert np.isfinite((await again.bars("FPT", START, MONDAY.date())).close).all()
    assert "fetched again" in caplog.text


async def test_reading_a_file_does_not_import_pandas(cached, tmp_path):
    await cached.bars("FPT", START, MONDAY.date())
    code = (
        "import sys\n"
        "from vnquant.runtime import run_virtual\n"
        "from vnquant.sources import BarCache\n"
        "assert len(run_virtual(BarCache(sys.argv[1], 'feed').get('FPT'))) > 15\n"
        "assert 'pyarrow' in sys.modules and 'pandas' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=50)


async def test_no_partial_file_is_left(cached, tmp_path):
    await cached.bars("FPT", START, MONDAY.date())
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["FPT.parquet"]


async def test_a_disk_that_cannot_be_written_does_not_fail_the_caller(feed, clock, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cached = CachedBars(feed, BarCache(blocked, "feed"), clock=clock)
    assert len(await cached.bars("FPT", START, MONDAY.date())) > 15
    assert "not written" in caplog.text


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden"])
def test_a_key_that_is_no_folder_name_is_refused(key, tmp_path):
    with pytest.raises(ParameterError):
        BarCache(tmp_path, key)


async def test_a_symbol_that_is_no_ticker_is_refused(tmp_path):
    with pytest.raises(ParameterError):
        await BarCache(tmp_path, "feed").get("../../etc/passwd")
