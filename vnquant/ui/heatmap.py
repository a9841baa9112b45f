"""Heatmap: the market by sector and value traded, live or as a picture."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import plotly.graph_objects as go

from vnquant.market import Quote, Universe
from vnquant.runtime import MarketClock
from vnquant.sources import QuoteBoard, QuoteSource
from vnquant.ui.board_feed import BoardFeed, FeedState
from vnquant.ui.board_text import note, phases_at
from vnquant.ui.heatmap_tiles import heatmap_figure, tiles_of, treemap_columns, treemap_marker, treemap_trace
from vnquant.ui.live_figure import LiveFigure
from vnquant.ui.view import View

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Heatmap",)

# A treemap is laid out anew by each update, which takes the browser a tenth of a second.
_FASTEST_S = 2.0
_TITLE_S = 1.0


class Heatmap(View):
    """The market as a treemap: area by value traded, colour by the change within the day's band.

    `figure` is the same as a plain plotly figure, for a saved notebook, a page or a picture.

    Parameters
    ----------
    quotes : QuoteSource
    universe : Universe
    clock : MarketClock
    loop : AbstractEventLoop
    interval_s : float
        Seconds between two boards, 2 to 60.
    timeout_s : float
        Of one request.
    """

    def __init__(
        self,
        quotes: QuoteSource,
        *,
        universe: Universe,
        clock: MarketClock,
        loop: asyncio.AbstractEventLoop,
        interval_s: float = 2.0,
        timeout_s: float = 6.0,
    ) -> None:
        super().__init__(loop, name="heatmap")
        self._universe = universe
        self._clock = clock
        self._feed = BoardFeed(
            quotes,
            universe.tickers,
            clock=clock,
            loop=loop,
            interval_s=max(interval_s, _FASTEST_S),
            timeout_s=timeout_s,
        )
        self._quotes: dict[str, Quote] = {}
        self._error = ""
        self._is_ended = False
        self._drawn: dict[str, list[str] | list[float]] = {}
        self._begin(LiveFigure(heatmap_figure([], title=self._title())))

    @property
    def figure(self) -> go.Figure:
        """What is known now, as a figure that does not change any more."""
        return heatmap_figure(tiles_of(self._quotes, self._universe), title=self._title())

    @property
    def state(self) -> FeedState:
        """How fresh the quotes are, and what went wrong."""
        return self._feed.state()

    async def refresh(self) -> Self:
        """Ask for one board now, on the loop, so that the next line of a cell sees it."""
        self._took(await self._feed.poll())
        return self

    def snapshot(self) -> Mapping[str, Any]:
        """Return what is shown: title, note, and the tiles by sector, largest first."""
        sectors: dict[str, list[dict[str, Any]]] = {}
        for tile in tiles_of(self._quotes, self._universe):
            if tile.value_vnd > 0.0:
                told = {"symbol": tile.symbol, "label": tile.label, "value_vnd": round(tile.value_vnd)}
                sectors.setdefault(tile.sector, []).append(told)
        return {"title": self._title(), "note": self._note(), "sectors": sectors}

    def to_frame(self) -> pd.DataFrame:
        """Return the tiles, largest first: sector, value in VND, change in per cent and in the band."""
        import pandas as pd

        tiles = tiles_of(self._quotes, self._universe)
        return pd.DataFrame(
            {
                "sector": [t.sector for t in tiles],
                "value_vnd": [t.value_vnd for t in tiles],
                "change_pct": [t.change_pct for t in tiles],
                "in_band": [t.in_band for t in tiles],
                "state": ["" if t.state is None else t.state.value for t in tiles],
            },
            index=pd.Index([t.symbol for t in tiles], name="symbol"),
        )

    async def aclose(self) -> None:
        """Stop asking; the last picture stays, marked as such."""
        await super().aclose()
        self._is_ended = True
        self._draw()

    def __repr__(self) -> str:
        return f"Heatmap({len(self._universe)} symbols)"

    # -- on the loop --------------------------------------------------------------------------------------

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed.follow(self._took), name="heatmap:quotes")
            group.create_task(self._tell_the_time(), name="heatmap:title")

    async def _tell_the_time(self) -> None:
        """Say that quotes are late also while none come."""
        while True:
            await asyncio.sleep(_TITLE_S)
            if self._note():
                self._draw()

    def _greet(self) -> None:
        # plotly measures its place before the page has one, and takes 700 pixels; now it has one.
        self.widget._send_relayout_msg({"autosize": True})

    def _took(self, board: QuoteBoard | None) -> None:
        if board is not None:
            self._error = ""
            self._quotes.update(board.quotes)
        self._draw()

    def _show_error(self, error: Exception) -> None:
        self._error = f"{type(error).__name__}: {error}"
        self._draw()

    def _draw(self) -> None:
        """Bring the widget up to date; only what differs goes to the browser."""
        columns = treemap_columns(tiles_of(self._quotes, self._universe))
        title = self._title()
        with self.widget.batch_update():
            if columns != self._drawn:
                self._drawn = columns
                trace = self.widget.data[0]
                trace.update(treemap_trace(columns))
                trace.marker.update(treemap_marker(columns))
            if self.widget.layout.title.text != title:
                self.widget.layout.title.text = title

    def _title(self) -> str:
        as_of = self._feed.state().as_of
        when = "no board yet" if as_of is None else f"{as_of:%Y-%m-%d %H:%M:%S}"
        phases = phases_at(self._clock.now())
        phase = " · ".join(f"{name} {phase}" for name, phase in phases.items())
        if len(set(phases.values())) == 1:
            phase = next(iter(phases.values()))
        told = f"<b>Value traded by sector</b> · {when} · {phase.lower().replace('_', ' ')}"
        said = self._note()
        return f"{told}<br><span style='color:#e0364c'>{html.escape(said)}</span>" if said else told

    def _note(self) -> str:
        if self._is_ended:
            return "Closed: these are the last prices it had."
        return note(self._feed.state(), self._feed.name, stale=0, extra=self._error)["en"]
