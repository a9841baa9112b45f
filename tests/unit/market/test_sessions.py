"""Phases of the trading day, and the volume curve."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from vnquant.market import (
    Exchange,
    Phase,
    is_trading,
    phase_at,
    session_fraction,
    session_windows,
    volume_curve,
)
from vnquant.runtime.clock import ICT

MONDAY = "2025-06-02"


def at(clock: str, day: str = MONDAY) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ICT)


@pytest.mark.parametrize(
    ("clock", "hose", "hnx", "upcom"),
    [
        ("08:29:59", Phase.CLOSED, Phase.CLOSED, Phase.CLOSED),
        ("08:30", Phase.PRE_OPEN, Phase.PRE_OPEN, Phase.PRE_OPEN),
        ("09:00", Phase.ATO, Phase.CONTINUOUS, Phase.CONTINUOUS),
        ("09:15", Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.CONTINUOUS),
        ("11:30", Phase.LUNCH, Phase.LUNCH, Phase.LUNCH),
        ("13:00", Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.CONTINUOUS),
        ("14:30", Phase.ATC, Phase.ATC, Phase.CONTINUOUS),
        ("14:45", Phase.PUT_THROUGH, Phase.PUT_THROUGH, Phase.CONTINUOUS),
        ("15:00", Phase.CLOSED, Phase.CLOSED, Phase.CLOSED),
    ],
)
def test_phases_through_the_day(clock: str, hose: Phase, hnx: Phase, upcom: Phase) -> None:
    assert [phase_at(at(clock), exchange) for exchange in Exchange] == [hose, hnx, upcom]


def test_closed_on_weekends_and_holidays() -> None:
    assert phase_at(at("10:00", "2025-06-01")) is Phase.CLOSED
    assert phase_at(at("10:00", "2025-01-29")) is Phase.CLOSED


def test_hose_alone_was_closed_when_its_system_failed() -> None:
    when = at("10:00", "2018-01-23")
    assert phase_at(when, Exchange.HOSE) is Phase.CLOSED
    assert phase_at(when, Exchange.HNX) is Phase.CONTINUOUS


def test_instants_in_another_time_zone_are_converted() -> None:
    assert phase_at(datetime(2025, 6, 2, 2, 15, tzinfo=UTC)) is Phase.CONTINUOUS


def test_trading_means_orders_are_matched() -> None:
    assert is_trading(at("09:00"))
    assert is_trading(at("14:44"))
    assert not is_trading(at("12:00"))
    assert not is_trading(at("14:50"))
    assert is_trading(at("14:50"), Exchange.UPCOM)


@pytest.mark.parametrize("exchange", list(Exchange))
def test_windows_follow_each_other_without_gap(exchange: Exchange) -> None:
    windows = session_windows(exchange)
    assert all(a.end == b.start for a, b in pairwise(windows))


@pytest.mark.parametrize(
    ("exchange", "first", "last", "bars"),
    [(Exchange.HOSE, 555, 885, 226), (Exchange.HNX, 540, 885, 241), (Exchange.UPCOM, 540, 899, 270)],
)
def test_volume_curve_has_a_share_for_each_minute_bar(
    exchange: Exchange, first: int, last: int, bars: int
) -> None:
    curve = volume_curve(exchange)
    assert (curve.minutes[0], curve.minutes[-1], len(curve.minutes)) == (first, last, bars)
    assert not np.any((curve.minutes >= 690) & (curve.minutes < 780))
    assert curve.shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert (curve.shares > 0).all()
    assert not curve.shares.flags.writeable


def test_volume_curve_is_u_shaped() -> None:
    curve = volume_curve()
    continuous = curve.shares[1:-1]
    middle = continuous[60:180].mean()
    assert continuous[:15].mean() > 1.5 * middle
    assert continuous[-15:].mean() > 1.5 * middle


def test_fraction_at_the_auctions_of_hose() -> None:
    curve = volume_curve()
    assert session_fraction(at("09:15")) == pytest.approx(curve.opening_auction)
    assert session_fraction(at("09:16")) == pytest.approx(curve.shares[0])
    before_close = session_fraction(at("14:30"))
    assert before_close == session_fraction(at("14:44:59")) == pytest.approx(1 - curve.shares[-1])
    assert session_fraction(at("14:45")) == 1.0


def test_fraction_stands_still_over_lunch() -> None:
    assert session_fraction(at("11:30")) == session_fraction(at("12:59:59")) == session_fraction(at("13:00"))


def test_fraction_is_one_where_no_session_runs() -> None:
    assert session_fraction(at("10:00", "2025-06-01")) == 1.0
    assert session_fraction(at("18:00")) == 1.0
    assert session_fraction(at("09:10")) == 1.0


@pytest.mark.parametrize("exchange", list(Exchange))
def test_fraction_rises_through_the_day_and_stays_in_range(exchange: Exchange) -> None:
    start = 555 if exchange is Exchange.HOSE else 540
    seen = [session_fraction(at(f"{m // 60:02d}:{m % 60:02d}"), exchange) for m in range(start, 901)]
    assert all(0.0 < a <= b <= 1.0 for a, b in pairwise(seen))
    assert seen[-1] == 1.0
