"""Symbols: the exchanges, the listed companies, and the universe of 102 tickers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from vnquant.errors import EmptySelectionError, UnknownSymbolError
from vnquant.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = (
    "EXCHANGE_ORDER",
    "LOT_RULES",
    "Exchange",
    "LotRule",
    "Symbol",
    "Universe",
    "load_universe",
    "lot_size",
)


class Exchange(StrEnum):
    """Where a share trades: the Ho Chi Minh City board, the Hanoi board, or Hanoi's unlisted companies."""

    HOSE = "HOSE"
    HNX = "HNX"
    UPCOM = "UPCOM"


# Position of an exchange is its code wherever arrays carry exchanges as small integers.
EXCHANGE_ORDER: tuple[Exchange, ...] = (Exchange.HOSE, Exchange.HNX, Exchange.UPCOM)


class LotRule(NamedTuple):
    """Board lot of matched orders in shares; fewer shares trade apart, as odd lots."""

    exchange: Exchange
    valid_from: date
    shares: int
    source: str


# Per exchange newest first.
LOT_RULES: tuple[LotRule, ...] = (
    LotRule(Exchange.HOSE, date(2021, 1, 4), 100, "HOSE notice of 2020-12-30: lots of 100 from 2021-01-04"),
    LotRule(Exchange.HOSE, date(1, 1, 1), 10, "HOSE trading rules before 2021"),
    LotRule(Exchange.HNX, date(1, 1, 1), 100, "HNX trading rules"),
    LotRule(Exchange.UPCOM, date(1, 1, 1), 100, "UPCoM trading rules"),
)


def lot_size(exchange: Exchange | str = Exchange.HOSE, *, on: date | None = None) -> int:
    """Return the board lot in shares on a session; today's where it is left out."""
    wanted = Exchange(exchange)
    return next(r.shares for r in LOT_RULES if r.exchange is wanted and (on is None or r.valid_from <= on))


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """One listed company.

    `exchange` is today's; several companies traded elsewhere before. `lot_size` is the board lot in shares.
    """

    ticker: str
    exchange: Exchange
    sector: str
    company: str
    lot_size: int = 100

    def __str__(self) -> str:
        return self.ticker


class Universe(Mapping[str, Symbol]):
    """The symbols that VN-Quant knows, by ticker, in a fixed order.

    Examples
    --------
    >>> universe = load_universe()
    >>> universe
    Universe(102 symbols: 82 HOSE, 10 HNX, 10 UPCOM)
    >>> universe["FPT"].company, str(universe["FPT"].exchange)
    ('CTCP FPT', 'HOSE')
    >>> universe.check(["fpt", "VCB"])
    ('FPT', 'VCB')
    """

    __slots__ = ("_symbols",)

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self._symbols = {symbol.ticker: symbol for symbol in symbols}
        if not self._symbols:
            raise EmptySelectionError("A universe needs at least one symbol.")

    def __getitem__(self, ticker: str) -> Symbol:
        found = self._symbols.get(ticker)
        if found is None:
            raise KeyError(ticker)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._symbols)

    def __len__(self) -> int:
        return len(self._symbols)

    @property
    def tickers(self) -> tuple[str, ...]:
        """All tickers in the universe's order."""
        return tuple(self._symbols)

    @property
    def sectors(self) -> Mapping[str, tuple[str, ...]]:
        """Tickers of each sector, sectors in alphabetical order."""
        grouped: dict[str, list[str]] = {}
        for ticker, symbol in self._symbols.items():
            grouped.setdefault(symbol.sector, []).append(ticker)
        return {sector: tuple(grouped[sector]) for sector in sorted(grouped)}

    def check(self, symbols: str | Iterable[str] | None = None) -> tuple[str, ...]:
        """Return the tickers asked for: upper case, each once, in the order given.

        Parameters
        ----------
        symbols : str, iterable of str, or None
            One ticker, several, or None for the whole universe.

        Raises
        ------
        EmptySelectionError
            If an iterable without a ticker is given.
        UnknownSymbolError
            If a ticker is not in the universe; the error suggests near names.
        """
        if symbols is None:
            return self.tickers
        given = (symbols,) if isinstance(symbols, str) else symbols
        wanted = tuple(dict.fromkeys(str(symbol).strip().upper() for symbol in given))
        if not wanted:
            raise EmptySelectionError("No symbols given. Name one, as in ['FPT'], or None for all.")
        if unknown := [ticker for ticker in wanted if ticker not in self._symbols]:
            raise UnknownSymbolError(unknown, self._symbols)
        return wanted

    def exchanges(self, symbols: Iterable[str]) -> tuple[Exchange, ...]:
        """Return the exchange of each ticker; HOSE, the strictest band, for one that is unknown here."""
        return tuple(
            found.exchange if (found := self._symbols.get(ticker)) is not None else Exchange.HOSE
            for ticker in symbols
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a symbol, indexed by ticker: exchange, sector, company, lot size."""
        import pandas as pd

        rows = [
            msgspec.structs.asdict(symbol) | {"exchange": str(symbol.exchange)} for symbol in self.values()
        ]
        return pd.DataFrame(rows).set_index("ticker")

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._symbols)

    def _repr_html_(self) -> str:
        rows = [(sector, str(len(tickers)), " ".join(tickers)) for sector, tickers in self.sectors.items()]
        table = html_table(("sector", "symbols", "tickers"), rows, left=(0, 2))
        return f"<p>{escape(repr(self))}</p>{table}"

    def __repr__(self) -> str:
        counts = dict.fromkeys(EXCHANGE_ORDER, 0)
        for symbol in self._symbols.values():
            counts[symbol.exchange] += 1
        told = ", ".join(f"{count} {exchange}" for exchange, count in counts.items() if count)
        return f"Universe({len(self)} symbols: {told})"


@cache
def load_universe() -> Universe:
    """Return the shipped universe: the VN30 of early 2025 and the most traded other names, 102 in all.

    VN30 first, then the most liquid other HOSE, HNX and UPCOM names by mean traded value over the 250
    sessions to 2025-11-13. Exchanges are those of 2026-02-10.
    """
    text = (resources.files("vnquant.market") / "data" / "universe.csv").read_text(encoding="utf-8")
    return Universe(
        Symbol(
            ticker=row["symbol"],
            exchange=Exchange(row["exchange"]),
            sector=row["sector"],
            company=row["company"],
        )
        for row in csv.DictReader(text.splitlines())
    )
