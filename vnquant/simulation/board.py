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
from vnquant.simulation.randomness import Stream, exponential_table, lanes
from vnquant.simulation.rules import PriceRules
from vnquant.simulation.tape import Tape

__all__ = ("Snapshot", "quote_board", "take_snapshot", "with_running_session")

_LEVELS = 3
# Usual depth of a level in parts of a usual day's lots, and of the queue at a limit.
_LEVEL_DEPTH = 0.006
_LOCKED_DEPTH = 0.25
_SPREAD_SIDE = 32_768
_AUCTIONS = frozenset({Phase.ATO, Phase.ATC})


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The running session at an instant, arrays of shape (N,); NaN prices where nothing has matched yet."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    average: FloatArray
    last_volume: FloatArray

    @property
    def started(self) -> npt.NDArray[np.bool_]:
        """Where the first match has been made."""
        return self.volume > 0


def take_snapshot(history: DailyHistory, row: int, tape: Tape, visible: npt.NDArray[np.int64]) -> Snapshot:
    """Return the session so far, given how many minutes of the tape are visible of each symbol."""
    columns = np.arange(len(visible))
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


def quote_board(
    profiles: Profiles,
    rules: PriceRules,
    seed: int,
    history: DailyHistory,
    row: int,
    snapshot: Snapshot,
    when: datetime,
    phases: Sequence[Phase],
    columns: Sequence[int],
) -> dict[str, Quote]:
    """Return quotes of some columns.

    Parameters
    ----------
    phases : sequence of Phase, by place in `EXCHANGE_ORDER`
    columns : sequence of int
        Which symbols, in the order of the answer.
    """
    n = len(profiles)
    minute = when.hour * 60 + when.minute
    drawn = lanes(seed, Stream.BOARD, row * 1440 + minute, n * 8).reshape(8, n)
    started = snapshot.started
    anchor = np.where(started, snapshot.close, history.reference[row])
    ceiling, floor = history.ceiling[row], history.floor[row]
    bid_prices, ask_prices = _ladders(rules, anchor, drawn[0] < _SPREAD_SIDE, ceiling, floor, started)
    depth = np.maximum(np.floor(profiles.lots * _LEVEL_DEPTH * exponential_table()[drawn[1:7]]), 1.0) * 100.0
    queue = np.maximum(np.floor(profiles.lots * _LOCKED_DEPTH * exponential_table()[drawn[7]]), 1.0) * 100.0
    at_ceiling, at_floor = started & (anchor == ceiling), started & (anchor == floor)
    bid_depth, ask_depth = depth[:_LEVELS].copy(), depth[_LEVELS:].copy()
    bid_depth[0] = np.where(at_ceiling, queue, bid_depth[0])
    ask_depth[0] = np.where(at_floor, queue, ask_depth[0])
    buy, sell, room = _foreign(history, row, snapshot)

    table = {
        name: array.tolist()
        for name, array in (
            ("reference", history.reference[row]),
            ("ceiling", ceiling),
            ("floor", floor),
            ("last", snapshot.close),
            ("last_volume", snapshot.last_volume),
            ("volume", snapshot.volume),
            ("open", snapshot.open),
            ("high", snapshot.high),
            ("low", snapshot.low),
            ("average", snapshot.average),
            ("buy", buy),
            ("sell", sell),
            ("room", room),
        )
    }
    bids = _levels(bid_prices, bid_depth)
    asks = _levels(ask_prices, ask_depth)
    has_match = started.tolist()
    boards = profiles.exchange.tolist()
    quotes: dict[str, Quote] = {}
    for column in columns:
        seen = has_match[column]
        auction = phases[boards[column]] in _AUCTIONS
        quotes[profiles.tickers[column]] = Quote(
            symbol=profiles.tickers[column],
            as_of=when,
            reference_price=table["reference"][column],
            ceiling_price=table["ceiling"][column],
            floor_price=table["floor"][column],
            last_price=table["last"][column] if seen else None,
            last_volume=table["last_volume"][column],
            total_volume=table["volume"][column],
            open_price=table["open"][column] if seen else None,
            high_price=table["high"][column] if seen else None,
            low_price=table["low"][column] if seen else None,
            average_price=table["average"][column] if seen else None,
            bids=_at_auction(bids[column]) if auction else bids[column],
            asks=_at_auction(asks[column]) if auction else asks[column],
            foreign_buy_volume=table["buy"][column],
            foreign_sell_volume=table["sell"][column],
            foreign_room=table["room"][column],
        )
    return quotes


_Levels = tuple[tuple[float | None, float], ...]


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


def _levels(prices: FloatArray, depth: FloatArray) -> list[_Levels]:
    return [
        tuple((price, volume) for price, volume in zip(ladder, volumes, strict=True) if price == price)
        for ladder, volumes in zip(prices.T.tolist(), depth.T.tolist(), strict=True)
    ]


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
