import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

import vnquant.runtime.clock as clock_module
from vnquant.errors import SourceConnectionError
from vnquant.runtime import ICT, MarketClock, fetch_with_timeout, install_clock, now, wall_now

MORNING = datetime(2025, 6, 2, 10, 0)


async def test_a_frozen_clock_stands_still():
    clock = MarketClock.frozen(MORNING)
    first = clock.now()
    await asyncio.sleep(0.01)
    assert clock.now() == first == MORNING.replace(tzinfo=ICT)


async def test_a_fast_clock_gains_speed_times_the_loops_time():
    loop = asyncio.get_running_loop()
    clock, began = MarketClock(MORNING, speed=3600), loop.time()
    await asyncio.sleep(0.01)
    shown, passed = clock.now(), loop.time() - began
    gained = (shown - MORNING.replace(tzinfo=ICT)).total_seconds()
    assert gained == pytest.approx(3600 * passed, rel=0.1)


async def test_changing_the_speed_does_not_jump():
    clock = MarketClock(MORNING, speed=60)
    before = clock.now()
    clock.set(speed=0)
    assert before <= clock.now() < before + timedelta(minutes=1)
    assert clock.speed == 0


async def test_now_reads_the_clock_installed_on_the_loop():
    install_clock(MarketClock.frozen(MORNING))
    assert now() == MORNING.replace(tzinfo=ICT)


def test_now_without_a_loop_is_the_wall_clock():
    assert abs((now() - wall_now()).total_seconds()) < 5


def test_an_aware_instant_is_shown_in_vietnam():
    assert MarketClock.frozen(datetime(2025, 6, 2, 3, tzinfo=UTC)).now().hour == 10


def test_a_clock_cannot_run_backwards():
    with pytest.raises(ValueError, match="frozen"):
        MarketClock(MORNING, speed=-1)


async def test_fetch_with_timeout_returns_none_and_warns_when_late(caplog):
    async def hang(symbol: str) -> str:
        await asyncio.sleep(3600)
        return symbol

    with caplog.at_level(logging.WARNING):
        assert await fetch_with_timeout(hang, "FPT", timeout=0.01) is None
    assert "FPT" in caplog.text


async def test_fetch_with_timeout_returns_none_and_warns_when_the_source_fails(caplog):
    async def refuse(symbol: str) -> str:
        raise SourceConnectionError("refused")

    with caplog.at_level(logging.WARNING):
        assert await fetch_with_timeout(refuse, "FPT") is None
    assert "refused" in caplog.text


async def test_fetch_with_timeout_passes_the_answer_and_bugs_through():
    async def answer(symbol: str) -> str:
        return symbol.lower()

    async def bug(symbol: str) -> str:
        raise TypeError("a bug")

    assert await fetch_with_timeout(answer, "FPT") == "fpt"
    with pytest.raises(TypeError):
        await fetch_with_timeout(bug, "FPT")


@pytest.fixture
def wall(monkeypatch):
    """A wall clock that is moved by hand while the loop's time goes on, as when the machine has slept."""
    moved = [timedelta()]
    true_now = clock_module.wall_now
    monkeypatch.setattr(clock_module, "wall_now", lambda: true_now() + moved[0])
    monkeypatch.setattr(clock_module, "_WALL_LOOK_S", 0.01)
    return moved


@pytest.mark.parametrize("hours", [8, -1])
async def test_who_waits_on_a_real_clock_wakes_when_the_machine_has_slept_or_its_clock_was_set(wall, hours):
    clock = MarketClock.real()
    waiting = asyncio.create_task(clock.sleep(3600))
    others = asyncio.create_task(clock.sleep(None))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    wall[0] = timedelta(hours=hours)
    async with asyncio.timeout(5):
        assert not await waiting
        assert not await others
    assert abs(clock.now() - clock_module.wall_now()) < timedelta(seconds=1)
    assert clock.times_set == 1


async def test_a_real_clock_is_left_alone_while_it_agrees_with_the_wall(wall):
    clock = MarketClock.real()
    assert await clock.sleep(0.05)
    assert clock.follow_wall() == timedelta()
    assert clock.times_set == 0


async def test_a_clock_that_was_set_follows_the_wall_no_longer(wall):
    clock = MarketClock.real()
    clock.set(at=MORNING)
    wall[0] = timedelta(hours=8)
    assert clock.follow_wall() == timedelta()
    assert await clock.sleep(0.02)
    assert clock.now().date() == MORNING.date()


@pytest.mark.virtual
async def test_on_virtual_time_the_wall_does_not_count(wall):
    clock = MarketClock.real()
    assert await clock.sleep(86_400)
    assert clock.times_set == 0
