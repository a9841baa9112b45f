"""Board rows: how the numbers of a board are written, coloured, sorted and filtered.

The browser does the same in `static/price_board.js`; a test compares the two cell by cell. Prices are
written in thousand VND and volumes in tens of shares, as Vietnamese boards do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from vnquant.errors import ParameterError
from vnquant.market import FloatArray, Universe
from vnquant.ui.board_book import ATC, ATO, PRICES, VOLUMES, BoardBook
from vnquant.ui.board_columns import COLUMN_KEYS, COLUMNS, Column
from vnquant.ui.theme import SIGNS, PriceState

__all__ = ("Arrangement", "arrange", "breadth", "cell_texts", "price_state", "state_of_row")

_AUCTIONS = {ATO: "ATO", ATC: "ATC"}


class Arrangement(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are shown, and in which order.

    Attributes
    ----------
    sort_by : str
        Key of a column; "" keeps the universe's order.
    descending : bool
    exchange, sector : str
        "" for all.
    typed : str
        Beginnings of tickers, separated by anything: "FPT, V" shows FPT and all that begin with V.
    """

    sort_by: str = ""
    descending: bool = True
    exchange: str = ""
    sector: str = ""
    typed: str = ""

    def check(self, universe: Universe) -> None:
        """Raise ParameterError, with what there is, for a column, exchange or sector that there is not."""
        for name, value, known in (
            ("column", self.sort_by, COLUMN_KEYS),
            ("exchange", self.exchange, sorted({str(s.exchange) for s in universe.values()})),
            ("sector", self.sector, sorted(universe.sectors)),
        ):
            if value and value not in known:
                told = f"The board has no {name} {value!r}; choose from {', '.join(known)}."
                raise ParameterError(told, name=name, value=value)


def arrange(book: BoardBook, universe: Universe, wish: Arrangement) -> list[int]:
    """Return the rows to show, in order; rows without a value come last, ties keep the universe's order."""
    starts = tuple(re.findall(r"[A-Z0-9]+", wish.typed.upper()))
    shown = [
        row
        for row, symbol in enumerate(book.symbols)
        if (not wish.exchange or universe[symbol].exchange == wish.exchange)
        and (not wish.sector or universe[symbol].sector == wish.sector)
        and (not starts or symbol.startswith(starts))
    ]
    if not wish.sort_by:
        return shown
    if wish.sort_by == "symbol":
        return sorted(shown, key=lambda row: book.symbols[row], reverse=wish.descending)
    values = _numbers(book, wish.sort_by)
    known = [row for row in shown if not math.isnan(values[row])]
    unknown = [row for row in shown if math.isnan(values[row])]
    sign = -1.0 if wish.descending else 1.0
    return sorted(known, key=lambda row: sign * values[row]) + unknown


def price_state(price: int, reference: int, ceiling: int, floor: int) -> PriceState | None:
    """Return where a price stands; None where there is no price."""
    if price < 0 or reference < 0:
        return None
    if price >= ceiling:
        return PriceState.CEILING
    if price <= floor:
        return PriceState.FLOOR
    if price == reference:
        return PriceState.REFERENCE
    return PriceState.UP if price > reference else PriceState.DOWN


def state_of_row(book: BoardBook, row: int, name: str = "last_price") -> PriceState | None:
    """Return where one price of a row stands."""
    reference, ceiling, floor = book.prices[row, :3].tolist()
    return price_state(int(book.prices[row, PRICES.index(name)]), reference, ceiling, floor)


def breadth(book: BoardBook) -> dict[str, int]:
    """Return how many symbols stand at the ceiling, up, unchanged, down and at the floor, and unmatched."""
    reference, last = book.price("reference_price"), book.price("last_price")
    matched = (last >= 0) & (reference >= 0)
    at_ceiling = matched & (last >= book.price("ceiling_price"))
    at_floor = matched & (last <= book.price("floor_price")) & ~at_ceiling
    between = matched & ~at_ceiling & ~at_floor
    return {
        PriceState.CEILING.value: int(at_ceiling.sum()),
        PriceState.UP.value: int((between & (last > reference)).sum()),
        PriceState.REFERENCE.value: int((between & (last == reference)).sum()),
        PriceState.DOWN.value: int((between & (last < reference)).sum()),
        PriceState.FLOOR.value: int(at_floor.sum()),
        "unmatched": int((~matched).sum()),
    }


def cell_texts(book: BoardBook, row: int) -> dict[str, str]:
    """Return a row as it is written, by column key."""
    prices, volumes = book.prices[row].tolist(), book.volumes[row].tolist()
    values: Mapping[str, float] = dict(zip(PRICES + VOLUMES, prices + volumes, strict=True))
    state = price_state(*(int(prices[PRICES.index(name)]) for name in ("last_price", *PRICES[:3])))
    return {column.key: _WRITERS[column.kind](column, values, state, book.symbols[row]) for column in COLUMNS}


def _numbers(book: BoardBook, key: str) -> Sequence[float]:
    """Return what a column is sorted by, NaN where a row has none."""
    reference, last = _known(book, "reference_price"), _known(book, "last_price")
    if key == "change":
        values = last - reference
    elif key == "change_pct":
        values = (last - reference) / reference
    elif key == "foreign_net":
        values = book.volume("foreign_buy_volume") - book.volume("foreign_sell_volume")
    else:
        values = _known(book, key) if key in PRICES else book.volume(key)
    numbers: list[float] = values.tolist()
    return numbers


def _known(book: BoardBook, name: str) -> FloatArray:
    prices = book.price(name)
    return np.where(prices < 0, np.nan, prices.astype(np.float64))


_Writer = Callable[[Column, Mapping[str, float], PriceState | None, str], str]


def _symbol_text(column: Column, values: Mapping[str, float], state: PriceState | None, symbol: str) -> str:
    return symbol


def _price_text(column: Column, values: Mapping[str, float], state: PriceState | None, symbol: str) -> str:
    price = int(values[column.value])
    return _thousands(price) if price >= 0 else _AUCTIONS.get(price, "")


def _change_text(column: Column, values: Mapping[str, float], state: PriceState | None, symbol: str) -> str:
    if state is None:
        return ""
    change = int(values["last_price"] - values["reference_price"])
    return f"{SIGNS[state]} {_thousands(abs(change))}"


def _percent_text(column: Column, values: Mapping[str, float], state: PriceState | None, symbol: str) -> str:
    if state is None:
        return ""
    reference = values["reference_price"]
    change = values["last_price"] - reference
    # In whole hundredths of a per cent, so that the browser rounds alike.
    hundredths = math.floor(abs(change) * 10_000.0 / reference + 0.5)
    sign = "-" if change < 0 else "+" if change > 0 else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


def _volume_text(column: Column, values: Mapping[str, float], state: PriceState | None, symbol: str) -> str:
    volume = values[column.value]
    # An empty cell, where nothing has matched and at levels that nobody has joined, reads better than a 0.
    return _tens(volume) if volume > 0.0 else ""


def _net_text(column: Column, values: Mapping[str, float], state: PriceState | None, symbol: str) -> str:
    net = values["foreign_buy_volume"] - values["foreign_sell_volume"]
    if math.isnan(net):
        return ""
    sign = "-" if net < 0 else "+" if net > 0 else ""
    return sign + _tens(abs(net))


_WRITERS: Mapping[str, _Writer] = {
    "symbol": _symbol_text,
    "price": _price_text,
    "change": _change_text,
    "percent": _percent_text,
    "volume": _volume_text,
    "net": _net_text,
}


def _thousands(price_vnd: int) -> str:
    """Write 67400 as "67.40"; a third digit only where a price has one, as adjusted ones may."""
    hundredths, rest = divmod(price_vnd, 10)
    text = f"{hundredths // 100:,}.{hundredths % 100:02d}"
    return f"{text}{rest}" if rest else text


def _tens(shares: float) -> str:
    """Write 4,919,600 shares as "491,960"."""
    return f"{math.floor(shares / 10.0 + 0.5):,}"
