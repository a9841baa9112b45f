"""Live chart: one symbol's candles, whose last bar moves with the board."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from html import escape
from typing import Any

import ipywidgets as widgets

from vnquant.errors import SourceError
from vnquant.market import BarPanel, Quote, Universe, default_calendar
from vnquant.runtime import EventBus, MarketClock
from vnquant.sources import QuoteBoard, QuoteSource
from vnquant.ui.board_feed import BoardFeed
from vnquant.ui.chart_traces import Trace, candle_trace, candle_traces, volume_trace
from vnquant.ui.charts import axis_style, layout_style, legend_style, time_axis
from vnquant.ui.live_figure import LiveFigure
from vnquant.ui.live_picture import LivePicture, RunningBar
from vnquant.ui.theme import COLOURS, TONES, ChartTheme, PriceState
from vnquant.ui.view import View

__all__ = ("LiveChart",)

_FRAME_S = 0.1  # ten frames a second; a browser falls behind at a hundred
_RETRY_S = 5.0
_PRICE_PART, _VOLUME_PART = (0.25, 1.0), (0.0, 0.21)
_LINES: tuple[tuple[str, PriceState], ...] = (
    ("ceiling", PriceState.CEILING),
    ("reference", PriceState.REFERENCE),
    ("floor", PriceState.FLOOR),
)


class LiveChart(View):
    """Candles and volume of one symbol; the running bar follows its quotes, ten times a second at most.

    Quotes come from a bus, or are asked for. Either way only the newest is drawn: what comes while a frame
    is on its way is given up for what comes later, and a quote that changes nothing sends nothing.

    Parameters
    ----------
    symbol : str
    panel : callable
        Awaited for the bars of completed sessions, at the start and when a new session begins.
    quotes : QuoteSource
        Asked every `interval_s` where no bus is given.
    universe, clock, loop
    bus : EventBus, optional
        One on which `Quote`s are published.
    sessions : int
        Completed sessions that are drawn.
    interval_s : float
        Seconds of the loop between two questions.
    """

    def __init__(
        self,
        symbol: str,
        *,
        panel: Callable[[], Awaitable[BarPanel]],
        quotes: QuoteSource,
        universe: Universe,
        clock: MarketClock,
        loop: asyncio.AbstractEventLoop,
        bus: EventBus | None = None,
        sessions: int = 120,
        interval_s: float = 1.0,
    ) -> None:
        super().__init__(loop, name=f"live chart {symbol}")
        about = universe[symbol]
        self._picture = LivePicture(symbol, about.exchange)
        self._company = about.company
        self._panel = panel
        self._clock = clock
        self._bus = bus
        self._feed = BoardFeed(quotes, (symbol,), clock=clock, loop=loop, interval_s=interval_s)
        self._sessions = sessions
        self._frames = 0
        self._error = ""
        self._head = widgets.HTML(self._heading())
        self._figure: LiveFigure | None = None
        self._begin(widgets.VBox([self._head]))

    def snapshot(self) -> dict[str, Any]:
        """Return the symbol, its running bar, and how fresh it is."""
        bar = self._picture.running
        return {
            "symbol": self._picture.symbol,
            "bars": len(self._picture.labels),
            "running": None if bar is None else bar._asdict() | {"state": str(bar.state)},
            "change": None if bar is None else bar.change,
            "as_of": self._picture.as_of,
            "frames": self._frames,
            "condition": "live" if self._bus is not None else self._feed.state().condition,
            "error": self._error,
        }

    def __repr__(self) -> str:
        return f"LiveChart({self._picture.symbol})"

    async def _live(self) -> None:
        await self._load()
        bus = EventBus() if self._bus is None else self._bus
        symbol = self._picture.symbol
        async with (
            bus.subscribe(
                Quote, where=lambda quote: quote.symbol == symbol, maxsize=1, when_full="conflate"
            ) as quotes,
            asyncio.TaskGroup() as group,
        ):
            if self._bus is None:
                group.create_task(self._feed.follow(lambda board: self._pass_on(board, bus)))
            async for quote in quotes:
                if _session_of(quote.as_of) != self._picture.day:
                    await self._load()
                if self._picture.take(quote):
                    self._draw()
                self._set_heading()
                await asyncio.sleep(_FRAME_S)

    def _pass_on(self, board: QuoteBoard | None, bus: EventBus) -> None:
        """Publish the quote of an answer; a failure is told in the heading, and the next answer awaited."""
        self._error = self._feed.state().error
        quote = None if board is None else board.quotes.get(self._picture.symbol)
        if quote is None:
            self._set_heading()
        else:
            bus.publish_nowait(quote)

    async def _load(self) -> None:
        """Draw the completed sessions anew; a source that does not give them is asked again."""
        while True:
            try:
                panel = await self._panel()
                break
            except SourceError as exc:
                self._show_error(exc)
                await asyncio.sleep(_RETRY_S)
        self._error = ""
        self._picture.load(panel, today=_session_of(self._clock.now()), sessions=self._sessions)
        # A new figure: plotly keeps the kind of axis that it once took a figure's labels for.
        before, self._figure = self._figure, LiveFigure(**_base(self._picture))
        self.widget.children = [self._head, self._figure]
        if before is not None:
            before.close()

    def _draw(self) -> None:
        """Send what the running bar changes, in one message."""
        bar = self._picture.running
        if bar is None or self._figure is None:
            return
        self._frames += 1
        with self._figure.batch_update():
            for name, change in _changes(bar).items():
                next(self._figure.select_traces({"name": name})).update(change)

    def _set_heading(self) -> None:
        heading = self._heading()
        if heading != self._head.value:
            self._head.value = heading

    def _heading(self) -> str:
        bar = self._picture.running
        told = "no match yet today" if bar is None else str(bar)
        colour = "inherit" if bar is None else COLOURS[bar.state]
        at = "" if self._picture.as_of is None else f" · {self._picture.as_of:%H:%M:%S}"
        trouble = f"<div role='alert'>⚠ {escape(self._error)}</div>" if self._error else ""
        return (
            "<div style='font-family:var(--jp-ui-font-family, sans-serif);"
            "color:var(--jp-ui-font-color1, inherit)'>"
            f"<b>{escape(self._picture.symbol)}</b> {escape(self._company)} "
            f"<b style='color:{colour}'>{escape(told)}</b>{at}{trouble}</div>"
        )

    def _show_error(self, error: Exception) -> None:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        self._error = str(error) or type(error).__name__
        self._set_heading()


def _session_of(at: datetime) -> date:
    """Return the session that the board shows: on a day without one, that of the day before."""
    return default_calendar().session_on_or_before(at.date())


def _base(picture: LivePicture) -> dict[str, Any]:
    """Return data and layout of the completed sessions, with empty traces for what will move."""
    tones, labels = TONES[ChartTheme.AUTO], picture.labels
    past = [] if picture.past is None else [*candle_traces(picture.past), volume_trace(picture.past)]
    traces: list[Trace] = [trace | {"showlegend": False} for trace in past]
    ends = [labels[0], labels[-1]]
    traces += [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "legendgroup": name,
            "x": ends,
            "y": [None, None],
            "line": {"color": COLOURS[state], "width": 1, "dash": "dot"},
        }
        for name, state in _LINES
    ]
    traces.append(
        candle_trace(PriceState.REFERENCE) | {"name": "today", "x": [labels[-1]], "showlegend": False}
    )
    traces.append(
        {
            "type": "bar",
            "name": "volume today",
            "x": [labels[-1]],
            "xaxis": "x2",
            "yaxis": "y2",
            "showlegend": False,
        }
    )
    layout = layout_style(tones) | {
        "height": 480,
        "autosize": True,
        "margin": {"l": 64, "r": 20, "t": 36, "b": 40},
        "legend": legend_style(),
        "bargap": 0.15,
        "barmode": "overlay",
        "xaxis": time_axis(labels, tones, 1, is_last=False),
        "xaxis2": time_axis(labels, tones, 2, is_last=True) | {"nticks": 6},
        "yaxis": axis_style(tones)
        | {"domain": _PRICE_PART, "anchor": "x", "title": {"text": "VND"}, "tickformat": ",.0f"},
        "yaxis2": axis_style(tones)
        | {"domain": _VOLUME_PART, "anchor": "x2", "title": {"text": "shares"}, "nticks": 4},
    }
    return {"data": traces, "layout": layout}


def _changes(bar: RunningBar) -> dict[str, Trace]:
    """Return what a running bar changes, by the name of the trace."""
    look = candle_trace(bar.state)
    prices = {name: [getattr(bar, name)] for name in ("open", "high", "low", "close")}
    return {
        "today": prices | {"increasing": look["increasing"], "decreasing": look["decreasing"]},
        "volume today": {"y": [bar.volume], "marker": {"color": COLOURS[bar.state]}},
        **{name: {"y": [getattr(bar, name)] * 2} for name, _ in _LINES},
    }
