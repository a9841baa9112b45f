"""The plain way to draw a price board and its bars: all symbols at once, of a session and a minute."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from vnquant.market import EXCHANGE_ORDER, Phase, Quote, phase_at
from vnquant.simulation import SimulatedMarket
from vnquant.simulation.randomness import Stream, exponential_table, lanes
from vnquant.simulation.tape import MINUTES, visible_minutes


def quotes(market: SimulatedMarket, row: int, local: datetime) -> dict[str, Quote]:
    """Return all quotes of session `row` at an instant until the next session's opening."""
    profiles, history, tape = market._profiles, market._made.history, market._tape(row)
    n, minute = len(profiles), local.hour * 60 + local.minute
    is_today = history.sessions[row].item() == local.date()
    visible = visible_minutes(minute, profiles.exchange) if is_today else np.full(n, len(MINUTES))
    columns, last = np.arange(n), np.maximum(visible - 1, 0)
    volume = np.where(visible > 0, tape.cumulative_volume[last, columns], 0.0)
    started = volume > 0
    close, high, low = (x[last, columns] for x in (tape.close, tape.running_high, tape.running_low))
    anchor = np.where(started, close, history.reference[row])
    drawn = lanes(market.seed, Stream.BOARD, row * 1440 + minute, n * 8).reshape(8, n)
    bids, asks = _ladders(market, row, anchor, drawn[0] < 32_768, started)
    depth = np.maximum(np.floor(profiles.lots * 0.006 * exponential_table()[drawn[1:7]]), 1.0) * 100.0
    queue = np.maximum(np.floor(profiles.lots * 0.25 * exponential_table()[drawn[7]]), 1.0) * 100.0
    depth[0] = np.where(started & (anchor == history.ceiling[row]), queue, depth[0])
    depth[3] = np.where(started & (anchor == history.floor[row]), queue, depth[3])
    share, before = volume / history.volume[row], max(row - 1, 0)
    flow = {
        side: np.where(
            started,
            np.floor(getattr(history, side)[row] * share / 10.0) * 10.0,
            getattr(history, side)[before],
        )
        for side in ("foreign_buy", "foreign_sell")
    }
    room = history.foreign_room[before]
    left = np.where(started, np.maximum(room - flow["foreign_buy"] + flow["foreign_sell"], 0.0), room)
    left = np.where(started & (share >= 1.0), history.foreign_room[row], left)
    beside = history.average[row] - tape.cumulative_value[-1] / tape.cumulative_volume[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        average = np.rint(
            tape.cumulative_value[last, columns] / volume + volume / tape.cumulative_volume[-1] * beside
        )
    average = 10.0 * np.rint(np.minimum(np.maximum(average, low), high) / 10.0)
    size = np.floor(tape.volume[last, columns] / 500.0) * 100.0 + 100.0
    found = {}
    for column, symbol in enumerate(market.symbols):
        phase = phase_at(local, EXCHANGE_ORDER[profiles.exchange[column]], market.calendar)
        at = np.s_[column]
        found[symbol] = Quote(
            symbol=symbol,
            as_of=local,
            reference_price=float(history.reference[row, column]),
            ceiling_price=float(history.ceiling[row, column]),
            floor_price=float(history.floor[row, column]),
            last_price=float(close[at]) if started[at] else None,
            last_volume=float(size[at]) if started[at] else 0.0,
            total_volume=float(volume[at]),
            open_price=float(history.open[row, column]) if started[at] else None,
            high_price=float(high[at]) if started[at] else None,
            low_price=float(low[at]) if started[at] else None,
            average_price=float(average[at]) if started[at] else None,
            bids=_side(bids[:, column], depth[:3, column], phase),
            asks=_side(asks[:, column], depth[3:6, column], phase),
            foreign_buy_volume=float(flow["foreign_buy"][at]),
            foreign_sell_volume=float(flow["foreign_sell"][at]),
            foreign_room=float(left[at]),
        )
    return found


def bars(market: SimulatedMarket, row: int, local: datetime) -> dict[str, np.ndarray]:
    """Return the bars of session `row` at an instant of its day, NaN before a symbol's first match."""
    history, tape = market._made.history, market._tape(row)
    visible = visible_minutes(local.hour * 60 + local.minute, market._profiles.exchange)
    columns, last = np.arange(len(visible)), np.maximum(visible - 1, 0)
    volume = np.where(visible > 0, tape.cumulative_volume[last, columns], 0.0)
    seen = {
        "open": history.open[row],
        "high": tape.running_high[last, columns],
        "low": tape.running_low[last, columns],
        "close": tape.close[last, columns],
        "volume": volume,
    }
    return {name: np.where(volume > 0, values, np.nan) for name, values in seen.items()}


def _ladders(market, row, anchor, lifted, started):
    """Return bid and ask prices, best first, shape (3, N), NaN outside the band."""
    ticks, history = market._rules.ticks, market._made.history
    ceiling, floor = history.ceiling[row], history.floor[row]
    at_ceiling, at_floor = started & (anchor == ceiling), started & (anchor == floor)
    above, below = anchor + ticks(anchor), anchor - ticks(anchor - 1.0)
    bids = [np.where((lifted & ~at_ceiling) | (at_floor & ~at_ceiling), below, anchor)]
    asks = [np.where(lifted | at_floor, anchor, above)]
    for _ in range(2):
        bids.append(bids[-1] - ticks(bids[-1] - 1.0))
        asks.append(asks[-1] + ticks(asks[-1]))
    bid_prices, ask_prices = np.stack(bids), np.stack(asks)
    bid_prices[(bid_prices < floor) | at_floor] = np.nan
    ask_prices[(ask_prices > ceiling) | at_ceiling] = np.nan
    return bid_prices, ask_prices


def _side(prices, volumes, phase: Phase):
    """Return one side's levels; in an auction the orders without a price of their own stand first."""
    levels = tuple(
        (price, volume)
        for price, volume in zip(prices.tolist(), volumes.tolist(), strict=True)
        if price == price
    )
    if levels and phase in (Phase.ATO, Phase.ATC):
        return ((None, levels[0][1]), *levels[:2])
    return levels
