"""Board: what the price board shows at an instant: last match, totals, and three levels of bids and asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from vnquant.market import OHLCV, BarPanel, FloatArray, Phase, Quote
from vnquant.simulation.history import DailyHistory
from vnquant.simulation.profiles import Profiles
from vnquant.simulation.randomness import Stream, exponential_table, lanes_of_rows
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.tape import Tape

__all__ = ("Board", "Snapshot", "draw_board", "take_snapshot", "with_running_session")

_LEVELS = 3
# Usual depth of a level in parts of a usual day's lots, and of the queue at a limit.
_LEVEL_DEPTH = 0.006
_LOCKED_DEPTH = 0.25
_SPREAD_SIDE = 32_768
_AUCTIONS = frozenset({Phase.ATO, Phase.ATC})

_Levels = tuple[tuple[float | None, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The session at an instant, arrays of shape (N,), or at M instants, of shape (M, N).

    Prices are NaN where nothing has matched yet.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    average: FloatArray
    last_volume: FloatArray

    def at(self, row: int) -> Snapshot:
        """Return one of M instants, as the only one."""
        return Snapshot(**{name: getattr(self, name)[row : row + 1] for name in self.__slots__})

    @property
    def started(self) -> npt.NDArray[np.bool_]:
        """Where the first match has been made."""
        return self.volume > 0


def take_snapshot(history: DailyHistory, row: int, tape: Tape, visible: npt.NDArray[np.int64]) -> Snapshot:
    """Return the session so far, given how many minutes of the tape are visible, shape (N,) or (M, N)."""
    columns = np.arange(visible.shape[-1])
    last = np.maximum(visible - 1, 0)
    volume = np.where(visible > 0, tape.cumulative_volume[last, columns], 0.0)
    started = volume > 0

    def seen(values: FloatArray) -> FloatArray:
        return np.where(started, values, np.nan)

    high, low = seen(tape.running_high[last, columns]), seen(tape.running_low[last, columns])
    share = volume / tape.cumulative_volume[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        average = tape.cumulative_value[last, columns] / volume
    # The last average is the day's own, which on UPCoM sets the next reference.
    final = tape.cumulative_value[-1] / tape.cumulative_volume[-1]
    average = np.rint(average + share * (history.average[row] - final))
    size = np.floor(tape.volume[last, columns] / 500.0) * 100.0 + 100.0
    return Snapshot(
        open=seen(history.open[row]),
        high=high,
        low=low,
        close=seen(tape.close[last, columns]),
        volume=volume,
        average=np.minimum(np.maximum(average, low), high),
        last_volume=np.where(started, size, 0.0),
    )


def with_running_session(whole: BarPanel, row: int, snapshot: Snapshot, fraction: float) -> BarPanel:
    """Return a daily panel whose row `row`, its last, is the session as far as it has come.

    Before the first match of any symbol the panel ends with the session before.
    """
    if not snapshot.started.any():
        return whole.rows(slice(0, row))
    last = {name: getattr(snapshot, name) for name in OHLCV}
    last["volume"] = np.where(snapshot.started, snapshot.volume, np.nan)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(whole, name)[:row], last[name][None]]) for name in OHLCV
    }
    return BarPanel(whole.symbols, whole.timestamps, **columns, session_fraction=fraction)


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """The price board of one session at M instants, arrays of shape (M, N), or (N,) where they stand still.

    `bids` and `asks` have shape (3, M, N), best first, NaN where a level is empty.
    """

    tickers: tuple[str, ...]
    exchange: npt.NDArray[np.int8]
    reference: FloatArray
    ceiling: FloatArray
    floor: FloatArray
    session: Snapshot
    bids: FloatArray
    bid_depth: FloatArray
    asks: FloatArray
    ask_depth: FloatArray
    foreign_buy: FloatArray
    foreign_sell: FloatArray
    foreign_room: FloatArray

    def quote(self, row: int, which: int, when: datetime, phases: Sequence[Phase]) -> Quote:
        """Return one symbol's quote at one instant; `phases` by place in `EXCHANGE_ORDER`."""
        session = self.session
        bids = _levels(self.bids[:, row, which].tolist(), self.bid_depth[:, row, which].tolist())
        asks = _levels(self.asks[:, row, which].tolist(), self.ask_depth[:, row, which].tolist())
        if phases[self.exchange[which]] in _AUCTIONS:
            bids, asks = _at_auction(bids), _at_auction(asks)
        volume = session.volume[row, which].item()
        last: float | None
        opened: float | None
        high: float | None
        low: float | None
        average: float | None
        if volume > 0:
            last, opened = session.close[row, which].item(), session.open[row, which].item()
            high, low = session.high[row, which].item(), session.low[row, which].item()
            # Boards show averages with two decimals of a thousand VND.
            average = 10.0 * round(session.average[row, which].item() / 10.0)
        else:
            last = opened = high = low = average = None
        return Quote(
            symbol=self.tickers[which],
            as_of=when,
            reference_price=self.reference[which].item(),
            ceiling_price=self.ceiling[which].item(),
            floor_price=self.floor[which].item(),
            last_price=last,
            last_volume=session.last_volume[row, which].item(),
            total_volume=volume,
            open_price=opened,
            high_price=high,
            low_price=low,
            average_price=average,
            bids=bids,
            asks=asks,
            foreign_buy_volume=self.foreign_buy[row, which].item(),
            foreign_sell_volume=self.foreign_sell[row, which].item(),
            foreign_room=self.foreign_room[row, which].item(),
        )


def draw_board(
    profiles: Profiles,
    rules: PriceRules,
    seed: int,
    history: DailyHistory,
    row: int,
    session: Snapshot,
    minutes: Sequence[int],
) -> Board:
    """Return the board of session `row` at some minutes after midnight; `session` is of shape (M, N)."""
    n = len(profiles)
    # Each minute draws of its own, so that a board is the same whichever other minutes are asked for.
    drawn = lanes_of_rows(seed, Stream.BOARD, [row * 1440 + minute for minute in minutes], n * 8)
    drawn = drawn.reshape(len(minutes), 8, n).swapaxes(0, 1)
    started = session.started
    anchor = np.where(started, session.close, history.reference[row])
    ceiling, floor = history.ceiling[row], history.floor[row]
    bid_prices, ask_prices = _ladders(rules, anchor, drawn[0] < _SPREAD_SIDE, ceiling, floor, started)
    depth = np.maximum(np.floor(profiles.lots * _LEVEL_DEPTH * exponential_table()[drawn[1:7]]), 1.0) * 100.0
    queue = np.maximum(np.floor(profiles.lots * _LOCKED_DEPTH * exponential_table()[drawn[7]]), 1.0) * 100.0
    at_ceiling, at_floor = started & (anchor == ceiling), started & (anchor == floor)
    bid_depth, ask_depth = depth[:_LEVELS], depth[_LEVELS:]
    bid_depth[0] = np.where(at_ceiling, queue, bid_depth[0])
    ask_depth[0] = np.where(at_floor, queue, ask_depth[0])
    buy, sell, room = _foreign(history, row, session)
    return Board(
        tickers=profiles.tickers,
        exchange=profiles.exchange,
        reference=history.reference[row],
        ceiling=ceiling,
        floor=floor,
        session=session,
        bids=bid_prices,
        bid_depth=bid_depth,
        asks=ask_prices,
        ask_depth=ask_depth,
        foreign_buy=buy,
        foreign_sell=sell,
        foreign_room=room,
    )


def _ladders(
    rules: PriceRules,
    anchor: FloatArray,
    lifted: npt.NDArray[np.bool_],
    ceiling: FloatArray,
    floor: FloatArray,
    started: npt.NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Return bid and ask prices, best first, shape (3, N), NaN outside the band.

    The last match stands at the best ask where it was `lifted`, else at the best bid. At the ceiling nobody
    sells and at the floor nobody buys.
    """
    at_ceiling, at_floor = started & (anchor == ceiling), started & (anchor == floor)
    above, below = anchor + rules.ticks(anchor), anchor - rules.ticks(anchor - 1.0)
    bid = np.where((lifted & ~at_ceiling) | (at_floor & ~at_ceiling), below, anchor)
    ask = np.where(lifted | at_floor, anchor, above)
    bids, asks = [bid], [ask]
    for _ in range(_LEVELS - 1):
        bids.append(bids[-1] - rules.ticks(bids[-1] - 1.0))
        asks.append(asks[-1] + rules.ticks(asks[-1]))
    bid_prices, ask_prices = np.stack(bids), np.stack(asks)
    bid_prices[(bid_prices < floor) | at_floor] = np.nan
    ask_prices[(ask_prices > ceiling) | at_ceiling] = np.nan
    return bid_prices, ask_prices


def _levels(prices: list[float], volumes: list[float]) -> _Levels:
    """Return the levels that are there; an empty one has the price NaN."""
    ladder = tuple(zip(prices, volumes, strict=True))
    if prices[0] == prices[0] and prices[-1] == prices[-1]:
        return ladder  # empty ones stand behind the others
    return tuple(level for level in ladder if level[0] == level[0])


def _at_auction(levels: _Levels) -> _Levels:
    """Put the orders without a price of their own (ATO, ATC) first."""
    if not levels:
        return levels
    return ((None, levels[0][1]), *levels[: _LEVELS - 1])


def _foreign(
    history: DailyHistory, row: int, snapshot: Snapshot
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return foreign buying, selling and room; the last session's figures stay until the first match."""
    before = max(row - 1, 0)
    share = snapshot.volume / history.volume[row]
    started = snapshot.started
    buy = np.where(
        started, np.floor(history.foreign_buy[row] * share / 10.0) * 10.0, history.foreign_buy[before]
    )
    sell = np.where(
        started, np.floor(history.foreign_sell[row] * share / 10.0) * 10.0, history.foreign_sell[before]
    )
    room_before = history.foreign_room[before]
    room = np.where(started, np.maximum(room_before - buy + sell, 0.0), room_before)
    return buy, sell, np.where(started & (share >= 1.0), history.foreign_room[row], room)
