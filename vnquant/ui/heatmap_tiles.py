"""Heatmap tiles: the market as a treemap, sectors of symbols, as large as what they have traded today."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from vnquant.market import Quote, Universe
from vnquant.ui.theme import COLOURS, SIGNS, PriceState

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ("Tile", "heatmap_figure", "tiles_of", "treemap_columns")

# From unchanged to the limit a tile goes from the pale to the full tone, so that the eye finds what moves.
_PALE: Mapping[PriceState, tuple[int, int, int]] = {
    PriceState.UP: (167, 214, 182),
    PriceState.DOWN: (243, 178, 184),
}
_FULL: Mapping[PriceState, tuple[int, int, int]] = {
    PriceState.UP: (6, 122, 58),
    PriceState.DOWN: (190, 18, 42),
}
_UNMATCHED_COLOUR = "#9aa0a6"
_SECTOR_COLOUR = "rgba(128,128,128,0.25)"
# Half the way to the limit already has the full tone: a usual day hardly goes further.
_FULL_AT = 0.5
_BILLION = 1e9
_DARK_TEXT, _LIGHT_TEXT = "#111111", "#ffffff"


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol of the heatmap.

    Attributes
    ----------
    symbol, sector, company : str
    value_vnd : float
        Traded today: total volume at the average price.
    change_pct : float or None
        Against the reference; None before the first match.
    in_band : float or None
        The change as a share of the way to the ceiling (positive) or the floor (negative), in [-1, 1].
    state : PriceState or None
    """

    symbol: str
    sector: str
    company: str
    value_vnd: float
    change_pct: float | None
    in_band: float | None
    state: PriceState | None

    @property
    def label(self) -> str:
        """Arrow and per cent, as in "▲ +1.25 %"."""
        if self.state is None or self.change_pct is None:
            return "–"
        sign = "+" if self.state in (PriceState.UP, PriceState.CEILING) else ""
        return f"{SIGNS[self.state]} {sign}{self.change_pct:.2f} %"

    @property
    def colour(self) -> str:
        """Purple, cyan, yellow at ceiling, floor, reference; between, green or red, deeper the farther."""
        if self.state is None or self.in_band is None:
            return _UNMATCHED_COLOUR
        if self.state not in _PALE:
            return COLOURS[self.state]
        share = min(abs(self.in_band) / _FULL_AT, 1.0)
        mixed = (
            round(pale + share * (full - pale))
            for pale, full in zip(_PALE[self.state], _FULL[self.state], strict=True)
        )
        return "rgb({},{},{})".format(*mixed)

    @property
    def text_colour(self) -> str:
        """Black or white, whichever reads better on the tile."""
        if self.state in (None, PriceState.REFERENCE, PriceState.FLOOR):
            return _DARK_TEXT
        pale = self.state in _PALE and abs(self.in_band or 0.0) < _FULL_AT / 2
        return _DARK_TEXT if pale else _LIGHT_TEXT


def tiles_of(quotes: Mapping[str, Quote], universe: Universe) -> list[Tile]:
    """Return a tile for each symbol of the universe that is quoted, largest value first, ties by name."""
    tiles = [_tile(quote, universe) for symbol, quote in quotes.items() if symbol in universe]
    return sorted(tiles, key=lambda tile: (-tile.value_vnd, tile.symbol))


def treemap_columns(tiles: list[Tile]) -> dict[str, list[str] | list[float]]:
    """Return the columns of the treemap: one row a sector, then one a symbol that has traded."""
    traded = [tile for tile in tiles if tile.value_vnd > 0.0]
    values: dict[str, float] = {}
    for tile in traded:
        values[tile.sector] = values.get(tile.sector, 0.0) + tile.value_vnd
    # A sector's own value is the sum of its tiles to the last bit, or plotly refuses to draw it.
    sectors = sorted(values, key=lambda name: (-values[name], name))
    return {
        "ids": [f"sector {name}" for name in sectors] + [tile.symbol for tile in traded],
        "labels": [*sectors, *(tile.symbol for tile in traded)],
        "parents": [""] * len(sectors) + [f"sector {tile.sector}" for tile in traded],
        "values": [0.0] * len(sectors) + [round(tile.value_vnd / _BILLION, 3) for tile in traded],
        "colours": [_SECTOR_COLOUR] * len(sectors) + [tile.colour for tile in traded],
        "text_colours": ["#808080"] * len(sectors) + [tile.text_colour for tile in traded],
        "texts": [f"{values[name] / _BILLION:,.0f} bn" for name in sectors] + [t.label for t in traded],
        "templates": ["%{label} · %{text}"] * len(sectors) + ["<b>%{label}</b><br>%{text}"] * len(traded),
        "hovers": [f"{name}: {values[name] / _BILLION:,.1f} bn VND traded" for name in sectors]
        + [
            f"{t.symbol} · {html.escape(t.company)}<br>{t.label}<br>{t.value_vnd / _BILLION:,.1f} bn VND"
            for t in traded
        ],
    }


def heatmap_figure(tiles: list[Tile], *, title: str = "") -> go.Figure:
    """Draw the market: area by value traded, colour by the change within the day's band."""
    from plotly import graph_objects as go

    columns = treemap_columns(tiles)
    figure = go.Figure(
        go.Treemap(
            **treemap_trace(columns),
            branchvalues="remainder",
            sort=True,
            textposition="middle center",
            hoverinfo="text",
            tiling={"pad": 1, "packing": "squarify"},
            pathbar={"visible": True, "thickness": 18},
            marker={**treemap_marker(columns), "line": {"width": 0.5, "color": "rgba(128,128,128,0.6)"}},
        )
    )
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        font={"color": "#797979", "size": 12},
        margin={"l": 4, "r": 4, "t": 28, "b": 30},
        height=620,
        title={"text": title, "x": 0.01, "y": 0.985, "yanchor": "top", "font": {"size": 14}},
        uirevision="market",  # a sector that was zoomed into stays so when new quotes come
    )
    legend = (
        f"<span style='color:{COLOURS[state]}'>{SIGNS[state]} {_LEGEND[state]}</span>" for state in PriceState
    )
    figure.add_annotation(
        text="    ".join(legend),
        font={"size": 11},
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-24,
        xanchor="left",
        showarrow=False,
    )
    return figure


def treemap_trace(columns: Mapping[str, object]) -> dict[str, object]:
    """Return what new quotes change in the trace, besides its colours."""
    return {
        "ids": columns["ids"],
        "labels": columns["labels"],
        "parents": columns["parents"],
        "values": columns["values"],
        "text": columns["texts"],
        "hovertext": columns["hovers"],
        "texttemplate": columns["templates"],
        "textfont": {"color": columns["text_colours"]},
    }


def treemap_marker(columns: Mapping[str, object]) -> dict[str, object]:
    """Return what new quotes change in the trace's marker."""
    return {"colors": columns["colours"]}


_LEGEND = {
    PriceState.CEILING: "ceiling (trần)",
    PriceState.UP: "up (tăng)",
    PriceState.REFERENCE: "unchanged (TC)",
    PriceState.DOWN: "down (giảm)",
    PriceState.FLOOR: "floor (sàn)",
}


def _tile(quote: Quote, universe: Universe) -> Tile:
    symbol = universe[quote.symbol]
    last, reference = quote.last_price, quote.reference_price
    average = quote.average_price or last or 0.0
    state = None if last is None else _state(quote, last)
    return Tile(
        symbol=quote.symbol,
        sector=symbol.sector,
        company=symbol.company,
        value_vnd=quote.total_volume * average,
        change_pct=None if last is None else 100.0 * (last / reference - 1.0),
        in_band=None if last is None else _in_band(quote, last),
        state=state,
    )


def _in_band(quote: Quote, last: float) -> float:
    limit = quote.ceiling_price if last >= quote.reference_price else quote.floor_price
    way = abs(limit - quote.reference_price)
    share = (last - quote.reference_price) / way if way else 0.0
    return min(max(share, -1.0), 1.0)


def _state(quote: Quote, last: float) -> PriceState:
    if last >= quote.ceiling_price:
        return PriceState.CEILING
    if last <= quote.floor_price:
        return PriceState.FLOOR
    if last == quote.reference_price:
        return PriceState.REFERENCE
    return PriceState.UP if last > quote.reference_price else PriceState.DOWN
