"""Board: what the price board shows at an instant: last match, totals, and three levels of bids and asks."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache

from vnquant.market import (
    EXCHANGE_ORDER,
    Exchange,
    Phase,
    Quote,
    TradingCalendar,
    default_calendar,
    phase_at,
)
from vnquant.runtime.clock import ICT
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import LaneArray, RowLanes, exponential_table
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.tape import MINUTES, Tape, visible_by_board

__all__ = ("Board", "any_session")

_LEVELS = 3
# Usual depth of a level in parts of a usual day's lots, and of the queue at a limit.
_LEVEL_DEPTH = 0.006
_LOCKED_DEPTH = 0.25
_SPREAD_SIDE = 32_768
# Lanes of a symbol at a minute: the side of the spread, the depth of bids and asks, the queue at a limit.
_LANES = 2 + 2 * _LEVELS
_AUCTIONS = frozenset({Phase.ATO, Phase.ATC})

_Levels = tuple[tuple[float | None, float], ...]


class Board:
    """The price board of one session, from its opening until the next one's.

    A quote is drawn when it is looked at, in plain numbers: of a hundred symbols a replay looks at one.

    Parameters
    ----------
    profiles : Profiles
    rules : PriceRules
    lanes : RowLanes
        Of the boards of all sessions. Each minute draws of its own, so that a quote is the same whichever
        others are looked at.
    history : DailyHistory
    row : int
        The session in it.
    tape : Tape
        Of the session.
    """

    def __init__(
        self,
        profiles: Profiles,
        rules: PriceRules,
        lanes: RowLanes,
        history: DailyHistory,
        row: int,
        tape: Tape,
    ) -> None:
        self._profiles, self._rules, self._lanes = profiles, rules, lanes
        self._history, self._row, self._tape = history, row, tape
        self._day: date = history.sessions[row].item()
        self._drawn: tuple[int, LaneArray] | None = None

    def quote(self, column: int, local: datetime) -> Quote:
        """Return one symbol's quote at an instant, ICT.

        A share at its ceiling has no asks, one at its floor no bids.
        """
        tape, history, row = self._tape, self._history, self._row
        exchange, minute = self._profiles.exchange.item(column), local.hour * 60 + local.minute
        is_today = local.date() == self._day
        visible = visible_by_board()[minute][exchange] if is_today else len(MINUTES)
        reference = history.reference.item(row, column)
        ceiling, floor = history.ceiling.item(row, column), history.floor.item(row, column)
        volume = tape.cumulative_volume.item(visible - 1, column) if visible else 0.0
        last: float | None
        opened: float | None
        high: float | None
        low: float | None
        average: float | None
        if volume > 0.0:
            anchor = last = tape.close.item(visible - 1, column)
            opened = history.open.item(row, column)
            high = tape.running_high.item(visible - 1, column)
            low = tape.running_low.item(visible - 1, column)
            average = self._average(visible - 1, column, low, high)
            last_volume = math.floor(tape.volume.item(visible - 1, column) / 500.0) * 100.0 + 100.0
        else:
            anchor, last_volume = reference, 0.0
            last = opened = high = low = average = None
        bids, asks = self._levels(column, minute, anchor, volume > 0.0, ceiling, floor)
        if is_today and auctions_at(minute)[exchange]:
            bids, asks = _at_auction(bids), _at_auction(asks)
        buy, sell, room = self._foreign(column, volume)
        return Quote(
            symbol=self._profiles.tickers[column],
            as_of=local,
            reference_price=reference,
            ceiling_price=ceiling,
            floor_price=floor,
            last_price=last,
            last_volume=last_volume,
            total_volume=volume,
            open_price=opened,
            high_price=high,
            low_price=low,
            average_price=average,
            bids=bids,
            asks=asks,
            foreign_buy_volume=buy,
            foreign_sell_volume=sell,
            foreign_room=room,
        )

    def _average(self, last: int, column: int, low: float, high: float) -> float:
        """Return the average price through minute `last` of the tape."""
        values, volumes = self._tape.cumulative_value, self._tape.cumulative_volume
        volume, whole = volumes.item(last, column), volumes.item(-1, column)
        # The last average is the day's own, which on UPCoM sets the next reference.
        beside = self._history.average.item(self._row, column) - values.item(-1, column) / whole
        average = float(round(values.item(last, column) / volume + volume / whole * beside))
        # Boards show averages with two decimals of a thousand VND.
        return 10.0 * round(min(max(average, low), high) / 10.0)

    def _levels(
        self, column: int, minute: int, anchor: float, started: bool, ceiling: float, floor: float
    ) -> tuple[_Levels, _Levels]:
        """Return bids and asks, best first, those inside the band.

        The last match stands at the best ask or at the best bid. At the ceiling nobody sells and at the floor
        nobody buys.
        """
        drawn = self._lanes_of(minute)[:, column].tolist()
        at_ceiling, at_floor = started and anchor == ceiling, started and anchor == floor
        lifted = drawn[0] < _SPREAD_SIDE
        tick, usual, depth_of = self._rules.tick, self._profiles.lots.item(column), _exponential()

        def depth(share: float, lane: int) -> float:
            return max(math.floor(usual * share * depth_of(lane)), 1) * 100.0

        bids: list[tuple[float | None, float]] = []
        asks: list[tuple[float | None, float]] = []
        if not at_floor:
            price = anchor - tick(anchor - 1.0, column) if lifted and not at_ceiling else anchor
            for lane in drawn[1 : 1 + _LEVELS]:
                if price < floor:
                    break
                bids.append((price, depth(_LEVEL_DEPTH, lane)))
                price -= tick(price - 1.0, column)
        if not at_ceiling:
            price = anchor if lifted or at_floor else anchor + tick(anchor, column)
            for lane in drawn[1 + _LEVELS : 1 + 2 * _LEVELS]:
                if price > ceiling:
                    break
                asks.append((price, depth(_LEVEL_DEPTH, lane)))
                price += tick(price, column)
        # Those who cannot have it queue at the limit.
        for is_locked, levels in ((at_ceiling, bids), (at_floor, asks)):
            if is_locked and levels:
                levels[0] = (levels[0][0], depth(_LOCKED_DEPTH, drawn[-1]))
        return tuple(bids), tuple(asks)

    def _lanes_of(self, minute: int) -> LaneArray:
        """Return the draws of a minute, shape (8, N)."""
        drawn = self._drawn
        if drawn is None or drawn[0] != minute:
            n = len(self._profiles)
            lanes = self._lanes.row(self._row * 1440 + minute, _LANES * n).reshape(_LANES, n)
            drawn = self._drawn = (minute, lanes)
        return drawn[1]

    def _foreign(self, column: int, volume: float) -> tuple[float, float, float]:
        """Return foreign buying, selling and room; the last session's figures stay until the first match."""
        history, row, before = self._history, self._row, max(self._row - 1, 0)
        room = history.foreign_room.item(before, column)
        if not volume > 0.0:
            return history.foreign_buy.item(before, column), history.foreign_sell.item(before, column), room
        share = volume / history.volume.item(row, column)
        buy = math.floor(history.foreign_buy.item(row, column) * share / 10.0) * 10.0
        sell = math.floor(history.foreign_sell.item(row, column) * share / 10.0) * 10.0
        over = share >= 1.0
        return buy, sell, history.foreign_room.item(row, column) if over else max(room - buy + sell, 0.0)


def _at_auction(levels: _Levels) -> _Levels:
    """Put the orders without a price of their own (ATO, ATC) first."""
    if not levels:
        return levels
    return ((None, levels[0][1]), *levels[: _LEVELS - 1])


@cache
def auctions_at(minute: int) -> tuple[bool, ...]:
    """Return whether each board collects for an auction at a minute of a session."""
    opened, calendar = any_session()
    when = opened + timedelta(minutes=minute)
    return tuple(phase_at(when, exchange, calendar) in _AUCTIONS for exchange in EXCHANGE_ORDER)


@cache
def any_session() -> tuple[datetime, TradingCalendar]:
    """Return the midnight before a session, and its calendar: all sessions keep the same hours."""
    calendar = default_calendar(Exchange.HOSE)
    return datetime.combine(calendar.session_on_or_after(date(2025, 1, 2)), time(), tzinfo=ICT), calendar


@cache
def _exponential() -> Callable[[int], float]:
    return exponential_table().item
