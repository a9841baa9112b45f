"""Price board: all symbols live, in the colours and columns of Vietnamese boards.

One anywidget with one binary message a frame: the rows that have changed since the frame before, and a
header with the time, the phases and how fresh the quotes are. A view that appears says hello and gets all
rows, so that a reloaded page or a reopened notebook is right at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from vnquant.errors import ParameterError
from vnquant.market import Universe
from vnquant.runtime import MarketClock
from vnquant.sources import QuoteBoard, QuoteSource
from vnquant.ui.board_book import PRICES, VOLUMES, BoardBook
from vnquant.ui.board_columns import COLUMNS, Language
from vnquant.ui.board_feed import BoardFeed, FeedState
from vnquant.ui.board_frame import encode_frame
from vnquant.ui.board_rows import Arrangement, arrange, breadth
from vnquant.ui.board_table import board_table, shown_row
from vnquant.ui.board_text import LANGUAGES, header, words
from vnquant.ui.board_widget import BoardWidget
from vnquant.ui.view import View

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("PriceBoard",)

# The header is looked at this often, and sent when it says something new, or after the longest silence.
_HEADER_S = 0.5
_SILENCE_S = 2.0


class PriceBoard(View):
    """A live board of many symbols. Show it as the last line of a cell.

    Headings sort, by click and by keyboard; rows can be filtered by exchange, by sector and by a typed list;
    texts are English or Vietnamese. What is chosen can be set from Python as well, and `snapshot()` and
    `to_frame()` give what is shown.

    Parameters
    ----------
    quotes : QuoteSource
        Asked for all symbols, every `interval_s`.
    universe : Universe
    clock : MarketClock
    loop : AbstractEventLoop
    interval_s : float
        Seconds between two boards, 0.1 to 60.
    timeout_s : float
        Of one request.
    language : {"en", "vi"}

    Examples
    --------
    ::

        board = bench.price_board()
        board.fps = 5
        board.arrange("change_pct", exchange="HOSE")
    """

    def __init__(
        self,
        quotes: QuoteSource,
        *,
        universe: Universe,
        clock: MarketClock,
        loop: asyncio.AbstractEventLoop,
        interval_s: float = 1.0,
        timeout_s: float = 6.0,
        language: Language = "en",
    ) -> None:
        super().__init__(loop, name="price-board")
        self._universe = universe
        self._clock = clock
        self._book = BoardBook(universe.tickers)
        self._feed = BoardFeed(
            quotes, universe.tickers, clock=clock, loop=loop, interval_s=interval_s, timeout_s=timeout_s
        )
        self._error = ""
        self._is_ended = False
        self._number = 0
        self._header: dict[str, Any] = {}
        self._header_sent_s = 0.0
        widget = BoardWidget(
            words=words(),
            symbols=[
                {"ticker": s.ticker, "exchange": str(s.exchange), "sector": s.sector, "company": s.company}
                for s in universe.values()
            ],
            layout_fields={"prices": PRICES, "volumes": VOLUMES},
            language=language,
        )
        self._begin(widget, speaks=True)

    # -- what can be set ----------------------------------------------------------------------------------

    @property
    def interval_s(self) -> float:
        """Seconds between two boards, 0.1 to 60."""
        return self._feed.interval_s

    @interval_s.setter
    def interval_s(self, seconds: float) -> None:
        self._feed.interval_s = seconds

    @property
    def fps(self) -> float:
        """Boards a second, up to 10."""
        return 1.0 / self._feed.interval_s

    @fps.setter
    def fps(self, frames: float) -> None:
        if not frames > 0:
            raise ParameterError(f"fps must be above 0, got {frames!r}.", name="fps", value=frames)
        self._feed.interval_s = 1.0 / frames

    @property
    def language(self) -> Language:
        """Of headings and texts: "en" or "vi"."""
        language: Language = self.widget.language
        return language

    @language.setter
    def language(self, language: Language) -> None:
        if language not in LANGUAGES:
            raise ParameterError(f"language must be 'en' or 'vi', got {language!r}.", name="language")
        self.widget.language = language

    @property
    def arrangement(self) -> Arrangement:
        """Order and filter of the rows, as chosen in the browser or from Python."""
        w = self.widget
        return Arrangement(
            sort_by=w.sort_by, descending=w.descending, exchange=w.exchange, sector=w.sector, typed=w.typed
        )

    def arrange(
        self,
        sort_by: str = "",
        *,
        descending: bool = True,
        exchange: str = "",
        sector: str = "",
        typed: str = "",
    ) -> Self:
        """Choose order and rows anew, as clicks in the browser do.

        Parameters
        ----------
        sort_by : str
            Key of a column, such as "change_pct" or "total_volume"; "" is the universe's order.
        descending : bool
        exchange, sector : str
            "" for all.
        typed : str
            Beginnings of tickers, such as "FPT, V".

        Raises
        ------
        ParameterError
            If there is no such column, exchange or sector.
        """
        wish = Arrangement(
            sort_by=sort_by, descending=descending, exchange=exchange, sector=sector, typed=typed
        )
        wish.check(self._universe)
        with self.widget.hold_sync():
            for name in wish.__struct_fields__:
                setattr(self.widget, name, getattr(wish, name))
        return self

    # -- what it shows ------------------------------------------------------------------------------------

    async def refresh(self) -> Self:
        """Ask for one board now, on the loop, so that the next line of a cell sees it."""
        self._took(await self._feed.poll())
        return self

    @property
    def state(self) -> FeedState:
        """How fresh the quotes are, and what went wrong."""
        return self._feed.state()

    def breadth(self) -> dict[str, int]:
        """Return how many symbols are at the ceiling, up, unchanged, down, at the floor, and unmatched."""
        return breadth(self._book)

    def snapshot(self) -> Mapping[str, Any]:
        """Return what is shown: time, phases, note, breadth, headings, and the rows as they are written."""
        told = self._header_now()
        language = self.language
        shown = arrange(self._book, self._universe, self.arrangement)
        return {
            "time": told["time"],
            "phases": told["phases"],
            "condition": told["condition"],
            "note": told["note"][language],
            "breadth": told["breadth"],
            "language": language,
            "headings": [column.heading[language] for column in COLUMNS],
            "rows": [shown_row(self._book, row) for row in shown],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the rows that are shown as numbers: prices in VND, volumes in shares, by symbol."""
        return board_table(self._book, self._universe, arrange(self._book, self._universe, self.arrangement))

    async def aclose(self) -> None:
        """Stop asking; the last prices stay, marked as such."""
        await super().aclose()
        self._end()

    def __repr__(self) -> str:
        return f"PriceBoard({len(self._book)} symbols)"

    # -- on the loop --------------------------------------------------------------------------------------

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed.follow(self._took), name="price-board:quotes")
            group.create_task(self._tell_the_time(), name="price-board:header")

    async def _tell_the_time(self) -> None:
        while True:
            await asyncio.sleep(_HEADER_S)
            self._send([])

    def _greet(self) -> None:
        self._send(range(len(self._book)), full=True)

    def _took(self, board: QuoteBoard | None) -> None:
        if board is not None:
            self._error = ""
        self._send([] if board is None else self._book.take(board.quotes))

    def _show_error(self, error: Exception) -> None:
        self._error = f"{type(error).__name__}: {error}"
        self._send([])

    def _end(self) -> None:
        self._is_ended = True
        self._send([])
        rows = range(len(self._book))
        self.widget.last_frame = {**self._header_now(), "buffers": encode_frame(self._book, rows)}

    def _send(self, rows: Sequence[int], *, full: bool = False) -> None:
        """Send a frame, where there is news and somebody to see it."""
        if not self._audience:
            return
        told, now_s = self._header_now(), self._loop.time()
        if not rows and told == self._header and now_s - self._header_sent_s < _SILENCE_S:
            return
        self._number += 1
        self._header, self._header_sent_s = told, now_s
        content = {"kind": "frame", "number": self._number, "full": full, **told}
        self.widget.send(content, encode_frame(self._book, rows))

    def _header_now(self) -> dict[str, Any]:
        state = self._feed.state()
        if self._is_ended:
            state = msgspec.structs.replace(state, condition="closed")
        return header(self._clock.now(), state, self._feed.name, self._book, error=self._error)
