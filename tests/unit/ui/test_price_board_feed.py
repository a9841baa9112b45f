"""The feed asks on a grid, one request at a time, and tells how old the last answer is and why."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from tests.unit.ui.board_quotes import UNIVERSE, ScriptedQuotes, flat_board
from vnquant.errors import ClosedError, ParameterError, RecordError, SourceConnectionError
from vnquant.runtime import MarketClock
from vnquant.runtime.clock import installed_clock
from vnquant.sources import QuoteBoard
from vnquant.ui.board_feed import BoardFeed
from vnquant.ui.board_text import note

pytestmark = pytest.mark.virtual(start="2025-06-02 10:00")


def feed_of(source: ScriptedQuotes, *, clock: MarketClock | None = None, **options: float) -> BoardFeed:
    used = clock or installed_clock()
    assert used is not None
    return BoardFeed(source, tuple(UNIVERSE), clock=used, loop=asyncio.get_running_loop(), **options)


@contextlib.asynccontextmanager
async def following(
    feed: BoardFeed, take: Callable[[QuoteBoard | None], object] = lambda board: None
) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.follow(take))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def gaps(source: ScriptedQuotes) -> list[float]:
    return [round(b - a, 6) for a, b in zip(source.asked_at, source.asked_at[1:], strict=False)]


async def test_it_asks_on_a_grid():
    source = ScriptedQuotes(flat_board())
    async with following(feed_of(source, interval_s=0.1)):
        await asyncio.sleep(10.05)
    assert len(source.asked_at) == 101
    assert set(gaps(source)) == {0.1}


async def test_slow_answers_are_not_joined_by_others_and_the_grid_stays():
    async def slowly() -> QuoteBoard:
        await asyncio.sleep(0.25)
        return flat_board()

    source = ScriptedQuotes(slowly)
    feed = feed_of(source, interval_s=0.1)
    async with following(feed):
        await asyncio.sleep(3.0)
    assert set(gaps(source)) == {0.3}
    assert feed.state().skipped == pytest.approx(2 * feed.state().polls, abs=2)


async def test_an_error_is_told_until_the_next_good_answer():
    source = ScriptedQuotes(SourceConnectionError("No answer from vps: refused"))
    feed = feed_of(source)
    taken: list[QuoteBoard | None] = []
    async with following(feed, taken.append):
        await asyncio.sleep(2.5)
        state = feed.state()
        assert (state.condition, state.failures, state.age_s) == ("failing", 3, None)
        assert "no board yet" in note(state, "vps", stale=0)["en"]
        assert "refused" in note(state, "vps", stale=0)["vi"]
        source.answer = flat_board()
        await asyncio.sleep(1.0)
        assert feed.state().condition == "live"
        assert note(feed.state(), "vps", stale=0) == {"en": "", "vi": ""}
    assert taken[:3] == [None] * 3
    assert taken[3] == flat_board()


async def test_an_error_of_a_users_own_source_is_told_too():
    feed = feed_of(ScriptedQuotes(KeyError("sym")))
    assert await feed.poll() is None
    assert feed.state().error == "KeyError: 'sym'"


async def test_a_source_that_hangs_is_given_up_and_asked_again():
    async def never() -> QuoteBoard:
        await asyncio.Event().wait()
        raise AssertionError

    source = ScriptedQuotes(never)
    feed = feed_of(source, timeout_s=4.0)
    async with following(feed):
        await asyncio.sleep(9.5)
        assert feed.state().error == "scripted gave no board within 4 s."
        assert feed.state().failures == 2
        source.answer = flat_board()
        await asyncio.sleep(5.0)
        assert feed.state().condition == "live"


async def test_an_answer_that_does_not_come_is_called_late():
    source = ScriptedQuotes(flat_board())
    feed = feed_of(source, timeout_s=30.0)
    async with following(feed):
        await asyncio.sleep(1.5)
        assert feed.state().condition == "live"
        release = asyncio.Event()

        async def later() -> QuoteBoard:
            await release.wait()
            return flat_board()

        source.answer = later
        await asyncio.sleep(6.0)
        state = feed.state()
        assert state.condition == "late"
        assert note(state, "scripted", stale=2)["en"] == (
            "Late: the last board is 6 s old, scripted has not answered since. "
            "2 symbols are missing from the board."
        )
        release.set()
        await asyncio.sleep(0.1)
        assert feed.state().condition == "live"


async def test_malformed_records_are_counted_and_the_first_is_told():
    problem = RecordError("FPT", "lastPrice", "?", "a price must be a number", source="vps")
    feed = feed_of(ScriptedQuotes(QuoteBoard(flat_board().quotes, (problem,))))
    await feed.poll()
    told = note(feed.state(), "vps", stale=0)["en"]
    assert told.startswith("1 of the records could not be read: ")
    assert "FPT" in told


async def test_a_closed_source_ends_it():
    feed = feed_of(ScriptedQuotes(ClosedError("The HTTP client is closed.")))
    async with asyncio.timeout(5):
        await feed.follow(lambda board: None)
    assert feed.state().condition == "closed"


@pytest.mark.virtual(start="2025-06-02 12:00")
async def test_it_asks_less_often_while_no_exchange_takes_orders():
    source = ScriptedQuotes(flat_board())
    async with following(feed_of(source)):
        await asyncio.sleep(59.0)
        assert set(gaps(source)) == {5.0}
        await asyncio.sleep(3600.0)
        assert gaps(source)[-1] == 1.0


async def test_a_clock_that_runs_fast_is_followed_through_lunch():
    clock = MarketClock(installed_clock().now().replace(hour=12), speed=60.0)
    source = ScriptedQuotes(flat_board())
    async with following(feed_of(source, clock=clock)):
        await asyncio.sleep(10.0)
    assert set(gaps(source)) == {1.0}


async def test_polls_that_are_asked_for_wait_their_turn():
    running = most = 0

    async def counted() -> QuoteBoard:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.5)
        running -= 1
        return flat_board()

    feed = feed_of(ScriptedQuotes(counted))
    await asyncio.gather(feed.poll(), feed.poll(), feed.poll())
    assert most == 1


@pytest.mark.parametrize("seconds", [0.05, 61.0, float("nan"), -1.0])
async def test_an_interval_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(ParameterError, match="interval_s must be from"):
        feed_of(ScriptedQuotes(flat_board()), interval_s=seconds)
