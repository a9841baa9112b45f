"""Board frame: some rows of a board as one binary message, and back.

A frame is four little-endian buffers: row numbers (uint16), freshness (uint8), prices (int32, VND) and
volumes (float64, shares), the last two row by row in the columns of `board_book`. All 102 symbols take
15 kB; rows that have not changed are not sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vnquant.errors import AlignmentError
from vnquant.market import FloatArray
from vnquant.ui.board_book import PRICES, VOLUMES, BoardBook

__all__ = ("Frame", "decode_frame", "encode_frame")


class Frame(NamedTuple):
    """Rows of a board.

    Attributes
    ----------
    rows : uint16, shape (R,)
        Which rows of the board.
    freshness : uint8, shape (R,)
    prices : int32, shape (R, len(PRICES))
    volumes : float64, shape (R, len(VOLUMES))
    """

    rows: npt.NDArray[np.uint16]
    freshness: npt.NDArray[np.uint8]
    prices: npt.NDArray[np.int32]
    volumes: FloatArray


def encode_frame(book: BoardBook, rows: Sequence[int]) -> list[bytes]:
    """Return the buffers of some rows of a book."""
    chosen = np.asarray(rows, dtype="<u2")
    return [
        chosen.tobytes(),
        book.freshness[chosen].tobytes(),
        book.prices[chosen].astype("<i4", copy=False).tobytes(),
        book.volumes[chosen].astype("<f8", copy=False).tobytes(),
    ]


def decode_frame(buffers: Sequence[bytes | memoryview]) -> Frame:
    """Return the frame of some buffers; the plain twin of what the browser does.

    Raises
    ------
    AlignmentError
        If the buffers do not belong together.
    """
    rows, freshness = np.frombuffer(buffers[0], dtype="<u2"), np.frombuffer(buffers[1], dtype="u1")
    prices, volumes = np.frombuffer(buffers[2], dtype="<i4"), np.frombuffer(buffers[3], dtype="<f8")
    n = len(rows)
    if (len(freshness), len(prices), len(volumes)) != (n, n * len(PRICES), n * len(VOLUMES)):
        raise AlignmentError(
            f"A frame of {n} rows needs {n * len(PRICES)} prices and {n * len(VOLUMES)} volumes, "
            f"got {len(prices)} and {len(volumes)}."
        )
    return Frame(rows, freshness, prices.reshape(n, len(PRICES)), volumes.reshape(n, len(VOLUMES)))
