"""When rounds are due, and in which order those of one instant happen."""

import asyncio
from datetime import datetime, timedelta

import pytest

from vnquant.engine.grid import ALWAYS, MODEL_HOURS, POSITION_HOURS, next_opening, on_grid, takes_orders
from vnquant.engine.rounds import RoundOrder, Stage
from vnquant.market import Exchange, default_calendar
from vnquant.runtime import ICT

pytestmark = [pytest.mark.virtual(start="2025-06-01 00:00")]
CALENDAR = default_calendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ICT)


@pytest.mark.parametrize(
    ("asked", "due", "closes"),
    [
        ("2025-06-02 08:00:00", "2025-06-02 09:15:00", "2025-06-02 11:30:00"),
        ("2025-06-02 09:15:00", "2025-06-02 09:15:00", "2025-06-02 11:30:00"),
        ("2025-06-02 09:15:01", "2025-06-02 09:18:00", "2025-06-02 11:30:00"),
        ("2025-06-02 11:28:00", "2025-06-02 13:00:00", "2025-06-02 14:45:00"),
        ("2025-06-02 14:44:00", "2025-06-03 09:15:00", "2025-06-03 11:30:00"),
        ("2025-06-06 15:00:00", "2025-06-09 09:15:00", "2025-06-09 11:30:00"),
    ],
)
async def test_the_next_round_lies_on_the_grid_of_its_session(asked, due, closes):
    sessions = on_grid(MODEL_HOURS, 180.0, CALENDAR, is_frozen=lambda: False)
    assert sessions(at(asked)) == (at(due), at(closes))


async def test_around_the_clock_the_grid_begins_at_midnight():
    sessions = on_grid(ALWAYS, 300.0, CALENDAR, is_frozen=lambda: False)
    assert sessions(at("2025-06-08 23:58:00"))[0] == at("2025-06-09 00:00:00")


async def test_rounds_before_the_ledgers_end_are_over():
    end = at("2025-06-02 10:00:00") + timedelta(microseconds=1)
    sessions = on_grid(POSITION_HOURS, 60.0, CALENDAR, is_frozen=lambda: False, not_before=end)
    assert sessions(at("2025-06-02 10:00:00"))[0] == at("2025-06-02 10:01:00")


async def test_on_a_frozen_clock_a_session_is_open_between_the_points_of_the_grid():
    sessions = on_grid(MODEL_HOURS, 180.0, CALENDAR, is_frozen=lambda: True)
    assert sessions(at("2025-06-02 10:01:00"))[0] == at("2025-06-02 09:15:00")


def test_the_next_opening_is_after_lunch_or_on_the_next_session():
    assert next_opening(at("2025-06-02 08:00"), CALENDAR) == at("2025-06-02 09:15")
    assert next_opening(at("2025-06-02 12:00"), CALENDAR) == at("2025-06-02 13:00")
    assert next_opening(at("2025-06-06 14:46"), CALENDAR) == at("2025-06-09 09:15")


def test_orders_are_sent_in_continuous_trading_and_into_the_close():
    assert takes_orders(at("2025-06-02 09:15"), Exchange.HOSE)
    assert takes_orders(at("2025-06-02 14:40"), Exchange.HOSE)
    assert not takes_orders(at("2025-06-02 12:00"), Exchange.HOSE)
    assert not takes_orders(at("2025-06-02 09:05"), Exchange.HOSE)


async def test_rounds_of_one_instant_run_in_the_order_of_their_stages():
    order, ran = RoundOrder(), []

    async def work(stage: Stage) -> None:
        async with order.turn(stage):
            await asyncio.sleep(0)
            ran.append(stage)

    async with asyncio.TaskGroup() as group:
        for stage in (Stage.LEADS, Stage.NEWS, Stage.POSITIONS, Stage.MODEL):
            group.create_task(work(stage))
    assert ran == [Stage.POSITIONS, Stage.MODEL, Stage.NEWS, Stage.LEADS]


async def test_a_round_that_hangs_delays_the_later_ones_by_the_patience_only():
    order = RoundOrder(patience_s=2.0)
    loop = asyncio.get_running_loop()

    async def hang() -> None:
        async with order.turn(Stage.MODEL):
            await asyncio.sleep(1_000)

    hanging = asyncio.create_task(hang())
    await asyncio.sleep(0)
    began = loop.time()
    async with order.turn(Stage.LEADS):
        assert loop.time() - began == pytest.approx(2.0)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    async with order.turn(Stage.LEADS):
        assert loop.time() - began == pytest.approx(2.0)
