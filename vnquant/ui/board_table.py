"""Board table: the rows of a board for people and programs, as they are written and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vnquant.market import Universe
from vnquant.ui.board_book import PRICES, VOLUMES, BoardBook, Freshness
from vnquant.ui.board_rows import cell_texts, state_of_row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("board_table", "shown_row")


def shown_row(book: BoardBook, row: int) -> dict[str, str]:
    """Return a row as it is written, with where its price stands ("" before a match) and how fresh it is."""
    state = state_of_row(book, row)
    return {
        **cell_texts(book, row),
        "state": "" if state is None else state.value,
        "freshness": Freshness(int(book.freshness[row])).name.lower(),
    }


def board_table(book: BoardBook, universe: Universe, rows: Sequence[int]) -> pd.DataFrame:
    """Return rows as numbers, indexed by symbol: prices and change in VND, volumes in shares, NaN unknown."""
    import pandas as pd

    prices = book.prices[rows].astype(np.float64)
    prices[prices < 0] = np.nan
    symbols = [book.symbols[row] for row in rows]
    reference, last = (prices[:, PRICES.index(name)] for name in ("reference_price", "last_price"))
    columns = {
        "exchange": [str(universe[symbol].exchange) for symbol in symbols],
        "sector": [universe[symbol].sector for symbol in symbols],
        "last_price": last,
        "change": last - reference,
        "change_pct": 100.0 * (last - reference) / reference,
        **{name: prices[:, place] for place, name in enumerate(PRICES) if name != "last_price"},
        **{name: book.volumes[rows, place] for place, name in enumerate(VOLUMES)},
    }
    return pd.DataFrame(columns, index=pd.Index(symbols, name="symbol"))
